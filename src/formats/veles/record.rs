//! One record of a log, at an offset: what it is, or why it is none.

use super::Dialect;
use crate::bytes::{le_u32, le_u64};
use crate::ranges::{Crc, Ranges};
use serde_json::Value;
use std::fmt;
use std::ops::Range;

/// Marker and id.
const HEAD: usize = 9;

/// A record that is there whole, with a checksum that matches if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it begins, in bytes.
    pub(super) start: usize,
    /// All of it, in bytes.
    pub(super) size: usize,
    pub(super) marker: u8,
    pub(super) id: u64,
    /// Where the payload of a store is; `None` for a delete.
    pub(super) payload: Option<Range<usize>>,
}

/// Why there is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    Marker(u8),
    Short { expected: u64, actual: usize },
    Checksum { expected: u32, actual: u32 },
    Json(String),
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bad::Marker(marker) => write!(f, "marker {marker:#04x} begins no record"),
            Bad::Short { expected, actual } => {
                write!(f, "a record of {expected} bytes, but {actual} are there")
            }
            Bad::Checksum { expected, actual } => {
                write!(f, "the record's checksum is {expected:#010x}, but {actual:#010x} computed")
            }
            Bad::Json(why) => {
                write!(f, "a record without checksum whose payload is no JSON: {why}")
            }
        }
    }
}

/// Where a record's checksum stands, and what it is over.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    /// Behind the record, over all of it.
    Behind,
    /// Before the payload, over the payload.
    Payload,
    Nothing,
}

impl Dialect {
    /// Whether a marker begins a store, and how that is checked.
    fn form(self, marker: u8) -> Option<(bool, Check)> {
        match (self, marker) {
            (Dialect::Current, 0xc3) => Some((true, Check::Behind)),
            (Dialect::Current, 0xc4) => Some((false, Check::Behind)),
            (Dialect::Current, 1) => Some((true, Check::Nothing)),
            (Dialect::Plan, 1) => Some((true, Check::Payload)),
            (_, 2) => Some((false, Check::Nothing)),
            _ => None,
        }
    }
}

/// The bytes of a log, and how to read them.
pub(super) struct Log<'a> {
    pub(super) bytes: &'a [u8],
    dialect: Dialect,
    crc: Ranges<'a>,
}

impl<'a> Log<'a> {
    pub(super) fn new(bytes: &'a [u8], dialect: Dialect) -> Log<'a> {
        Log { bytes, dialect, crc: Ranges::new(Crc::Crc32, bytes) }
    }

    /// The record at `start`, which is before the end.
    pub(super) fn record(&self, start: usize) -> Result<Record, Bad> {
        let rest = &self.bytes[start..];
        let marker = rest[0];
        let (store, check) = self.dialect.form(marker).ok_or(Bad::Marker(marker))?;
        let mut fixed = if store { HEAD + 4 } else { HEAD };
        let length = match store && rest.len() >= fixed {
            true => u64::from(le_u32(rest, HEAD)),
            false => 0,
        };
        // FM1: the length is compared with what is there before anything is done with it.
        let sum = if check == Check::Nothing { 0 } else { 4 };
        let expected = fixed as u64 + length + sum;
        if (rest.len() as u64) < expected {
            return Err(Bad::Short { expected, actual: rest.len() });
        }
        let (size, length) = (expected as usize, length as usize);
        if check == Check::Payload {
            fixed += 4;
        }
        let payload = start + fixed..start + fixed + length;
        let (covered, sum) = match check {
            Check::Behind => (start..start + size - 4, Some(le_u32(rest, size - 4))),
            Check::Payload => (payload.clone(), Some(le_u32(rest, HEAD + 4))),
            Check::Nothing => (payload.clone(), None),
        };
        match sum.map(|expected| (expected, self.crc.of(covered.clone()))) {
            Some((expected, actual)) if expected != actual => {
                return Err(Bad::Checksum { expected, actual });
            }
            None if store => drop(json(&self.bytes[covered]).map_err(Bad::Json)?),
            _ => {}
        }
        let id = le_u64(rest, 1);
        Ok(Record { start, size, marker, id, payload: store.then_some(payload) })
    }

    /// Whether nothing but a log has such bytes: a checksum matched, or an uncovered payload is
    /// JSON. (JSON holds no byte 1, so that looking at every offset reads each byte once.)
    pub(super) fn proves(&self, record: &Record) -> bool {
        match self.dialect.form(record.marker) {
            Some((_, Check::Behind)) => true,
            // The checksum of nothing is 0: zeros would match.
            _ => record.payload.as_ref().is_some_and(|payload| !payload.is_empty()),
        }
    }

    /// The first record from `from` on that can only be one.
    pub(super) fn proof(&self, from: usize) -> Option<usize> {
        let proves = |at: &usize| self.record(*at).is_ok_and(|record| self.proves(&record));
        (from..self.bytes.len()).find(proves)
    }
}

/// A payload as VelesDB reads it.
pub(super) fn json(payload: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(payload).map_err(|e| e.to_string())
}
