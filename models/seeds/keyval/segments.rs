//! The names of the log's segments: `wal-%016d.log`.

use crate::museum::kit::Disk;
use highwater_vfs::{File, OpenMode};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(super) fn name(number: u64) -> String {
    format!("wal-{number:016}.log")
}

/// The numbers that there are, ascending.
pub(super) fn numbers(disk: &Disk) -> io::Result<Vec<u64>> {
    let names = disk.list(Path::new(""))?;
    let number = |name: &String| name.strip_prefix("wal-")?.strip_suffix(".log")?.parse().ok();
    Ok(names.iter().filter_map(number).collect())
}

pub(super) fn create(disk: &Disk, number: u64) -> io::Result<Arc<dyn File>> {
    disk.open(name(number).as_ref(), OpenMode::CreateNew)
}
