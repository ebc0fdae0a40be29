//! A state, as files that the original reads.

use super::op::{Op, Ttl};
use super::value::Value;
use super::{Entry, State, snapshot, wal};
use crate::Files;
use std::fmt;

/// How a state is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// What the original can read of a snapshot goes into one; what it cannot goes into the log
    /// behind it: a key that expires it would find expired already, and at a decimal it would
    /// refuse the whole folder. In the log it gives the key its time anew, and passes over a record
    /// with a decimal.
    #[default]
    Both,
    /// All in the log, which starts every version at 1.
    Log,
    /// All in a snapshot, as the original writes it; it does not say which keys are locks.
    Snapshot,
}

impl Form {
    fn in_snapshot(self, entry: &Entry) -> bool {
        match self {
            Form::Both => entry.expires.is_none() && !entry.value.has_decimal(),
            Form::Log => false,
            Form::Snapshot => true,
        }
    }
}

const SECOND: i64 = 1_000_000_000;

/// The files of a state; whether the original can read all of it, [`fits`] says.
///
/// ```
/// use highwater_formats::bridge::{Entry, Form, State, Value, read, write};
///
/// let entry = Entry { value: Value::Int(7), expires: None, version: 3, lock: false };
/// let state = State { at: 1_700_000_000_000_000_000, entries: [("n".into(), entry)].into() };
/// let files = write(&state, Form::Both);
/// assert_eq!(read(&files, None).state, state);
/// ```
pub fn write(state: &State, form: Form) -> Files {
    let mut files = Files::new();
    let seconds = state.at.div_euclid(SECOND).max(0) as u64;
    if form != Form::Log {
        // Only what is later than a snapshot is replayed on it.
        let created = if form == Form::Both { state.at.saturating_sub(1) } else { state.at };
        let position = wal::HEADER as u64;
        let bytes = snapshot::encode(state, created, position, |entry| form.in_snapshot(entry));
        files.put(format!("snapshot-{seconds}.snap"), bytes);
    }
    let mut log = Vec::new();
    wal::put_header(&mut log, seconds);
    let mut records = 0;
    for (key, entry) in state.entries.iter().filter(|(_, entry)| !form.in_snapshot(entry)) {
        wal::put_record(&mut log, state.at, &set(key, entry, state.at));
        records += 1;
    }
    if records == 0 && form != Form::Snapshot {
        // Removing nothing records the time.
        wal::put_record(&mut log, state.at, &Op::MDel(Vec::new()));
    }
    files.put("wal-current.log", log);
    files
}

/// Why the original could not read a state that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// This key is empty or has more than 256 bytes.
    Key(String),
    /// The record of this key has so many bytes: in a log it reads no more than 10 MiB.
    Record(String, usize),
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Key(key) => write!(f, "a key has 1 to 256 bytes, {key:?} has {}", key.len()),
            Misfit::Record(key, size) => {
                write!(f, "the record of {key:?} has {size} bytes, more than {RECORD_MAX}")
            }
        }
    }
}

impl std::error::Error for Misfit {}

/// A record's length that the original does not read on.
const RECORD_MAX: usize = 10 << 20;

/// Whether the original can read all of a state that is written.
///
/// # Errors
/// The first key that it cannot.
pub fn fits(state: &State, form: Form) -> Result<(), Misfit> {
    for (key, entry) in &state.entries {
        if !(1..=256).contains(&key.len()) {
            return Err(Misfit::Key(key.clone()));
        }
        if !form.in_snapshot(entry) {
            let mut record = Vec::new();
            wal::put_record(&mut record, state.at, &set(key, entry, state.at));
            if record.len() - 4 > RECORD_MAX {
                return Err(Misfit::Record(key.clone(), record.len() - 4));
            }
        }
    }
    Ok(())
}

/// The operation that makes an entry at `now`.
fn set(key: &str, entry: &Entry, now: i64) -> Op {
    let ttl = entry.expires.map(|expires| Ttl::between(now, expires));
    match (&entry.value, ttl) {
        (Value::String(owner), Some(ttl)) if entry.lock => Op::Lock(key.into(), owner.clone(), ttl),
        (value, ttl) => Op::Set(key.into(), value.clone(), ttl),
    }
}
