//! The durable state of a Raft node: term and vote, the log, snapshots.
//!
//! [`RaftStore`] keeps the log in a [`highwater::Journal`], in a folder of its own; term, vote and
//! what the snapshot is in a [redb](https://www.redb.org) database; the snapshot's data in a file.
//! All of it goes through [`highwater_vfs::Vfs`], so that all of it is explored as one.
//!
//! What a persistence layer of a Raft node is usually asked for:
//!
//! | to do | call of [`RaftStore`] |
//! |---|---|
//! | save and load term and vote | `save_hard_state`, `hard_state` |
//! | append entries | `append` |
//! | load entries | `entry`, `entries` |
//! | delete from an index on | `truncate_from` |
//! | delete up to an index | `purge_to` |
//! | first and last index | `first`, `last` |
//! | save a snapshot | `begin_snapshot`, [`SnapshotWriter`] |
//! | load a snapshot | `snapshot`, `open_snapshot` |
//! | sync | nothing: what is acknowledged is durable |

mod backend;
mod bytes;
mod error;
mod inspect;
mod log;
mod metadata;
#[cfg(feature = "openraft")]
pub mod openraft;
mod record;
mod snapshot;
mod state;
mod store;
mod under;

pub use error::{Error, Result};
pub use highwater::Options;
pub use inspect::{FileReport, Inspection, inspect, looks_like_one};
pub use metadata::{Known, Metadata};
pub use snapshot::{SnapshotReader, SnapshotWriter};
pub use state::{HardState, LogId, SnapshotMeta};
pub use store::{Entry, RaftStore};
pub use under::Under;
