//! `SimFs`: the seam over a simulated disk.
//!
//! Invariants
//! - F1: the moment before every mutating call is a boundary, and so is the end of a life; a watch
//!   sees them all, in order.
//! - F2: all that happens is a function of the disk, the calls and the choices.

use crate::cut::UnderWay;
use crate::disk::{Disk, FILE_SIZE_MAX};
use crate::failure::Failure;
use crate::order::Ino;
use crate::{Choices, Device, FailedSync, Layers, Model, Trace};
use highwater_vfs::{File, OpenMode, Vfs, check_path};
use std::collections::BTreeSet;
use std::fmt::{self, Debug};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A mutating call that is about to happen.
pub(crate) struct Moment<'a> {
    /// Its number in this life, from 0: the boundary before it has the same number.
    pub(crate) call: u32,
    pub(crate) is_sync: bool,
    pub(crate) write: Option<UnderWay<'a>>,
    pub(crate) choices: &'a Choices,
}

/// Sees the disk at every boundary (F1).
pub(crate) trait Watch: Send {
    fn boundary(&mut self, disk: &Disk, moment: &Moment<'_>);
}

pub(crate) struct State {
    pub(crate) disk: Disk,
    pub(crate) choices: Choices,
    pub(crate) watch: Option<Box<dyn Watch>>,
    pub(crate) trace: Option<Trace>,
    pub(crate) locate: Option<fn() -> Option<String>>,
    pub(crate) calls: u32,
    /// Syncs say `Ok` and do nothing: the control.
    pub(crate) deaf: bool,
    /// Whether something may fail in this life, if the disk still has a failure to give.
    pub(crate) may_fail: bool,
    pub(crate) fail_next: Option<FailedSync>,
    /// Errors that this life was told and that are not the engine's fault.
    pub(crate) failed: u32,
    /// Sectors that were read in this life.
    pub(crate) met: BTreeSet<(Ino, usize)>,
}

/// A simulated filesystem in memory.
///
/// On its own it is a plain in-memory [`Vfs`] that never loses anything; the
/// [explorer](crate::Explorer) cuts its power. A clone is another handle to the same disk.
///
/// ```
/// use highwater_sim::{Model, SimFs};
/// use highwater_vfs::{OpenMode, Vfs, read_exact_at};
/// let fs = SimFs::new(Model::Posix);
/// let file = fs.open("a".as_ref(), OpenMode::CreateNew)?;
/// file.write_at(b"abc", 0)?;
/// file.sync()?; // the bytes are durable, the name "a" is not
/// assert_eq!(fs.states_if_power_fails_now(), Some(2));
/// fs.sync_dir("".as_ref())?;
/// assert_eq!(fs.states_if_power_fails_now(), Some(1));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SimFs {
    state: Arc<Mutex<State>>,
}

impl Debug for SimFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimFs")
    }
}

impl SimFs {
    /// An empty disk.
    pub fn new(model: Model) -> SimFs {
        SimFs::on(Disk::new(model), Choices::enumerate())
    }

    /// An empty disk on this device.
    pub fn on_device(model: Model, device: Device) -> SimFs {
        SimFs::on(Disk::with(model, device, Layers::ALL), Choices::enumerate())
    }

    pub(crate) fn on(disk: Disk, choices: Choices) -> SimFs {
        let state = State {
            disk,
            choices,
            watch: None,
            trace: None,
            locate: None,
            calls: 0,
            deaf: false,
            may_fail: false,
            fail_next: None,
            failed: 0,
            met: BTreeSet::new(),
        };
        SimFs { state: Arc::new(Mutex::new(state)) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // F2: nothing here depends on which thread calls.
        // An engine that panics in the middle of a call is a finding, not the end of the run.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cuts the power: a filesystem over what is left of the disk. What each sector, length and
    /// name holds is decided by `choices` when it is first looked at.
    ///
    /// ```
    /// use highwater_sim::{Choices, Model, Pattern, SimFs};
    /// use highwater_vfs::{OpenMode, Vfs};
    /// let fs = SimFs::new(Model::Posix);
    /// fs.open("a".as_ref(), OpenMode::CreateNew)?;
    /// let lost = fs.power_cut(Choices::pattern(Pattern::DropAll));
    /// assert!(lost.list("".as_ref())?.is_empty());
    /// let kept = fs.power_cut(Choices::pattern(Pattern::KeepAll));
    /// assert_eq!(kept.list("".as_ref())?, ["a"]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn power_cut(&self, choices: Choices) -> SimFs {
        SimFs::on(self.lock().disk.power_cut(), choices)
    }

    /// Kills the process: the cache survives, nothing pending is decided.
    #[must_use]
    pub fn kill(&self) -> SimFs {
        let state = self.lock();
        SimFs::on(state.disk.kill(None, state.calls), Choices::enumerate())
    }

    /// How many crash states a power cut at this moment could leave; `None` if that cannot be
    /// counted exactly.
    pub fn states_if_power_fails_now(&self) -> crate::Count {
        self.lock().disk.power_cut().count()
    }

    /// How many crash states agree with all that has been looked at so far.
    pub fn states_left(&self) -> crate::Count {
        self.lock().disk.count()
    }

    /// The choices made so far: [`advance`](Choices::advance) them and cut again to see the next
    /// disk.
    pub fn choices(&self) -> Choices {
        self.lock().choices.clone()
    }

    /// The next sync of a file or a directory fails and leaves the disk as `family` says.
    pub fn fail_next_sync(&self, family: FailedSync) {
        self.lock().fail_next = Some(family);
    }

    fn path(path: &Path) -> io::Result<&str> {
        check_path(path)?;
        path.to_str().ok_or_else(|| ErrorKind::InvalidInput.into())
    }

    /// A sync through a handle that was told of `told` errors so far.
    fn sync_inode(&self, ino: Ino, what: &Path, told: &mut u32) -> io::Result<()> {
        let mut guard = self.lock();
        let state = &mut *guard;
        state.boundary(true, None);
        let failing = state.next_sync_fails();
        state.note(|| format!("sync {}{}", what.display(), failing.map_or("", |_| " -> EIO")));
        match failing {
            Some(family) => {
                state.disk.fail_sync(ino, family, &mut state.choices);
                if family == FailedSync::Late {
                    return Ok(());
                }
            }
            None if state.deaf => {}
            None => state.disk.sync(ino),
        }
        if state.disk.tell(ino, told) {
            state.failed += 1;
            return Err(io::Error::other("input/output error (injected: failed sync)"));
        }
        Ok(())
    }
}

impl State {
    fn boundary(&mut self, is_sync: bool, write: Option<UnderWay<'_>>) {
        if let Some(watch) = &mut self.watch {
            let (call, choices) = (self.calls, &self.choices);
            watch.boundary(&self.disk, &Moment { call, is_sync, write, choices });
        }
        self.calls += 1; // F1
    }

    fn next_sync_fails(&mut self) -> Option<FailedSync> {
        if let Some(family) = self.fail_next.take() {
            return Some(family);
        }
        let Some(Failure::Sync(family)) = self.disk.to_fail else { return None };
        self.fails(true).then_some(family)
    }

    /// Whether the failure that the disk still has to give happens now.
    pub(crate) fn fails(&mut self, possible: bool) -> bool {
        if !possible || !self.may_fail || self.choices.choose(2) == 0 {
            return false;
        }
        self.disk.to_fail = None;
        true
    }

    pub(crate) fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            let number = self.calls.saturating_sub(1);
            trace.call(number, text());
            trace.made_at(number, self.locate.and_then(|locate| locate()));
        }
    }
}

impl Vfs for SimFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let name = Self::path(path)?;
        let mut guard = self.lock();
        let state = &mut *guard;
        let ino = if mode == OpenMode::CreateNew {
            state.boundary(false, None);
            state.note(|| format!("create {name}"));
            state.disk.create_file(name, state.calls - 1, &mut state.choices)?
        } else {
            let ino = state.disk.lookup(name, &mut state.choices)?;
            if state.disk.is_dir(ino) {
                return Err(ErrorKind::IsADirectory.into());
            }
            ino
        };
        let told = AtomicU32::new(state.disk.told_at_open(ino));
        drop(guard);
        Ok(Arc::new(SimFile { fs: self.clone(), ino, path: name.into(), mode, told }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (Self::path(from)?, Self::path(to)?);
        let mut guard = self.lock();
        let state = &mut *guard;
        state.boundary(false, None);
        state.note(|| format!("rename {from} -> {to}"));
        state.disk.rename(from, to, state.calls - 1, &mut state.choices)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = Self::path(path)?;
        let mut guard = self.lock();
        let state = &mut *guard;
        state.boundary(false, None);
        state.note(|| format!("remove {path}"));
        state.disk.remove(path, state.calls - 1, &mut state.choices)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let path = Self::path(path)?;
        let mut guard = self.lock();
        let state = &mut *guard;
        state.boundary(false, None);
        state.note(|| format!("create_dir {path}"));
        state.disk.create_dir(path, state.calls - 1, &mut state.choices)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let path = Self::path(dir)?;
        let mut guard = self.lock();
        let state = &mut *guard;
        let ino = state.disk.lookup(path, &mut state.choices)?;
        state.disk.list(ino, &mut state.choices)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let path = Self::path(dir)?;
        let ino = {
            let mut guard = self.lock();
            let state = &mut *guard;
            let ino = state.disk.lookup(path, &mut state.choices)?;
            if !state.disk.is_dir(ino) {
                return Err(ErrorKind::NotADirectory.into());
            }
            ino
        };
        let mut told = self.lock().disk.told_at_open(ino); // it is opened for this
        let what = if path.is_empty() { "(root directory)".as_ref() } else { dir };
        self.sync_inode(ino, what, &mut told)
    }
}

struct SimFile {
    fs: SimFs,
    ino: Ino,
    path: Box<str>,
    mode: OpenMode,
    /// Of how many errors of the file this handle was told.
    told: AtomicU32,
}

impl Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({})", self.path)
    }
}

impl SimFile {
    fn writable(&self) -> io::Result<()> {
        if self.mode == OpenMode::Read {
            return Err(ErrorKind::PermissionDenied.into());
        }
        Ok(())
    }
}

impl File for SimFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut guard = self.fs.lock();
        let state = &mut *guard;
        state.decay(&self.path, self.ino, buf.len(), offset)?;
        Ok(state.disk.read(self.ino, buf, offset, &mut state.choices))
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.writable()?;
        if buf.is_empty() {
            return Ok(0);
        }
        if offset.saturating_add(buf.len() as u64) >= FILE_SIZE_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let mut guard = self.fs.lock();
        let state = &mut *guard;
        state.mend(self.ino, buf.len(), offset)?;
        state.disk.look_before(self.ino, buf.len(), offset, &mut state.choices);
        let sector = state.disk.device.sector;
        state.boundary(false, Some(UnderWay { ino: self.ino, buf, offset, sector }));
        state.note(|| format!("write {} {} bytes at {offset}", self.path, buf.len()));
        let call = state.calls - 1;
        state.disk.write(self.ino, buf, offset, call, &mut state.choices);
        Ok(buf.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.writable()?;
        if len >= FILE_SIZE_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        let mut guard = self.fs.lock();
        let state = &mut *guard;
        state.boundary(false, None);
        state.note(|| format!("set_len {} to {len}", self.path));
        state.disk.set_len(self.ino, len, state.calls - 1, &mut state.choices);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        let mut guard = self.fs.lock();
        let state = &mut *guard;
        Ok(state.disk.size(self.ino, &mut state.choices))
    }

    fn sync(&self) -> io::Result<()> {
        self.writable()?;
        let mut told = self.told.load(Ordering::Relaxed);
        let done = self.fs.sync_inode(self.ino, self.path.as_ref().as_ref(), &mut told);
        self.told.store(told, Ordering::Relaxed);
        done
    }
}
