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

use crate::count::{Count, plus, times};
use crate::disk::Disk;
use crate::fs::{Moment, SimFs, SyncFailures};
use crate::promise::{Broken, Promise, Rule};
use crate::record::{Cut, Recorder, Taking};
use crate::subject::{Halt, Life, Reach, Subject, Told};
use crate::trail::{LifeTrail, Trail};
use crate::{Choices, FailedSync, Model, Pattern, Rng};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// What is explored, and how far.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which crash states are possible.
    pub model: Model,
    /// Crashes in one run: the second and later ones hit the recovery, or the work after it.
    pub crashes: u32,
    /// Whether power is lost.
    pub power: bool,
    /// Whether the process is killed.
    pub kill: bool,
    /// Instead of nothing failing: one sync of a run fails in this way.
    pub failed_sync: Option<FailedSync>,
    /// Every boundary is a crash point, even where a later one covers its disks.
    pub every_point: bool,
    /// Syncs say `Ok` and do nothing: this run must find something.
    pub deaf: bool,
    /// Recoveries of one node before it is explored by schedule instead of exhaustively; nodes of
    /// the second crash get a sixteenth of it, and so on.
    pub node_limit: u64,
    /// Random trails of a node that is explored by schedule.
    pub samples: u64,
    /// The seed of those.
    pub seed: u64,
    /// Recoveries after which a unit of work gives up; `u64::MAX` for never.
    pub unit_limit: u64,
    /// Threads that share the work; the report is the same for any number.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            model: Model::Posix,
            crashes: 2,
            power: true,
            kill: true,
            failed_sync: None,
            every_point: false,
            deaf: false,
            node_limit: 200_000,
            samples: 500,
            seed: 1,
            unit_limit: u64::MAX,
            threads: 1,
        }
    }
}

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
    fn empty() -> Tally {
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

    fn over(&self) -> bool {
        self.found.is_some() || self.diverged || self.out_of_budget
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
    pub recoveries: AtomicU64,
    /// Set from outside to end the run early; its report then says that its budget ended.
    pub stop: AtomicBool,
}

/// A node that was explored, relative to the states it cannot tell apart.
#[derive(Clone, Copy)]
struct Memo {
    covered: Count,
    total: Count,
    exhaustive: bool,
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
/// let tally = Explorer::new(Settings::default()).run(&Easy::<Forgetful>::puts(2));
/// assert!(tally.found.is_some());
/// ```
#[derive(Debug)]
pub struct Explorer {
    settings: Settings,
    progress: Arc<Progress>,
}

/// One worker: it has its own copy of the first life, so that threads share no memory.
struct Worker<'a, S: Subject> {
    subject: &'a S,
    settings: &'a Settings,
    progress: &'a Progress,
    memo: BTreeMap<(u128, u32), Memo>,
    reach: RefCell<Reach>,
    path: Vec<LifeTrail>,
    tally: Tally,
}

/// What one life did.
struct Lived {
    result: Result<(), Halt>,
    fs: SimFs,
}

impl Explorer {
    /// An explorer with these settings.
    pub fn new(settings: Settings) -> Explorer {
        Explorer { settings, progress: Arc::default() }
    }

    /// How far a run is.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Runs the exploration to its end or to the first finding.
    pub fn run<S: Subject>(&self, subject: &S) -> Tally {
        let next = AtomicUsize::new(0);
        let first_bad = AtomicUsize::new(usize::MAX);
        let work = || Worker::new(subject, &self.settings, &self.progress).run(&next, &first_bad);
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
        tally
    }
}

impl<'a, S: Subject> Worker<'a, S> {
    fn new(subject: &'a S, settings: &'a Settings, progress: &'a Progress) -> Worker<'a, S> {
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
    fn run(mut self, next: &AtomicUsize, first_bad: &AtomicUsize) -> Vec<(usize, Tally)> {
        let (units, root) = self.first_life();
        self.progress.units.store(units.len(), Ordering::Relaxed);
        let mut parts = Vec::new();
        if root.over() {
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
            self.tally = Tally { crash_points: 1, ..Tally::empty() };
            self.memo.clear();
            self.path = vec![LifeTrail { choices: cut.choices.clone(), cut: Some(cut.at) }];
            let memo = self.node(cut, self.settings.crashes.saturating_sub(1));
            self.tally.states_covered = memo.covered;
            self.tally.states_total = memo.total;
            self.tally.exhaustive = memo.exhaustive;
            self.tally.reach = self.reach.take();
            if self.tally.over() {
                first_bad.fetch_min(unit, Ordering::Relaxed);
            }
            self.progress.done.fetch_add(1, Ordering::Relaxed);
            parts.push((unit, std::mem::take(&mut self.tally)));
        }
    }

    fn first_life(&mut self) -> (Vec<Cut<S::Promise>>, Tally) {
        let told = Told::new(S::Promise::default());
        let recorder = Recorder::new(self.taking(), told.clone());
        let mut choices = Choices::enumerate();
        let mut units = Vec::new();
        let mut tally = Tally::empty();
        loop {
            let told = Told::new(S::Promise::default());
            recorder.restart(told.clone());
            let disk = Disk::new(self.settings.model);
            let lived =
                self.live(disk, choices, &told, Some(&recorder), self.settings.crashes == 0);
            choices = std::mem::replace(&mut lived.fs.lock().choices, Choices::enumerate());
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

    fn taking(&self) -> Taking {
        Taking {
            power: self.settings.power,
            kill: self.settings.kill,
            every: self.settings.every_point,
            only: None,
            after_failure: self.settings.failed_sync.is_some() && self.path.is_empty(),
        }
    }

    /// One life on `disk`; with a recorder its crash points are taken.
    fn live(
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
            state.deaf = self.settings.deaf;
            state.watch = recorder.map(|r| Box::new(r.clone()) as _);
            let family = self.settings.failed_sync.filter(|_| nth == 0);
            state.failures = family.map(|family| SyncFailures { family, left: 1 });
        }
        let (reach, remarks) = (&self.reach, None);
        let life = Life { nth, last, disk: Arc::new(fs.clone()), told, reach, remarks };
        let result = live_safely(self.subject, &life);
        drop(life);
        if let Some(recorder) = recorder {
            let mut state = fs.lock();
            let (call, failed) = (state.calls, state.failed > 0);
            let choices = &state.choices;
            let moment = Moment { call, is_sync: false, write: None, failed, choices };
            if result.is_ok() || failed {
                recorder.end(&state.disk, &moment);
            }
            state.watch = None;
        }
        Lived { result, fs }
    }

    fn judge(&self, lived: &Lived) -> Option<Broken> {
        judge(&lived.result, lived.fs.lock().failed > 0)
    }

    fn stopped(&mut self) -> bool {
        if self.tally.recoveries >= self.settings.unit_limit
            || self.progress.stop.load(Ordering::Relaxed)
        {
            self.tally.out_of_budget = true;
        }
        self.tally.over()
    }

    /// Explores a node with `crashes` more crashes to come.
    fn node(&mut self, cut: &Cut<S::Promise>, crashes: u32) -> Memo {
        let (print, rest) = cut.disk.fingerprint();
        let mut key = crate::hash::Fingerprint::default();
        key.add_wide(print);
        key.add_wide(cut.told.fingerprint());
        let key = (key.value(), crashes);
        if let Some(&memo) = self.memo.get(&key) {
            self.tally.memo_hits += 1;
            return Memo {
                covered: times(memo.covered, rest),
                total: times(memo.total, rest),
                ..memo
            };
        }
        let limit = self.settings.node_limit >> (4 * (self.path.len() - 1)).min(60);
        let mut memo = Branch::new(self, cut, crashes).enumerate(limit);
        if memo.is_none() {
            memo = Some(Branch::new(self, cut, crashes).schedule());
        }
        let memo = memo.expect("one of the two ways");
        if let (Some(rest @ 1..), false) = (rest, self.tally.over()) {
            let share = |count: Count| count.map(|c| c / rest);
            let relative = Memo { covered: share(memo.covered), total: share(memo.total), ..memo };
            self.memo.insert(key, relative);
        }
        memo
    }
}

/// The exploration of one node.
struct Branch<'w, 'a, S: Subject> {
    worker: &'w mut Worker<'a, S>,
    cut: &'w Cut<S::Promise>,
    crashes: u32,
    sum: Memo,
}

impl<'w, 'a, S: Subject> Branch<'w, 'a, S> {
    fn new(worker: &'w mut Worker<'a, S>, cut: &'w Cut<S::Promise>, crashes: u32) -> Self {
        let sum = Memo { covered: Some(0), total: cut.disk.count(), exhaustive: true };
        Branch { worker, cut, crashes, sum }
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

    fn children(&mut self, cuts: Vec<Cut<S::Promise>>) {
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

    fn recorder(&self) -> Option<Recorder<S::Promise>> {
        let told = Told::new(self.cut.told.clone());
        (self.crashes > 0).then(|| Recorder::new(self.worker.taking(), told))
    }

    /// Every trail, in order; `None` if there are more than `limit`.
    fn enumerate(mut self, limit: u64) -> Option<Memo> {
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
    fn schedule(mut self) -> Memo {
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

/// What a life's result means, given whether a failure was injected into it.
pub(crate) fn judge(result: &Result<(), Halt>, injected: bool) -> Option<Broken> {
    match result {
        Ok(()) => None,
        Err(Halt::Broken(broken)) => Some(broken.clone()),
        Err(Halt::Failed(_)) if injected => None,
        Err(Halt::Failed(what)) => {
            let what = format!("nothing failed, and the engine says: {what}");
            Some(Broken { rule: Rule::P5FalseAlarm, what })
        }
    }
}
