//! What a store has done since it was opened, in numbers. Nothing is decided by them: so they ask
//! for no order, and a scheduler of threads need not know of them.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Of the log and its snapshots.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Bytes written to segments.
    pub(crate) bytes: Counter,
    /// Syncs of segments that succeeded.
    pub(crate) syncs: Counter,
    pub(crate) snapshots: Counter,
    /// Segments that were removed because snapshots cover them.
    pub(crate) removed: Counter,
}
