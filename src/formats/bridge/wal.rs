//! A log file: a header of 32 bytes, then records.
//!
//! | header | bytes | |
//! |---|---|---|
//! | 0 | 8 | `KVWAL001` |
//! | 8 | 4 | version 1, big endian as all of the framing |
//! | 12 | 8 | created, in seconds since 1970 |
//! | 20 | 12 | reserved |
//!
//! | record | bytes | |
//! |---|---|---|
//! | 0 | 4 | length of what follows: 13 + payload; covered by nothing |
//! | 4 | 8 | when, in nanoseconds since 1970 |
//! | 12 | 1 | operation: 1 to 10 |
//! | 13 | n | payload, in bincode 1 |
//! | 13 + n | 4 | CRC-32 of when, operation and payload |

use super::op::Op;
use crate::bytes::{be_i64, be_u32, be_u64};
use crate::ranges::{Crc, Ranges};
use crate::report::Tail;
use crate::search::{Behind, Search};

/// What a log begins with.
pub(super) const MAGIC: &[u8; 8] = b"KVWAL001";
/// Bytes of a log's header.
pub(super) const HEADER: usize = 32;
const VERSION: u32 = 1;
/// Bytes of a length.
const LEN: usize = 4;
/// Bytes of a record behind its length, around the payload: when, operation, checksum.
const AROUND: usize = 8 + 1 + 4;
/// A payload names its operation in 4 bytes at least.
const PAYLOAD_MIN: usize = 4;

/// A record that is intact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) offset: usize,
    /// Its length field included.
    pub(super) size: usize,
    pub(super) timestamp: i64,
    pub(super) op: Op,
    /// Whether there are bytes before it, behind the record before it, that could not be read.
    pub(super) behind_hole: bool,
}

impl Record {
    pub(super) fn end(&self) -> usize {
        self.offset + self.size
    }
}

/// A log, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// In seconds since 1970, if the header is whole.
    pub(super) created: Option<u64>,
    /// All that are intact, also behind the first bad place.
    pub(super) records: Vec<Record>,
    pub(super) tail: Tail,
    /// The first bad place, or the end.
    pub(super) offset: usize,
    pub(super) reason: Option<String>,
    /// Whether the last bytes could not be read.
    pub(super) ends_badly: bool,
}

impl Log {
    /// How many records stand before the first bad place.
    pub(super) fn sound(&self) -> usize {
        self.records.iter().take_while(|record| record.end() <= self.offset).count()
    }

    /// Whether a record ends or begins there, or the header ends.
    pub(super) fn has_boundary(&self, offset: u64) -> bool {
        let is_one = |record: &Record| [record.offset, record.end()].contains(&(offset as usize));
        offset == HEADER as u64 || self.records.iter().any(is_one)
    }

    fn bad(&mut self, offset: usize, reason: String) {
        if self.reason.is_none() {
            (self.offset, self.reason) = (offset, Some(reason));
        }
        self.ends_badly = true;
    }
}

/// Reads a log.
pub(super) fn scan(bytes: &[u8]) -> Log {
    let mut log = Log::default();
    let (mut search, sums) = (Search::new(bytes.len()), Ranges::new(Crc::Crc32, bytes));
    let mut next = HEADER;
    match header(bytes) {
        Ok(created) => log.created = Some(created),
        Err((offset, reason)) => {
            log.bad(offset, reason);
            next = resume(bytes, HEADER, (&mut search, &sums), &mut log);
        }
    }
    while next < bytes.len() {
        match record_at(bytes, next) {
            Ok(mut record) => {
                record.behind_hole = std::mem::take(&mut log.ends_badly);
                next = record.end();
                log.records.push(record);
            }
            Err(reason) => {
                log.bad(next, reason);
                next = resume(bytes, next + 1, (&mut search, &sums), &mut log);
            }
        }
    }
    if log.reason.is_none() {
        log.offset = bytes.len();
    }
    log
}

/// Where reading goes on behind a bad place; its verdict is what is found there.
fn resume(
    bytes: &[u8],
    from: usize,
    (search, sums): (&mut Search, &Ranges<'_>),
    log: &mut Log,
) -> usize {
    let checks = |offset| {
        extent(bytes, offset).ok().filter(|size| {
            let end = offset + size;
            sums.of(offset + LEN..end - 4) == be_u32(bytes, end - 4)
        })
    };
    let decodes = |offset| record_at(bytes, offset).is_ok();
    let behind = search.next(from.min(bytes.len())..bytes.len(), checks, decodes);
    let tail = if behind == Behind::Nothing { Tail::Torn } else { Tail::Corrupt };
    log.tail = log.tail.max(tail);
    match behind {
        Behind::Frame(offset) => offset,
        Behind::Nothing | Behind::Unknown => bytes.len(),
    }
}

/// When it was created; else where it is bad and why.
fn header(bytes: &[u8]) -> Result<u64, (usize, String)> {
    if bytes.len() < HEADER {
        return Err((0, format!("a header has {HEADER} bytes, the file {}", bytes.len())));
    }
    if bytes[..8] != *MAGIC {
        let found = bytes[..8].escape_ascii();
        return Err((0, format!("expected the magic {}, found {found}", MAGIC.escape_ascii())));
    }
    match be_u32(bytes, 8) {
        VERSION => Ok(be_u64(bytes, 12)),
        other => Err((8, format!("expected version {VERSION}, found {other}"))),
    }
}

/// Whether the header is whole and of this version.
pub(super) fn has_header(bytes: &[u8]) -> bool {
    header(bytes).is_ok()
}

/// Whether the bytes begin like a log of this version or another.
pub(super) fn begins_like_one(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// How many bytes a record here would have, by what is not its checksum.
fn extent(bytes: &[u8], offset: usize) -> Result<usize, String> {
    let there = bytes.len() - offset;
    if there < LEN {
        return Err(format!("a record has {} bytes or more, {there} are left", LEN + AROUND));
    }
    // FM1: compared with what is there before it is added to anything.
    let stated = be_u32(bytes, offset) as usize;
    if stated < AROUND + PAYLOAD_MIN {
        return Err(format!("a length of {stated}: expected {} or more", AROUND + PAYLOAD_MIN));
    }
    if stated > there - LEN {
        return Err(format!("a length of {stated}, but only {} bytes are left", there - LEN));
    }
    let (code, variant) = (bytes[offset + 12], bytes[offset + 13]);
    if !(1..=10).contains(&code) {
        return Err(format!("an operation is 1 to 10, not {code}"));
    }
    if code - 1 != variant {
        return Err(format!("operation {code} has payload {} in it, not {variant}", code - 1));
    }
    Ok(LEN + stated)
}

/// The record at an offset; else what is wrong with it.
fn record_at(bytes: &[u8], offset: usize) -> Result<Record, String> {
    let size = extent(bytes, offset)?;
    let end = offset + size;
    let (covered, stated) = (&bytes[offset + LEN..end - 4], be_u32(bytes, end - 4));
    let actual = crc32fast::hash(covered);
    if actual != stated {
        return Err(format!("checksum: expected {stated:08x}, actual {actual:08x}"));
    }
    let op = Op::decode(&covered[9..])?;
    let timestamp = be_i64(bytes, offset + LEN);
    Ok(Record { offset, size, timestamp, op, behind_hole: false })
}

/// The header of a log.
pub(super) fn put_header(into: &mut Vec<u8>, created: u64) {
    into.extend(MAGIC);
    into.extend(VERSION.to_be_bytes());
    into.extend(created.to_be_bytes());
    into.resize(HEADER, 0);
}

/// A record.
pub(super) fn put_record(into: &mut Vec<u8>, timestamp: i64, op: &Op) {
    let mut covered = timestamp.to_be_bytes().to_vec();
    covered.push(op.code());
    op.encode(&mut covered);
    into.extend((covered.len() as u32 + 4).to_be_bytes());
    into.extend(&covered);
    into.extend(crc32fast::hash(&covered).to_be_bytes());
}
