//! What a Raft node must not forget besides its log.

use crate::bytes::{Reader, Writer};

/// The term, and whom this node voted for in it. A node that forgets either may vote twice.
///
/// ```
/// use highwater_raft::HardState;
/// let voted = HardState { current_term: 3, voted_for: Some(b"node 2".to_vec()) };
/// assert_ne!(voted, HardState::default());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    /// The newest term that this node has seen.
    pub current_term: u64,
    /// Who got its vote in that term, in the caller's own words.
    pub voted_for: Option<Vec<u8>>,
}

impl HardState {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let writer = Writer::default().number(self.current_term);
        match &self.voted_for {
            None => writer.number(0).done(),
            Some(node) => writer.number(1).sized(node).done(),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<HardState> {
        let mut reader = Reader(bytes);
        let current_term = reader.number()?;
        let voted_for = match reader.number()? {
            0 => None,
            1 => Some(reader.sized()?.to_vec()),
            _ => return None,
        };
        reader.ended()?;
        Some(HardState { current_term, voted_for })
    }
}

/// A position in the log: an index, and the term of its entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// From 1; 0 stands before the first entry.
    pub index: u64,
    /// The term in which a leader appended it.
    pub term: u64,
}

/// What a snapshot stands for, and how its bytes are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotMeta {
    /// The last entry that is in it.
    pub last: LogId,
    /// The configuration of the cluster at that entry, in the caller's own words.
    pub configuration: Vec<u8>,
    /// When it was made, in nanoseconds since 1970: the caller's clock, the store has none.
    pub created: u64,
    /// Bytes of its data.
    pub size: u64,
    /// SHA-256 of its data.
    pub sha256: [u8; 32],
    /// Its number, which its file is named by: a later one has a greater one.
    pub serial: u64,
}

impl SnapshotMeta {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let SnapshotMeta { last, configuration, created, size, sha256, serial } = self;
        let numbers = [last.index, last.term, *created, *size, *serial];
        let writer = numbers.into_iter().fold(Writer::default(), Writer::number);
        writer.sized(configuration).rest(sha256).done()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<SnapshotMeta> {
        let mut reader = Reader(bytes);
        let last = LogId { index: reader.number()?, term: reader.number()? };
        let [created, size, serial] = [reader.number()?, reader.number()?, reader.number()?];
        let configuration = reader.sized()?.to_vec();
        let sha256 = reader.array()?;
        reader.ended()?;
        Some(SnapshotMeta { last, configuration, created, size, sha256, serial })
    }
}
