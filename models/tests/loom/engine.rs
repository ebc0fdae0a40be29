//! The store's concurrency core, its own files compiled again: every lock, call and atomic in them
//! is one that the checker knows.

#![allow(dead_code, unreachable_pub, missing_docs)]

#[path = "../../../src/store/group_commit.rs"]
pub(crate) mod group_commit;
#[path = "../../../src/store/positions.rs"]
pub(crate) mod positions;
pub(crate) mod sync;

/// What the core takes from the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lsn(pub u64);
