//! CKPT: the log goes before what stands for it is durable.

use crate::kit::{self, Disk, State, put};
use highwater_sim::Kv;
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// **CKPT-2**, VelesDB (an audit), **CKPT-3**, Turso,
/// <https://github.com/tursodatabase/turso/issues/4467>, and **CKPT-4**, Turso,
/// <https://github.com/tursodatabase/turso/pull/7781>: one engine, three places.
///
/// A redo log over a data file that is changed in place. The log is discarded once its records
/// are in the data file: at a checkpoint, and at the end of recovery. If the data file is not
/// synced before, a crash finds neither the log nor the data. And if records are copied into the
/// data file before the log is synced, a crash finds half a copy and no record to repair it with.
/// The missing line: `data.sync()` in `open` (CKPT-2) or in `checkpoint` (CKPT-3), `log.sync()`
/// before the copy (CKPT-4).
pub(crate) struct Redo<const OPEN: bool, const CHECKPOINT: bool, const LOG_FIRST: bool> {
    state: State,
    dirty: State,
    disk: Disk,
    data: Arc<dyn File>,
    log: Arc<dyn File>,
    number: u64,
    end: u64,
}

/// The data file is a table of so many slots, a sector each. (No two keys of a workload share one.)
const SLOTS: u64 = 4;
const SLOT: u64 = 512;

fn write_slots(data: &dyn File, dirty: &State) -> io::Result<()> {
    for (key, value) in dirty {
        write_all_at(data, &kit::frame(0, &put(*key, value)), key % SLOTS * SLOT)?;
    }
    Ok(())
}

impl<const O: bool, const C: bool, const L: bool> Redo<O, C, L> {
    /// The next log is there for good before the old ones go.
    fn begin(disk: &Disk, number: u64) -> io::Result<Arc<dyn File>> {
        let log = disk.open(format!("log.{number}").as_ref(), OpenMode::CreateNew)?;
        disk.sync_dir(Path::new(""))?;
        for old in kit::numbers(disk, "log")?.into_iter().filter(|old| *old < number) {
            disk.remove(format!("log.{old}").as_ref())?;
        }
        disk.sync_dir(Path::new(""))?;
        Ok(log)
    }
}

impl<const OPEN: bool, const CHECKPOINT: bool, const LOG_FIRST: bool> Kv
    for Redo<OPEN, CHECKPOINT, LOG_FIRST>
{
    fn open(disk: Disk) -> io::Result<Self> {
        let data = kit::open_or_create(&disk, "data")?;
        let (mut state, mut redo, mut number) = (State::new(), State::new(), 0);
        for slot in 0..SLOTS {
            if let Some((record, _)) = kit::read_frame(&*data, 0, slot * SLOT)? {
                kit::apply(&mut state, &[record]);
            }
        }
        for n in kit::numbers(&disk, "log")? {
            let file = disk.open(format!("log.{n}").as_ref(), OpenMode::Write)?;
            if LOG_FIRST {
                file.sync()?;
            }
            kit::apply(&mut redo, &kit::scan(&*file, n)?.records);
            number = n;
        }
        write_slots(&*data, &redo)?;
        if OPEN {
            data.sync()?;
        }
        state.append(&mut redo);
        let log = Self::begin(&disk, number + 1)?;
        Ok(Redo { state, dirty: State::new(), disk, data, log, number: number + 1, end: 0 })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(self.number, &put(key, value));
        write_all_at(&*self.log, &frame, self.end)?;
        self.log.sync()?;
        self.end += frame.len() as u64;
        self.state.insert(key, value.to_vec());
        self.dirty.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        write_slots(&*self.data, &self.dirty)?;
        if CHECKPOINT {
            self.data.sync()?;
        }
        self.log = Self::begin(&self.disk, self.number + 1)?;
        (self.number, self.end) = (self.number + 1, 0);
        self.dirty.clear();
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}

/// **CKPT-5**, ferrosa, <https://github.com/ferrosadb/ferrosa/pull/87>.
///
/// A new generation is written under a temporary name and published by rename, then the old one is
/// removed. Rename was taken for a barrier: the name survives, the bytes do not.
/// The missing line: `file.sync()` before the rename.
pub(crate) struct Published<const SYNCS: bool> {
    state: State,
    disk: Disk,
    file: Arc<dyn File>,
    number: u64,
    end: u64,
}

impl<const SYNCS: bool> Published<SYNCS> {
    fn publish(disk: Disk, number: u64, state: State) -> io::Result<Self> {
        kit::remove_if_there(&disk, "tmp")?;
        let file = disk.open(Path::new("tmp"), OpenMode::CreateNew)?;
        let base = kit::frames(number, &kit::base(number, &state));
        write_all_at(&*file, &base, 0)?;
        if SYNCS {
            file.sync()?;
        }
        disk.rename(Path::new("tmp"), format!("generation.{number}").as_ref())?;
        disk.sync_dir(Path::new(""))?;
        for old in kit::numbers(&disk, "generation")?.into_iter().filter(|old| *old < number) {
            disk.remove(format!("generation.{old}").as_ref())?;
        }
        Ok(Published { state, disk, file, number, end: base.len() as u64 })
    }
}

impl<const SYNCS: bool> Kv for Published<SYNCS> {
    fn open(disk: Disk) -> io::Result<Self> {
        let numbers = kit::numbers(&disk, "generation")?;
        let mut state = State::new();
        for number in numbers.iter().rev() {
            let file = disk.open(format!("generation.{number}").as_ref(), OpenMode::Read)?;
            let records = kit::scan(&*file, *number)?.records;
            if !records.is_empty() {
                kit::apply(&mut state, &records);
                break;
            }
        }
        Self::publish(disk, numbers.last().unwrap_or(&0) + 1, state)
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(self.number, &put(key, value));
        write_all_at(&*self.file, &frame, self.end)?;
        self.file.sync()?;
        self.end += frame.len() as u64;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let state = std::mem::take(&mut self.state);
        *self = Self::publish(Arc::clone(&self.disk), self.number + 1, state)?;
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
