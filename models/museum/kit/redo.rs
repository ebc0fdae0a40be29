//! A table of slots that is changed in place, and a redo log in front of it.

use super::{Disk, Log, State, apply, drop_below, frame, numbers, put, read_frame, replace, scan};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A table has so many slots, a sector each. (No two keys of a workload share one.)
const SLOTS: u64 = 4;
const SLOT: u64 = 512;

/// The table and what it holds. It is made with all its slots, so that a change never moves its
/// end.
pub(crate) fn open_table(disk: &Disk) -> io::Result<(Arc<dyn File>, State)> {
    if disk.list(Path::new(""))?.iter().all(|name| name != "table") {
        replace(disk, "table", &[0; (SLOTS * SLOT) as usize])?;
    }
    let table = disk.open(Path::new("table"), OpenMode::Write)?;
    let mut state = State::new();
    for slot in 0..SLOTS {
        if let Some((record, _)) = read_frame(&*table, 0, slot * SLOT)? {
            apply(&mut state, &[record]);
        }
    }
    Ok((table, state))
}

/// What the logs hold, made durable there before it may go to the table.
pub(crate) fn read_logs(disk: &Disk) -> io::Result<(State, u64)> {
    let (mut state, mut newest) = (State::new(), 0);
    for number in numbers(disk, "log")? {
        let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Write)?;
        file.sync()?;
        apply(&mut state, &scan(&*file, number)?.records);
        newest = number;
    }
    Ok((state, newest))
}

/// Copies records to their slots, and does not sync.
pub(crate) fn write_slots(table: &dyn File, changed: &State) -> io::Result<()> {
    for (key, value) in changed {
        write_all_at(table, &frame(0, &put(*key, value)), key % SLOTS * SLOT)?;
    }
    Ok(())
}

/// The next log is there for good before the old ones go.
pub(crate) fn next_log(disk: &Disk, number: u64) -> io::Result<Log> {
    let log = Log::empty(disk, number)?;
    drop_below(disk, "log", number)?;
    Ok(log)
}

/// A recovery that is right: the table, all that is known, and an empty log.
pub(crate) fn redo(disk: &Disk) -> io::Result<(Arc<dyn File>, State, Log)> {
    let (table, mut state) = open_table(disk)?;
    let (mut logged, newest) = read_logs(disk)?;
    write_slots(&*table, &logged)?;
    table.sync()?;
    state.append(&mut logged);
    Ok((table, state, next_log(disk, newest + 1)?))
}
