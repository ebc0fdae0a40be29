//! `raft.db`: what the original recovers from.

use super::build::build;
use super::json::{LogEntry, SnapshotMeta};
use super::pages::{Bad, Item, Pages};
use crate::hex::hex;
use crate::report::Tail;
use serde_json::{Value as Json, json};

/// The contents of `raft.db`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bolt {
    /// The current term.
    pub term: Option<u64>,
    /// Who got the vote in it; empty for nobody.
    pub voted_for: Option<Vec<u8>>,
    /// By index.
    pub log: Vec<LogEntry>,
    /// Of the newest snapshot.
    pub snapshot: Option<SnapshotMeta>,
}

impl Bolt {
    /// With data in hexadecimal digits.
    pub fn to_json(&self) -> Json {
        let entry = |entry: &LogEntry| {
            let LogEntry { term, index, data, kind } = entry;
            let data = hex(data.as_deref().unwrap_or_default());
            json!({ "data_hex": data, "index": index, "term": term, "type": kind })
        };
        json!({
            "term": self.term,
            "voted_for": self.voted_for.as_ref().map(|vote| String::from_utf8_lossy(vote)),
            "first_index": self.log.first().map_or(0, |entry| entry.index),
            "last_index": self.log.last().map_or(0, |entry| entry.index),
            "log": self.log.iter().map(entry).collect::<Vec<_>>(),
            "snapshot": self.snapshot,
        })
    }
}

/// A file with these contents.
pub(super) fn encode(bolt: &Bolt) -> Vec<u8> {
    let entry =
        |entry: &LogEntry| (entry.index.to_be_bytes().to_vec(), json!(entry).to_string().into());
    let term = bolt.term.map(|term| (b"currentTerm".to_vec(), term.to_be_bytes().to_vec()));
    let vote = bolt.voted_for.as_ref().map(|vote| (b"votedFor".to_vec(), vote.clone()));
    let latest =
        bolt.snapshot.as_ref().map(|meta| (b"latest".to_vec(), json!(meta).to_string().into()));
    build(vec![
        ("log", bolt.log.iter().map(entry).collect()),
        ("metadata", term.into_iter().chain(vote).collect()),
        ("snapshot", latest.into_iter().collect()),
    ])
}

/// Reads a file, and says what is wrong with the one of its meta pages that does not count.
pub(super) fn decode(bytes: &[u8]) -> Result<(Bolt, Option<Bad>), Bad> {
    let mut pages = Pages::open(bytes)?;
    let mut bolt = Bolt::default();
    for bucket in pages.root()? {
        let name = pages.bytes(&bucket.key);
        if ![&b"metadata"[..], b"log", b"snapshot"].contains(&name) {
            continue;
        }
        for item in pages.bucket(&bucket)? {
            let value = pages.bytes(&item.value);
            match (name, pages.bytes(&item.key)) {
                (b"metadata", b"currentTerm") => bolt.term = Some(number(value, &item)?),
                (b"metadata", b"votedFor") => bolt.voted_for = Some(value.to_vec()),
                (b"log", key) => {
                    let (index, entry) = (number(key, &item)?, json::<LogEntry>(value, &item)?);
                    if entry.index != index {
                        let reason = format!("entry {index} says that it is {}", entry.index);
                        return corrupt(&item, reason);
                    }
                    bolt.log.push(entry);
                }
                (b"snapshot", b"latest") => bolt.snapshot = Some(json(value, &item)?),
                _ => {}
            }
        }
    }
    Ok((bolt, pages.other))
}

fn corrupt<T>(item: &Item, reason: String) -> Result<T, Bad> {
    Err(Bad { tail: Tail::Corrupt, offset: item.value.start, reason })
}

fn number(bytes: &[u8], item: &Item) -> Result<u64, Bad> {
    match bytes.try_into() {
        Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
        Err(_) => corrupt(item, format!("expected a number of 8 bytes, found {}", bytes.len())),
    }
}

fn json<T: serde::de::DeserializeOwned>(bytes: &[u8], item: &Item) -> Result<T, Bad> {
    serde_json::from_slice(bytes).or_else(|error| corrupt(item, format!("its JSON: {error}")))
}
