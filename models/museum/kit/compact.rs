//! Dropping the logs that a snapshot stands for.

use super::{Disk, Log, State, numbers, save_snapshot};
use std::io;
use std::path::Path;

/// Removes the files `{prefix}.{n}` with an n below `number`.
pub(crate) fn drop_below(disk: &Disk, prefix: &str, number: u64) -> io::Result<()> {
    for old in numbers(disk, prefix)?.into_iter().filter(|old| *old < number) {
        disk.remove(format!("{prefix}.{old}").as_ref())?;
    }
    disk.sync_dir(Path::new(""))
}

/// Begins log `number` on a snapshot of `state`, and drops the logs before it.
pub(crate) fn compact(disk: &Disk, number: u64, state: &State) -> io::Result<Log> {
    save_snapshot(disk, number, state)?;
    let log = Log::empty(disk, number)?;
    drop_below(disk, "log", number)?;
    Ok(log)
}
