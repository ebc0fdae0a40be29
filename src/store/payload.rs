//! The payload store: payloads by id, in a log, with the index in memory.
//!
//! Invariants
//! - S1: an id is in the index only if its entry is in the log; in mode `Fsync`, only if it is
//!   durable (P10), unless it was deferred.
//! - S2: every payload that is returned has passed its checksum since it was read.

mod compact;

pub use compact::Compaction;

use crate::engine::Engine;
use crate::engine::log::ViewLog;
use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::entry::Entry;
use crate::format::name::Name;
use crate::group_commit::Gathered;
use crate::index::{Index, Position};
use crate::limits::{ENTRY_HEADER, READ_SIZE_MAX};
use crate::options::{Ack, Level, Options};
use crate::positions::Positions;
use crate::recovery::RecoveryReport;
use highwater_vfs::{File, Vfs, read_full_at};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// A store of payloads by id. See the [crate] for an example.
///
/// Any number of threads may use it at once: share it by reference, or in an `Arc`. Callers who
/// wait for the disk at the same time share one sync. A reader sees what is durable (in mode
/// `Fsync`), and waits for no writer and no sync; or what was stored last (in the other modes, and
/// of what was deferred), and may wait for a rotation or a checkpoint while that is not written.
///
/// After a failed write or sync it refuses all further work ([`Error::Poisoned`]) but reading.
///
/// ```
/// use highwater::{Options, PayloadStore};
/// # let dir = std::env::temp_dir().join(format!("highwater-threads-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(&dir)?);
/// let store = PayloadStore::open(disk, Options::default())?;
/// std::thread::scope(|scope| {
///     for id in 0..4 {
///         let store = &store;
///         scope.spawn(move || store.store(id, b"x").expect("a disk that works"));
///     }
/// });
/// assert_eq!(store.len(), 4);
/// # drop(store);
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct PayloadStore {
    engine: Engine<Index>,
}

/// Where a payload stands.
struct Place {
    position: Position,
    segment: Name,
    file: Option<Arc<dyn File>>,
}

impl PayloadStore {
    /// Opens the store in the root of `vfs`, or begins one there; recovers it if need be.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if durable bytes are damaged: nothing was changed, and
    /// [`Options::damage`] opens the store nevertheless. [`Error::Io`] if the disk fails. A torn
    /// tail is no error: see [`report`](PayloadStore::report).
    pub fn open(vfs: Arc<dyn Vfs>, options: Options) -> Result<PayloadStore> {
        Ok(PayloadStore { engine: Engine::open(vfs, options)? })
    }

    /// Opens the store to read it: nothing is written, created or removed, so a full disk is no
    /// hindrance, and neither is `OsFs::read_only`. It shows what [`open`](PayloadStore::open)
    /// would recover, and every operation that changes something answers [`Error::ReadOnly`].
    ///
    /// What it shows is not a promise: the last records may be of a write that was never
    /// acknowledged, and the next power cut may take them; [`RecoveryReport::unproven`] says how
    /// many. Nobody should write meanwhile: files that are needed may go, which is an error then.
    ///
    /// # Errors
    /// As [`open`](PayloadStore::open).
    pub fn open_read_only(vfs: Arc<dyn Vfs>) -> Result<PayloadStore> {
        Ok(PayloadStore { engine: Engine::open_read_only(vfs)? })
    }

    /// What recovery found and did.
    pub fn report(&self) -> &RecoveryReport {
        &self.engine.report
    }

    /// Stores `bytes` under `id`, replacing what was there.
    ///
    /// # Errors
    /// [`Error::TooLarge`]: nothing happened. [`Error::Io`]: the operation is unknown, the store
    /// poisoned; the caller that did the work for this one may have been another.
    /// [`Error::Poisoned`], [`Error::Closed`]: nothing happened. [`Error::TimedOut`]: unknown as
    /// yet.
    pub fn store(&self, id: u64, bytes: &[u8]) -> Result<Ack> {
        self.engine.commit(&[Entry { id, bytes: Some(bytes) }], false)
    }

    /// Stores several payloads, all or none; one write and one sync. Of two for one id the later
    /// counts. Nothing to store is a [`flush`](PayloadStore::flush) in mode `Fsync`.
    ///
    /// # Errors
    /// As [`store`](PayloadStore::store).
    pub fn store_batch(&self, items: &[(u64, &[u8])]) -> Result<Ack> {
        self.batch(items, false)
    }

    /// The same without waiting for the disk: visible at once, durable with the next operation that
    /// is, or with [`flush`](PayloadStore::flush).
    ///
    /// # Errors
    /// As [`store`](PayloadStore::store).
    pub fn store_batch_deferred(&self, items: &[(u64, &[u8])]) -> Result<Ack> {
        self.batch(items, true)
    }

    fn batch(&self, items: &[(u64, &[u8])], deferred: bool) -> Result<Ack> {
        if items.is_empty() {
            return self.engine.ask(self.engine.level(deferred));
        }
        let entry = |&(id, bytes)| Entry { id, bytes: Some(bytes) };
        let entries: Vec<Entry<'_>> = items.iter().map(entry).collect();
        self.engine.commit(&entries, deferred)
    }

    /// Deletes `id`; `None` if there was nothing to delete, and then nothing is logged.
    ///
    /// # Errors
    /// As [`store`](PayloadStore::store).
    pub fn delete(&self, id: u64) -> Result<Option<Ack>> {
        let (entry, level) = (Entry { id, bytes: None }, self.engine.level(false));
        let lsn = self.engine.change(|log| {
            log.writer.check()?;
            let shown = self.index().get(id).map(|position| position.lsn);
            let there = match pending(log, id) {
                // Something that did not wait has overtaken it.
                Some((lsn, _)) if shown.is_some_and(|shown| shown > lsn) => true,
                // Somebody else's delete: that there is nothing is true when that one is.
                Some((_, false)) => return Ok(Gathered::Wait(None)),
                Some((_, true)) => true,
                None => shown.is_some(),
            };
            if !there {
                return Ok(Gathered::Done(None));
            }
            Ok(match log.append(&[entry], entry.size(), level)? {
                Gathered::Done(lsn) => Gathered::Done(Some(lsn)),
                Gathered::Wait(lsn) => Gathered::Wait(Some(lsn)),
                Gathered::Full => Gathered::Full,
            })
        })?;
        Ok(lsn.map(|lsn| Ack { lsn, level }))
    }

    fn index(&self) -> impl Deref<Target = Index> {
        self.engine.state.read()
    }

    /// The payload of `id`, read from the log and verified (S2).
    ///
    /// # Errors
    /// [`Error::Corrupt`] if its bytes are damaged; [`Error::Io`].
    pub fn retrieve(&self, id: u64) -> Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        Ok(self.retrieve_into(id, &mut bytes)?.then_some(bytes))
    }

    /// [`retrieve`](PayloadStore::retrieve) into a buffer, whose contents are replaced; false, and
    /// an empty buffer, if there is no such id.
    ///
    /// # Errors
    /// As [`retrieve`](PayloadStore::retrieve).
    pub fn retrieve_into(&self, id: u64, bytes: &mut Vec<u8>) -> Result<bool> {
        bytes.clear();
        let Some(place) = self.place(id) else { return Ok(false) };
        let Place { position, segment, .. } = place;
        let size = ENTRY_HEADER + position.length as usize;
        let offset = u64::from(position.offset);
        let written = position.lsn <= self.engine.positions.written();
        if written || !self.engine.read_unwritten(segment.epoch, offset, size, bytes) {
            let file = place.file.expect("a segment with live payloads is open");
            let mut there = size;
            if size > READ_SIZE_MAX {
                // G1: a snapshot that somebody made may say any length.
                let end = file.size().map_err(|e| Error::io("size of", &segment.text())(e))?;
                there = size.min(end.saturating_sub(offset) as usize);
            }
            bytes.resize(there, 0);
            let read = read_full_at(&*file, bytes, offset);
            let read = read.map_err(|e| Error::io("read", &segment.text())(e))?;
            bytes.truncate(read);
        }
        // S2: whatever the bytes came from.
        let intact = match Entry::decode(bytes, position.lsn) {
            Some(entry) => entry.id == id && entry.size() >= size && entry.bytes.is_some(),
            None => false,
        };
        if !intact {
            let expected = format!("the payload of id {id} (LSN {})", position.lsn);
            let actual = "bytes that do not match their checksum";
            bytes.clear();
            return Err(Error::corrupt(segment.text(), offset, expected, actual));
        }
        bytes.drain(..ENTRY_HEADER);
        Ok(true)
    }

    fn place(&self, id: u64) -> Option<Place> {
        let index = self.index();
        let position = index.get(id)?;
        let slot = &index.slots[position.slot];
        let segment = Name::segment(slot.first, slot.epoch);
        Some(Place { position, segment, file: slot.file.clone() })
    }

    /// All ids, in ascending order.
    pub fn ids(&self) -> Vec<u64> {
        self.index().ids()
    }

    /// The number of payloads.
    pub fn len(&self) -> usize {
        self.index().len()
    }

    /// Whether there is no payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `id` has a payload.
    pub fn contains(&self, id: u64) -> bool {
        self.index().get(id).is_some()
    }

    /// Makes everything durable that was stored, in every mode.
    ///
    /// # Errors
    /// [`Error::Io`]: what was not durable is unknown, the store poisoned. [`Error::Poisoned`],
    /// [`Error::Closed`], [`Error::TimedOut`].
    pub fn flush(&self) -> Result<Ack> {
        self.engine.ask(Level::Durable)
    }

    /// In mode [`Durability::Interval`](crate::Durability::Interval): tells what time it is, since
    /// any beginning, and makes everything durable if that is due; `None` if it is not, and in the
    /// other modes.
    ///
    /// # Errors
    /// As [`flush`](PayloadStore::flush).
    pub fn tick(&self, now: Duration) -> Result<Option<Ack>> {
        self.engine.tick(now)
    }

    /// A view of the log's positions that other threads may read.
    pub fn positions(&self) -> Positions {
        self.engine.positions.clone()
    }

    /// Makes everything durable and states a clean shutdown, so that the next open copies nothing;
    /// from then on every operation that changes something answers [`Error::Closed`]. Those under
    /// way are finished first. Dropping the store instead loses nothing that was acknowledged.
    ///
    /// # Errors
    /// As [`flush`](PayloadStore::flush); [`Error::Closed`] the second time.
    pub fn close(&self) -> Result<()> {
        self.engine.close()
    }

    /// Writes a snapshot of the index and drops what it makes superfluous. Opening the store then
    /// begins at the snapshot. Returns its LSN; 0 if the store never held anything.
    ///
    /// Others read and write meanwhile; writers wait while the index is copied in memory, and while
    /// the file and its name are synced.
    ///
    /// # Errors
    /// As [`flush`](PayloadStore::flush). If only the temporary file could not be written, the
    /// store goes on.
    pub fn create_snapshot(&self) -> Result<Lsn> {
        self.engine.create_snapshot()
    }

    /// Whether the log has grown enough since the last snapshot. Takes no lock; so does
    /// [`positions`](PayloadStore::positions) for another thread.
    pub fn should_create_snapshot(&self) -> bool {
        self.engine.should_create_snapshot()
    }

    /// Why the last automatic checkpoint failed: on a full disk, say. The operation that made it
    /// due was acknowledged all the same, the store goes on, and the next one is tried after as
    /// much log growth again. `None` once a checkpoint has succeeded. Waits for the one under way.
    ///
    /// To hear of it at once, turn [`auto_checkpoint`](crate::Options::auto_checkpoint) off, and
    /// call [`create_snapshot`](PayloadStore::create_snapshot) when
    /// [`should_create_snapshot`](PayloadStore::should_create_snapshot) says so.
    pub fn checkpoint_error(&self) -> Option<Arc<Error>> {
        self.engine.checkpoint_error()
    }

    /// The numbered invariants that can be checked from here.
    ///
    /// # Panics
    /// If one does not hold: that is a defect of the store.
    pub fn check_invariants(&self) {
        self.engine.check_invariants();
    }
}

/// The newest change of `id` that is pending, and whether it brings a payload.
fn pending(log: &ViewLog<Index>, id: u64) -> Option<(Lsn, bool)> {
    let newest = log.pending.iter().rev().find(|(pending, _)| *pending == id);
    newest.map(|(_, position)| (position.lsn, position.length != Position::DELETED))
}
