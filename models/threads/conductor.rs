//! The conductor: shuttle's scheduler for all that happens here. It follows a schedule, or makes
//! one, and writes down what it did so that it can be followed again.
//!
//! Random and PCT are made here and not by shuttle's own schedulers, because those let an
//! environment variable change the seed, and print when they are dropped.
//!
//! Invariants
//! - S4: what the conductor wrote down, followed, is the same run again.
//! - S5: while a panic unwinds, and before and after the threads of a program, nobody else runs.

use super::schedule::{Departure, Schedule};
use highwater_sim::Rng;
use shuttle::scheduler::{Schedule as Steps, Scheduler, Task, TaskId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Of the tasks: the one that watches, and the main caller.
const WATCH: usize = 0;
const MAIN: usize = 1;

/// From this number on a thread is one of the engine's own.
const OWN: u32 = 32;

/// How decisions are made.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// As this schedule says.
    Follow(Schedule),
    /// Any thread that can go on, each as likely.
    Random(u64),
    /// Priorities, and at some of the first `decisions` decisions whoever leads falls behind
    /// everybody: probabilistic concurrency testing with `depth - 1` such places.
    Pct {
        /// Of the priorities and the places.
        seed: u64,
        /// One more than there are places.
        depth: u32,
        /// Decisions among which the places are.
        decisions: u32,
    },
}

/// A decision as it was made: what else could have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// The threads that could go on, a bit each.
    pub(crate) ready: u64,
    /// The one that goes on by default (S2).
    pub(crate) usual: u32,
    /// The one that did.
    pub(crate) taken: u32,
    /// Whether the running thread could have gone on: another one preempts it.
    pub(crate) preempts: bool,
}

/// What the conductor and the threads know together.
#[derive(Debug, Default)]
pub(crate) struct Score {
    /// All decisions so far.
    pub(crate) decisions: Vec<Decision>,
    /// A departure asked for a thread that could not go on (S3).
    pub(crate) skipped: bool,
    /// The threads of the program are on: the main caller waits.
    pub(crate) open: bool,
    /// The threads that have come to their end.
    pub(crate) ended: BTreeSet<u32>,
    /// Nobody runs any more.
    pub(crate) stopped: bool,
    /// Why it was stopped, if it was.
    pub(crate) panicked: Option<String>,
    pub(crate) hung: Option<String>,
    /// Which threads of the program the tasks are.
    pub(crate) numbers: BTreeMap<usize, u32>,
    /// Of all that the disk was asked and the callers were told, in order: two runs with the same
    /// leave the same disks and the same promises at each moment.
    pub(crate) print: u128,
    /// The thread of the last remark.
    pub(crate) speaker: u32,
}

impl Score {
    /// What was decided, as departures from the default.
    pub(crate) fn schedule(&self) -> Schedule {
        let departs = |(at, decision): (usize, &Decision)| {
            let thread = decision.taken;
            (thread != decision.usual).then_some(Departure { at: at as u32, thread })
        };
        Schedule::new(self.decisions.iter().enumerate().filter_map(departs).collect())
    }

    /// The thread of a task: 0 for the main caller; the engine's own come last.
    pub(crate) fn thread(&self, task: usize) -> u32 {
        let own = if task <= MAIN { 0 } else { OWN + task as u32 };
        self.numbers.get(&task).copied().unwrap_or(own)
    }
}

/// A score that is shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(Arc<Mutex<Score>>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Score> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
pub(crate) struct Conductor {
    way: Way,
    rng: Rng,
    /// Of PCT: the higher runs. And the decisions at which a leader falls behind.
    priorities: BTreeMap<u32, u64>,
    falls: Vec<u32>,
    score: Shared,
}

impl Conductor {
    pub(crate) fn new(way: Way, score: Shared) -> Conductor {
        let mut rng = match way {
            Way::Follow(_) => Rng::new(0),
            Way::Random(seed) | Way::Pct { seed, .. } => Rng::new(seed),
        };
        let mut falls = Vec::new();
        if let Way::Pct { depth, decisions, .. } = way {
            falls.extend((1..depth).map(|_| rng.below(u64::from(decisions.max(1))) as u32));
        }
        Conductor { way, rng, priorities: BTreeMap::new(), falls, score }
    }

    /// Decision `at`, between the threads that are `ready`.
    fn decide(&mut self, at: u32, ready: &[u32], usual: u32) -> (u32, bool) {
        match &self.way {
            Way::Follow(schedule) => match schedule.at(at) {
                Some(thread) if ready.contains(&thread) => (thread, false),
                // S3: it cannot go on, and that is all.
                Some(_) => (usual, true),
                None => (usual, false),
            },
            Way::Random(_) => (ready[self.rng.below(ready.len() as u64) as usize], false),
            Way::Pct { .. } => (self.lead(at, ready), false),
        }
    }

    fn lead(&mut self, at: u32, ready: &[u32]) -> u32 {
        for &thread in ready {
            if !self.priorities.contains_key(&thread) {
                let priority = self.rng.word() | 1 << 63;
                self.priorities.insert(thread, priority);
            }
        }
        let leader = |priorities: &BTreeMap<u32, u64>| {
            let best = ready.iter().copied().max_by_key(|thread| priorities[thread]);
            best.expect("a decision is between threads")
        };
        if let Some(nth) = self.falls.iter().position(|fall| *fall == at) {
            let leads = leader(&self.priorities);
            self.priorities.insert(leads, (self.falls.len() - nth) as u64);
        }
        leader(&self.priorities)
    }
}

impl Scheduler for Conductor {
    fn new_execution(&mut self) -> Option<Steps> {
        Some(Steps::new(0))
    }

    fn next_task(
        &mut self,
        ready: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let score = self.score.clone();
        let mut score = score.lock();
        let is_ready = |task: usize| ready.iter().any(|t| usize::from(t.id()) == task);
        if std::thread::panicking() {
            return current.filter(|task| is_ready((*task).into())); // S5
        }
        if score.stopped {
            return None;
        }
        if !score.open && is_ready(MAIN) {
            return Some(MAIN.into()); // S5
        }
        let tasks = ready.iter().map(|task| usize::from(task.id())).filter(|task| *task > MAIN);
        let ready: Vec<(u32, usize)> = tasks.map(|task| (score.thread(task), task)).collect();
        match ready[..] {
            [] => Some(if is_ready(MAIN) { MAIN } else { WATCH }.into()),
            [(_, only)] => Some(only.into()), // S1
            _ => {
                let threads: Vec<u32> = ready.iter().map(|(thread, _)| *thread).collect();
                let running = current.map(|task| score.thread(task.into()));
                let running = running.filter(|thread| threads.contains(thread));
                let next = running.and_then(|me| threads.iter().find(|thread| **thread > me));
                let next = *next.unwrap_or(&threads[0]);
                // S2; and a thread that yields waits for the others: this is no preemption.
                let usual = if is_yielding { next } else { running.unwrap_or(next) };
                let at = score.decisions.len() as u32;
                let (taken, skipped) = self.decide(at, &threads, usual);
                score.skipped |= skipped;
                let bits = threads.iter().fold(0, |bits, thread| bits | 1 << (thread & 63));
                let preempts = running.is_some() && !is_yielding;
                score.decisions.push(Decision { ready: bits, usual, taken, preempts });
                let task = ready.iter().find(|(thread, _)| *thread == taken);
                task.map(|(_, task)| (*task).into())
            }
        }
    }

    fn next_u64(&mut self) -> u64 {
        self.rng.word()
    }
}
