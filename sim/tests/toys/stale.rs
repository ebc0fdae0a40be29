//! STALE: bytes of an earlier history, in space that is used again.

use crate::kit::{self, Disk, State, delete, put};
use highwater_sim::Kv;
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// **STALE-6**, cqlite (an audit).
///
/// After a snapshot the log is emptied in place with `set_len(0)` and filled again from the start.
/// A crash may lose the new length and only some of the zeros: recovery then walks into records of
/// the old epoch and applies them on top of the snapshot that covers them.
/// The missing line: the epoch in the checksum of every record.
pub(crate) struct Emptied<const KNOWS_EPOCH: bool> {
    state: State,
    disk: Disk,
    log: Arc<dyn File>,
    epoch: u64,
    end: u64,
}

impl<const KNOWS_EPOCH: bool> Emptied<KNOWS_EPOCH> {
    fn seed(epoch: u64) -> u64 {
        if KNOWS_EPOCH { epoch } else { 0 }
    }

    fn append(&mut self, record: &kit::Record) -> io::Result<()> {
        let frame = kit::frame(Self::seed(self.epoch), record);
        write_all_at(&*self.log, &frame, self.end)?;
        self.log.sync()?;
        self.end += frame.len() as u64;
        kit::apply(&mut self.state, std::slice::from_ref(record));
        Ok(())
    }
}

impl<const KNOWS_EPOCH: bool> Kv for Emptied<KNOWS_EPOCH> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (epoch, mut state) = kit::load_snapshot(&disk)?;
        let log = kit::open_or_create(&disk, "log")?;
        disk.sync_dir(Path::new(""))?; // the snapshot is what it is before the log changes
        let scan = kit::scan(&*log, Self::seed(epoch))?;
        kit::cut_tail(&*log, scan.end)?;
        kit::apply(&mut state, &scan.records);
        Ok(Emptied { state, disk, log, epoch, end: scan.end })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(&put(key, value))
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.append(&delete(key))
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        kit::save_snapshot(&self.disk, self.epoch + 1, &self.state)?;
        self.log.set_len(0)?;
        (self.epoch, self.end) = (self.epoch + 1, 0);
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}

/// **STALE-2**, RocksDB, <https://github.com/facebook/rocksdb/pull/12403>.
///
/// A new log takes the space of the one before it. A crash keeps its new length and not its
/// bytes: what shows are old records, with valid checksums, at the place where new ones begin.
/// The missing line: the number of the log in the checksum of every record.
pub(crate) struct Recycled<const KNOWS_NUMBER: bool> {
    state: State,
    disk: Disk,
    log: Arc<dyn File>,
    number: u64,
    end: u64,
}

impl<const KNOWS_NUMBER: bool> Recycled<KNOWS_NUMBER> {
    fn seed(number: u64) -> u64 {
        if KNOWS_NUMBER { number } else { 0 }
    }

    /// A new log, then a snapshot that says that it counts from there, then no old log any more.
    fn begin(disk: &Disk, number: u64, state: &State) -> io::Result<Arc<dyn File>> {
        let log = disk.open(format!("log.{number}").as_ref(), OpenMode::CreateNew)?;
        kit::save_snapshot(disk, number, state)?;
        for old in kit::numbers(disk, "log")?.into_iter().filter(|old| *old < number) {
            disk.remove(format!("log.{old}").as_ref())?;
        }
        Ok(log)
    }

    fn append(&mut self, record: &kit::Record) -> io::Result<()> {
        let frame = kit::frame(Self::seed(self.number), record);
        write_all_at(&*self.log, &frame, self.end)?;
        self.log.sync()?;
        self.end += frame.len() as u64;
        kit::apply(&mut self.state, std::slice::from_ref(record));
        Ok(())
    }
}

impl<const KNOWS_NUMBER: bool> Kv for Recycled<KNOWS_NUMBER> {
    fn open(disk: Disk) -> io::Result<Self> {
        let kit::Recovered { state, next: number, .. } = kit::recover(&disk, Self::seed)?;
        let log = Self::begin(&disk, number, &state)?;
        Ok(Recycled { state, disk, log, number, end: 0 })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(&put(key, value))
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.append(&delete(key))
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.log = Self::begin(&self.disk, self.number + 1, &self.state)?;
        (self.number, self.end) = (self.number + 1, 0);
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
