//! The bugs of the catalogue that have no piece yet, and what they wait for.

/// A bug without a piece.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Its class and number in the catalogue.
    pub bug: &'static str,
    /// What went wrong, in a line.
    pub title: &'static str,
    /// Where it was reported.
    pub source: &'static str,
    /// What it takes to build it.
    pub waits_for: &'static str,
}

const fn clock(bug: &'static str, title: &'static str, source: &'static str) -> Open {
    Open { bug, title, source, waits_for: "keys that expire" }
}

/// The bugs without a piece.
pub const OPEN: &[Open] = &[
    clock(
        "TIME-1",
        "a lease's time to live starts anew at every restart",
        "https://github.com/etcd-io/etcd/issues/9395",
    ),
    clock(
        "TIME-7",
        "touching an expired key that was not swept yet revives it",
        "https://github.com/redis/redis/issues/1026",
    ),
];
