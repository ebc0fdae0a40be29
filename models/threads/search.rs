//! Which schedules are tried, in which order, and which of them are worth exploring.
//!
//! First all with no preemption, then all with one, and so on: context bounding, as CHESS has it.
//! Every schedule is reached once, from the one that lacks its last departure; so a bound is
//! complete when no schedule within it is left. Then random ones, and probabilistic concurrency
//! testing, from our own seed.
//!
//! Invariants
//! - S8: what is tried depends on the program and the plan, not on time and not on threads.

use super::conductor::{Decision, Score, Way};
use super::schedule::{Departure, Schedule};
use highwater_sim::Rng;
use std::collections::BTreeSet;

/// Which schedules are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The most preemptions of a systematic schedule: 0 for none. `None` for the default schedule
    /// and no other, random ones neither.
    pub bound: Option<u32>,
    /// The most systematic schedules; when they end before the bounds do, the last bound is not
    /// complete.
    pub systematic: usize,
    /// Random schedules.
    pub random: usize,
    /// Schedules of probabilistic concurrency testing, with two to four priorities.
    pub pct: usize,
    /// The seed of those.
    pub seed: u64,
}

impl Default for Plan {
    fn default() -> Plan {
        Plan { bound: Some(2), systematic: 5_000, random: 50, pct: 50, seed: 1 }
    }
}

impl Plan {
    /// The default schedule alone: threads one after the other.
    pub const ALONE: Plan = Plan { bound: None, systematic: 1, random: 0, pct: 0, seed: 1 };
}

/// The schedules that a plan tries, handed out one by one. What their runs decided is told back.
#[derive(Debug)]
pub(crate) struct Search {
    plan: Plan,
    /// The schedules to come, by the number of their preemptions.
    waiting: Vec<BTreeSet<Schedule>>,
    bound: usize,
    handed_out: usize,
    drawn: usize,
    rng: Rng,
    /// Decisions of the longest run so far.
    decisions: u32,
}

/// A schedule that a search hands out.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) way: Way,
    /// Of a systematic one: how many preemptions it has.
    preemptions: Option<usize>,
}

impl Search {
    pub(crate) fn new(plan: Plan) -> Search {
        let bounds = plan.bound.map_or(0, |bound| bound as usize) + 1;
        let mut waiting = vec![BTreeSet::new(); bounds];
        waiting[0].insert(Schedule::default());
        let rng = Rng::new(plan.seed);
        Search { plan, waiting, bound: 0, handed_out: 0, drawn: 0, rng, decisions: 0 }
    }

    /// The next schedule; `None` when the plan has ended.
    pub(crate) fn next(&mut self) -> Option<Task> {
        while self.handed_out < self.plan.systematic && self.bound < self.waiting.len() {
            if let Some(schedule) = self.waiting[self.bound].pop_first() {
                self.handed_out += 1;
                let (way, preemptions) = (Way::Follow(schedule), Some(self.bound));
                return Some(Task { way, preemptions });
            }
            self.bound += 1;
        }
        let nth = self.drawn;
        self.drawn += 1;
        let (seed, decisions) = (self.rng.word(), self.decisions);
        let way = match nth.checked_sub(self.plan.random) {
            None => Way::Random(seed),
            Some(nth) if nth >= self.plan.pct => return None,
            Some(nth) => Way::Pct { seed, depth: 2 + nth as u32 % 3, decisions },
        };
        Some(Task { way, preemptions: None })
    }

    /// What a run of `task` decided: from here the systematic ones grow.
    pub(crate) fn learn(&mut self, task: &Task, score: &Score) {
        self.decisions = self.decisions.max(score.decisions.len() as u32);
        let (Way::Follow(schedule), Some(preemptions)) = (&task.way, task.preemptions) else {
            return;
        };
        // One that was skipped is another schedule, which has its own children.
        if score.skipped || self.plan.bound.is_none() {
            return;
        }
        let decisions = score.decisions.iter().zip(0..).skip(schedule.end() as usize);
        for (Decision { ready, usual, preempts, .. }, at) in decisions {
            let cost = preemptions + usize::from(*preempts);
            let Some(waiting) = self.waiting.get_mut(cost) else { continue };
            let others = (0..64).filter(|thread| ready >> thread & 1 == 1 && thread != usual);
            waiting.extend(others.map(|thread| schedule.and(Departure { at, thread })));
        }
    }

    /// The largest number of preemptions up to which all schedules have been handed out.
    pub(crate) fn complete(&self) -> Option<u32> {
        self.plan.bound?;
        let complete = self.waiting.iter().take_while(|waiting| waiting.is_empty()).count();
        let complete = complete.min(self.bound + usize::from(self.bound < self.waiting.len()));
        complete.checked_sub(1).map(|bound| bound as u32)
    }
}
