//! When what is due: no thread, no clock.
//!
//! Invariants
//! - B1: between two calls that are at least an interval apart, what was added before the first is
//!   synced by the second.
//! - B2: a snapshot is due after so much time or so many operations since the last one that was
//!   tried, and only if there is something new.

use crate::Settings;
use std::time::Duration;

/// What to do now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) sync: bool,
    pub(crate) purge: bool,
    pub(crate) snapshot: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    settings: Settings,
    synced: Duration,
    snapshot: Duration,
    /// The last LSN when a snapshot was tried last.
    covered: u64,
}

impl Plan {
    /// Begins at `now` with a log that ends at `last`, of which a snapshot holds all to `covered`.
    pub(crate) fn new(settings: Settings, now: Duration, covered: u64) -> Plan {
        Plan { settings, synced: now, snapshot: now, covered }
    }

    /// `last` is the last LSN of the log, `durable` the last that is durable.
    pub(crate) fn due(&mut self, now: Duration, last: u64, durable: u64) -> Due {
        // A clock that was set back begins anew.
        self.synced = self.synced.min(now);
        self.snapshot = self.snapshot.min(now);
        let purge = now - self.synced >= self.settings.sync_every;
        if purge {
            self.synced = now; // B1
        }
        let new = last.saturating_sub(self.covered);
        let late = now - self.snapshot >= self.settings.snapshot_every;
        let snapshot = new > 0 && (late || new >= self.settings.snapshot_operations); // B2
        if snapshot {
            (self.snapshot, self.covered) = (now, last);
        }
        Due { sync: purge && durable < last, purge, snapshot }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        let (sync_every, snapshot_every) = (Duration::from_millis(100), Duration::from_secs(300));
        Settings { sync_every, snapshot_every, snapshot_operations: 1000, purge: 0 }
    }

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn b1_syncs_come_with_the_interval_and_only_if_there_is_something() {
        let mut plan = Plan::new(settings(), millis(0), 0);
        assert!(!plan.due(millis(99), 5, 0).sync);
        assert!(plan.due(millis(100), 5, 0).sync, "B1");
        assert!(!plan.due(millis(199), 9, 5).sync);
        assert!(!plan.due(millis(200), 9, 9).sync, "nothing to sync");
        assert!(plan.due(millis(300), 10, 9).sync);
        assert!(!plan.due(millis(50), 11, 10).sync, "set back");
        assert!(plan.due(millis(150), 11, 10).sync);
    }

    #[test]
    fn b2_snapshots_come_with_time_or_operations_and_only_if_there_is_something() {
        let mut plan = Plan::new(settings(), millis(0), 7);
        assert!(!plan.due(millis(400_000), 7, 7).snapshot, "B2: nothing new");
        assert!(plan.due(millis(400_001), 8, 8).snapshot, "B2: time");
        assert!(!plan.due(millis(400_002), 1007, 8).snapshot);
        assert!(plan.due(millis(400_003), 1008, 8).snapshot, "B2: operations");
        assert!(!plan.due(millis(700_002), 1009, 8).snapshot);
        assert!(plan.due(millis(700_003), 1009, 8).snapshot);
    }
}
