//! What the pieces share: records and their checksummed frames, small files replaced whole, and a
//! log that every life begins anew. All of it is correct; the bugs are in the pieces.

mod compact;
mod frame;
mod group;
mod latch;
pub(crate) mod leases;
pub(crate) mod redo;
pub(crate) mod snapshots;
mod strict;

pub(crate) use compact::{compact, drop_below};
pub(crate) use frame::{HEADER, Header, checksum, frame, frames, read_frame};
pub(crate) use group::{Group, Queue, locked, poisoned};
pub(crate) use latch::Latch;
pub(crate) use strict::{
    allocate, behind, damaged, found, read_base, read_state, reborn, scan_strict, scan_strict_from,
};

use highwater_sim::{FailedSync, Failure};
use highwater_vfs::{File, OpenMode, Vfs, write_all_at};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// The failed syncs under which every promise can be kept.
pub(crate) const FAILED_SYNCS: &[Failure] = &[
    Failure::Sync(FailedSync::KeepDirty),
    Failure::Sync(FailedSync::KeepNew),
    Failure::Sync(FailedSync::Revert),
];

pub(crate) type Disk = Arc<dyn Vfs>;
pub(crate) type State = BTreeMap<u64, Vec<u8>>;

/// What a record does to its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Put(Vec<u8>),
    Delete,
    /// Adds to a counter: what it does twice shows.
    Add(u64),
    /// Nothing: it only says that a group of records ends here. Its key is a number to keep.
    Mark,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: u64,
    pub(crate) change: Change,
    /// The commit mark: records count only up to one that has it.
    pub(crate) last: bool,
}

pub(crate) fn put(key: u64, value: &[u8]) -> Record {
    Record { key, change: Change::Put(value.to_vec()), last: true }
}

pub(crate) fn delete(key: u64) -> Record {
    Record { key, change: Change::Delete, last: true }
}

pub(crate) fn add(key: u64, by: u64) -> Record {
    Record { key, change: Change::Add(by), last: true }
}

pub(crate) fn mark(number: u64) -> Record {
    Record { key: number, change: Change::Mark, last: true }
}

pub(crate) fn apply(state: &mut State, records: &[Record]) {
    for record in records {
        match &record.change {
            Change::Put(value) => drop(state.insert(record.key, value.clone())),
            Change::Delete => drop(state.remove(&record.key)),
            Change::Add(by) => {
                let count = state.get(&record.key).map_or(0, |value| number_of(value));
                drop(state.insert(record.key, (count + by).to_le_bytes().to_vec()));
            }
            Change::Mark => {}
        }
    }
}

/// A number that is stored as 8 bytes; 0 if it is not.
fn number_of(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

/// A whole state as one group, ended by a mark with `number`.
pub(crate) fn base(number: u64, state: &State) -> Vec<Record> {
    let puts = state.iter().map(|(key, value)| Record { last: false, ..put(*key, value) });
    puts.chain([mark(number)]).collect()
}

/// What a file of frames holds.
pub(crate) struct Scan {
    /// All records up to the last commit mark.
    pub(crate) records: Vec<Record>,
    /// Where they end.
    pub(crate) end: u64,
    /// The size of the file: more than `end` if its tail is torn.
    pub(crate) size: u64,
}

pub(crate) fn scan(file: &dyn File, seed: u64) -> io::Result<Scan> {
    scan_from(file, seed, 0)
}

/// The same from `start` on.
pub(crate) fn scan_from(file: &dyn File, seed: u64, start: u64) -> io::Result<Scan> {
    let mut scan = Scan { records: Vec::new(), end: start, size: file.size()? };
    let (mut group, mut at) = (Vec::new(), start);
    while let Some((record, end)) = read_frame(file, seed, at)? {
        at = end;
        let last = record.last;
        group.push(record);
        if last {
            scan.records.append(&mut group);
            scan.end = at;
        }
    }
    Ok(scan)
}

pub(crate) fn open_or_create(disk: &Disk, name: &str) -> io::Result<Arc<dyn File>> {
    match disk.open(Path::new(name), OpenMode::Write) {
        Err(e) if e.kind() == ErrorKind::NotFound => disk.open(name.as_ref(), OpenMode::CreateNew),
        opened => opened,
    }
}

pub(crate) fn remove_if_there(disk: &Disk, name: &str) -> io::Result<()> {
    match disk.remove(Path::new(name)) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// No frame of a toy that opens its log again is larger.
pub(crate) const FRAME_MAX: u64 = 1024;

/// Ends a log at `end` so that a life may go on there: what lies behind is cut. An unfinished
/// record of a former life may lie there and not show, because its bytes were kept and its length
/// was not; the file must not grow over it, so it is made zeros first.
pub(crate) fn cut_tail(file: &dyn File, end: u64) -> io::Result<()> {
    write_all_at(file, &[0; FRAME_MAX as usize], end)?;
    file.sync()?;
    file.set_len(end)?;
    file.sync()
}

/// Replaces a small file: after any crash it is the old one or the new one, whole; durable when
/// this returns.
pub(crate) fn replace(disk: &Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    remove_if_there(disk, "tmp")?;
    let file = disk.open(Path::new("tmp"), OpenMode::CreateNew)?;
    write_all_at(&*file, bytes, 0)?;
    file.sync()?;
    disk.rename(Path::new("tmp"), Path::new(name))?;
    disk.sync_dir(Path::new(""))
}

/// The snapshot file: a number and a state. (0 and nothing if there is none.)
pub(crate) fn load_snapshot(disk: &Disk) -> io::Result<(u64, State)> {
    let file = match disk.open(Path::new("snapshot"), OpenMode::Read) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok((0, State::new())),
        opened => opened?,
    };
    let records = scan(&*file, 0)?.records;
    let mut state = State::new();
    apply(&mut state, &records);
    match records.last() {
        Some(mark) => Ok((mark.key, state)),
        None => Err(ErrorKind::InvalidData.into()),
    }
}

pub(crate) fn save_snapshot(disk: &Disk, number: u64, state: &State) -> io::Result<()> {
    replace(disk, "snapshot", &frames(0, &base(number, state)))
}

/// What the snapshot and the logs from its number on say.
pub(crate) struct Recovered {
    pub(crate) state: State,
    /// The number of the next log.
    pub(crate) next: u64,
    /// The logs that count.
    pub(crate) logs: Vec<u64>,
    /// Whether one of them ends in the middle of a record.
    pub(crate) torn: bool,
}

pub(crate) fn recover(disk: &Disk, seed: fn(u64) -> u64) -> io::Result<Recovered> {
    let (first, state) = load_snapshot(disk)?;
    let mut recovered = Recovered { state, next: first + 1, logs: Vec::new(), torn: false };
    for number in numbers(disk, "log")?.into_iter().filter(|number| *number >= first) {
        let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
        let scan = scan(&*file, seed(number))?;
        apply(&mut recovered.state, &scan.records);
        recovered.torn |= scan.end < scan.size;
        recovered.next = number + 1;
        recovered.logs.push(number);
    }
    Ok(recovered)
}

/// The numbers n of the files `{prefix}.{n}`, ascending.
pub(crate) fn numbers(disk: &Disk, prefix: &str) -> io::Result<Vec<u64>> {
    let names = disk.list(Path::new(""))?;
    let number = |n: &String| n.strip_prefix(prefix)?.strip_prefix('.')?.parse().ok();
    let mut numbers: Vec<u64> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// A log that is correct whatever fails: every life begins a file of its own with a copy of the
/// state that it found, and touches no file of a former life. The newest file whose copy is whole
/// counts. The file's number seeds the checksums.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) file: Arc<dyn File>,
    pub(crate) number: u64,
    pub(crate) end: u64,
}

impl Log {
    pub(crate) fn open(disk: &Disk) -> io::Result<(State, Log)> {
        let numbers = numbers(disk, "log")?;
        let mut state = State::new();
        for number in numbers.iter().rev() {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            let records = scan(&*file, *number)?.records;
            if !records.is_empty() {
                apply(&mut state, &records);
                break;
            }
        }
        let log = Log::fresh(disk, numbers.last().unwrap_or(&0) + 1, &state)?;
        Ok((state, log))
    }

    /// A log that begins with a copy of the state.
    pub(crate) fn fresh(disk: &Disk, number: u64, state: &State) -> io::Result<Log> {
        let file = disk.open(format!("log.{number}").as_ref(), OpenMode::CreateNew)?;
        let mut log = Log { file, number, end: 0 };
        log.write(&base(number, state))?;
        log.sync()?;
        disk.sync_dir(Path::new(""))?;
        Ok(log)
    }

    /// A log without a copy, for a life that keeps what it found in a snapshot.
    pub(crate) fn empty(disk: &Disk, number: u64) -> io::Result<Log> {
        let file = disk.open(format!("log.{number}").as_ref(), OpenMode::CreateNew)?;
        disk.sync_dir(Path::new(""))?;
        Ok(Log { file, number, end: 0 })
    }

    /// Appends, and does not sync.
    pub(crate) fn write(&mut self, records: &[Record]) -> io::Result<()> {
        let bytes = frames(self.number, records);
        write_all_at(&*self.file, &bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// What it holds is durable elsewhere: it begins again, empty.
    pub(crate) fn discard(&mut self, disk: &Disk) -> io::Result<()> {
        *self = Log::fresh(disk, self.number + 1, &State::new())?;
        drop_below(disk, "log", self.number)
    }
}
