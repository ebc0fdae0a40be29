//! The log: writing frames into segments, and reading them back.

pub(crate) mod scan;
mod slots;
pub(crate) mod writer;

use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::name::Name;
use highwater_vfs::{File, OpenMode, Vfs};
pub(crate) use slots::Slots;
use std::path::Path;
use std::sync::Arc;

/// A segment that the index may point into.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) first: Lsn,
    pub(crate) epoch: u32,
    /// `None` until somebody reads: opening a store opens only what it needs.
    pub(crate) file: Option<Arc<dyn File>>,
    /// Live payloads in it.
    pub(crate) live: usize,
    /// Whether the file still stands in the directory.
    pub(crate) present: bool,
    /// The last LSN in it that counts, once no more can come.
    pub(crate) last: Lsn,
}

impl Slot {
    pub(crate) fn name(&self) -> String {
        Name::segment(self.first, self.epoch).text()
    }
}

pub(crate) fn open(vfs: &dyn Vfs, name: &str, mode: OpenMode) -> Result<Arc<dyn File>> {
    let op = if mode == OpenMode::CreateNew { "create" } else { "open" };
    vfs.open(Path::new(name), mode).map_err(Error::io(op, name))
}
