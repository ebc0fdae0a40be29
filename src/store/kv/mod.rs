//! The key-value store: typed values by key, with times of expiry, counters, locks, compare and
//! set; all of it in memory, in shards, and in a log.
//!
//! What an operation does is decided once, when it is asked for, and what is logged is what it came
//! to: the value, its version, the absolute time of its expiry. So replaying needs no clock, and
//! gives what callers saw.
//!
//! Invariants
//! - K4: an answer that rests on a change which is not durable yet is given when that one is.
//! - K5: time never goes back: not when the clock does, and not over a crash for anything that was
//!   logged.

mod clock;
mod metrics;
mod ops;
mod shards;
mod value;

pub use clock::{Clock, SystemClock, TestClock};
pub use metrics::KvMetrics;
pub use value::Value;

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::options::{Ack, Level, Options};
use crate::positions::Positions;
use crate::recovery::RecoveryReport;
use crate::sync::{AtomicU64, Ordering};
use highwater_vfs::Vfs;
use metrics::Outcomes;
pub(crate) use shards::Shards;
use std::sync::Arc;
use std::time::Duration;

/// Shards, unless somebody wants another number.
const SHARDS: usize = 256;
/// The longest key, in bytes.
pub const KEY_SIZE_MAX: usize = 256;

/// How opening went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryStats {
    /// Whether it began with a snapshot.
    pub snapshot_loaded: bool,
    /// Keys that are there, expired ones included.
    pub entries: u64,
    /// Records replayed from the log behind the snapshot.
    pub replayed: u64,
    /// Damaged snapshots that were passed over. (Damage in the log is an error.)
    pub corrupt: u64,
    /// How long it took, by the store's clock.
    pub duration: Duration,
}

/// A store of values by key, all of them in memory, and their changes in a log.
///
/// Any number of threads may use it at once: share it by reference, or in an `Arc`. Callers who
/// wait for the disk at the same time share one sync; readers wait for no sync. A key has 1 to 256
/// bytes.
///
/// ```
/// use highwater::{KvStore, Options, SystemClock, Value};
/// use std::time::Duration;
/// # let dir = std::env::temp_dir().join(format!("highwater-kv-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(&dir)?);
/// let store = KvStore::open(disk, Options::default(), std::sync::Arc::new(SystemClock))?;
/// store.set("greeting", "hello".into(), None)?; // durable when it returns
/// assert_eq!(store.get("greeting"), Some(Value::from("hello")));
/// assert_eq!(store.incr("visits", 2)?.0, 2);
/// assert!(store.lock("job", "me", Duration::from_secs(30))?.is_some());
/// assert!(store.lock("job", "you", Duration::from_secs(30))?.is_none());
/// # drop(store);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct KvStore {
    engine: Engine<Shards>,
    clock: Arc<dyn Clock>,
    /// The latest time that anybody has been told, as the bits of an `i64` (K5).
    latest: AtomicU64,
    stats: RecoveryStats,
    outcomes: Outcomes,
}

impl KvStore {
    /// Opens the store in the root of `vfs`, or begins one there; recovers it if need be.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if durable bytes are damaged: nothing was changed, and
    /// [`Options::damage`] opens the store nevertheless; [`Error::OtherView`]; [`Error::Io`].
    pub fn open(vfs: Arc<dyn Vfs>, options: Options, clock: Arc<dyn Clock>) -> Result<KvStore> {
        KvStore::open_with(vfs, options, clock, SHARDS)
    }

    /// The same with another number of shards than 256: a snapshot holds one of them in memory.
    /// They may be another number each time.
    ///
    /// # Errors
    /// As [`open`](KvStore::open).
    pub fn open_with(
        vfs: Arc<dyn Vfs>,
        options: Options,
        clock: Arc<dyn Clock>,
        shards: usize,
    ) -> Result<KvStore> {
        let started = clock.now();
        Ok(KvStore::new(Engine::open(vfs, options)?, clock, shards, started))
    }

    /// Opens it to read it: nothing is written, created or removed. See
    /// [`PayloadStore::open_read_only`](crate::PayloadStore::open_read_only) for what it shows.
    ///
    /// # Errors
    /// As [`open`](KvStore::open).
    pub fn open_read_only(vfs: Arc<dyn Vfs>, clock: Arc<dyn Clock>) -> Result<KvStore> {
        let started = clock.now();
        Ok(KvStore::new(Engine::open_read_only(vfs)?, clock, SHARDS, started))
    }

    fn new(engine: Engine<Shards>, clock: Arc<dyn Clock>, shards: usize, started: i64) -> KvStore {
        let (entries, latest) = {
            let mut state = engine.state.write();
            state.spread(shards);
            (state.len() as u64, state.latest)
        };
        let report = &engine.report;
        let stats = RecoveryStats {
            snapshot_loaded: report.snapshot > Lsn(0),
            entries,
            replayed: report.replayed,
            corrupt: report.damaged_snapshots.len() as u64,
            duration: Duration::from_nanos(clock.now().saturating_sub(started).max(0) as u64),
        };
        let latest = AtomicU64::new(latest.max(0) as u64);
        KvStore { engine, clock, latest, stats, outcomes: Outcomes::default() }
    }

    /// What recovery found and did.
    pub fn report(&self) -> &RecoveryReport {
        &self.engine.report
    }

    /// How opening went, in numbers.
    pub fn stats(&self) -> &RecoveryStats {
        &self.stats
    }

    /// The time, in nanoseconds since 1970, and never an earlier one than before (K5): while a
    /// clock that was set back catches up, it stands still.
    pub fn now(&self) -> i64 {
        let clock = self.clock.now().max(0) as u64;
        self.latest.fetch_max(clock, Ordering::AcqRel).max(clock) as i64 // K5
    }

    /// What `key` is set to, if it is there and has not expired.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<Value> {
        self.entry(key).map(|entry| entry.value)
    }

    /// The same with its version and the time of its expiry.
    pub fn entry(&self, key: impl AsRef<[u8]>) -> Option<KvEntry> {
        let now = self.now();
        let state = self.engine.state.read();
        let item = state.get(key.as_ref()).filter(|item| item.is_there(now))?;
        Some(KvEntry { value: item.value.clone(), expires: item.expires, version: item.version })
    }

    /// All keys that are there, in order.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        let now = self.now();
        let state = self.engine.state.read();
        let there = state.items().filter(|(_, item)| item.is_there(now));
        let mut keys: Vec<Vec<u8>> = there.map(|(key, _)| key.to_vec()).collect();
        keys.sort_unstable();
        keys
    }

    /// The number of keys, expired ones included that nobody has purged.
    pub fn len(&self) -> usize {
        self.engine.state.read().len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes a snapshot, shard by shard, of the state at one LSN, and drops the log that all kept
    /// snapshots cover. Others read and write meanwhile. Returns its LSN; 0 if the store never held
    /// anything.
    ///
    /// # Errors
    /// As [`flush`](KvStore::flush). If only the temporary file could not be written, the store
    /// goes on.
    pub fn create_snapshot(&self) -> Result<Lsn> {
        self.engine.create_snapshot()
    }

    /// Whether the log has grown enough since the last snapshot. Takes no lock.
    pub fn should_create_snapshot(&self) -> bool {
        self.engine.should_create_snapshot()
    }

    /// Why the last automatic checkpoint failed: see
    /// [`PayloadStore::checkpoint_error`](crate::PayloadStore::checkpoint_error).
    pub fn checkpoint_error(&self) -> Option<Arc<Error>> {
        self.engine.checkpoint_error()
    }

    /// Makes everything durable, in every mode.
    ///
    /// # Errors
    /// [`Error::Io`]: what was not durable is unknown, the store poisoned. [`Error::Poisoned`],
    /// [`Error::Closed`], [`Error::TimedOut`].
    pub fn flush(&self) -> Result<Ack> {
        self.engine.ask(Level::Durable)
    }

    /// In mode [`Durability::Interval`](crate::Durability::Interval): tells what time it is, since
    /// any beginning, and makes everything durable if that is due; `None` if it is not, and in the
    /// other modes.
    ///
    /// # Errors
    /// As [`flush`](KvStore::flush).
    pub fn tick(&self, now: Duration) -> Result<Option<Ack>> {
        self.engine.tick(now)
    }

    /// A view of the log's positions that other threads may read.
    pub fn positions(&self) -> Positions {
        self.engine.positions.clone()
    }

    /// Makes everything durable and states a clean shutdown. From then on every operation that
    /// changes something answers [`Error::Closed`].
    ///
    /// # Errors
    /// As [`flush`](KvStore::flush).
    pub fn close(&self) -> Result<()> {
        self.engine.close()
    }

    /// The numbered invariants that can be checked from here.
    ///
    /// # Panics
    /// If one does not hold: that is a defect of the store.
    pub fn check_invariants(&self) {
        self.engine.check_invariants();
    }
}

/// What a key is set to, and since how often, until when.
#[derive(Clone, Debug, PartialEq)]
pub struct KvEntry {
    /// The value.
    pub value: Value,
    /// When it expires, in nanoseconds since 1970.
    pub expires: Option<i64>,
    /// How often the key has been set since it was not there, from 1.
    pub version: u64,
}
