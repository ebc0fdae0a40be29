//! VelesDB: JSON payloads by id, in one log with an index of it beside it.
//!
//! Two formats have the names in common. What VelesDB writes today and what it wrote once may stand
//! in one log, and the codec `velesdb` reads both; the format of a plan that was built and never
//! released is `velesdb-plan`. Their bytes are in `docs/formats/velesdb.md`.

mod codec;
mod judge;
mod record;
mod snapshot;
#[cfg(test)]
mod tests;

use crate::{Examined, Files};
use record::{Log, Record};
use snapshot::Snapshot;
use std::collections::BTreeMap;
use std::fmt;

const LOG: &str = "payloads.log";
const SNAPSHOT: &str = "payloads.snapshot";
const TEMPORARY: &str = "payloads.snapshot.tmp";

/// Which of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// What VelesDB writes today, with what it wrote before there were checksums.
    Current,
    /// What the plan describes: a checksum of each payload, and of nothing else.
    Plan,
}

/// What a log comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The payloads, as bytes: VelesDB shows only those that are JSON.
    pub payloads: BTreeMap<u64, Vec<u8>>,
}

/// Why a state cannot be written: VelesDB could not show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The payload of this id is no JSON, for this reason.
    Json(u64, String),
    /// The payload of this id has so many bytes: more than a length of four bytes can say.
    Size(u64, usize),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Json(id, why) => write!(f, "the payload of id {id} is no JSON: {why}"),
            Misfit::Size(id, size) => write!(f, "the payload of id {id} has {size} bytes"),
        }
    }
}

impl std::error::Error for Misfit {}

/// Reads a folder, however damaged.
///
/// ```
/// use highwater_formats::Tail;
/// use highwater_formats::veles::{Dialect, State, read, write};
///
/// let state = State { payloads: [(7, b"[1,2]".to_vec())].into() };
/// let files = write(&state, Dialect::Current).unwrap();
/// let examined = read(&files, Dialect::Current);
/// assert_eq!((examined.verdict(), examined.state), (Tail::Clean, state));
/// ```
pub fn read(files: &Files, dialect: Dialect) -> Examined<State> {
    judge::judge(files, dialect)
}

/// Writes a log with one record for each payload, and the index of it: VelesDB opens both.
///
/// # Errors
/// [`Misfit`] if VelesDB could not show a payload.
pub fn write(state: &State, dialect: Dialect) -> Result<Files, Misfit> {
    let mut log = Vec::new();
    let mut offsets = BTreeMap::new();
    for (&id, payload) in &state.payloads {
        record::json(payload).map_err(|why| Misfit::Json(id, why))?;
        let length = u32::try_from(payload.len()).map_err(|_| Misfit::Size(id, payload.len()))?;
        let start = log.len();
        log.push(if dialect == Dialect::Plan { 1 } else { 0xc3 });
        log.extend(id.to_le_bytes());
        offsets.insert(id, log.len() as u64);
        log.extend(length.to_le_bytes());
        if dialect == Dialect::Plan {
            log.extend(crc32fast::hash(payload).to_le_bytes());
        }
        log.extend(payload);
        if dialect == Dialect::Current {
            log.extend(crc32fast::hash(&log[start..]).to_le_bytes());
        }
    }
    let snapshot = Snapshot { position: log.len() as u64, offsets };
    Ok([(LOG, log), (SNAPSHOT, snapshot::encode(&snapshot))].into_iter().collect())
}

/// The records of a log, up to the first that is none.
struct Scan {
    records: Vec<Record>,
    /// Where it stopped, in bytes.
    end: usize,
    /// Why, unless at the end of the file.
    bad: Option<record::Bad>,
}

impl Scan {
    fn new(log: &Log<'_>) -> Scan {
        let mut scan = Scan { records: Vec::new(), end: 0, bad: None };
        while scan.end < log.bytes.len() {
            match log.record(scan.end) {
                Ok(record) => {
                    scan.end += record.size;
                    scan.records.push(record);
                }
                // FM2: whatever may follow.
                Err(bad) => {
                    scan.bad = Some(bad);
                    break;
                }
            }
        }
        scan
    }

    /// For each id its last store that ends at `position` or before, unless a delete came after.
    fn index(&self, position: u64) -> BTreeMap<u64, &Record> {
        let mut index = BTreeMap::new();
        for record in &self.records {
            if (record.start + record.size) as u64 > position {
                break;
            }
            match record.payload {
                Some(_) => drop(index.insert(record.id, record)),
                None => drop(index.remove(&record.id)),
            }
        }
        index
    }
}
