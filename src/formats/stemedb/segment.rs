//! One segment: its name, and the record at an offset of it.

use super::layout::{OWN, Scope};
use crate::bytes::le_u32;
use crate::ranges::{Crc, Ranges};
use crate::search::{Behind, Search};
use std::fmt;

/// Of a record beside its payload: length, checksum, hash.
pub(super) const OVERHEAD: usize = 40;

/// A file of the journal.
pub(super) struct Segment<'a> {
    pub(super) path: &'a str,
    /// What its name says: where it begins in the journal.
    pub(super) base: u64,
    pub(super) bytes: &'a [u8],
    crc: Ranges<'a>,
}

/// Why there is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    Short { expected: u64, actual: usize },
    Checksum { expected: u32, actual: u32 },
    Hash,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::Short { expected, actual } => {
                write!(f, "a record of {expected} bytes, but {actual} are there")
            }
            Bad::Checksum { expected, actual } => {
                write!(f, "the record's checksum is {expected:#010x}, but {actual:#010x} computed")
            }
            Bad::Hash => write!(f, "the payload is not the one of the record's BLAKE3"),
        }
    }
}

/// The name of the segment that begins at an offset.
pub(super) fn name(base: u64) -> String {
    format!("{base:016x}.wal")
}

/// The offset in a segment's name.
fn base(path: &str) -> Option<u64> {
    let base = u64::from_str_radix(path.strip_suffix(".wal")?, 16).ok()?;
    (name(base) == path).then_some(base)
}

/// A record of ours; `None` if its length does not fit.
pub(super) fn encode(payload: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok()?;
    let mut record = length.to_le_bytes().to_vec();
    record.extend([0; 4]);
    record.extend(blake3::hash(payload).as_bytes());
    record.extend(payload);
    let ranges = Ranges::new(Crc::Crc32c, &record);
    let checksum = checksum(&ranges, &record, 0, payload.len(), OWN.scope);
    record[4..8].copy_from_slice(&checksum.to_le_bytes());
    Some(record)
}

/// The checksum of the record at `at` whose payload has `length` bytes, all of them there.
fn checksum(ranges: &Ranges<'_>, bytes: &[u8], at: usize, length: usize, scope: Scope) -> u32 {
    let (hash, payload, end) = (at + 8, at + OVERHEAD, at + OVERHEAD + length);
    let behind = |head: &[u8], start: usize, end: usize| {
        let head = Crc::Crc32c.append(0, head);
        Crc::Crc32c.combine(head, ranges.of(start..end), end - start)
    };
    let size = &bytes[at..at + 4];
    let zeroed = [size, &[0; 4]].concat();
    match scope {
        Scope::Payload => ranges.of(payload..end),
        Scope::LengthPayload => behind(size, payload, end),
        Scope::HashPayload => ranges.of(hash..end),
        Scope::LengthHashPayload => behind(size, hash, end),
        Scope::Header => behind(&zeroed, hash, payload),
        Scope::HeaderPayload => behind(&zeroed, hash, end),
    }
}

impl<'a> Segment<'a> {
    /// `None` if the name is not one of a segment.
    pub(super) fn new(path: &'a str, bytes: &'a [u8]) -> Option<Segment<'a>> {
        let crc = Ranges::new(Crc::Crc32c, bytes);
        Some(Segment { path, base: base(path)?, bytes, crc })
    }

    /// The length of the payload at `at`, if the record fits and its checksum matches.
    fn checked(&self, at: usize, scope: Scope) -> Result<usize, Bad> {
        let rest = self.bytes.len().saturating_sub(at);
        // FM1: the length is compared with what is there before anything is done with it.
        let length = if rest < OVERHEAD { 0 } else { u64::from(le_u32(self.bytes, at)) };
        let expected = OVERHEAD as u64 + length;
        if (rest as u64) < expected {
            return Err(Bad::Short { expected, actual: rest });
        }
        let expected = le_u32(self.bytes, at + 4);
        let actual = checksum(&self.crc, self.bytes, at, length as usize, scope);
        match expected == actual {
            true => Ok(length as usize),
            false => Err(Bad::Checksum { expected, actual }),
        }
    }

    /// The payload of the record at `at`.
    pub(super) fn record(&self, at: usize, scope: Scope) -> Result<&'a [u8], Bad> {
        let length = self.checked(at, scope)?;
        let payload = &self.bytes[at + OVERHEAD..at + OVERHEAD + length];
        let hash = &self.bytes[at + 8..at + OVERHEAD];
        match blake3::hash(payload).as_bytes()[..] == *hash {
            true => Ok(payload),
            false => Err(Bad::Hash),
        }
    }

    /// The first intact record behind `from`.
    pub(super) fn behind(&self, from: usize, scope: Scope) -> Behind {
        let all = from + 1..(self.bytes.len() + 1).saturating_sub(OVERHEAD);
        let extent = |at| self.checked(at, scope).ok().map(|length| OVERHEAD + length);
        Search::new(self.bytes.len()).next(all, extent, |at| self.record(at, scope).is_ok())
    }
}
