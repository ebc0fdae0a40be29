//! The payload store: payloads by id, in a log, with the index in memory.
//!
//! Invariants
//! - S1: an id is in the index only if its entry is in the log; in mode `Fsync`, only if it is
//!   durable (P10), unless it was deferred.
//! - S2: every payload that is returned has passed its checksum since it was read.
//! - S3: a segment is dropped only if every kept snapshot covers it, no live payload is in it, and
//!   the snapshot that says so was written and synced by this life.

use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::entry::Entry;
use crate::format::name::{Kind, Name};
use crate::format::snapshot::Resume;
use crate::index::{Index, Position};
use crate::limits::{ENTRY_HEADER, PAYLOAD_SIZE_MAX, SEGMENT_SIZE_MAX};
use crate::log::writer::Writer;
use crate::positions::Positions;
use crate::recovery::{Recovered, RecoveryReport, recover, remove_obsolete};
use crate::snapshot::{oldest_kept, publish, write_temporary};
use highwater_vfs::{Vfs, read_full_at};
use std::path::Path;
use std::sync::Arc;

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
    /// Whether a store or delete that makes a snapshot due also writes it.
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
}

impl PayloadStore {
    /// Opens the store in the root of `vfs`, or begins one there; recovers it if need be.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if durable bytes are damaged: nothing was changed. [`Error::Io`] if the
    /// disk fails. A torn tail is no error: see [`report`](PayloadStore::report).
    pub fn open(vfs: Arc<dyn Vfs>, options: Options) -> Result<PayloadStore> {
        let recovered = recover(&vfs, options.segment_size)?;
        let Recovered { growth, index, writer, report, snapshots, obsolete } = recovered;
        let slot = index.slots.len().saturating_sub(1) as u32;
        if let Some(newest) = snapshots.first() {
            writer.positions.publish_snapshot(newest.lsn);
        }
        // Short lives would never make a snapshot due if each began to count at 0.
        writer.positions.publish_appended(writer.appended, growth);
        let snapshot = None;
        Ok(PayloadStore {
            vfs,
            options,
            index,
            writer,
            report,
            snapshots,
            obsolete,
            snapshot,
            slot,
        })
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
        if self.options.auto_checkpoint && self.should_create_snapshot() {
            self.create_snapshot()?;
        }
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

    /// Writes a snapshot of the index and drops what it makes superfluous. Opening the store then
    /// begins at the snapshot. Returns its LSN; 0 if the store never held anything.
    ///
    /// # Errors
    /// As [`flush`](PayloadStore::flush). If only the temporary file could not be written, the
    /// store goes on.
    pub fn create_snapshot(&mut self) -> Result<Lsn> {
        self.writer.sync()?;
        let lsn = self.writer.appended;
        if lsn == Lsn(0) || self.snapshot == Some(lsn) {
            return Ok(lsn);
        }
        let active = self.writer.active.as_ref();
        let epoch = active.map_or(self.writer.next_epoch, |a| a.epoch);
        // The log is synced, so the buffer is empty. Without a segment of this life the log goes on
        // in one that is not there yet; all that are there are covered, and not read again.
        let resume = Some(active.map_or(Resume { first: lsn.next(), epoch, offset: 0 }, |a| {
            let offset = a.written as u32;
            Resume { first: a.first, epoch: a.epoch, offset }
        }));
        let name = Name { kind: Kind::Snapshot, lsn, epoch };
        let temporary = write_temporary(&*self.vfs, name, &self.index, resume)?;
        let published = publish(&*self.vfs, &temporary, name);
        self.writer.fail_stop(published)?;
        self.snapshot = Some(lsn);
        self.snapshots.insert(0, name);
        self.writer.positions.publish_snapshot(lsn);
        self.prune()?;
        Ok(lsn)
    }

    /// S3.
    fn prune(&mut self) -> Result<()> {
        let keep = self.options.snapshots_kept.max(1);
        let oldest = oldest_kept(&self.snapshots, keep);
        let mut removed: Vec<Name> =
            self.snapshots.drain(keep.min(self.snapshots.len())..).collect();
        let active = self.writer.active.as_ref().map_or(0, |a| a.epoch);
        for slot in self.index.slots.iter_mut().filter(|s| s.present && s.epoch != active) {
            // S3: and this life has just written and synced a snapshot that covers it.
            if oldest.is_some_and(|oldest| slot.last <= oldest) && slot.live == 0 {
                (slot.present, slot.file) = (false, None);
                removed.push(Name::segment(slot.first, slot.epoch));
            }
        }
        for name in removed {
            let text = name.text();
            let gone = self.vfs.remove(Path::new(&text)).map_err(Error::io("remove", &text));
            self.writer.fail_stop(gone)?;
        }
        let newest = self.snapshots.first().map_or(0, |s| s.epoch);
        let gone = remove_obsolete(&*self.vfs, &mut self.obsolete, newest).map(drop);
        self.writer.fail_stop(gone)
    }

    /// Whether the log has grown enough since the last snapshot. Takes no lock; so does
    /// [`positions`](PayloadStore::positions) for another thread.
    pub fn should_create_snapshot(&self) -> bool {
        self.writer.positions.growth() >= self.options.checkpoint_bytes
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
        self.writer.mark()
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
