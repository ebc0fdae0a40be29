//! What a Raft node starts with.

use super::{Bolt, Entry, LOG, LogEntry, METADATA, SNAPSHOT, Snapshot, SnapshotMeta, State};
use serde_json::json;
use std::fmt;

/// A node's storage: term, vote, log and snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The current term.
    pub term: u64,
    /// Who got the vote in it; empty for nobody.
    pub voted_for: Vec<u8>,
    /// By index.
    pub log: Vec<LogEntry>,
    /// The newest.
    pub snapshot: Option<Snapshot>,
}

impl State {
    /// What the node starts with: from `raft.db`, as in the original; else from the log, which says
    /// the same, so that it can stand in for a `raft.db` that is damaged. The original does not do
    /// that.
    pub fn node(&self) -> Node {
        let snapshot = self.snapshots.last().cloned();
        if let Some(Bolt { term, voted_for, log, snapshot: _ }) = &self.bolt {
            let (term, voted_for) = (term.unwrap_or(0), voted_for.clone().unwrap_or_default());
            return Node { term, voted_for, log: log.clone(), snapshot };
        }
        let metadata = self.metadata();
        let (term, voted_for) =
            metadata.map_or((0, Vec::new()), |data| (data.term, data.voted_for));
        let mut log: Vec<LogEntry> = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.kind == LOG) {
            // One that comes again stands for itself and all that came after it.
            log.truncate(log.partition_point(|before| before.index < entry.index));
            log.push(log_entry(entry));
        }
        Node { term, voted_for, log, snapshot }
    }
}

/// What an entry of the log carries: the JSON of the original's Raft layer, or bytes of somebody
/// who used the log alone.
fn log_entry(entry: &Entry) -> LogEntry {
    let Entry { index, term, ref data, .. } = *entry;
    let json = serde_json::from_slice::<LogEntry>(data).ok();
    let json = json.filter(|json| (json.index, json.term) == (index, term));
    json.unwrap_or_else(|| LogEntry { term, index, data: Some(data.clone()), kind: 0 })
}

/// Why the original would not start from a node's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The log has an entry with the second index where the first is due: it begins at 1 and has no
    /// gaps, whatever a snapshot covers.
    Index(u64, u64),
    /// The snapshot is of index 0 or has no data.
    Snapshot,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Index(due, found) => write!(f, "entry {found} where {due} is due in the log"),
            Misfit::Snapshot => f.write_str("a snapshot has an index above 0, and data"),
        }
    }
}

impl std::error::Error for Misfit {}

impl Node {
    /// Whether the original starts from the files of [`Node::to_state`].
    ///
    /// # Errors
    /// What it would refuse.
    pub fn fits(&self) -> Result<(), Misfit> {
        let mut due = (1..).zip(&self.log);
        if let Some((due, found)) = due.find(|(due, entry)| *due != entry.index) {
            return Err(Misfit::Index(due, found.index));
        }
        match &self.snapshot {
            Some(Snapshot { meta, data }) if meta.index == 0 || data.is_empty() => {
                Err(Misfit::Snapshot)
            }
            _ => Ok(()),
        }
    }

    /// All that the original keeps of a node: `raft.db`, the same in the log, the snapshot. The log
    /// says that it was appended at `seconds` since 1970.
    pub fn to_state(&self, seconds: i64) -> State {
        let entry = |kind, index, term, data| Entry { kind, index, term, timestamp: seconds, data };
        let meta: Option<&SnapshotMeta> = self.snapshot.as_ref().map(|snapshot| &snapshot.meta);
        let log = self.log.iter();
        let log = log.map(|one| entry(LOG, one.index, one.term, json!(one).to_string().into()));
        let covered = meta.map(|m| entry(SNAPSHOT, m.index, m.term, json!(m).to_string().into()));
        let vote = entry(METADATA, 0, self.term, self.voted_for.clone());
        let bolt = Bolt {
            term: Some(self.term),
            voted_for: Some(self.voted_for.clone()),
            log: self.log.clone(),
            snapshot: meta.cloned(),
        };
        State {
            entries: [vote].into_iter().chain(log).chain(covered).collect(),
            snapshots: self.snapshot.clone().into_iter().collect(),
            bolt: Some(bolt),
        }
    }
}
