//! The bugs of the catalogue that have no piece yet, and what they wait for.

/// A bug without a piece.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Its class and number in the catalogue.
    pub bug: &'static str,
    /// What went wrong, in a line.
    pub title: &'static str,
    /// What it takes to build it.
    pub waits_for: &'static str,
}

const THREADS: &str = "schedules of threads";

const fn threads(bug: &'static str, title: &'static str) -> Open {
    Open { bug, title, waits_for: THREADS }
}

const fn clock(bug: &'static str, title: &'static str) -> Open {
    Open { bug, title, waits_for: "keys that expire" }
}

/// The bugs without a piece.
pub const OPEN: &[Open] = &[
    threads("CKPT-10", "a manifest records a synced size larger than what was synced"),
    threads(
        "SYNC-1",
        "an inactive log leaves the list of logs to sync with its last append unsynced",
    ),
    threads("SYNC-2", "a failed leader sync surfaces only to the leader; the next one says Ok"),
    threads("RACE-1", "compaction renames the active log without the append lock"),
    threads("RACE-2", "a checkpoint releases the lock before its own file I/O"),
    threads("RACE-7", "rotation and persisting are not atomic with respect to writers"),
    threads("RACE-9", "an I/O buffer is reused before the asynchronous write completes"),
    threads("RACE-10", "a truncation waits for a barrier that never fires during a snapshot"),
    threads("VIS-2", "a reader sees a commit whose group sync is still in flight"),
    threads("TIME-6", "a fence is written into a slot behind the replay boundary"),
    threads("REC-10", "two openers: the second believes that recovery is complete"),
    clock("TIME-1", "a lease's time to live starts anew at every restart"),
    clock("TIME-7", "touching an expired key that was not swept yet revives it"),
];
