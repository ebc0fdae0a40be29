//! The figures of an exploration.

use crate::count::{Count, plus};
use crate::promise::Broken;
use crate::subject::Reach;
use crate::trail::Trail;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// A broken promise and the trail that leads there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What broke.
    pub broken: Broken,
    /// How to get there again.
    pub trail: Trail,
}

/// The figures of an exploration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Crash points of the first life that were taken.
    pub crash_points: u64,
    /// Recoveries executed and judged.
    pub recoveries: u64,
    /// Nodes that were met again and not explored again.
    pub memo_hits: u64,
    /// Crash states judged, exactly (trails: crash point × state, multiplied along the crashes).
    pub states_covered: Count,
    /// Crash states there are; `None` where that is not known exactly.
    pub states_total: Count,
    /// Whether nothing was left out.
    pub exhaustive: bool,
    /// Nodes that had too many ways, and were explored by schedule.
    pub sampled: u64,
    /// Whether a limit ended the run before its plan did.
    pub out_of_budget: bool,
    /// The most choices one recovery has made.
    pub choices_max: usize,
    /// What the subject says it reached.
    pub reach: Reach,
    /// The first finding.
    pub found: Option<Found>,
    /// Whether a run repeated with the same choices did something else: then nothing counts.
    pub diverged: bool,
}

impl Tally {
    pub(crate) fn empty() -> Tally {
        Tally {
            states_covered: Some(0),
            states_total: Some(0),
            exhaustive: true,
            ..Tally::default()
        }
    }

    /// Adds the figures of another part of the same exploration.
    pub fn add(&mut self, other: &Tally) {
        self.crash_points += other.crash_points;
        self.recoveries += other.recoveries;
        self.memo_hits += other.memo_hits;
        self.sampled += other.sampled;
        self.states_covered = plus(self.states_covered, other.states_covered);
        self.states_total = plus(self.states_total, other.states_total);
        self.exhaustive &= other.exhaustive;
        self.out_of_budget |= other.out_of_budget;
        self.choices_max = self.choices_max.max(other.choices_max);
        for (what, count) in &other.reach {
            *self.reach.entry(what).or_default() += count;
        }
        if self.found.is_none() {
            self.found.clone_from(&other.found);
        }
        self.diverged |= other.diverged;
    }

    /// Whether something was found that ends the whole exploration.
    pub(crate) fn failed(&self) -> bool {
        self.found.is_some() || self.diverged
    }

    pub(crate) fn over(&self) -> bool {
        self.failed() || self.out_of_budget
    }
}

/// How far a run is, for whoever draws a progress bar. All fields only grow.
#[derive(Debug, Default)]
pub struct Progress {
    /// Units of work, once known.
    pub units: AtomicUsize,
    /// Units done.
    pub done: AtomicUsize,
    /// Recoveries so far.
    pub recoveries: Arc<AtomicU64>,
    /// Set from outside to end the run early; its report then says that its budget ended.
    pub stop: Arc<AtomicBool>,
}

impl Progress {
    /// That of a part of the run: it has units of its own, its recoveries count for the whole, and
    /// it ends with it.
    pub fn part(&self) -> Progress {
        let (recoveries, stop) = (Arc::clone(&self.recoveries), Arc::clone(&self.stop));
        Progress { recoveries, stop, ..Progress::default() }
    }
}
