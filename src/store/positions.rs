//! How far the log is, readable by any thread without a lock.
//!
//! Invariants
//! - A1: appended >= written >= durable, always, for a reader that asks for the smaller one first;
//!   all only grow.
//! - A2: a position is published (Release) after the bytes it stands for are where it says, so a
//!   reader (Acquire) is never ahead of them.
//! - A3: what is published comes from the log, whose lock is held, and is never read here for that:
//!   a checker that explores these orders takes a load by the publisher for the one that it should
//!   have reordered.

use super::Lsn;
use super::sync::{Arc, AtomicU64, Ordering};

#[derive(Debug, Default)]
struct Shared {
    appended: AtomicU64,
    written: AtomicU64,
    durable: AtomicU64,
    snapshot: AtomicU64,
    growth: AtomicU64,
}

/// A view of the log's positions; cheap to clone, and to ask it takes no lock.
///
/// ```
/// use highwater::{Lsn, Options, PayloadStore};
/// # let dir = std::env::temp_dir().join(format!("highwater-positions-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// # let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(&dir)?);
/// let store = PayloadStore::open(disk, Options::default())?;
/// let view = store.positions();
/// store.store(7, b"seven")?;
/// assert_eq!((view.appended(), view.durable()), (Lsn(1), Lsn(1)));
/// # drop(store);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Positions {
    shared: Arc<Shared>,
}

impl Positions {
    /// The last LSN of the log.
    pub fn appended(&self) -> Lsn {
        Lsn(self.shared.appended.load(Ordering::Acquire))
    }

    /// The last LSN that survives the death of the process.
    pub fn written(&self) -> Lsn {
        Lsn(self.shared.written.load(Ordering::Acquire))
    }

    /// The last LSN that survives power loss.
    pub fn durable(&self) -> Lsn {
        Lsn(self.shared.durable.load(Ordering::Acquire))
    }

    /// The LSN of the newest snapshot.
    pub fn snapshot(&self) -> Lsn {
        Lsn(self.shared.snapshot.load(Ordering::Acquire))
    }

    /// Bytes appended to the log since the last snapshot.
    pub fn growth(&self) -> u64 {
        self.shared.growth.load(Ordering::Acquire)
    }

    pub(crate) fn publish_appended(&self, lsn: Lsn, growth: u64) {
        self.shared.growth.store(growth, Ordering::Release);
        self.shared.appended.store(lsn.0, Ordering::Release); // A3
    }

    /// A1: after `appended`.
    pub(crate) fn publish_written(&self, lsn: Lsn) {
        self.shared.written.store(lsn.0, Ordering::Release); // A2
    }

    /// A1: after `written`.
    pub(crate) fn publish_durable(&self, lsn: Lsn) {
        self.shared.durable.store(lsn.0, Ordering::Release);
    }

    pub(crate) fn publish_snapshot(&self, lsn: Lsn, growth: u64) {
        self.shared.growth.store(growth, Ordering::Release);
        self.shared.snapshot.store(lsn.0, Ordering::Release);
    }
}
