//! Reading what must be intact: damage is told from the place where a crash came.

use super::{Scan, read_frame, scan};
use highwater_vfs::File;
use std::io::{self, ErrorKind};

/// As [`scan`], for a file whose frames were made durable one after the other: a bad one with an
/// intact one behind it is damage, and not where a crash came.
pub(crate) fn scan_strict(file: &dyn File, seed: u64) -> io::Result<Scan> {
    let scan = scan(file, seed)?;
    for at in scan.end + 1..scan.size {
        if read_frame(file, seed, at)?.is_some() {
            return Err(damaged("a bad frame with an intact one behind it"));
        }
    }
    Ok(scan)
}

/// What an engine says that knows better than to serve it.
pub(crate) fn damaged(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}
