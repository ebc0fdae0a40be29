//! KeyVal: the log, the snapshots and the Bolt file of a Raft node.

mod bolt;
#[cfg(test)]
mod bolt_tests;
mod build;
mod json;
mod node;
mod pages;
mod read;
mod snapshot;
#[cfg(test)]
mod tests;
mod wal;
mod write;

pub use bolt::Bolt;
pub use json::{LogEntry, SnapshotMeta};
pub use node::{Misfit, Node};
pub use read::read;
pub use snapshot::Snapshot;
pub use wal::Entry;
pub use write::write;

use crate::{Codec, Examined, Files, Likeness};
use serde_json::{Value as Json, json};

/// What is in a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// All of the log, in the order in which they were appended.
    pub entries: Vec<Entry>,
    /// The whole ones, by index and term.
    pub snapshots: Vec<Snapshot>,
    /// `raft.db`, if it is there and sound.
    pub bolt: Option<Bolt>,
}

/// A node's current term and vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The current term.
    pub term: u64,
    /// Who got the vote in it; empty for nobody.
    pub voted_for: Vec<u8>,
}

/// The kinds of an [`Entry`].
pub const LOG: u8 = 1;
/// The current term and vote.
pub const METADATA: u8 = 2;
/// What is known of a snapshot.
pub const SNAPSHOT: u8 = 3;

impl State {
    /// The current term and vote, as the log gives them last.
    pub fn metadata(&self) -> Option<Metadata> {
        let last = self.entries.iter().rfind(|entry| entry.kind == METADATA)?;
        Some(Metadata { term: last.term, voted_for: last.data.clone() })
    }
}

/// The codec.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyVal;

impl Codec for KeyVal {
    fn name(&self) -> &'static str {
        "keyval"
    }

    fn likeness(&self, files: &Files) -> Likeness {
        read::likeness(files)
    }

    fn examine(&self, files: &Files, _at: Option<i64>) -> Examined<Json> {
        let mut examined = read(files);
        let State { entries: _, snapshots, bolt } = &examined.state;
        let metadata = examined.state.metadata().map(|Metadata { term, voted_for }| {
            json!({ "term": term, "voted_for": String::from_utf8_lossy(&voted_for) })
        });
        examined.more.extend([
            ("metadata", json!(metadata)),
            ("snapshots", snapshots.iter().map(Snapshot::to_json).collect()),
            ("bolt", json!(bolt.as_ref().map(Bolt::to_json))),
        ]);
        examined.map(|state| state.entries.iter().map(Entry::to_json).collect())
    }
}
