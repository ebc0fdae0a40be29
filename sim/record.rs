//! The watch that takes a fork of the disk at every crash point worth recovering from.
//!
//! Invariants
//! - E1: a power cut is skipped only if the next call is no sync and nothing is told before the
//!   next crash point: the disks of that later point include those of the skipped one.
//! - E2: a crash point that an earlier trail with the same choices has taken is not taken again.
//! - E3: kill points are never skipped; a write under way leaves any prefix of its sectors.

use crate::Choice;
use crate::count::Count;
use crate::cut::UnderWay;
use crate::disk::Disk;
use crate::fs::{Moment, Watch};
use crate::hash::Fingerprint;
use crate::promise::Promise;
use crate::subject::Told;
use crate::trail::{CrashKind, CrashPoint};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The world at a crash: the disk, what was told, and how the life got there.
#[derive(Debug)]
pub(crate) struct Cut<P> {
    pub(crate) disk: Disk,
    pub(crate) told: P,
    pub(crate) at: CrashPoint,
    pub(crate) choices: Vec<Choice>,
}

impl<P: Promise> Cut<P> {
    /// Of all that a recovery can find out and owes, and how many states it cannot tell apart.
    pub(crate) fn fingerprint(&self) -> (u128, Count) {
        let (print, rest) = self.disk.fingerprint();
        let mut whole = Fingerprint::default();
        whole.add_wide(print);
        whole.add_wide(self.told.fingerprint());
        (whole.value(), rest)
    }
}

/// Which cuts a recorder takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taking {
    pub(crate) power: bool,
    pub(crate) kill: bool,
    /// Power cuts at every boundary, E1 notwithstanding.
    pub(crate) every: bool,
    /// Power cuts at the end of a life only: what decays is a disk at rest.
    pub(crate) end_only: bool,
    /// Only this one, for a replay.
    pub(crate) only: Option<CrashPoint>,
    /// Nothing before the failed sync: no later life of this run may see one fail, and those cuts
    /// belong to the run without failures.
    pub(crate) after_failure: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Done {
    power: bool,
    early: bool,
}

#[derive(Debug)]
struct Inner<P> {
    taking: Taking,
    told: Told<P>,
    cuts: Vec<Cut<P>>,
    candidate: Option<(Cut<P>, u64)>,
    done: Vec<Done>,
}

/// Shared between the filesystem that calls it and the explorer that empties it.
#[derive(Debug)]
pub(crate) struct Recorder<P> {
    inner: Arc<Mutex<Inner<P>>>,
}

impl<P> Clone for Recorder<P> {
    fn clone(&self) -> Recorder<P> {
        Recorder { inner: Arc::clone(&self.inner) }
    }
}

impl<P: Promise> Recorder<P> {
    pub(crate) fn new(taking: Taking, told: Told<P>) -> Recorder<P> {
        let (cuts, candidate, done) = (Vec::new(), None, Vec::new());
        Recorder { inner: Arc::new(Mutex::new(Inner { taking, told, cuts, candidate, done })) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<P>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new trail begins.
    pub(crate) fn restart(&self, told: Told<P>) {
        let mut inner = self.lock();
        inner.told = told;
        inner.candidate = None;
        inner.cuts.clear();
    }

    /// The cuts of the trail that has ended.
    pub(crate) fn take(&self) -> Vec<Cut<P>> {
        std::mem::take(&mut self.lock().cuts)
    }

    /// The end of a life is a crash point too (F1).
    pub(crate) fn end(&self, disk: &Disk, moment: &Moment<'_>) {
        self.lock().boundary(disk, moment, true);
    }
}

impl<P: Promise> Watch for Recorder<P> {
    fn boundary(&mut self, disk: &Disk, moment: &Moment<'_>) {
        self.lock().boundary(disk, moment, false);
    }
}

impl<P: Promise> Inner<P> {
    fn boundary(&mut self, disk: &Disk, moment: &Moment<'_>, end: bool) {
        self.settle_candidate();
        let before = self.told.take_before();
        if self.taking.end_only && !end {
            return;
        }
        if self.taking.after_failure && disk.to_fail.is_some() {
            return;
        }
        let number = moment.call as usize;
        let repeats = moment.choices.repeats() && number < self.done.len();
        if !repeats {
            self.done.truncate(number);
            self.done.resize(number + 1, Done::default());
        }
        if let Some(only) = self.taking.only {
            if only.call == moment.call {
                self.only(only, disk, moment, before);
            }
            return;
        }
        self.early(before, disk, moment, repeats);
        if self.taking.power && !self.done[number].power {
            let at = CrashPoint { call: moment.call, kind: CrashKind::Power, part: 0, early: 0 };
            let cut = self.cut(disk.power_cut(), at, moment);
            if moment.is_sync || end || self.taking.every {
                self.keep(cut);
            } else {
                self.candidate = Some((cut, self.told.version()));
            }
        }
        if self.taking.kill && !repeats {
            let at = CrashPoint { call: moment.call, kind: CrashKind::Kill, part: 0, early: 0 };
            let cut = self.cut(disk.kill(None, moment.call), at, moment);
            self.cuts.push(cut);
            // E3: any prefix of a write's sectors.
            let sectors = moment.write.as_ref().map_or(0, UnderWay::sectors);
            for part in 1..sectors {
                let write = moment.write.as_ref().expect("a write has sectors");
                let disk = disk.kill(Some((write, part)), moment.call);
                let cut = self.cut(disk, CrashPoint { part, ..at }, moment);
                self.cuts.push(cut);
            }
        }
    }

    /// The moments before operations began: the disk is the same, and more is promised.
    fn early(&mut self, before: Vec<P>, disk: &Disk, moment: &Moment<'_>, repeats: bool) {
        let number = moment.call as usize;
        let fresh = !std::mem::replace(&mut self.done[number].early, true);
        for (before, early) in before.into_iter().zip(1..) {
            let at = CrashPoint { call: moment.call, kind: CrashKind::Power, part: 0, early };
            if self.taking.power && fresh {
                let cut = self.told_then(disk.power_cut(), at, moment, before.clone());
                self.cuts.push(cut);
            }
            if self.taking.kill && !repeats {
                let at = CrashPoint { kind: CrashKind::Kill, ..at };
                let cut = self.told_then(disk.kill(None, moment.call), at, moment, before);
                self.cuts.push(cut);
            }
        }
    }

    /// E1.
    fn settle_candidate(&mut self) {
        // E1: something was told since.
        if let Some((cut, version)) = self.candidate.take()
            && version != self.told.version()
        {
            self.keep(cut);
        }
    }

    fn keep(&mut self, cut: Cut<P>) {
        let done = &mut self.done[cut.at.call as usize].power;
        assert!(!std::mem::replace(done, true), "E2: taken already");
        self.cuts.push(cut);
    }

    fn only(&mut self, only: CrashPoint, disk: &Disk, moment: &Moment<'_>, before: Vec<P>) {
        let disk = match (only.kind, &moment.write) {
            (CrashKind::Power, _) => disk.power_cut(),
            (CrashKind::Kill, Some(write)) if (1..write.sectors()).contains(&only.part) => {
                disk.kill(Some((write, only.part)), moment.call)
            }
            (CrashKind::Kill, _) => disk.kill(None, moment.call),
        };
        let cut = match only.early.checked_sub(1) {
            None => self.cut(disk, only, moment),
            Some(nth) => match before.into_iter().nth(nth as usize) {
                Some(before) => self.told_then(disk, only, moment, before),
                None => return, // no such moment: the trail does not fit
            },
        };
        self.cuts.push(cut);
    }

    fn cut(&self, disk: Disk, at: CrashPoint, moment: &Moment<'_>) -> Cut<P> {
        self.told_then(disk, at, moment, self.told.promise())
    }

    fn told_then(&self, disk: Disk, at: CrashPoint, moment: &Moment<'_>, mut told: P) -> Cut<P> {
        if at.kind == CrashKind::Power {
            told.power_cut();
        }
        Cut { disk, told, at, choices: moment.choices.trail().to_vec() }
    }
}
