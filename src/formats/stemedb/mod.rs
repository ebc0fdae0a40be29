//! stemedb: records in a journal of segments, each addressed by its offset in all of it.
//!
//! Its source is not public: the record is known, the header of a segment is not. So ours has a
//! header of its own, and foreign segments certify themselves: see `docs/formats/stemedb.md`.

mod codec;
mod layout;
mod read;
mod segment;
#[cfg(test)]
mod tests;

use crate::{Examined, Files};
pub use codec::Stemedb;
use segment::OVERHEAD;
use std::fmt;

/// A journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// In their order; each begins where the one before ends.
    pub records: Vec<Record>,
}

/// One record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where it begins in the journal, in bytes. The headers of segments do not count.
    pub offset: u64,
    /// What was appended.
    pub payload: Vec<u8>,
}

impl Record {
    /// Where the next one begins.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(OVERHEAD as u64 + self.payload.len() as u64)
    }
}

/// Why a state cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// A record is at this offset, and the one before ends at that.
    Gap(u64, u64),
    /// The payload at this offset has so many bytes: more than a length of four bytes can say.
    Size(u64, usize),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Gap(at, end) => {
                write!(f, "a record is at {at}, but the one before it ends at {end}")
            }
            Misfit::Size(at, size) => write!(f, "the payload at {at} has {size} bytes"),
        }
    }
}

impl std::error::Error for Misfit {}

/// Reads a folder, however damaged.
///
/// ```
/// use highwater_formats::stemedb::{Record, State, read, write};
///
/// let records = vec![Record { offset: 0, payload: b"one".to_vec() }];
/// let state = State { records };
/// assert_eq!(read(&write(&state, 1 << 20).unwrap()).state, state);
/// ```
pub fn read(files: &Files) -> Examined<State> {
    read::read(files)
}

/// Writes a journal in segments of at most `segment_size` bytes, unless one record alone has more.
/// The header is ours: nothing is known about stemedb's.
///
/// # Errors
/// [`Misfit`] if the offsets are not those of a journal, or a payload is too large.
pub fn write(state: &State, segment_size: u64) -> Result<Files, Misfit> {
    let mut files = Files::new();
    let mut base = state.records.first().map_or(0, |record| record.offset);
    let mut end = base;
    let mut segment = layout::header(base);
    for Record { offset, payload } in &state.records {
        if *offset != end {
            return Err(Misfit::Gap(*offset, end));
        }
        let record = segment::encode(payload).ok_or(Misfit::Size(*offset, payload.len()))?;
        if end > base && (segment.len() + record.len()) as u64 > segment_size {
            files.put(segment::name(base), std::mem::replace(&mut segment, layout::header(end)));
            base = end;
        }
        end = end.saturating_add(record.len() as u64); // no record begins there
        segment.extend(record);
    }
    files.put(segment::name(base), segment);
    Ok(files)
}
