//! Everybody in the table, a file each.

pub(crate) mod fjall;
pub(crate) mod highwater;
pub(crate) mod ideal;
pub(crate) mod okaywal;
pub(crate) mod raft_engine;
pub(crate) mod raw;
pub(crate) mod redb;
#[cfg(feature = "rocksdb")]
pub(crate) mod rocksdb;
pub(crate) mod velesdb;
pub(crate) mod wal_db;
