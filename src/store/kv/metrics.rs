//! What a key-value store counts.

use super::KvStore;
use crate::counters::Counter;
use crate::error::{Error, Result};
use crate::options::Ack;

/// What a store has done since it was opened, its recovery included, and how many keys it has. Each
/// number is exact; of two, one may know of an operation that the other does not yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct KvMetrics {
    /// Operations that changed something; a batch is one, and a purge is none.
    pub changed: u64,
    /// Operations that changed nothing: a lock that somebody has, a key that is not there.
    pub unchanged: u64,
    /// Operations that the log refused, or left unknown. What is refused for its arguments counts
    /// nowhere.
    pub failed: u64,
    /// Expired keys that were deleted.
    pub purged: u64,
    /// Bytes written to the log, headers and padding included, but for room that was reserved and
    /// writes that failed.
    pub log_bytes: u64,
    /// Syncs of the log that succeeded; those of directories and snapshots are not among them.
    pub log_syncs: u64,
    /// Snapshots written.
    pub snapshots: u64,
    /// Segments of the log that were removed because all kept snapshots cover them.
    pub segments_removed: u64,
    /// Keys, expired ones included that nobody has purged.
    pub keys: u64,
}

/// What came of operations.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    changed: Counter,
    unchanged: Counter,
    failed: Counter,
    pub(super) purged: Counter,
}

impl Outcomes {
    pub(super) fn count<R>(&self, done: &Result<(R, Option<Ack>)>) {
        match done {
            Ok((_, Some(_))) => self.changed.add(1),
            Ok((_, None)) => self.unchanged.add(1),
            Err(Error::NoKey | Error::TooLarge { .. }) => {}
            Err(_) => self.failed.add(1),
        }
    }
}

impl KvStore {
    /// What it has done so far. Takes no lock but the readers', for the number of keys.
    ///
    /// ```
    /// use highwater::{KvStore, Options, SystemClock};
    /// # let dir = std::env::temp_dir().join(format!("highwater-metrics-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// # let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(&dir)?);
    /// let store = KvStore::open(disk, Options::default(), std::sync::Arc::new(SystemClock))?;
    /// store.incr("visits", 1)?;
    /// store.delete("nobody")?;
    /// let metrics = store.metrics();
    /// assert_eq!((metrics.changed, metrics.unchanged, metrics.keys), (1, 1, 1));
    /// assert_eq!(metrics.log_syncs, 1);
    /// # drop(store);
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn metrics(&self) -> KvMetrics {
        let (log, done) = (&self.engine.counters, &self.outcomes);
        KvMetrics {
            changed: done.changed.get(),
            unchanged: done.unchanged.get(),
            failed: done.failed.get(),
            purged: done.purged.get(),
            log_bytes: log.bytes.get(),
            log_syncs: log.syncs.get(),
            snapshots: log.snapshots.get(),
            segments_removed: log.removed.get(),
            keys: self.len() as u64,
        }
    }
}
