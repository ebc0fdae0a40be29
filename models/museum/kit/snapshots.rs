//! Numbered snapshots: `snapshot.{n}`, of which the newest that is whole counts.

use super::{Disk, State, apply, base, frames, numbers, scan};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::sync::Arc;

/// A snapshot as it was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Of its file; 0 if there is none.
    pub(crate) number: u64,
    /// What was kept with it.
    pub(crate) mark: u64,
    pub(crate) state: State,
}

/// Writes one; neither its bytes nor its name are durable yet.
pub(crate) fn begin_snapshot(
    disk: &Disk,
    number: u64,
    mark: u64,
    state: &State,
) -> io::Result<Arc<dyn File>> {
    let file = disk.open(format!("snapshot.{number}").as_ref(), OpenMode::CreateNew)?;
    write_all_at(&*file, &frames(number, &base(mark, state)), 0)?;
    Ok(file)
}

/// Writes one that is durable when this returns.
pub(crate) fn write_snapshot(disk: &Disk, number: u64, mark: u64, state: &State) -> io::Result<()> {
    begin_snapshot(disk, number, mark, state)?.sync()?;
    disk.sync_dir("".as_ref())
}

/// Reads one; `None` if it is not whole.
pub(crate) fn read_snapshot(disk: &Disk, number: u64) -> io::Result<Option<Found>> {
    let file = disk.open(format!("snapshot.{number}").as_ref(), OpenMode::Read)?;
    let records = scan(&*file, number)?.records;
    let Some(mark) = records.last() else { return Ok(None) };
    let mut state = State::new();
    apply(&mut state, &records);
    Ok(Some(Found { number, mark: mark.key, state }))
}

/// The newest one that is whole.
pub(crate) fn newest_snapshot(disk: &Disk) -> io::Result<Found> {
    for number in numbers(disk, "snapshot")?.into_iter().rev() {
        if let Some(found) = read_snapshot(disk, number)? {
            return Ok(found);
        }
    }
    Ok(Found::default())
}
