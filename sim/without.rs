//! `WithoutSync`: a disk that leaves out syncs, to ask which of them an engine needs; and
//! [`Wrapped`], a subject that lives on such a disk.
//!
//! A sync that is left out says `Ok` and never reaches the disk below. If an exploration still
//! holds, nothing that was explored needs that sync.

use crate::{Halt, Life, Subject};
use highwater_vfs::{File, OpenMode, Vfs};
use std::fmt::{self, Debug};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a sync is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncKind {
    /// `File::sync`.
    File,
    /// `Vfs::sync_dir`.
    Dir,
}

/// A sync that is about to happen.
///
/// ```
/// use highwater_sim::{SyncCall, SyncKind};
/// let call = SyncCall { kind: SyncKind::Dir, path: "".into(), ordinal: 3 };
/// assert_eq!(call.to_string(), "sync 3: sync_dir of the root directory");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncCall {
    /// Of a file or of a directory.
    pub kind: SyncKind,
    /// The directory; or the name under which the file was opened.
    pub path: String,
    /// Which sync it is on this disk, from 0, files and directories together.
    pub ordinal: u64,
}

impl fmt::Display for SyncCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = if self.kind == SyncKind::File { "sync" } else { "sync_dir" };
        let path = if self.path.is_empty() { "the root directory" } else { &self.path };
        write!(f, "sync {}: {call} of {path}", self.ordinal)
    }
}

type Skip = dyn Fn(&SyncCall) -> bool + Send + Sync;

struct Shared {
    inner: Arc<dyn Vfs>,
    skip: Arc<Skip>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: u64,
    skipped: Vec<SyncCall>,
}

/// A disk that leaves out the syncs that it is told to. A clone is another handle to the same.
///
/// ```
/// use highwater_sim::{Model, SimFs, SyncKind, WithoutSync};
/// use highwater_vfs::{OpenMode, Vfs};
/// use std::sync::Arc;
/// let disk = SimFs::new(Model::Strict);
/// let without = WithoutSync::when(Arc::new(disk.clone()), |call| call.kind == SyncKind::Dir);
/// without.open("a".as_ref(), OpenMode::CreateNew)?;
/// without.sync_dir("".as_ref())?; // says `Ok`
/// assert_eq!(disk.states_if_power_fails_now(), Some(2)); // and "a" may be gone
/// assert_eq!(without.skipped()[0].to_string(), "sync 0: sync_dir of the root directory");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct WithoutSync {
    shared: Arc<Shared>,
}

impl Debug for WithoutSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithoutSync({:?})", self.shared.inner)
    }
}

impl WithoutSync {
    /// Without sync number `ordinal`, from 0, files and directories together.
    pub fn nth(inner: Arc<dyn Vfs>, ordinal: u64) -> WithoutSync {
        WithoutSync::when(inner, move |call| call.ordinal == ordinal)
    }

    /// Without the syncs that `skip` says so of. It is called in the engine's own call, so it may
    /// look at the stack to see who calls.
    pub fn when(
        inner: Arc<dyn Vfs>,
        skip: impl Fn(&SyncCall) -> bool + Send + Sync + 'static,
    ) -> WithoutSync {
        let (skip, state) = (Arc::new(skip), Mutex::default());
        WithoutSync { shared: Arc::new(Shared { inner, skip, state }) }
    }

    /// How many syncs there were, those left out included.
    pub fn calls(&self) -> u64 {
        self.shared.lock().calls
    }

    /// Those that were left out.
    pub fn skipped(&self) -> Vec<SyncCall> {
        self.shared.lock().skipped.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sync(
        &self,
        kind: SyncKind,
        path: &str,
        run: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        let mut state = self.lock();
        let call = SyncCall { kind, path: path.to_string(), ordinal: state.calls };
        state.calls += 1;
        drop(state); // what decides may take its time, and look at this disk
        if !(self.skip)(&call) {
            return run();
        }
        self.lock().skipped.push(call);
        Ok(())
    }
}

impl Vfs for WithoutSync {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let (inner, shared) = (self.shared.inner.open(path, mode)?, Arc::clone(&self.shared));
        Ok(Arc::new(WithoutFile { inner, shared, path: path.to_string_lossy().into(), mode }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.inner.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.shared.inner.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.shared.inner.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.shared.inner.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let run = || self.shared.inner.sync_dir(dir);
        self.shared.sync(SyncKind::Dir, &dir.to_string_lossy(), run)
    }
}

struct WithoutFile {
    inner: Arc<dyn File>,
    shared: Arc<Shared>,
    path: Box<str>,
    mode: OpenMode,
}

impl Debug for WithoutFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithoutFile({:?})", self.inner)
    }
}

impl File for WithoutFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.inner.write_at(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn sync(&self) -> io::Result<()> {
        if self.mode == OpenMode::Read {
            return self.inner.sync(); // refused (V2)
        }
        self.shared.sync(SyncKind::File, &self.path, || self.inner.sync())
    }
}

type Wrap = dyn Fn(Arc<dyn Vfs>) -> Arc<dyn Vfs> + Send + Sync;

/// A subject whose every life runs on a wrapped disk.
///
/// ```
/// # use highwater_sim::{Easy, Explorer, Kv, Settings, WithoutSync, Wrapped};
/// # use highwater_vfs::{OpenMode, Vfs, read_full_at, write_all_at};
/// # use std::{io, sync::Arc};
/// # struct Files(Arc<dyn Vfs>);
/// # impl Kv for Files { // one new file a key, written once
/// #     fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> { Ok(Files(disk)) }
/// #     fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
/// #         let name = key.to_string();
/// #         let file = self.0.open("new".as_ref(), OpenMode::CreateNew);
/// #         let file = file.or_else(|_| self.0.open("new".as_ref(), OpenMode::Write))?;
/// #         write_all_at(&*file, value, 0)?;
/// #         file.sync()?;
/// #         self.0.rename("new".as_ref(), name.as_ref())?;
/// #         self.0.sync_dir("".as_ref())
/// #     }
/// #     fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
/// #         let Ok(file) = self.0.open(key.to_string().as_ref(), OpenMode::Read) else {
/// #             return Ok(None);
/// #         };
/// #         let mut value = vec![0; file.size()? as usize];
/// #         read_full_at(&*file, &mut value, 0)?;
/// #         Ok(Some(value))
/// #     }
/// # }
/// let engine = Easy::puts::<Files>(1);
/// let settings = Settings { crashes: 1, ..Settings::default() };
/// assert_eq!(Explorer::new(settings.clone()).run(&engine).found, None);
/// // Which of its syncs does it need? Both:
/// for ordinal in 0..2 {
///     let without = Wrapped::new(engine.clone(), move |disk| {
///         Arc::new(WithoutSync::nth(disk, ordinal))
///     });
///     assert!(Explorer::new(settings.clone()).run(&without).found.is_some());
/// }
/// ```
#[derive(Clone)]
pub struct Wrapped<S> {
    subject: S,
    wrap: Arc<Wrap>,
}

impl<S: Debug> Debug for Wrapped<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped({:?})", self.subject)
    }
}

impl<S> Wrapped<S> {
    /// `subject` on what `wrap` makes of its disk, life by life. Like a subject, `wrap` must be
    /// deterministic.
    pub fn new(
        subject: S,
        wrap: impl Fn(Arc<dyn Vfs>) -> Arc<dyn Vfs> + Send + Sync + 'static,
    ) -> Wrapped<S> {
        Wrapped { subject, wrap: Arc::new(wrap) }
    }

    /// What is wrapped.
    pub fn subject(&self) -> &S {
        &self.subject
    }
}

impl<S: Subject> Subject for Wrapped<S> {
    type Promise = S::Promise;

    fn live(&self, life: &Life<'_, S::Promise>) -> Result<(), Halt> {
        let disk = (self.wrap)(Arc::clone(&life.disk));
        let Life { nth, last, alone, told, reach, remarks, .. } = *life;
        self.subject.live(&Life { nth, last, alone, disk, told, reach, remarks })
    }

    fn promises_durable(&self) -> bool {
        self.subject.promises_durable()
    }

    fn smaller(&self) -> Vec<Wrapped<S>> {
        let wrapped = |subject| Wrapped { subject, wrap: Arc::clone(&self.wrap) };
        self.subject.smaller().into_iter().map(wrapped).collect()
    }
}
