//! How far the log is, readable by any thread without a lock.
//!
//! Invariants
//! - A1: appended >= durable, always; both only grow.
//! - A2: a position is published (Release) after the bytes it stands for are where it says, so a
//!   reader (Acquire) is never ahead of them.

use crate::format::Lsn;
use crate::sync::{Arc, AtomicU64, Ordering};

#[derive(Debug, Default)]
struct Shared {
    appended: AtomicU64,
    durable: AtomicU64,
    snapshot: AtomicU64,
    /// Bytes appended to the log since the last snapshot.
    growth: AtomicU64,
}

/// A view of the log's positions; cheap to clone and to ask.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    shared: Arc<Shared>,
}

impl Positions {
    /// The last LSN that readers see.
    pub fn appended(&self) -> Lsn {
        Lsn(self.shared.appended.load(Ordering::Acquire))
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

    pub(crate) fn publish_appended(&self, lsn: Lsn, bytes: u64) {
        // One writer at a time, so a load and a store do: a locked addition costs as much as a
        // checksum.
        let growth = self.shared.growth.load(Ordering::Relaxed) + bytes;
        self.shared.growth.store(growth, Ordering::Release);
        self.shared.appended.store(lsn.0, Ordering::Release); // A2
    }

    pub(crate) fn publish_durable(&self, lsn: Lsn) {
        assert!(self.appended() >= lsn, "A1: durable beyond appended");
        self.shared.durable.store(lsn.0, Ordering::Release);
    }

    pub(crate) fn publish_snapshot(&self, lsn: Lsn) {
        self.shared.snapshot.store(lsn.0, Ordering::Release);
        self.shared.growth.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "A1")]
    fn a1_durable_never_runs_ahead() {
        let positions = Positions::default();
        positions.publish_appended(Lsn(2), 64);
        positions.publish_durable(Lsn(3));
    }

    #[test]
    fn a2_a_view_sees_what_was_published() {
        let positions = Positions::default();
        let view = positions.clone();
        positions.publish_appended(Lsn(2), 64);
        positions.publish_durable(Lsn(1));
        assert_eq!((view.appended(), view.durable(), view.growth()), (Lsn(2), Lsn(1), 64));
        positions.publish_snapshot(Lsn(2));
        assert_eq!((view.snapshot(), view.growth()), (Lsn(2), 0));
    }
}
