//! The explorer: every disk a power cut may leave, and every disk a crash of the recovery may
//! leave, recovered and judged. Loom for disks.
//!
//! A *node* is a disk right after a crash, together with what the callers were told. Exploring it
//! means: for every way to decide what recovery looks at, let the engine live one life on a fork of
//! that disk, judge it, and explore the nodes at that life's own crash points. The crash points of
//! the first life are the units of work that threads share.
//!
//! Invariants
//! - E4: of every node, covered equals total once its tree of choices is exhausted (O3 summed up).
//! - E5: a report depends on the subject and the settings, not on threads or time; the figures of
//!   units behind the first finding are left out, whether another thread had begun them or not.

use crate::branch::{Branch, Effort};
use crate::count::{Count, times};
use crate::disk::Disk;
use crate::failure::Asked;
use crate::fs::{Moment, SimFs};
use crate::promise::{Broken, Rule};
use crate::record::{Cut, Recorder, Taking};
use crate::subject::{Halt, Life, Reach, Subject, Told};
use crate::trail::{LifeTrail, Trail};
use crate::{Choices, Failure, FaultFs, Found, Progress, Settings, Tally};
use highwater_vfs::Vfs;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A node that was explored, relative to the states it cannot tell apart.
#[derive(Clone, Copy)]
pub(crate) struct Memo {
    pub(crate) covered: Count,
    pub(crate) total: Count,
    pub(crate) exhaustive: bool,
}

/// Explores the crash states of a subject.
///
/// ```
/// # use highwater_sim::{Easy, Explorer, Kv, Settings};
/// # use highwater_vfs::{OpenMode, Vfs};
/// # use std::{io, sync::Arc};
/// struct Forgetful(Arc<dyn Vfs>); // one file a key, and never a sync
/// impl Kv for Forgetful {
///     fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
///         Ok(Forgetful(disk))
///     }
///     fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
///         let file = self.0.open(key.to_string().as_ref(), OpenMode::CreateNew)?;
///         file.write_at(value, 0).map(drop)
///     }
///     fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
///         let Ok(file) = self.0.open(key.to_string().as_ref(), OpenMode::Read) else {
///             return Ok(None);
///         };
///         let mut value = vec![0; file.size()? as usize];
///         file.read_at(&mut value, 0)?;
///         Ok(Some(value))
///     }
/// }
/// let tally = Explorer::new(Settings::default()).run(&Easy::puts::<Forgetful>(2));
/// assert!(tally.found.is_some());
/// ```
#[derive(Debug)]
pub struct Explorer {
    settings: Settings,
    progress: Arc<Progress>,
}

/// One worker: it has its own copy of the first life, so that threads share no memory.
pub(crate) struct Worker<'a, S: Subject> {
    subject: &'a S,
    pub(crate) settings: &'a Settings,
    pub(crate) progress: &'a Progress,
    memo: BTreeMap<(u128, u32, u64), Memo>,
    reach: RefCell<Reach>,
    pub(crate) path: Vec<LifeTrail>,
    pub(crate) tally: Tally,
}

/// What one life did.
pub(crate) struct Lived {
    pub(crate) result: Result<(), Halt>,
    pub(crate) fs: SimFs,
}

impl Explorer {
    /// An explorer with these settings.
    pub fn new(settings: Settings) -> Explorer {
        Explorer { settings: settings.fitting(), progress: Arc::default() }
    }

    /// The same as a part of a run that is watched, and that ends it.
    pub fn within(self, whole: &Progress) -> Explorer {
        Explorer { progress: Arc::new(whole.part()), ..self }
    }

    /// How far a run is.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Runs the exploration to its end or to the first finding.
    pub fn run<S: Subject>(&self, subject: &S) -> Tally {
        self.run_beyond(subject, &BTreeSet::new()).0
    }

    /// Runs the exploration without the crash points of the first life that are `known`: those
    /// whose disk and promise an exploration with the same settings, of a subject that recovers in
    /// the same way, has been through. What is explored here and breaks nothing comes back, to be
    /// known to the next one. The figures have no known states.
    pub fn run_beyond<S: Subject>(
        &self,
        subject: &S,
        known: &BTreeSet<u128>,
    ) -> (Tally, BTreeSet<u128>) {
        let next = AtomicUsize::new(0);
        let first_bad = AtomicUsize::new(usize::MAX);
        let beyond = Beyond { known, new: Mutex::default() };
        let work = || {
            let worker = Worker::new(subject, &self.settings, &self.progress);
            worker.run(&next, &first_bad, &beyond)
        };
        let mut parts: Vec<(usize, Tally)> = if self.settings.threads <= 1 {
            work()
        } else {
            std::thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..self.settings.threads).map(|_| scope.spawn(work)).collect();
                threads
                    .into_iter()
                    .flat_map(|t| t.join().expect("a worker catches panics"))
                    .collect()
            })
        };
        parts.sort_by_key(|part| part.0);
        let mut tally = Tally::empty();
        for (_, part) in &parts {
            tally.add(part);
            if tally.found.is_some() || tally.diverged {
                break; // E5
            }
        }
        if tally.out_of_budget {
            tally.states_total = None; // units that nobody came to have not been counted
        }
        (tally, beyond.new.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The nodes of other explorations, and those that this one adds to them.
pub(crate) struct Beyond<'a> {
    known: &'a BTreeSet<u128>,
    new: Mutex<BTreeSet<u128>>,
}

impl<'a, S: Subject> Worker<'a, S> {
    pub(crate) fn new(
        subject: &'a S,
        settings: &'a Settings,
        progress: &'a Progress,
    ) -> Worker<'a, S> {
        Worker {
            subject,
            settings,
            progress,
            memo: BTreeMap::new(),
            reach: RefCell::default(),
            path: Vec::new(),
            tally: Tally::empty(),
        }
    }

    /// Runs the first life (in all ways it can go), then takes units until none is left. Unit 0 is
    /// the first life itself.
    pub(crate) fn run(
        mut self,
        next: &AtomicUsize,
        first_bad: &AtomicUsize,
        beyond: &Beyond<'_>,
    ) -> Vec<(usize, Tally)> {
        let (units, root) = self.first_life();
        self.progress.units.store(units.len(), Ordering::Relaxed);
        let mut parts = Vec::new();
        if root.failed() {
            first_bad.store(0, Ordering::Relaxed);
            return vec![(0, root)];
        }
        let mut first = Some(root);
        loop {
            let unit = next.fetch_add(1, Ordering::Relaxed);
            if unit == 0 {
                parts.extend(first.take().map(|tally| (0, tally)));
                continue;
            }
            let Some(cut) = units.get(unit - 1) else { return parts };
            if unit > first_bad.load(Ordering::Relaxed) {
                continue;
            }
            let print = cut.fingerprint().0;
            if beyond.known.contains(&print) {
                parts.push((unit, Tally { memo_hits: 1, ..Tally::empty() }));
                self.progress.done.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            self.tally = Tally { crash_points: 1, ..Tally::empty() };
            self.memo.clear();
            self.path = vec![LifeTrail { choices: cut.choices.clone(), cut: Some(cut.at) }];
            let effort = Effort::most(self.settings);
            let memo = self.node(cut, self.settings.crashes.saturating_sub(1), effort);
            self.tally.states_covered = memo.covered;
            self.tally.states_total = memo.total;
            self.tally.exhaustive = memo.exhaustive;
            self.tally.reach = self.reach.take();
            if self.tally.failed() {
                first_bad.fetch_min(unit, Ordering::Relaxed);
            }
            if !self.tally.over() {
                beyond.new.lock().unwrap_or_else(PoisonError::into_inner).insert(print);
            }
            self.progress.done.fetch_add(1, Ordering::Relaxed);
            parts.push((unit, std::mem::take(&mut self.tally)));
        }
    }

    pub(crate) fn first_life(&mut self) -> (Vec<Cut<S::Promise>>, Tally) {
        let told = Told::new(S::Promise::default());
        let recorder = Recorder::new(self.taking(), told.clone());
        let mut choices = Choices::enumerate();
        let mut units = Vec::new();
        let mut tally = Tally::empty();
        loop {
            let told = Told::new(S::Promise::default());
            recorder.restart(told.clone());
            let disk = self.settings.disk();
            let (last, crash) = (self.settings.crashes == 0, (self.settings.crashes > 0));
            let lived = self.live(disk, choices, &told, crash.then_some(&recorder), last);
            choices = std::mem::replace(&mut lived.fs.lock().choices, Choices::enumerate());
            tally.exhaustive &= !lived.fs.lock().disk.coarse;
            if self.progress.stop.load(Ordering::Relaxed) {
                tally.out_of_budget = true;
                return (units, tally);
            }
            tally.diverged |= choices.diverged();
            if let Some(broken) = self.judge(&lived) {
                let lives = vec![LifeTrail { choices: choices.trail().to_vec(), cut: None }];
                tally.found = Some(Found { broken, trail: Trail { lives } });
                return (units, tally);
            }
            units.extend(recorder.take());
            if !choices.advance() {
                tally.reach = self.reach.take();
                return (units, tally);
            }
        }
    }

    pub(crate) fn taking(&self) -> Taking {
        Taking {
            power: self.settings.power,
            kill: self.settings.kill,
            every: self.settings.every_point,
            end_only: self.settings.decays(),
            only: None,
            after_failure: !self.settings.decays()
                && self.path.len() as u32 + 1 >= self.settings.crashes,
        }
    }

    /// One life on `disk`; with a recorder its crash points are taken.
    pub(crate) fn live(
        &self,
        disk: Disk,
        choices: Choices,
        told: &Told<S::Promise>,
        recorder: Option<&Recorder<S::Promise>>,
        last: bool,
    ) -> Lived {
        let nth = self.path.len() as u32;
        let fs = SimFs::on(disk, choices);
        {
            let mut state = fs.lock();
            state.deaf = self.settings.is_deaf();
            state.watch = recorder.map(|r| Box::new(r.clone()) as _);
            state.may_fail = self.settings.may_fail(nth, last);
        }
        let (reach, remarks) = (&self.reach, None);
        let (disk, alone) = (seen_by(&fs, self.settings), last && self.settings.decays());
        let life = Life { nth, last: last && !alone, alone, disk, told, reach, remarks };
        let result = live_safely(self.subject, &life);
        drop(life);
        if let Some(recorder) = recorder {
            let mut state = fs.lock();
            let (call, failed) = (state.calls, state.failed > 0);
            let choices = &state.choices;
            let moment = Moment { call, is_sync: false, write: None, choices };
            if result.is_ok() || failed {
                recorder.end(&state.disk, &moment);
            }
            state.watch = None;
        }
        Lived { result, fs }
    }

    pub(crate) fn judge(&self, lived: &Lived) -> Option<Broken> {
        judge(&lived.result, &lived.fs, self.settings)
    }

    pub(crate) fn stopped(&mut self) -> bool {
        if self.tally.recoveries >= self.settings.unit_limit
            || self.progress.stop.load(Ordering::Relaxed)
        {
            self.tally.out_of_budget = true;
        }
        self.tally.over()
    }

    /// Explores a node with `crashes` more crashes to come.
    pub(crate) fn node(&mut self, cut: &Cut<S::Promise>, crashes: u32, effort: Effort) -> Memo {
        let (print, rest) = cut.fingerprint();
        let key = (print, crashes, effort.limit);
        if let Some(&memo) = self.memo.get(&key) {
            self.tally.memo_hits += 1;
            return Memo {
                covered: times(memo.covered, rest),
                total: times(memo.total, rest),
                ..memo
            };
        }
        let memo = Branch::new(self, cut, crashes, effort).explore();
        if let (Some(rest @ 1..), false) = (rest, self.tally.over()) {
            let share = |count: Count| count.map(|c| c / rest);
            let relative = Memo { covered: share(memo.covered), total: share(memo.total), ..memo };
            self.memo.insert(key, relative);
        }
        memo
    }
}

/// Lets the subject live; a panic is a broken bound (P11), not the end of the explorer.
pub(crate) fn live_safely<S: Subject>(
    subject: &S,
    life: &Life<'_, S::Promise>,
) -> Result<(), Halt> {
    let lived = catch_unwind(AssertUnwindSafe(|| subject.live(life)));
    lived.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("");
        Err(Halt::broken(Rule::P11Bounds, format!("the engine panicked: {text}")))
    })
}

/// The disk as the engine sees it: with the faults of the settings.
pub(crate) fn seen_by(fs: &SimFs, settings: &Settings) -> Arc<dyn Vfs> {
    match settings.failure {
        Some(Failure::Call(fault)) => Arc::new(FaultFs::chosen(fs, fault)),
        _ => Arc::new(fs.clone()),
    }
}

/// What a life's result means, given what was done to its disk.
pub(crate) fn judge(result: &Result<(), Halt>, fs: &SimFs, settings: &Settings) -> Option<Broken> {
    let Err(halt) = result else { return None };
    let state = fs.lock();
    let happened = settings.failure == Some(Failure::Lying) || state.disk.to_fail.is_none();
    let asked = match settings.failure.filter(|_| happened).map(Failure::asked) {
        // The device took what the engine had left alone: nobody could keep that.
        None | Some(Asked::Everything) if state.disk.spoiled => Asked::PrefixOrError,
        asked => asked.unwrap_or(Asked::Everything),
    };
    let decayed = state.disk.decayed;
    // Nothing on the disk can show that its last bytes were durable.
    let excused = |broken: &Broken| match (asked, decayed) {
        (Asked::Everything, _) => false,
        (Asked::PrefixOrError, _) => broken.short_by > 0 || broken.rule == Rule::P5FalseAlarm,
        (Asked::TruthOrError, Some(d)) => {
            let last = broken.short_by == 1 || broken.short_by > 0 && d.tail && d.how.takes_many();
            last || broken.rule == Rule::P5FalseAlarm
        }
        (Asked::TruthOrError, None) => false,
    };
    match halt {
        Halt::Broken(broken) if excused(broken) => None,
        Halt::Broken(broken) if asked == Asked::TruthOrError && broken.rule.is_about_state() => {
            let what = format!("damage went unnoticed: {}", broken.what);
            Some(Broken { rule: Rule::P6Silence, what, ..broken.clone() })
        }
        Halt::Broken(broken) => Some(broken.clone()),
        _ if asked == Asked::TruthOrError || state.failed > 0 => None,
        Halt::Failed(_) if asked == Asked::PrefixOrError => None,
        Halt::Stuck(what) => Some(Broken::new(Rule::P8Progress, what.as_str())),
        Halt::Failed(what) => {
            let what = format!("nothing failed, and the engine says: {what}");
            Some(Broken::new(Rule::P5FalseAlarm, what))
        }
    }
}
