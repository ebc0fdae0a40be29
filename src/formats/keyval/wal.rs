//! A segment of the log: records one after the other, without a header, big endian.
//!
//! | bytes | |
//! |---|---|
//! | 4 | size of what follows: 33 + data; covered by nothing |
//! | 1 | kind: 1 log, 2 metadata, 3 snapshot; others are let be |
//! | 8 + 8 | index, term |
//! | 8 | when, in seconds since 1970; covered by nothing |
//! | 4 | length of the data; covered by nothing, but it has to fit the size |
//! | n | data |
//! | 4 | CRC-32 of kind, index, term and data |

use crate::bytes::{be_i64, be_u32, be_u64};
use crate::hex::hex;
use crate::ranges::{Crc, Ranges};
use crate::report::Tail;
use serde_json::{Value as Json, json};

/// Bytes of a record that has no data.
pub(super) const RECORD_MIN: usize = SIZE + AROUND;
/// The original begins a new segment rather than let one grow larger than this.
pub(super) const SEGMENT_MAX: usize = 64 << 20;
const SIZE: usize = 4;
const AROUND: usize = 33;
/// Where the time of a record is: what comes before it and behind the size is covered.
const TIME: usize = 21;
/// Where the data of a record begins.
const DATA: usize = RECORD_MIN - 4;

/// What was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// 1 a log entry, 2 metadata, 3 a snapshot's metadata.
    pub kind: u8,
    /// Its index in the log; 0 for metadata.
    pub index: u64,
    /// Its term; for metadata the current one.
    pub term: u64,
    /// When, in seconds since 1970.
    pub timestamp: i64,
    /// As the kind has it.
    pub data: Vec<u8>,
}

impl Entry {
    /// The CRC-32 that covers it: all but its time.
    pub fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&[self.kind]);
        hasher.update(&self.index.to_be_bytes());
        hasher.update(&self.term.to_be_bytes());
        hasher.update(&self.data);
        hasher.finalize()
    }

    /// With its data in hexadecimal digits.
    pub fn to_json(&self) -> Json {
        json!({
            "checksum": self.checksum(),
            "data_hex": hex(&self.data),
            "index": self.index,
            "term": self.term,
            "timestamp": self.timestamp,
            "type": self.kind,
        })
    }

    pub(super) fn size(&self) -> usize {
        RECORD_MIN + self.data.len()
    }

    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        into.extend(((AROUND + self.data.len()) as u32).to_be_bytes());
        into.push(self.kind);
        into.extend(self.index.to_be_bytes());
        into.extend(self.term.to_be_bytes());
        into.extend(self.timestamp.to_be_bytes());
        into.extend((self.data.len() as u32).to_be_bytes());
        into.extend(&self.data);
        into.extend(self.checksum().to_be_bytes());
    }
}

/// A segment, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Segment {
    /// Before the first bad place.
    pub(super) entries: Vec<Entry>,
    /// Whether an intact record stands anywhere in it.
    pub(super) has_intact: bool,
    pub(super) tail: Tail,
    /// The first bad place, or the end.
    pub(super) offset: usize,
    pub(super) reason: Option<String>,
}

/// Reads a segment.
pub(super) fn scan(bytes: &[u8]) -> Segment {
    let (mut segment, sums) = (Segment::default(), Ranges::new(Crc::Crc32, bytes));
    while segment.offset < bytes.len() {
        match entry_at(bytes, segment.offset) {
            Ok(entry) => {
                segment.offset += entry.size();
                segment.entries.push(entry);
            }
            Err(reason) => {
                let mut behind = segment.offset + 1..bytes.len();
                segment.has_intact = behind.any(|offset| is_intact(&sums, bytes, offset));
                segment.tail = if segment.has_intact { Tail::Corrupt } else { Tail::Torn };
                segment.reason = Some(reason);
                break;
            }
        }
    }
    segment.has_intact |= !segment.entries.is_empty();
    segment
}

/// Whether bytes begin with what only a record begins with: two lengths that fit each other.
pub(super) fn begins_like_one(bytes: &[u8]) -> bool {
    bytes.len() >= RECORD_MIN
        && be_u32(bytes, 0).checked_sub(AROUND as u32) == Some(be_u32(bytes, DATA - 4))
}

/// How many bytes a record here would have, by its two lengths.
fn extent(bytes: &[u8], offset: usize) -> Result<usize, String> {
    let there = bytes.len() - offset;
    if there < RECORD_MIN {
        return Err(format!("a record has {RECORD_MIN} bytes or more, {there} are left"));
    }
    // FM1: compared with what is there before it is added to anything.
    let stated = be_u32(bytes, offset) as usize;
    if stated < AROUND {
        return Err(format!("a size of {stated}: expected {AROUND} or more"));
    }
    if stated > there - SIZE {
        return Err(format!("a size of {stated}, but only {} bytes are left", there - SIZE));
    }
    let data = be_u32(bytes, offset + DATA - 4) as usize;
    if data != stated - AROUND {
        return Err(format!("a size of {stated} has {} of data, not {data}", stated - AROUND));
    }
    Ok(SIZE + stated)
}

/// Whether there is a record at an offset, whatever its size, in about the same short time.
fn is_intact(sums: &Ranges<'_>, bytes: &[u8], offset: usize) -> bool {
    extent(bytes, offset).is_ok_and(|size| {
        let data = offset + DATA..offset + size - 4;
        let front = sums.of(offset + SIZE..offset + TIME);
        let sum = Crc::Crc32.combine(front, sums.of(data.clone()), data.len());
        sum == be_u32(bytes, data.end)
    })
}

/// The record at an offset; else what is wrong with it.
fn entry_at(bytes: &[u8], offset: usize) -> Result<Entry, String> {
    let size = extent(bytes, offset)?;
    let record = &bytes[offset..offset + size];
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&record[SIZE..TIME]);
    hasher.update(&record[DATA..size - 4]);
    let (expected, actual) = (be_u32(record, size - 4), hasher.finalize());
    if actual != expected {
        return Err(format!("checksum: expected {expected:08x}, actual {actual:08x}"));
    }
    Ok(Entry {
        kind: record[SIZE],
        index: be_u64(record, 5),
        term: be_u64(record, 13),
        timestamp: be_i64(record, TIME),
        data: record[DATA..size - 4].to_vec(),
    })
}
