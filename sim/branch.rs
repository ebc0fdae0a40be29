//! One node of the exploration: all ways to decide what recovery looks at, by enumeration or, where
//! there are too many, by schedule.

use crate::count::{Count, plus};
use crate::explore::{Memo, Worker, judge};
use crate::record::{Cut, Recorder};
use crate::subject::{Subject, Told};
use crate::trail::{LifeTrail, Trail};
use crate::{Choices, Found, Pattern, Rng, Settings};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// How much a node is worth.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Recoveries before it is explored by schedule.
    pub(crate) limit: u64,
    /// Random trails of the schedule.
    samples: u64,
    /// How many choices the schedule's patterns reach into.
    singles: u32,
    pairs: u32,
}

/// However deep a node is, this many recoveries of it are worth a certainty.
const LIMIT_MIN: u64 = 1024;

impl Effort {
    pub(crate) fn most(settings: &Settings) -> Effort {
        let (limit, samples) = (settings.node_limit, settings.samples);
        Effort { limit, samples, singles: 24, pairs: 12 }
    }

    /// Below a node that is explored exhaustively.
    fn below_all(self) -> Effort {
        Effort { limit: (self.limit / 16).max(LIMIT_MIN), samples: self.samples / 4, ..self }
    }

    /// Below one of many trails of a schedule.
    fn below_some(self) -> Effort {
        Effort { limit: 16, samples: 4, singles: 8, pairs: 0 }
    }
}

/// The exploration of one node.
pub(crate) struct Branch<'w, 'a, S: Subject> {
    worker: &'w mut Worker<'a, S>,
    cut: &'w Cut<S::Promise>,
    crashes: u32,
    effort: Effort,
    sum: Memo,
}

impl<'w, 'a, S: Subject> Branch<'w, 'a, S> {
    pub(crate) fn new(
        worker: &'w mut Worker<'a, S>,
        cut: &'w Cut<S::Promise>,
        crashes: u32,
        effort: Effort,
    ) -> Self {
        let sum = Memo { covered: Some(0), total: cut.disk.count(), exhaustive: true };
        Branch { worker, cut, crashes, effort, sum }
    }

    /// Exhaustively if that is feasible: there are no more trails than states, and if there are
    /// many states, the trails are counted first, without their crash points.
    pub(crate) fn explore(mut self) -> Memo {
        let limit = u128::from(self.effort.limit);
        let recorder = self.recorder();
        if self.sum.total.is_none_or(|total| total > limit) {
            let start = self.sum;
            let few = self.walk(None, self.effort.limit);
            if few && recorder.is_none() || self.worker.tally.over() {
                return self.sum;
            }
            self.sum = start;
            if !few {
                return self.schedule(recorder.as_ref());
            }
        }
        self.walk(recorder.as_ref(), u64::MAX);
        self.sum
    }

    /// Every trail, in order; false if there are more than `limit`.
    fn walk(&mut self, recorder: Option<&Recorder<S::Promise>>, limit: u64) -> bool {
        let mut choices = Choices::enumerate();
        for _ in 0..limit {
            let (made, states) = self.recover(choices, recorder);
            choices = made;
            self.sum.covered = plus(self.sum.covered, states);
            if let Some(recorder) = recorder {
                self.children(recorder.take(), self.effort.below_all());
            }
            if self.worker.stopped() {
                self.sum.exhaustive = false;
                return true;
            }
            if !choices.advance() {
                return true; // E4
            }
        }
        false
    }

    /// One recovery; returns its choices and its crash points.
    fn recover(
        &mut self,
        choices: Choices,
        recorder: Option<&Recorder<S::Promise>>,
    ) -> (Choices, Count) {
        let told = Told::new(self.cut.told.clone());
        if let Some(recorder) = recorder {
            recorder.restart(told.clone());
        }
        let disk = self.cut.disk.clone();
        let lived = self.worker.live(disk, choices, &told, recorder, self.crashes == 0);
        let tally = &mut self.worker.tally;
        tally.recoveries += 1;
        self.worker.progress.recoveries.fetch_add(1, Ordering::Relaxed);
        let broken = judge(&lived.result, &lived.fs, self.worker.settings);
        let mut state = lived.fs.lock();
        let states = state.disk.count();
        self.sum.exhaustive &= !state.disk.coarse;
        let choices = std::mem::replace(&mut state.choices, Choices::enumerate());
        tally.diverged |= choices.diverged();
        tally.choices_max = tally.choices_max.max(choices.made());
        if let (Some(broken), None) = (broken, &tally.found) {
            let mut lives = self.worker.path.clone();
            lives.push(LifeTrail { choices: choices.trail().to_vec(), cut: None });
            tally.found = Some(Found { broken, trail: Trail { lives } });
        }
        (choices, states)
    }

    fn children(&mut self, cuts: Vec<Cut<S::Promise>>, effort: Effort) {
        for cut in cuts {
            if self.worker.tally.over() {
                return;
            }
            let choices = cut.choices.clone();
            self.worker.path.push(LifeTrail { choices, cut: Some(cut.at) });
            let memo = self.worker.node(&cut, self.crashes - 1, effort);
            self.worker.path.pop();
            self.sum.covered = plus(self.sum.covered, memo.covered);
            self.sum.total = plus(self.sum.total, memo.total);
            self.sum.exhaustive &= memo.exhaustive;
        }
    }

    fn recorder(&self) -> Option<Recorder<S::Promise>> {
        let told = Told::new(self.cut.told.clone());
        (self.crashes > 0).then(|| Recorder::new(self.worker.taking(), told))
    }

    /// Too many trails: those of ALICE's schedule and random ones, each counted once.
    fn schedule(mut self, recorder: Option<&Recorder<S::Promise>>) -> Memo {
        self.worker.tally.sampled += 1;
        let mut seen_trails = BTreeSet::new();
        let mut seen_cuts = BTreeSet::new();
        let (first, _) = self.recover(Choices::pattern(Pattern::KeepAll), None);
        let made = first.made() as u32;
        let (singles, pairs) = (made.min(self.effort.singles), made.min(self.effort.pairs));
        let mut patterns = vec![Pattern::KeepAll, Pattern::DropAll];
        patterns.extend((0..singles).flat_map(|i| [Pattern::Drop(i), Pattern::Keep(i)]));
        let pair = |i| (i + 1..pairs).map(move |j| Pattern::Pair(i, j));
        patterns.extend((0..pairs).flat_map(pair));
        let seed = |n: u64| self.worker.settings.seed.wrapping_mul(0x9e37_79b9).wrapping_add(n);
        let random: Vec<Choices> =
            (0..self.effort.samples).map(|n| Choices::sample(Rng::new(seed(n)))).collect();
        for choices in patterns.into_iter().map(Choices::pattern).chain(random) {
            let (made, states) = self.recover(choices, recorder);
            if seen_trails.insert(made.trail().to_vec()) {
                self.sum.covered = plus(self.sum.covered, states);
            }
            if let Some(recorder) = recorder {
                let mut cuts = recorder.take();
                cuts.retain(|cut| seen_cuts.insert((cut.at, cut.choices.clone())));
                self.children(cuts, self.effort.below_some());
            }
            if self.worker.stopped() {
                break;
            }
        }
        self.sum.exhaustive = false;
        if self.crashes > 0 {
            self.sum.total = None; // the crash points of trails not walked are not known
        }
        self.sum
    }
}
