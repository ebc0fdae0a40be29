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
use crate::index::{Index, Position};
use crate::limits::{ENTRY_HEADER, PAYLOAD_SIZE_MAX, SEGMENT_SIZE_MAX};
use crate::log::writer::Writer;
use crate::positions::Positions;
use crate::recovery::{Recovered, RecoveryReport, look, recover};
use highwater_vfs::{Vfs, read_full_at};
use std::sync::Arc;

mod checkpoint;

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
    /// Snapshots kept; 2. At least 1.
    pub snapshots_kept: usize,
    /// Log growth in bytes after which a snapshot is due; 10 MiB.
    pub checkpoint_bytes: u64,
    /// Whether a store or delete that makes a snapshot due also writes it. That may fail without
    /// taking back the operation: see [`checkpoint_error`](PayloadStore::checkpoint_error).
    pub auto_checkpoint: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Fsync,
            segment_size: 64 << 20,
            snapshots_kept: 2,
            checkpoint_bytes: 10 << 20,
            auto_checkpoint: true,
        }
    }
}

/// A store of payloads by id. See the [crate] for an example.
///
/// After a failed write or sync it refuses all further work ([`Error::Poisoned`]) but reading.
#[derive(Debug)]
pub struct PayloadStore {
    vfs: Arc<dyn Vfs>,
    options: Options,
    index: Index,
    writer: Writer,
    report: RecoveryReport,
    snapshots: Vec<Name>,
    obsolete: Vec<Name>,
    /// The LSN of this life's newest snapshot.
    snapshot: Option<Lsn>,
    /// The slot of the segment being written.
    slot: u32,
    /// Why the last automatic checkpoint failed.
    checkpoint_error: Option<Error>,
    /// The log growth at which the next automatic one is tried.
    retry_at: u64,
}

impl PayloadStore {
    /// Opens the store in the root of `vfs`, or begins one there; recovers it if need be.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if durable bytes are damaged: nothing was changed. [`Error::Io`] if the
    /// disk fails. A torn tail is no error: see [`report`](PayloadStore::report).
    pub fn open(vfs: Arc<dyn Vfs>, options: Options) -> Result<PayloadStore> {
        let recovered = recover(&vfs, options.segment_size)?;
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
        let Recovered { growth, index, writer, report, snapshots, obsolete } = recovered;
        let slot = index.slots.len().saturating_sub(1) as u32;
        if let Some(newest) = snapshots.first() {
            writer.positions.publish_snapshot(newest.lsn);
        }
        // Short lives would never make a snapshot due if each began to count at 0.
        writer.positions.publish_appended(writer.appended, growth);
        let (snapshot, checkpoint_error, retry_at) = (None, None, 0);
        PayloadStore {
            vfs,
            options,
            index,
            writer,
            report,
            snapshots,
            obsolete,
            snapshot,
            slot,
            checkpoint_error,
            retry_at,
        }
    }

    /// What recovery found and did.
    pub fn report(&self) -> &RecoveryReport {
        &self.report
    }

    /// Stores `bytes` under `id`, replacing what was there.
    ///
    /// # Errors
    /// [`Error::TooLarge`]: nothing happened. [`Error::Io`]: the operation is unknown, the store
    /// poisoned. [`Error::Poisoned`].
    pub fn store(&mut self, id: u64, bytes: &[u8]) -> Result<Ack> {
        self.commit(&[Entry { id, bytes: Some(bytes) }], false)
    }

    /// Stores several payloads, all or none; one write and one sync. Of two for one id the later
    /// counts. Nothing to store is a [`flush`](PayloadStore::flush) in mode `Fsync`.
    ///
    /// # Errors
    /// As [`store`](PayloadStore::store).
    pub fn store_batch(&mut self, items: &[(u64, &[u8])]) -> Result<Ack> {
        self.batch(items, false)
    }

    /// The same without waiting for the disk: visible at once, durable with the next operation that
    /// is, or with [`flush`](PayloadStore::flush).
    ///
    /// # Errors
    /// As [`store`](PayloadStore::store).
    pub fn store_batch_deferred(&mut self, items: &[(u64, &[u8])]) -> Result<Ack> {
        self.batch(items, true)
    }

    fn batch(&mut self, items: &[(u64, &[u8])], deferred: bool) -> Result<Ack> {
        if items.is_empty() {
            return self.acknowledge(deferred);
        }
        let entry = |&(id, bytes)| Entry { id, bytes: Some(bytes) };
        let entries: Vec<Entry<'_>> = items.iter().map(entry).collect();
        self.commit(&entries, deferred)
    }

    /// Deletes `id`; `None` if there was nothing to delete, and then nothing is logged.
    ///
    /// # Errors
    /// As [`store`](PayloadStore::store).
    pub fn delete(&mut self, id: u64) -> Result<Option<Ack>> {
        self.writer.check()?;
        if self.index.get(id).is_none() {
            return Ok(None);
        }
        self.commit(&[Entry { id, bytes: None }], false).map(Some)
    }

    fn commit(&mut self, entries: &[Entry<'_>], deferred: bool) -> Result<Ack> {
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
        let appended = self.writer.append(size as usize, |lsn, out| {
            entries.iter().for_each(|entry| entry.encode(lsn, out));
        })?;
        if appended.fresh {
            self.begin_slot();
        }
        let ack = self.acknowledge(deferred)?;
        let mut offset = appended.payload;
        for entry in entries {
            self.index.apply(entry, appended.lsn, self.slot, offset as u32); // S1
            offset += entry.size() as u64;
        }
        self.index.slots[self.slot as usize].last = appended.lsn;
        self.checkpoint_if_due()?;
        Ok(Ack { lsn: appended.lsn, ..ack })
    }

    fn begin_slot(&mut self) {
        let active = self.writer.active.as_ref().expect("a frame has a segment");
        let (first, epoch, file) = (active.first, active.epoch, Arc::clone(&active.file));
        self.slot = self.index.slot(first, epoch);
        let slot = &mut self.index.slots[self.slot as usize];
        (slot.file, slot.present) = (Some(file), true);
    }

    /// Does what the mode asks for before an `Ok`.
    fn acknowledge(&mut self, deferred: bool) -> Result<Ack> {
        self.writer.check()?;
        let level = match (self.options.durability, deferred) {
            (Durability::Fsync, false) => {
                self.writer.sync()?;
                Level::Durable
            }
            (Durability::FlushOnly, false) => {
                self.writer.write_out()?;
                Level::Flushed
            }
            _ => {
                self.writer.write_out_if_full()?;
                Level::Buffered
            }
        };
        Ok(Ack { lsn: self.writer.appended, level })
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
        let Some(position) = self.index.get(id) else { return Ok(false) };
        let slot = &self.index.slots[position.slot as usize];
        let size = ENTRY_HEADER + position.length as usize;
        let offset = u64::from(position.offset);
        let active = self.writer.active.as_ref().filter(|a| a.epoch == slot.epoch);
        if let Some(active) = active.filter(|a| offset >= a.written) {
            let from = (offset - active.written) as usize;
            bytes.extend_from_slice(&self.writer.buffer[from..from + size]);
        } else {
            bytes.resize(size, 0);
            let file = slot.file.as_ref().expect("a segment with live payloads is open");
            let read = read_full_at(&**file, bytes, offset);
            let read = read.map_err(Error::io("read", &slot.name()))?;
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
            return Err(Error::corrupt(slot.name(), offset, expected, actual));
        }
        bytes.drain(..ENTRY_HEADER);
        Ok(true)
    }

    /// All ids, in ascending order.
    pub fn ids(&self) -> Vec<u64> {
        self.index.ids()
    }

    /// The number of payloads.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there is no payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether `id` has a payload.
    pub fn contains(&self, id: u64) -> bool {
        self.index.get(id).is_some()
    }

    /// Makes everything durable that was stored, in every mode.
    ///
    /// # Errors
    /// [`Error::Io`]: what was not durable is unknown, the store poisoned. [`Error::Poisoned`].
    pub fn flush(&mut self) -> Result<Ack> {
        self.writer.sync()?;
        Ok(Ack { lsn: self.writer.appended, level: Level::Durable })
    }

    /// A view of the log's positions that other threads may read.
    pub fn positions(&self) -> Positions {
        self.writer.positions.clone()
    }

    /// Makes everything durable and states a clean shutdown, so that the next open copies nothing.
    /// Dropping the store instead loses nothing that was acknowledged.
    ///
    /// # Errors
    /// As [`flush`](PayloadStore::flush).
    pub fn close(mut self) -> Result<()> {
        if self.writer.reads_only() { Ok(()) } else { self.writer.mark() }
    }

    /// The numbered invariants that can be checked from here.
    ///
    /// # Panics
    /// If one does not hold: that is a defect of the store.
    pub fn check_invariants(&self) {
        self.index.check_invariants();
        assert!(self.writer.durable <= self.writer.appended, "A1: durable beyond appended");
        let held = |id: &u64| {
            let Position { slot, lsn, .. } = self.index.get(*id).expect("an id of the index");
            self.index.slots[slot as usize].file.is_some() && lsn <= self.writer.appended
        };
        assert!(self.ids().iter().all(held), "S1: an indexed entry is in the log");
    }
}
