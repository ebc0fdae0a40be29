//! The journal: records in the order in which they were appended, addressed by their LSN.
//!
//! Whoever reads it registers a *cursor*: everything from there on is kept. A clean-up removes the
//! segments that end before the slowest one.

mod reader;
mod records;
#[cfg(test)]
mod tests;

pub use reader::JournalReader;

use crate::engine::{Engine, measured};
use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::entry::Entry;
use crate::group_commit::Gathered;
use crate::options::{Ack, Level, Options};
use crate::positions::Positions;
use crate::recovery::RecoveryReport;
use highwater_vfs::Vfs;
pub(crate) use records::Records;
use records::{CURSOR, HASHED, LET_GO, RECORD, cursor};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The longest name of a cursor, in bytes.
const NAME_MAX: usize = 256;

/// A log of records. Any number of threads may use it at once; a clone is another handle to it.
///
/// ```
/// use highwater::{Journal, Options};
/// # let dir = std::env::temp_dir().join(format!("highwater-journal-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(&dir)?);
/// let journal = Journal::open(disk, Options::default())?;
/// let first = journal.append(b"one")?.lsn; // durable when it returns
/// journal.append(b"two")?;
/// assert_eq!(journal.read(first)?.as_deref(), Some(&b"one"[..]));
/// let mut reader = journal.reader(first);
/// while let Some((lsn, bytes)) = reader.next_record()? {
///     println!("{lsn}: {} bytes", bytes.len());
/// }
/// # drop((journal, reader));
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Journal {
    engine: Arc<Engine<Records>>,
    hashed: bool,
}

impl Journal {
    /// Opens the journal in the root of `vfs`, or begins one there; recovers it if need be.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if durable bytes are damaged: nothing was changed, and
    /// [`Options::damage`] opens the journal nevertheless; [`Error::OtherView`]; [`Error::Io`]. A
    /// torn tail is no error: see [`report`](Journal::report).
    pub fn open(vfs: Arc<dyn Vfs>, options: Options) -> Result<Journal> {
        Ok(Journal { engine: Arc::new(Engine::open(vfs, options)?), hashed: false })
    }

    /// Opens it to read it: nothing is written, created or removed. See
    /// [`PayloadStore::open_read_only`](crate::PayloadStore::open_read_only) for what it shows.
    ///
    /// # Errors
    /// As [`open`](Journal::open).
    pub fn open_read_only(vfs: Arc<dyn Vfs>) -> Result<Journal> {
        Ok(Journal { engine: Arc::new(Engine::open_read_only(vfs)?), hashed: false })
    }

    /// From now on this handle stores records with their BLAKE3, 32 bytes each, which is their
    /// address by content and is checked when they are read.
    #[must_use]
    pub fn hashing(mut self) -> Journal {
        self.hashed = true;
        self
    }

    /// What recovery found and did.
    pub fn report(&self) -> &RecoveryReport {
        &self.engine.report
    }

    /// Appends a record; its position is [`Ack::lsn`]. Cursors take positions too: those of records
    /// grow, but not always by one.
    ///
    /// # Errors
    /// [`Error::TooLarge`]: nothing happened. [`Error::Io`]: the record is unknown, the journal
    /// poisoned. [`Error::Poisoned`], [`Error::Closed`]: nothing happened. [`Error::TimedOut`]:
    /// unknown as yet.
    pub fn append(&self, bytes: &[u8]) -> Result<Ack> {
        self.add(bytes, false)
    }

    /// The same without waiting for the disk: readable at once, durable with the next append that
    /// is, or with [`flush`](Journal::flush).
    ///
    /// # Errors
    /// As [`append`](Journal::append).
    pub fn append_deferred(&self, bytes: &[u8]) -> Result<Ack> {
        self.add(bytes, true)
    }

    fn add(&self, bytes: &[u8], deferred: bool) -> Result<Ack> {
        if !self.hashed {
            return self.engine.commit(&[Entry { id: RECORD, bytes: Some(bytes) }], deferred);
        }
        let hashed = [blake3::hash(bytes).as_bytes(), bytes].concat();
        self.engine.commit(&[Entry { id: HASHED, bytes: Some(&hashed) }], deferred)
    }

    /// The record at a position; `None` if there is none: not yet, not any more, or a cursor's.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if its bytes are damaged; [`Error::Io`].
    pub fn read(&self, lsn: Lsn) -> Result<Option<Vec<u8>>> {
        let mut reader = self.reader(lsn);
        Ok(reader.next_up_to(lsn)?.map(|(_, bytes)| bytes))
    }

    /// A reader of the records from `from` on, with a position of its own. It sees what is
    /// appended after it was made; in mode `Fsync` only what is durable or was appended deferred.
    pub fn reader(&self, from: Lsn) -> JournalReader {
        JournalReader::new(Arc::clone(&self.engine), from)
    }

    /// The position of the first record that is kept, or below it; 0 if there never was one.
    pub fn first(&self) -> Lsn {
        self.engine.state.read().first
    }

    /// The position of the last record; 0 if there never was one.
    pub fn last(&self) -> Lsn {
        self.engine.state.read().last
    }

    /// Keeps everything from `at` on for the reader of that name; durable like a record. It may go
    /// back to what is still there: of what a clean-up has let go, or is about to, nothing is kept.
    ///
    /// # Errors
    /// As [`append`](Journal::append); [`Error::TooLarge`] for a name of more than 256 bytes.
    pub fn set_cursor(&self, name: &str, at: Lsn) -> Result<Ack> {
        self.cursor(name, Some(at.max(Lsn(1))))
    }

    /// Forgets a cursor.
    ///
    /// # Errors
    /// As [`append`](Journal::append).
    pub fn remove_cursor(&self, name: &str) -> Result<Ack> {
        self.cursor(name, None)
    }

    fn cursor(&self, name: &str, at: Option<Lsn>) -> Result<Ack> {
        if name.len() > NAME_MAX {
            let (what, size, limit) = ("the cursor's name", name.len() as u64, NAME_MAX as u64);
            return Err(Error::TooLarge { what, size, limit });
        }
        self.engine.commit(&[Entry { id: CURSOR, bytes: Some(&cursor(name, at)) }], false)
    }

    /// All cursors.
    pub fn cursors(&self) -> BTreeMap<String, Lsn> {
        self.engine.state.read().cursors.clone()
    }

    /// Removes the segments that end before the slowest cursor, after as many snapshots as are kept
    /// ([`Options::snapshots_kept`]) say so; their records cannot be read from now on. Without a
    /// cursor nothing is removed. Returns the LSN of the snapshot.
    ///
    /// # Errors
    /// As [`flush`](Journal::flush).
    pub fn clean_up(&self) -> Result<Lsn> {
        self.engine.change(|log| {
            let first = self.engine.state.read().superfluous(&log.pending);
            let Some(first) = first else { return Ok(Gathered::Done(Lsn(0))) };
            let entry = Entry { id: LET_GO, bytes: Some(&first.0.to_le_bytes()) };
            log.append(&[entry], measured(&[entry])?, self.engine.level(false))
        })?;
        self.engine.create_snapshot()
    }

    /// Makes everything durable that was appended, in every mode.
    ///
    /// # Errors
    /// [`Error::Io`]: what was not durable is unknown, the journal poisoned. [`Error::Poisoned`],
    /// [`Error::Closed`], [`Error::TimedOut`].
    pub fn flush(&self) -> Result<Ack> {
        self.engine.ask(Level::Durable)
    }

    /// In mode [`Durability::Interval`](crate::Durability::Interval): tells what time it is, since
    /// any beginning, and makes everything durable if that is due; `None` if it is not, and in the
    /// other modes.
    ///
    /// # Errors
    /// As [`flush`](Journal::flush).
    pub fn tick(&self, now: Duration) -> Result<Option<Ack>> {
        self.engine.tick(now)
    }

    /// A view of the log's positions that other threads may read.
    pub fn positions(&self) -> Positions {
        self.engine.positions.clone()
    }

    /// Makes everything durable and states a clean shutdown. From then on every operation that
    /// changes something answers [`Error::Closed`].
    ///
    /// # Errors
    /// As [`flush`](Journal::flush).
    pub fn close(&self) -> Result<()> {
        self.engine.close()
    }

    /// The numbered invariants that can be checked from here.
    ///
    /// # Panics
    /// If one does not hold: that is a defect of the journal.
    pub fn check_invariants(&self) {
        self.engine.check_invariants();
    }
}
