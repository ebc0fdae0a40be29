//! What is asked of everybody in the table, and who they are.

use crate::load::Load;
use std::any::Any;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

/// What a call comes to; no peer's error is looked into.
pub(crate) type Done<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// What a log is opened for: who can reserve space, or has a mode, may prepare for it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Use {
    /// W1: many records and one sync.
    Append,
    /// W2, W3, W4: so many bytes at most, a sync for each operation.
    Commit {
        /// Bytes that the run may write.
        room: u64,
    },
}

/// Which operation of which thread it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// From 0.
    pub(crate) thread: u64,
    /// From 0, of this thread.
    pub(crate) nth: u64,
}

/// A log of records, empty when it is opened.
pub(crate) trait Log: Send + Sync {
    /// Appends the first `count` records of the load, then makes them durable.
    fn append(&self, count: u64, load: &Load) -> Done;

    /// Appends one; it is durable when this returns.
    fn commit(&self, place: Place, record: &[u8]) -> Done;

    /// Appends some at once, as one unit if there is such a thing; durable when this returns. One
    /// thread does it.
    fn commit_batch(&self, place: Place, records: &[&[u8]]) -> Done;
}

/// A log opened again and read to its end.
pub(crate) struct Replayed {
    /// When it had been opened.
    pub(crate) opened: Instant,
    /// How many records there were.
    pub(crate) records: u64,
    /// Whatever was opened: its end is not what is measured.
    pub(crate) kept: Box<dyn Any>,
}

/// A store of pairs: an id of 16 bytes, or of 8 where ids are numbers, and a value of 100.
pub(crate) trait Pairs {
    /// Sets the first `count` pairs of the load, one by one, and waits for no disk.
    fn set(&mut self, count: u64, load: &Load) -> Done;

    /// Makes all that durable.
    fn settle(&mut self) -> Done;

    /// Reads these; how many bytes they have in all.
    fn get(&self, ids: &[u64]) -> Done<u64>;
}

/// What somebody is to the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This store.
    Ours,
    /// Another crate.
    Peer,
    /// A hand-made loop: what the machine allows.
    Limit,
}

/// Opens a new log.
pub(crate) type OpenLog = fn(&Path, Use) -> Done<Box<dyn Log>>;
/// Opens a log that was left behind by a process that was killed, and reads it.
pub(crate) type Replay = fn(&Path) -> Done<Replayed>;
/// Opens a store of pairs, new or not.
pub(crate) type OpenPairs = fn(&Path) -> Done<Box<dyn Pairs>>;

/// Somebody in the table.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: Kind,
    /// How it is used, in one line.
    pub(crate) note: &'static str,
    pub(crate) log: Option<OpenLog>,
    pub(crate) replay: Option<Replay>,
    pub(crate) pairs: Option<OpenPairs>,
    /// Only in the rows W1 and W5: a variant of another.
    pub(crate) bulk_only: bool,
}

/// Everybody, in the order of the tables that are not sorted.
pub(crate) fn all() -> Vec<Peer> {
    let mut all = Vec::from(crate::peers::highwater::peers());
    all.extend([
        crate::peers::okaywal::peer(),
        crate::peers::raft_engine::peer(),
        crate::peers::wal_db::peer(),
        crate::peers::fjall::peer(),
        crate::peers::redb::peer(),
        crate::peers::velesdb::peer(),
    ]);
    #[cfg(feature = "rocksdb")]
    all.push(crate::peers::rocksdb::peer());
    all.extend([crate::peers::ideal::peer(), crate::peers::raw::peer()]);
    all
}
