//! Snapshots: the state machine's bytes in `.snap`, what is known of them in `.snap.meta`.

use super::json::SnapshotMeta;
use crate::hex::hex;
use crate::report::Tail;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

/// A snapshot that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What is known of it.
    pub meta: SnapshotMeta,
    /// The state machine's bytes.
    pub data: Vec<u8>,
}

impl Snapshot {
    /// A snapshot of these bytes, with sums and size made from them.
    pub fn new(index: u64, term: u64, created_at: &str, data: Vec<u8>) -> Snapshot {
        let (size, checksum) = (data.len() as u64, hex(&Sha256::digest(&data)));
        let created_at = created_at.into();
        let meta = SnapshotMeta { index, term, size, checksum, created_at, ..Default::default() };
        Snapshot { meta, data }
    }

    /// What is known of it, and of the data their length and CRC-32.
    pub fn to_json(&self) -> Json {
        let mut json = json!(self.meta);
        json["data_len"] = self.data.len().into();
        json["data_crc32"] = crc32fast::hash(&self.data).into();
        json
    }
}

/// The name of a snapshot's data.
pub(super) fn name(meta: &SnapshotMeta) -> String {
    format!("snapshot-{}-{}.snap", meta.index, meta.term)
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Data,
    Meta,
    /// One that was not finished.
    Temporary,
}

/// What a name means, if it is one of a snapshot's.
pub(super) fn part(name: &str) -> Option<Part> {
    let (name, is_temporary) = match name.strip_suffix(".tmp") {
        Some(name) => (name, true),
        None => (name, false),
    };
    let (name, part) = match name.strip_suffix(".meta") {
        Some(name) => (name, Part::Meta),
        None => (name, Part::Data),
    };
    let (index, term) = name.strip_prefix("snapshot-")?.strip_suffix(".snap")?.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let part = if is_temporary { Part::Temporary } else { part };
    (digits(index) && digits(term)).then_some(part)
}

/// What is wrong with a snapshot, in which of its files and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) part: Part,
    pub(super) tail: Tail,
    pub(super) offset: usize,
    pub(super) reason: String,
}

/// A `.meta`, read.
pub(super) fn meta(bytes: &[u8]) -> Result<SnapshotMeta, Wrong> {
    serde_json::from_slice(bytes).map_err(|error| {
        let tail = if error.is_eof() { Tail::Torn } else { Tail::Corrupt };
        let line = bytes.split_inclusive(|b| *b == b'\n').take(error.line().saturating_sub(1));
        let before: usize = line.map(<[u8]>::len).sum();
        let offset = (before + error.column()).min(bytes.len());
        Wrong { part: Part::Meta, tail, offset, reason: format!("its JSON: {error}") }
    })
}

/// A snapshot, from the `.meta` of this name and the data if there are any.
pub(super) fn decode(file: &str, of: &[u8], data: Option<&[u8]>) -> Result<Snapshot, Wrong> {
    let meta = meta(of)?;
    let wrong = |part, reason| Err(Wrong { part, tail: Tail::Corrupt, offset: 0, reason });
    let expected = format!("{}.meta", name(&meta));
    if file != expected {
        return wrong(Part::Meta, format!("its content says {expected}"));
    }
    let Some(data) = data else { return wrong(Part::Meta, "its data is absent".into()) };
    let (size, there) = (meta.size, data.len());
    let sha = hex(&Sha256::digest(data));
    if sha != meta.checksum && (there as u64) < size {
        let reason = format!("expected {size} bytes, there are {there}");
        return Err(Wrong { part: Part::Data, tail: Tail::Torn, offset: there, reason });
    }
    if sha != meta.checksum {
        let reason = format!("SHA-256: expected {}, actual {sha}", meta.checksum);
        return wrong(Part::Data, reason);
    }
    if there as u64 != size {
        return wrong(Part::Meta, format!("expected {size} bytes of data, there are {there}"));
    }
    let crc = crc32fast::hash(data);
    match meta.checksum_crc32.filter(|expected| *expected != crc) {
        Some(expected) => {
            wrong(Part::Meta, format!("CRC-32: expected {expected:08x}, actual {crc:08x}"))
        }
        None => Ok(Snapshot { meta, data: data.to_vec() }),
    }
}
