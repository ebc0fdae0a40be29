//! The journal, compiled with shuttle's primitives, under schedules: two appenders, a reader whose
//! cursor moves on, a clean-up beside them. And the same with two flaws.
//!
//! A record's bytes begin with its key. What is below the reader's cursor is not there: it may be
//! gone or not. What is above it must be, whatever the other cursor allows.

use super::store::{answer, options, other};
use super::{Program, Scheduled, SharedKv};
use highwater_shuttle::{Ack, Durability, Journal, Lsn, Options, Result};
use highwater_sim::Act;
use highwater_vfs::Vfs;
use std::io;
use std::sync::Arc;

const READER: &str = "reader";

const NO_FLAW: u8 = 0;
/// A cursor is moved in two steps: it is taken out, and put in again.
const APART: u8 = 1;
/// The journal waits for nothing, and whoever has added something makes it durable: a reader may
/// have seen it before.
const EARLY: u8 = 2;

struct Records<const FLAW: u8>(Journal);

impl<const FLAW: u8> Records<FLAW> {
    fn added(&self, done: Result<Ack>) -> io::Result<Option<u64>> {
        if FLAW == EARLY && done.is_ok() {
            self.0.flush().map_err(other)?;
        }
        answer(done)
    }

    fn move_cursor(&self, name: &str, at: Lsn) -> io::Result<Option<u64>> {
        if FLAW == APART {
            self.0.remove_cursor(name).map_err(other)?;
        }
        self.added(self.0.set_cursor(name, at))
    }

    /// Where the record of a key is, and what.
    fn find(&self, key: u64) -> io::Result<Option<(Lsn, Vec<u8>)>> {
        let from = self.0.cursors().get(READER).copied().unwrap_or(Lsn(1));
        let mut reader = self.0.reader(from);
        while let Some((lsn, mut record)) = reader.next_record().map_err(other)? {
            let value = record.split_off(size_of::<u64>());
            if record == key.to_le_bytes() {
                return Ok(Some((lsn, value)));
            }
        }
        Ok(None)
    }
}

impl<const FLAW: u8> SharedKv for Records<FLAW> {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        let early = FLAW == EARLY;
        let durability = if early { Durability::None } else { Durability::Fsync };
        let options = Options { durability, ..options() };
        let journal = Journal::open(disk, options).map_err(other)?;
        journal.check_invariants();
        Ok(Records(journal))
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        self.added(self.0.append(&[&key.to_le_bytes()[..], value].concat()))
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.find(key)?.map(|(_, value)| value))
    }

    /// A clean-up.
    fn checkpoint(&self) -> io::Result<()> {
        self.0.clean_up().map(drop).map_err(other)
    }

    /// Moves cursors.
    fn special(&self, what: &str) -> io::Result<(bool, Option<u64>)> {
        let mut last = None;
        for cursor in what.split(", ") {
            let (name, key) = cursor.split_once(" from ").ok_or(io::ErrorKind::Unsupported)?;
            let key = key.parse().map_err(io::Error::other)?;
            let (at, _) = self.find(key)?.ok_or(io::ErrorKind::NotFound)?;
            last = self.move_cursor(name, at)?;
        }
        Ok((true, last))
    }
}

/// Records 1, 2 and 3, and 4 in a segment each; the mirror needs none but the last. So the reader
/// that goes from 1 to 3 lets the first segment go, and not the second.
fn program() -> Program {
    let put = |key: u64, size: usize| Act::Put(key, vec![b'a' + key as u8; size]);
    let is_at = |what: &'static str, gone: &[u64]| {
        Act::Special(what, gone.iter().map(|key| (*key, None)).collect())
    };
    let both = is_at("reader from 1, mirror from 4", &[]);
    Program {
        before: vec![put(1, 300), put(2, 100), put(3, 100), put(4, 300), both],
        threads: vec![
            vec![is_at("reader from 3", &[1, 2]), put(5, 100)],
            vec![Act::Checkpoint],
            vec![Act::Get(5), put(6, 100)],
        ],
        after: Vec::new(),
    }
}

/// The journal with its program.
pub fn journal() -> Scheduled {
    Scheduled::new::<Records<NO_FLAW>>(program())
}

/// The same with a moment in which a clean-up does not know the slowest cursor.
pub fn apart() -> Scheduled {
    Scheduled::new::<Records<APART>>(program())
}

/// The same when a reader sees what is not durable yet.
pub fn early() -> Scheduled {
    Scheduled::new::<Records<EARLY>>(program())
}
