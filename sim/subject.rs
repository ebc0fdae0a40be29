//! The engine under test, as the explorer sees it.

use crate::promise::{Broken, Promise, Rule};
use highwater_vfs::Vfs;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How often something interesting happened, by name.
pub type Reach = BTreeMap<&'static str, u64>;

/// What the callers were told, shared between the subject that tells and the explorer that reads
/// it at every crash point.
#[derive(Debug)]
pub struct Told<P> {
    cell: Arc<Mutex<Telling<P>>>,
}

#[derive(Debug)]
struct Telling<P> {
    version: u64,
    promise: P,
    /// What was promised before operations began, until a crash point has seen it.
    before: Vec<P>,
}

impl<P> Clone for Told<P> {
    fn clone(&self) -> Told<P> {
        Told { cell: Arc::clone(&self.cell) }
    }
}

impl<P: Promise> Told<P> {
    pub(crate) fn new(promise: P) -> Told<P> {
        let telling = Telling { version: 0, promise, before: Vec::new() };
        Told { cell: Arc::new(Mutex::new(telling)) }
    }

    fn lock(&self) -> MutexGuard<'_, Telling<P>> {
        self.cell.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what was told. Call it after an operation is acknowledged ([`begin`](Told::begin) is
    /// for when it begins);
    /// the explorer never skips a crash point between two changes.
    pub fn tell<T>(&self, change: impl FnOnce(&mut P) -> T) -> T {
        let mut guard = self.lock();
        guard.version += 1;
        change(&mut guard.promise)
    }

    /// Says that an operation begins: what is told weakens the promise, for from now on the
    /// operation may be found. The moment before it is a crash point of its own.
    pub fn begin<T>(&self, change: impl FnOnce(&mut P) -> T) -> T {
        let mut guard = self.lock();
        guard.version += 1;
        let before = guard.promise.clone();
        guard.before.push(before);
        change(&mut guard.promise)
    }

    /// The promises before each operation that began since somebody asked last.
    pub(crate) fn take_before(&self) -> Vec<P> {
        std::mem::take(&mut self.lock().before)
    }

    pub(crate) fn version(&self) -> u64 {
        self.lock().version
    }

    pub(crate) fn promise(&self) -> P {
        self.lock().promise.clone()
    }
}

/// One life of the process: from its start to its crash.
pub struct Life<'a, P> {
    /// 0 for the life that runs the workload, then 1, 2, … for those that recover.
    pub nth: u32,
    /// No crash will follow: recover and compare, nothing more.
    pub last: bool,
    /// No life will follow, though this one works: what it leaves is for itself to look at.
    pub(crate) alone: bool,
    /// The disk as this life finds it.
    pub disk: Arc<dyn Vfs>,
    /// What the callers were told so far.
    pub told: &'a Told<P>,
    pub(crate) reach: &'a RefCell<Reach>,
    pub(crate) remarks: Option<&'a crate::SimFs>,
}

impl<P> Life<'_, P> {
    /// Counts that something interesting happened: a row of the recovery table, a fault.
    pub fn reached(&self, what: &'static str) {
        *self.reach.borrow_mut().entry(what).or_default() += 1;
    }

    /// A line for the reader of a counterexample; `text` is only called on a replay.
    pub fn remark(&self, text: impl FnOnce() -> String) {
        if let Some(fs) = self.remarks {
            write_remark(fs, text);
        }
    }

    /// Where remarks go, for callers that are threads of their own and outlive a borrow.
    pub fn remarks(&self) -> Remarks {
        Remarks(self.remarks.cloned())
    }
}

/// [`Life::remark`] for whoever cannot hold on to the life: it can be kept and sent.
#[derive(Clone, Debug)]
pub struct Remarks(Option<crate::SimFs>);

impl Remarks {
    /// As [`Life::remark`].
    pub fn remark(&self, text: impl FnOnce() -> String) {
        if let Some(fs) = &self.0 {
            write_remark(fs, text);
        }
    }
}

fn write_remark(fs: &crate::SimFs, text: impl FnOnce() -> String) {
    if fs.lock().trace.is_some() {
        let text = text(); // outside the lock: it may look at the disk
        fs.lock().trace.iter_mut().for_each(|trace| trace.remark(text.clone()));
    }
}

/// Why a life ended early.
#[derive(Clone, Debug)]
pub enum Halt {
    /// A promise is broken.
    Broken(Broken),
    /// The engine gave up with an error. That is its right after an injected fault; without one it
    /// is a false alarm (P5).
    Failed(String),
    /// The engine opened, and then took no work. That is its right after an injected fault; without
    /// one it makes no progress (P8).
    Stuck(String),
}

impl Halt {
    /// A broken promise.
    pub fn broken(rule: Rule, what: impl Into<String>) -> Halt {
        Halt::Broken(Broken::new(rule, what))
    }
}

impl From<Broken> for Halt {
    fn from(broken: Broken) -> Halt {
        Halt::Broken(broken)
    }
}

/// An engine under test with its workload.
///
/// Most engines want [`Easy`](crate::Easy), which derives all of this from open, put and get.
pub trait Subject: Sync {
    /// What its callers are told.
    type Promise: Promise;

    /// Lives one life on `life.disk`: the first runs the workload, every other one recovers, checks
    /// what it finds against `life.told`, and (unless `life.last`) works on. It must be
    /// deterministic: the same disk and the same answers of the disk give the same calls.
    ///
    /// # Errors
    /// [`Halt`] as it says. An operation that fails is *unknown*: leave it attempted and return.
    fn live(&self, life: &Life<'_, Self::Promise>) -> Result<(), Halt>;

    /// Whether it ever promises that something is durable: only then can a control run without
    /// syncs be caught.
    fn promises_durable(&self) -> bool {
        true
    }

    /// The same subject with a slightly smaller workload, each possibility once, for shrinking.
    fn smaller(&self) -> Vec<Self>
    where
        Self: Sized,
    {
        Vec::new()
    }
}
