//! A disk whose calls take time: before and after each call that changes something other threads
//! may go on, so that a sync is in flight while they write.
//!
//! A call itself is atomic: it happens between its two places. Others that go on at the first are
//! what the call may still cover, those at the second what came too late.

use super::stage::Stage;
use highwater_vfs::{File, OpenMode, Vfs};
use std::fmt;
use std::hash::Hash;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// See the module.
#[derive(Clone)]
pub(crate) struct Yielding {
    disk: Arc<dyn Vfs>,
    stage: Stage,
    handles: Arc<AtomicUsize>,
}

struct YieldingFile {
    file: Arc<dyn File>,
    name: PathBuf,
    handle: usize,
    stage: Stage,
}

impl fmt::Debug for Yielding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.disk.fmt(f)
    }
}

impl fmt::Debug for YieldingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

/// Makes a call that is `asked` for.
fn slowly<T>(
    stage: &Stage,
    asked: impl Hash,
    call: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    stage.point();
    stage.announce();
    let done = call();
    stage.note(&(asked, done.as_ref().err().map(io::Error::kind)));
    stage.point();
    done
}

impl Yielding {
    pub(crate) fn new(disk: Arc<dyn Vfs>, stage: &Stage) -> Yielding {
        Yielding { disk, stage: stage.clone(), handles: Arc::default() }
    }
}

impl Vfs for Yielding {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let stage = self.stage.clone();
        let file = match mode {
            OpenMode::CreateNew => slowly(&stage, ("create", path), || self.disk.open(path, mode)),
            _ => self.disk.open(path, mode),
        };
        let (file, name) = (file?, path.to_path_buf());
        let handle = self.handles.fetch_add(1, Ordering::Relaxed);
        Ok(Arc::new(YieldingFile { file, name, handle, stage }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        slowly(&self.stage, ("rename", from, to), || self.disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        slowly(&self.stage, ("remove", path), || self.disk.remove(path))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        slowly(&self.stage, ("create dir", path), || self.disk.create_dir(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        slowly(&self.stage, ("sync dir", dir), || self.disk.sync_dir(dir))
    }
}

impl YieldingFile {
    /// Two handles of one name may be two files: the name may have been given to another one.
    fn which(&self) -> (&Path, usize) {
        (&self.name, self.handle)
    }
}

impl File for YieldingFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        slowly(&self.stage, (self.which(), buf, offset), || self.file.write_at(buf, offset))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        slowly(&self.stage, (self.which(), "set_len", len), || self.file.set_len(len))
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        slowly(&self.stage, (self.which(), "reserve", len), || self.file.reserve(len))
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn sync(&self) -> io::Result<()> {
        slowly(&self.stage, (self.which(), "sync"), || self.file.sync())
    }
}
