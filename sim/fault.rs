//! What a call returned: `FaultFs`, a layer over any disk that decides only *that* a call fails.
//!
//! What survives a crash is the disk's business ([`SimFs`]), and what a failed sync does to it too:
//! this layer asks it to fail, and passes the call on.
//!
//! Invariants
//! - I1: a call that no fault is meant for is passed on as it is, and its answer passed back.
//! - I2: calls are numbered by kind in the order in which they come, those that fail included; so
//!   a plan means the same for the same calls.

mod file;
mod plan;

pub use plan::{CallKind, Fault, FaultEffect, FaultPlan};

use crate::{CallFault, Failure, Reach, SimFs};
use file::FaultFile;
use highwater_vfs::{File, OpenMode, Vfs};
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[derive(Default)]
struct State {
    calls: BTreeMap<CallKind, u64>,
    fired: Vec<Fault>,
    /// Bytes that files have grown by so far, less what was given back.
    used: u64,
    /// Writes and extensions that found no room.
    full: u64,
}

struct Shared {
    inner: Arc<dyn Vfs>,
    sim: Option<SimFs>,
    plan: FaultPlan,
    /// One such call, wherever the explorer chooses.
    chosen: Option<CallFault>,
    state: Mutex<State>,
}

/// A disk on which the calls of a [`FaultPlan`] fail. A clone is another handle to the same.
///
/// ```
/// use highwater_sim::{FaultFs, Model, SimFs};
/// use highwater_vfs::{OpenMode, Vfs};
/// let disk = FaultFs::on_sim(&SimFs::new(Model::Posix), "write#1:EIO,sync#0:keep-new".parse()?);
/// let file = disk.open("a".as_ref(), OpenMode::CreateNew)?;
/// assert_eq!(file.write_at(b"abc", 0)?, 3);
/// assert!(file.write_at(b"def", 3).is_err());
/// assert!(file.sync().is_err()); // what that does to "abc" is up to the disk
/// assert!(file.sync().is_ok());
/// assert_eq!(disk.fired().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FaultFs {
    shared: Arc<Shared>,
}

impl Debug for FaultFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultFs({:?})", self.shared.inner)
    }
}

impl FaultFs {
    /// Over any disk. A sync that fails is not passed on.
    pub fn new(inner: Arc<dyn Vfs>, plan: FaultPlan) -> FaultFs {
        FaultFs::with(inner, None, plan, None)
    }

    /// Over a simulated disk, which carries out what a failed sync of a family means.
    pub fn on_sim(disk: &SimFs, plan: FaultPlan) -> FaultFs {
        FaultFs::with(Arc::new(disk.clone()), Some(disk.clone()), plan, None)
    }

    /// Over a simulated disk, whose choices say which call it is that `fault` happens to.
    pub(crate) fn chosen(disk: &SimFs, fault: CallFault) -> FaultFs {
        let (inner, plan) = (Arc::new(disk.clone()), FaultPlan::default());
        FaultFs::with(inner, Some(disk.clone()), plan, Some(fault))
    }

    fn with(
        inner: Arc<dyn Vfs>,
        sim: Option<SimFs>,
        plan: FaultPlan,
        chosen: Option<CallFault>,
    ) -> FaultFs {
        let state = Mutex::default();
        FaultFs { shared: Arc::new(Shared { inner, sim, plan, chosen, state }) }
    }

    /// The plan.
    pub fn plan(&self) -> &FaultPlan {
        &self.shared.plan
    }

    /// How many calls of each kind there were (I2).
    pub fn calls(&self) -> BTreeMap<CallKind, u64> {
        self.shared.lock().calls.clone()
    }

    /// The faults that have happened, in the order in which they did. One whose call never came,
    /// or had nothing to shorten, has not.
    pub fn fired(&self) -> Vec<Fault> {
        self.shared.lock().fired.clone()
    }

    /// The same by the name of their effect, and as `"full"` how often there was no room left.
    pub fn reach(&self) -> Reach {
        let state = self.shared.lock();
        let mut reach = Reach::new();
        state.fired.iter().for_each(|f| *reach.entry(f.what.name()).or_default() += 1);
        if state.full > 0 {
            reach.insert("full", state.full);
        }
        reach
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a call that moves `bytes`; what is to happen to it.
    fn call(&self, call: CallKind, bytes: usize) -> Option<Fault> {
        let mut state = self.lock();
        let calls = state.calls.entry(call).or_default();
        let nth = *calls;
        *calls += 1; // I2
        let meant = |fault: &&Fault| fault.call == call && fault.nth == nth;
        drop(state);
        if let (Some(CallFault { call: kind, what }), Some(sim)) = (self.chosen, &self.sim) {
            let noticed = !matches!(what, FaultEffect::Short(most) if bytes as u64 <= most);
            let mut sim = sim.lock();
            if !matches!(sim.disk.to_fail, Some(Failure::Call(_))) || kind != call || !noticed {
                return None;
            }
            let error = !matches!(what, FaultEffect::Short(_) | FaultEffect::Eintr);
            return sim.fails(true).then(|| {
                sim.failed += u32::from(error);
                let fault = Fault { call, nth, what };
                if let Some(trace) = &mut sim.trace {
                    trace.remark(format!("the next {call}: {what}"));
                }
                fault
            });
        }
        self.plan.faults.iter().find(meant).copied().filter(|f| f.what.fits(call))
    }

    fn fire(&self, fault: Fault) {
        self.lock().fired.push(fault);
    }

    fn failed<T>(&self, fault: Fault) -> io::Result<T> {
        self.fire(fault);
        Err(match fault.what {
            FaultEffect::Enospc => no_space(&fault.to_string()),
            FaultEffect::Eintr => {
                io::Error::new(ErrorKind::Interrupted, format!("interrupted (injected: {fault})"))
            }
            _ => io::Error::other(format!("input/output error (injected: {fault})")),
        })
    }

    /// A call that fails as a whole or not at all.
    fn whole<T>(&self, call: CallKind, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.call(call, 0) {
            Some(fault) => self.failed(fault),
            None => run(), // I1
        }
    }

    fn sync(&self, call: CallKind, run: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let Some(fault) = self.call(call, 0) else { return run() };
        if let (FaultEffect::FailedSync(family), Some(sim)) = (fault.what, &self.sim) {
            sim.fail_next_sync(family);
            let done = run();
            // A call that was refused before it became a sync leaves nothing to fail.
            if sim.lock().fail_next.take().is_none() {
                self.fire(fault);
            }
            return done;
        }
        self.failed(fault)
    }

    /// Runs `grow`, by which a file would grow from `size` to `end`, with as much of the room as
    /// there is: with the end that the file may have.
    fn growing<T>(
        &self,
        (size, end): (impl Fn() -> io::Result<u64>, u64),
        grow: impl FnOnce(u64) -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(space) = self.plan.space else { return grow(end) };
        let before = size()?;
        let room = space.saturating_sub(self.lock().used);
        let done = grow(end.min(before.saturating_add(room)));
        self.changed(before, size()?);
        done
    }

    fn changed(&self, before: u64, after: u64) {
        let mut state = self.lock();
        state.used = (state.used + after.saturating_sub(before))
            .saturating_sub(before.saturating_sub(after));
    }

    fn full(&self) -> io::Error {
        self.lock().full += 1;
        no_space("space")
    }

    /// What removing `path`, or putting another file in its place, gives back.
    fn size_at(&self, path: &Path) -> u64 {
        let Some(_) = self.plan.space else { return 0 };
        let file = self.inner.open(path, OpenMode::Read);
        file.and_then(|file| file.size()).unwrap_or(0)
    }
}

fn no_space(why: &str) -> io::Error {
    io::Error::new(ErrorKind::StorageFull, format!("no space left (injected: {why})"))
}

impl Vfs for FaultFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let call = if mode == OpenMode::CreateNew { CallKind::Create } else { CallKind::Open };
        let inner = self.shared.whole(call, || self.shared.inner.open(path, mode))?;
        Ok(Arc::new(FaultFile { inner, shared: Arc::clone(&self.shared) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.whole(CallKind::Rename, || {
            let freed = if from == to { 0 } else { self.shared.size_at(to) };
            self.shared.inner.rename(from, to)?;
            self.shared.changed(freed, 0);
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.shared.whole(CallKind::Remove, || {
            let freed = self.shared.size_at(path);
            self.shared.inner.remove(path)?;
            self.shared.changed(freed, 0);
            Ok(())
        })
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.whole(CallKind::CreateDir, || self.shared.inner.create_dir(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.shared.whole(CallKind::List, || self.shared.inner.list(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared.sync(CallKind::SyncDir, || self.shared.inner.sync_dir(dir))
    }
}
