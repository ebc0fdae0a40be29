//! An operation, and the entry of the log that it becomes.
//!
//! ```text
//! [length:4][timestamp ns:8][op type:1][payload][crc32:4]      big endian
//! ```
//!
//! The length is of all that follows it, and the checksum does not cover it. The payload is
//! bincode there; here it is `[number:8]` and `[key:8][size:4][value]` for each item.

use crate::museum::kit::damaged;
use crate::seeds::kit::Reader;
use highwater_vfs::File;
use std::collections::BTreeMap;
use std::io;

pub(super) const SET: u8 = 1;
pub(super) const DELETE: u8 = 2;
pub(super) const INCR: u8 = 3;
pub(super) const MSET: u8 = 5;
pub(super) const LOCK: u8 = 8;

pub(super) const SECOND: u64 = 1_000_000_000;
/// Reading takes a length above this for damage.
const LENGTH_MAX: u32 = 10 * 1024 * 1024;
/// What an entry has besides its payload, without the length.
const FIXED: u32 = 8 + 1 + 4;

#[derive(Clone, Debug)]
pub(super) struct Op {
    pub(super) kind: u8,
    pub(super) items: Vec<(u64, Vec<u8>)>,
    /// Of a counter what is added; of others the seconds to live, 0 for ever.
    pub(super) number: u64,
}

/// A value and the second at which it is gone.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) value: Vec<u8>,
    pub(super) expires: Option<u64>,
}

impl Item {
    pub(super) fn is_there(&self, now: u64) -> bool {
        self.expires.is_none_or(|at| now < at)
    }
}

pub(super) type Items = BTreeMap<u64, Item>;

impl Op {
    pub(super) fn one(kind: u8, key: u64, value: &[u8], number: u64) -> Op {
        Op { kind, items: vec![(key, value.to_vec())], number }
    }

    /// What it does at second `now`.
    pub(super) fn apply(&self, items: &mut Items, now: u64) {
        let expires = (self.kind != INCR && self.number > 0).then_some(now + self.number);
        for (key, value) in &self.items {
            let held = items.get(key).filter(|item| item.is_there(now));
            let value = match self.kind {
                DELETE => {
                    items.remove(key);
                    continue;
                }
                LOCK if held.is_some() => continue,
                INCR => {
                    let count = held.and_then(|item| item.value[..].try_into().ok());
                    let count = count.map_or(0, u64::from_le_bytes);
                    (count + self.number).to_le_bytes().to_vec()
                }
                _ => value.clone(),
            };
            items.insert(*key, Item { value, expires });
        }
    }

    fn payload(&self) -> Vec<u8> {
        let mut bytes = self.number.to_le_bytes().to_vec();
        for (key, value) in &self.items {
            bytes.extend(key.to_le_bytes());
            bytes.extend((value.len() as u32).to_le_bytes());
            bytes.extend(value);
        }
        bytes
    }

    fn parse(kind: u8, payload: &[u8]) -> Option<Op> {
        let (number, mut rest) = payload.split_first_chunk::<8>()?;
        let mut items = Vec::new();
        while !rest.is_empty() {
            let (key, after) = rest.split_first_chunk::<8>()?;
            let (size, after) = after.split_first_chunk::<4>()?;
            let value = after.get(..u32::from_le_bytes(*size) as usize)?;
            items.push((u64::from_le_bytes(*key), value.to_vec()));
            rest = &after[value.len()..];
        }
        Some(Op { kind, items, number: u64::from_le_bytes(*number) })
    }
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Nanoseconds; no two entries have the same.
    pub(super) timestamp: u64,
    pub(super) op: Op,
}

impl Entry {
    /// A timestamp of second `now` behind `last`.
    pub(super) fn stamp(now: u64, last: u64) -> u64 {
        (now * SECOND).max(last + 1)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let payload = self.op.payload();
        let body = [&self.timestamp.to_be_bytes()[..], &[self.op.kind], &payload].concat();
        let (length, sum) = (body.len() as u32 + 4, crc32fast::hash(&body));
        [&length.to_be_bytes()[..], &body, &sum.to_be_bytes()].concat()
    }

    /// The entry at the reader's place; `None` if it is to be counted as corrupt and skipped. A
    /// length without room for the checksum is a panic, as there, unless it is `bounded`.
    ///
    /// # Errors
    /// `UnexpectedEof`: the file ends in it.
    pub(super) fn read(reader: &mut Reader<'_>, bounded: bool) -> io::Result<Option<Entry>> {
        let length = u32::from_be_bytes(reader.array()?);
        if length > LENGTH_MAX || bounded && length < FIXED {
            return Ok(None);
        }
        let body = reader.take(length.into())?;
        let (fields, sum) = body.split_at(body.len() - 4);
        if sum != crc32fast::hash(fields).to_be_bytes() {
            return Ok(None);
        }
        let timestamp = u64::from_be_bytes(fields[..8].try_into().expect("eight bytes"));
        Ok(Op::parse(fields[8], &fields[9..]).map(|op| Entry { timestamp, op }))
    }

    /// Whether an intact entry begins anywhere from `at` on.
    pub(super) fn is_behind(file: &dyn File, at: u64) -> io::Result<bool> {
        let intact = |at| {
            let entry = Reader::new(file, at).map(|mut reader| Entry::read(&mut reader, true));
            entry.map(|entry| matches!(entry, Ok(Some(_))))
        };
        (at..file.size()?).try_fold(false, |found, at| Ok(found || intact(at)?))
    }
}

/// What a file of the log begins with.
pub(super) const HEADER: u64 = 32;

pub(super) fn header(now: u64) -> Vec<u8> {
    [b"KVWAL001", &1u32.to_be_bytes()[..], &now.to_be_bytes(), &[0; 12]].concat()
}

/// A reader behind the header.
///
/// # Errors
/// It is short, or not this.
pub(super) fn entries(file: &dyn File) -> io::Result<Reader<'_>> {
    let mut reader = Reader::new(file, 0)?;
    let header: [u8; HEADER as usize] = reader.array()?;
    match header.starts_with(b"KVWAL001\0\0\0\x01") {
        true => Ok(reader),
        false => Err(damaged("no header of a log")),
    }
}
