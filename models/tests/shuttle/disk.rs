//! A disk that takes its time: every call has a moment before and a moment after it in which other
//! threads may go on, and a write is done in two halves. And worse disks, for the planted races.

use highwater_vfs::{File, OpenMode, Vfs};
use shuttle::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A flaw that the store would have, if its disk was its own code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Race {
    /// A sync during which another call is under way does nothing.
    SyncGivesWay,
    /// A sync says `Ok`, and is done when that thread or another calls next.
    SyncIsLate,
    /// Who reads a file that is being written finds zeros.
    ReadDuringWrite,
    /// A sync that has failed says `Ok`.
    ErrorIsLost,
}

#[derive(Debug, Default)]
struct Calls {
    /// Under way, by file; the directory is "".
    under_way: BTreeMap<String, (u32, u32)>,
    late: Option<Arc<dyn File>>,
}

#[derive(Debug)]
pub(crate) struct Slow {
    disk: Arc<dyn Vfs>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    race: Option<Race>,
    point: AtomicU64,
    calls: Mutex<Calls>,
}

impl Shared {
    fn calls(&self) -> std::sync::MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn point(&self) {
        self.point.load(Ordering::SeqCst);
    }

    /// `work` is told whether another call is under way on the disk, or a write on this file.
    fn call<T>(&self, name: &str, writes: bool, work: impl FnOnce(bool, bool) -> T) -> T {
        let late = self.calls().late.take();
        if let Some(file) = late {
            file.sync().expect("a disk that works");
        }
        {
            let mut calls = self.calls();
            let of_file = calls.under_way.entry(name.into()).or_default();
            let (reading, writing) = of_file;
            *(if writes { &mut *writing } else { reading }) += 1;
            assert!(*writing <= 1, "Q1: two calls at once that change {name:?}");
        }
        self.point();
        let (overlapped, written) = {
            let calls = self.calls();
            let all: u32 = calls.under_way.values().map(|(r, w)| r + w).sum();
            (all > 1, calls.under_way[name].1 > u32::from(writes))
        };
        let done = work(overlapped, written);
        self.point();
        let mut calls = self.calls();
        let (reading, writing) = calls.under_way.get_mut(name).expect("just entered");
        *(if writes { writing } else { reading }) -= 1;
        done
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

impl Slow {
    /// Only within a schedule.
    pub(crate) fn new(disk: Arc<dyn Vfs>, race: Option<Race>) -> Slow {
        let (point, calls) = (AtomicU64::new(0), Mutex::default());
        Slow { disk, shared: Arc::new(Shared { race, point, calls }) }
    }
}

impl Vfs for Slow {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let name = text(path).to_string();
        let creates = mode == OpenMode::CreateNew;
        let file = self.shared.call(&name, creates, |_, _| self.disk.open(path, mode))?;
        Ok(Arc::new(SlowFile { file, name, shared: Arc::clone(&self.shared) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.shared.call(text(to), true, |_, _| self.disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.shared.call(text(path), true, |_, _| self.disk.remove(path))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Snapshots and segments sync it at the same time: that changes nothing.
        self.shared.call(text(dir), false, |_, _| self.disk.sync_dir(dir))
    }
}

#[derive(Debug)]
struct SlowFile {
    file: Arc<dyn File>,
    name: String,
    shared: Arc<Shared>,
}

impl File for SlowFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.shared.call(&self.name, false, |_, written| {
            let read = self.file.read_at(buf, offset)?;
            if written && self.shared.race == Some(Race::ReadDuringWrite) {
                buf[..read].fill(0);
            }
            Ok(read)
        })
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.shared.call(&self.name, true, |_, _| {
            let half = buf.len() / 2;
            let written = self.file.write_at(&buf[..half], offset)?;
            if written < half {
                return Ok(written);
            }
            self.shared.point();
            Ok(half + self.file.write_at(&buf[half..], offset + half as u64)?)
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.shared.call(&self.name, true, |_, _| self.file.set_len(len))
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        self.shared.call(&self.name, true, |_, _| self.file.reserve(len))
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn sync(&self) -> io::Result<()> {
        self.shared.call(&self.name, true, |overlapped, _| match self.shared.race {
            Some(Race::SyncGivesWay) if overlapped => Ok(()),
            Some(Race::SyncIsLate) => {
                self.shared.calls().late = Some(Arc::clone(&self.file));
                Ok(())
            }
            Some(Race::ErrorIsLost) => self.file.sync().or(Ok(())),
            _ => self.file.sync(),
        })
    }
}
