//! The payload store: payloads by id, in a log, with the index in memory.
//!
//! Invariants
//! - S1: an id is in the index only if its entry is in the log; in mode `Fsync`, only if it is
//!   durable (P10), unless it was deferred.
//! - S2: every payload that is returned has passed its checksum since it was read.

use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::entry::Entry;
use crate::format::name::Name;
use crate::group_commit::{Gathered, GroupCommit};
use crate::index::{Index, Position};
use crate::limits::{ENTRY_HEADER, PAYLOAD_SIZE_MAX, SEGMENT_SIZE_MAX};
use crate::log::writer::Sizes;
use crate::positions::Positions;
use crate::recovery::{Recovered, RecoveryReport, look, recover};
use crate::sync::{self, Mutex, RwLock};
use checkpoint::Checkpoints;
use highwater_vfs::{File, Vfs, read_full_at};
use log::PayloadLog;
use std::sync::Arc;
use std::time::Duration;

mod checkpoint;
mod log;

/// What `Ok` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Durable: one sync an operation.
    #[default]
    Fsync,
    /// Flushed: survives the process, not a power cut.
    FlushOnly,
    /// Buffered: survives nothing until [`flush`](PayloadStore::flush).
    None,
}

/// What one acknowledgement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Visible; survives nothing yet.
    Buffered,
    /// Survives the death of the process.
    Flushed,
    /// Survives power loss.
    Durable,
}

/// An acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The record's position in the log.
    pub lsn: Lsn,
    /// What survives what.
    pub level: Level,
}

/// How a store behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What `Ok` means.
    pub durability: Durability,
    /// Bytes after which the next segment begins; 64 MiB. A larger record has one to itself.
    pub segment_size: u64,
    /// Bytes of zeros by which a segment may be extended ahead of what is written and synced, so
    /// that a sync has no new length to record, which makes it up to 40 % cheaper; 1 MiB. It grows
    /// with the segment, from 16 KiB. 0 for never.
    pub reserve: u64,
    /// Snapshots kept; 2. At least 1.
    pub snapshots_kept: usize,
    /// Log growth in bytes after which a snapshot is due; 10 MiB.
    pub checkpoint_bytes: u64,
    /// Whether a store or delete that makes a snapshot due also writes it. That may fail without
    /// taking back the operation: see [`checkpoint_error`](PayloadStore::checkpoint_error).
    pub auto_checkpoint: bool,
    /// How long an operation waits for each of the two syncs of other callers that it may have to
    /// wait for, before it answers [`Error::TimedOut`]; `None`, the default, for as long as it
    /// takes. A caller that does the work itself waits for the disk whatever it takes, and so does
    /// one that must begin a new segment or makes a checkpoint.
    pub patience: Option<Duration>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Fsync,
            segment_size: 64 << 20,
            reserve: 1 << 20,
            snapshots_kept: 2,
            checkpoint_bytes: 10 << 20,
            auto_checkpoint: true,
            patience: None,
        }
    }
}

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
    vfs: Arc<dyn Vfs>,
    options: Options,
    report: RecoveryReport,
    positions: Positions,
    index: sync::Arc<RwLock<Index>>,
    log: GroupCommit<PayloadLog>,
    /// Locked before the log, and that before the index.
    checkpoints: Mutex<Checkpoints>,
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
    /// [`Error::Corrupt`] if durable bytes are damaged: nothing was changed. [`Error::Io`] if the
    /// disk fails. A torn tail is no error: see [`report`](PayloadStore::report).
    pub fn open(vfs: Arc<dyn Vfs>, options: Options) -> Result<PayloadStore> {
        let sizes = Sizes { segment: options.segment_size, reserve: options.reserve };
        let recovered = recover(&vfs, sizes)?;
        Ok(PayloadStore::new(vfs, options, recovered))
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
        let recovered = look(&vfs)?;
        Ok(PayloadStore::new(vfs, Options::default(), recovered))
    }

    fn new(vfs: Arc<dyn Vfs>, options: Options, recovered: Recovered) -> PayloadStore {
        let Recovered { index, writer, report, snapshots, obsolete } = recovered;
        let positions = writer.positions.clone();
        if let Some(newest) = snapshots.first() {
            // Short lives would never make a snapshot due if each began to count at 0.
            positions.publish_snapshot(newest.lsn, writer.growth);
        }
        let index = sync::Arc::new(RwLock::new(index));
        let log = GroupCommit::new(PayloadLog::new(writer, sync::Arc::clone(&index)));
        let checkpoints = Mutex::new(Checkpoints::new(snapshots, obsolete));
        PayloadStore { vfs, options, report, positions, index, log, checkpoints }
    }

    /// What recovery found and did.
    pub fn report(&self) -> &RecoveryReport {
        &self.report
    }

    /// Stores `bytes` under `id`, replacing what was there.
    ///
    /// # Errors
    /// [`Error::TooLarge`]: nothing happened. [`Error::Io`]: the operation is unknown, the store
    /// poisoned; the caller that did the work for this one may have been another.
    /// [`Error::Poisoned`], [`Error::Closed`]: nothing happened. [`Error::TimedOut`]: unknown as
    /// yet.
    pub fn store(&self, id: u64, bytes: &[u8]) -> Result<Ack> {
        self.commit(&[Entry { id, bytes: Some(bytes) }], false)
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
            return self.ask(self.level(deferred));
        }
        let entry = |&(id, bytes)| Entry { id, bytes: Some(bytes) };
        let entries: Vec<Entry<'_>> = items.iter().map(entry).collect();
        self.commit(&entries, deferred)
    }

    /// Deletes `id`; `None` if there was nothing to delete, and then nothing is logged.
    ///
    /// # Errors
    /// As [`store`](PayloadStore::store).
    pub fn delete(&self, id: u64) -> Result<Option<Ack>> {
        let (entry, level) = (Entry { id, bytes: None }, self.level(false));
        let lsn = self.log.commit(self.options.patience, |log| {
            log.writer.check()?;
            let shown = self.index.read().get(id).map(|position| position.lsn);
            let there = match log.pending(id) {
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
        let Some(lsn) = lsn else { return Ok(None) };
        self.checkpoint_if_due()?;
        Ok(Some(Ack { lsn, level }))
    }

    fn commit(&self, entries: &[Entry<'_>], deferred: bool) -> Result<Ack> {
        let mut size = 0u64;
        for entry in entries {
            let length = entry.bytes.map_or(0, <[u8]>::len) as u64;
            if length > PAYLOAD_SIZE_MAX {
                let limit = PAYLOAD_SIZE_MAX;
                return Err(Error::TooLarge { what: "the payload", size: length, limit });
            }
            size += entry.size() as u64;
            if size > SEGMENT_SIZE_MAX {
                let limit = SEGMENT_SIZE_MAX;
                return Err(Error::TooLarge { what: "the batch", size, limit });
            }
        }
        let level = self.level(deferred);
        let patience = self.options.patience;
        let lsn = self.log.commit(patience, |log| log.append(entries, size as usize, level))?;
        self.checkpoint_if_due()?;
        Ok(Ack { lsn, level })
    }

    /// What the mode asks for before an `Ok`.
    fn level(&self, deferred: bool) -> Level {
        match (self.options.durability, deferred) {
            (Durability::Fsync, false) => Level::Durable,
            (Durability::FlushOnly, false) => Level::Flushed,
            _ => Level::Buffered,
        }
    }

    fn ask(&self, level: Level) -> Result<Ack> {
        let lsn = self.log.commit(self.options.patience, |log| log.ask(level))?;
        Ok(Ack { lsn, level })
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
        if position.lsn <= self.positions.written() || !self.read_unwritten(&place, size, bytes) {
            bytes.resize(size, 0);
            let file = place.file.expect("a segment with live payloads is open");
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
        let index = self.index.read();
        let position = index.get(id)?;
        let slot = &index.slots[position.slot as usize];
        let segment = Name::segment(slot.first, slot.epoch);
        Some(Place { position, segment, file: slot.file.clone() })
    }

    /// Bytes that are still in the writer's memory: only for them a reader takes its lock, which is
    /// held during the sync of a rotation, a checkpoint or a shutdown, and of no other. What is
    /// visible because it is durable is never among them.
    #[cold]
    fn read_unwritten(&self, place: &Place, size: usize, bytes: &mut Vec<u8>) -> bool {
        let offset = u64::from(place.position.offset);
        self.log.with(|log| {
            let found = log.writer.unwritten(place.segment.epoch, offset, size);
            found.map(|found| bytes.extend_from_slice(found)).is_some()
        })
    }

    /// All ids, in ascending order.
    pub fn ids(&self) -> Vec<u64> {
        self.index.read().ids()
    }

    /// The number of payloads.
    pub fn len(&self) -> usize {
        self.index.read().len()
    }

    /// Whether there is no payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `id` has a payload.
    pub fn contains(&self, id: u64) -> bool {
        self.index.read().get(id).is_some()
    }

    /// Makes everything durable that was stored, in every mode.
    ///
    /// # Errors
    /// [`Error::Io`]: what was not durable is unknown, the store poisoned. [`Error::Poisoned`],
    /// [`Error::Closed`], [`Error::TimedOut`].
    pub fn flush(&self) -> Result<Ack> {
        self.ask(Level::Durable)
    }

    /// A view of the log's positions that other threads may read.
    pub fn positions(&self) -> Positions {
        self.positions.clone()
    }

    /// Makes everything durable and states a clean shutdown, so that the next open copies nothing;
    /// from then on every operation that changes something answers [`Error::Closed`]. Those under
    /// way are finished first. Dropping the store instead loses nothing that was acknowledged.
    ///
    /// # Errors
    /// As [`flush`](PayloadStore::flush); [`Error::Closed`] the second time.
    pub fn close(&self) -> Result<()> {
        if self.log.with(|log| log.writer.reads_only()) {
            return Ok(());
        }
        let _last = self.checkpoints.lock(); // one that is under way is finished first
        self.log.alone(|log| log.writer.close())
    }

    /// The numbered invariants that can be checked from here.
    ///
    /// # Panics
    /// If one does not hold: that is a defect of the store.
    pub fn check_invariants(&self) {
        self.log.with(|log| {
            let (appended, durable) = (log.writer.appended, log.writer.durable);
            assert!(durable <= appended, "A1: durable beyond appended");
            let (durable, written) = (self.positions.durable(), self.positions.written());
            assert!(durable <= written && written <= appended, "A1: written between them");
            let index = self.index.read();
            index.check_invariants();
            let held = |id: u64| {
                let Position { slot, lsn, .. } = index.get(id).expect("an id of the index");
                index.slots[slot as usize].file.is_some() && lsn <= appended
            };
            assert!(index.ids().into_iter().all(held), "S1: an indexed entry is in the log");
        });
    }
}
