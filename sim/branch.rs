//! One node of the exploration: all ways to decide what recovery looks at, by enumeration or, where
//! there are too many, by schedule.

use crate::count::{Count, plus};
use crate::explore::{Memo, Worker, judge};
use crate::record::{Cut, Recorder};
use crate::subject::{Subject, Told};
use crate::trail::{LifeTrail, Trail};
use crate::{Choices, Found, Pattern, Rng};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// The exploration of one node.
pub(crate) struct Branch<'w, 'a, S: Subject> {
    worker: &'w mut Worker<'a, S>,
    cut: &'w Cut<S::Promise>,
    crashes: u32,
    sum: Memo,
}

impl<'w, 'a, S: Subject> Branch<'w, 'a, S> {
    pub(crate) fn new(
        worker: &'w mut Worker<'a, S>,
        cut: &'w Cut<S::Promise>,
        crashes: u32,
    ) -> Self {
        let sum = Memo { covered: Some(0), total: cut.disk.count(), exhaustive: true };
        Branch { worker, cut, crashes, sum }
    }

    /// One recovery; returns its choices and its crash points.
    pub(crate) fn recover(
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
        let broken = judge(&lived.result, lived.fs.lock().failed > 0);
        let mut state = lived.fs.lock();
        let states = state.disk.count();
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

    pub(crate) fn children(&mut self, cuts: Vec<Cut<S::Promise>>) {
        for cut in cuts {
            if self.worker.tally.over() {
                return;
            }
            let choices = cut.choices.clone();
            self.worker.path.push(LifeTrail { choices, cut: Some(cut.at) });
            let memo = self.worker.node(&cut, self.crashes - 1);
            self.worker.path.pop();
            self.sum.covered = plus(self.sum.covered, memo.covered);
            self.sum.total = plus(self.sum.total, memo.total);
            self.sum.exhaustive &= memo.exhaustive;
        }
    }

    pub(crate) fn recorder(&self) -> Option<Recorder<S::Promise>> {
        let told = Told::new(self.cut.told.clone());
        (self.crashes > 0).then(|| Recorder::new(self.worker.taking(), told))
    }

    /// Every trail, in order; `None` if there are more than `limit`.
    pub(crate) fn enumerate(mut self, limit: u64) -> Option<Memo> {
        let recorder = self.recorder();
        let mut choices = Choices::enumerate();
        let mut trails = 0;
        loop {
            if trails == limit {
                return None;
            }
            trails += 1;
            let (made, states) = self.recover(choices, recorder.as_ref());
            choices = made;
            self.sum.covered = plus(self.sum.covered, states);
            if let Some(recorder) = &recorder {
                let cuts = recorder.take();
                self.children(cuts);
            }
            if self.worker.stopped() {
                self.sum.exhaustive = false;
                return Some(self.sum);
            }
            if !choices.advance() {
                return Some(self.sum); // E4
            }
        }
    }

    /// Too many trails: those of ALICE's schedule and random ones, each counted once.
    pub(crate) fn schedule(mut self) -> Memo {
        let recorder = self.recorder();
        let mut seen_trails = BTreeSet::new();
        let mut seen_cuts = BTreeSet::new();
        let (first, _) = self.recover(Choices::pattern(Pattern::KeepAll), None);
        let deep = first.made().min(24) as u32;
        let mut patterns = vec![Pattern::KeepAll, Pattern::DropAll];
        patterns.extend((0..deep).flat_map(|i| [Pattern::Drop(i), Pattern::Keep(i)]));
        let pairs = (0..deep).flat_map(|i| (i + 1..deep).map(move |j| Pattern::Pair(i, j)));
        patterns.extend(pairs);
        let samples = self.worker.settings.samples >> (2 * (self.worker.path.len() - 1)).min(60);
        let seed = |n: u64| self.worker.settings.seed.wrapping_mul(0x9e37_79b9).wrapping_add(n);
        let random: Vec<Choices> =
            (0..samples).map(|n| Choices::sample(Rng::new(seed(n)))).collect();
        for choices in patterns.into_iter().map(Choices::pattern).chain(random) {
            let (made, states) = self.recover(choices, recorder.as_ref());
            if seen_trails.insert(made.trail().to_vec()) {
                self.sum.covered = plus(self.sum.covered, states);
            }
            if let Some(recorder) = &recorder {
                let mut cuts = recorder.take();
                cuts.retain(|cut| seen_cuts.insert((cut.at, cut.choices.clone())));
                self.children(cuts);
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
