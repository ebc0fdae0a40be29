//! Logs on a medium that decays: what ends a scan early is torn or damaged, and only what lies
//! behind it can tell.

use super::{
    Disk, HEADER, Log, Record, Scan, State, apply, base, frames, numbers, read_frame, replace,
    scan_from,
};
use highwater_vfs::{File, OpenMode};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// Zeros, as many as a field on the disk asks for. A panic stands for the abort that nothing could
/// catch.
pub(crate) fn allocate(bytes: u64) -> Vec<u8> {
    assert!(bytes <= 1 << 20, "{bytes} bytes are to be allocated, and no machine has that");
    vec![0; bytes as usize]
}

/// What an engine says that knows better than to serve it.
pub(crate) fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Whether an intact frame begins anywhere from `offset` on. Where every record is synced before
/// the next one is written, it proves that all before it was durable.
pub(crate) fn behind(file: &dyn File, seed: u64, offset: u64) -> io::Result<bool> {
    let last = file.size()?.saturating_sub(HEADER as u64);
    for at in offset..=last {
        if read_frame(file, seed, at)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// As [`scan`](super::scan), for a file in which every frame was synced before the next one was
/// written: a bad one with an intact one behind it is damage, and not where a crash came.
pub(crate) fn scan_strict(file: &dyn File, seed: u64) -> io::Result<Scan> {
    scan_strict_from(file, seed, 0)
}

/// The same from `start` on.
pub(crate) fn scan_strict_from(file: &dyn File, seed: u64, start: u64) -> io::Result<Scan> {
    let scan = scan_from(file, seed, start)?;
    if behind(file, seed, scan.end + 1)? {
        return Err(damaged("a bad frame with an intact one behind it"));
    }
    Ok(scan)
}

/// The group of records that a log [began](Log::begun) with, the mark at its end, and where they
/// end. They were durable before the log had its name: nothing but damage makes them bad.
pub(crate) fn read_base(file: &dyn File, seed: u64) -> io::Result<(Vec<Record>, Record, u64)> {
    let (mut records, mut at) = (Vec::new(), 0);
    while let Some((record, end)) = read_frame(file, seed, at)? {
        at = end;
        if record.last {
            return Ok((records, record, at));
        }
        records.push(record);
    }
    Err(damaged("a log without its beginning"))
}

/// The same for a log that began with a copy of the state.
pub(crate) fn read_state(file: &dyn File, seed: u64) -> io::Result<(State, u64)> {
    let (records, _, end) = read_base(file, seed)?;
    let mut state = State::new();
    apply(&mut state, &records);
    Ok((state, end))
}

/// What `read` finds in the newest log, and a log that begins with a copy of that: as
/// [`Log::open`], for engines that read in their own way.
pub(crate) fn reborn(
    disk: &Disk,
    read: fn(&dyn File, u64) -> io::Result<State>,
) -> io::Result<(State, Log)> {
    let (mut state, mut number) = (State::new(), 0);
    if let Some(&newest) = numbers(disk, "log")?.last() {
        let file = disk.open(format!("log.{newest}").as_ref(), OpenMode::Read)?;
        (state, number) = (read(&*file, newest)?, newest);
    }
    let log = Log::begun(disk, number + 1, &base(number + 1, &state))?;
    Ok((state, log))
}

/// A log of a former life. What is found in it was perhaps not durable yet, and is now. (That is
/// all it takes as long as no sync has ever failed; its name takes a sync of the directory.)
pub(crate) fn found(disk: &Disk, number: u64) -> io::Result<Arc<dyn File>> {
    let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Write)?;
    file.sync()?;
    Ok(file)
}

impl Log {
    /// A log whose first records are durable before it has a name.
    pub(crate) fn begun(disk: &Disk, number: u64, records: &[Record]) -> io::Result<Log> {
        let (name, bytes) = (format!("log.{number}"), frames(number, records));
        replace(disk, &name, &bytes)?;
        let file = disk.open(name.as_ref(), OpenMode::Write)?;
        Ok(Log { file, number, end: bytes.len() as u64 })
    }

    /// A log in the file of one before number `first`, which nobody needs any more: the old bytes
    /// stay until they are written over. If there is none, it is a new file.
    pub(crate) fn recycled(disk: &Disk, number: u64, first: u64) -> io::Result<Log> {
        let Some(old) = numbers(disk, "log")?.into_iter().find(|old| *old < first) else {
            return Log::empty(disk, number);
        };
        let name = format!("log.{number}");
        disk.rename(format!("log.{old}").as_ref(), name.as_ref())?;
        disk.sync_dir(Path::new(""))?;
        let file = disk.open(name.as_ref(), OpenMode::Write)?;
        Ok(Log { file, number, end: 0 })
    }
}
