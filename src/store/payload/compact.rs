//! Compaction: what is alive in sparse segments is appended again, so that they can go.
//!
//! To the log it is nothing new: each payload is stored once more under its id. A segment goes with
//! the snapshot behind that, by the rule that lets any segment go (S3).
//!
//! Invariants
//! - CP1: what is appended again is the newest payload of its id when it is appended: nobody's
//!   change, visible or pending, is undone.

use super::{PayloadStore, pending};
use crate::error::{Error, Result};
use crate::format::entry::Entry;
use crate::group_commit::Gathered;
use crate::index::Position;
use crate::limits::{ENTRY_HEADER, FRAME_HEADER, padded};
use crate::options::Level;
use std::collections::{BTreeMap, BTreeSet};

/// Payloads are appended again in records of about so many bytes.
const AT_ONCE: u64 = 64 << 10;

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compaction {
    /// Segments that were sparse.
    pub segments: usize,
    /// Payloads that were appended again.
    pub payloads: usize,
    /// Bytes of them.
    pub bytes: u64,
}

impl PayloadStore {
    /// Appends again what is alive in the segments of which less than `percent` is, and writes a
    /// snapshot; the segments go with it, or, where more than one snapshot is kept, as soon as all
    /// kept ones cover them. The segment that is being written is left alone.
    ///
    /// Others read and write meanwhile.
    ///
    /// ```
    /// # use highwater::{Options, PayloadStore};
    /// # let dir = std::env::temp_dir().join(format!("highwater-compact-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// # let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(&dir)?);
    /// let options = Options { segment_size: 4096, ..Options::default() };
    /// let store = PayloadStore::open(disk, options)?;
    /// for n in 0..1000u64 {
    ///     store.store_batch_deferred(&[(n % 100, &[7; 100])])?;
    /// }
    /// let done = store.compact(50)?;
    /// assert!(done.bytes < 100 * 100 + 1);
    /// # drop(store);
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Corrupt`] if a payload is damaged: what was appended again until then is, and
    /// nothing is lost. Else as [`create_snapshot`](PayloadStore::create_snapshot).
    pub fn compact(&self, percent: u8) -> Result<Compaction> {
        let (segments, alive) = self.sparse(percent)?;
        let mut done = Compaction { segments, ..Compaction::default() };
        let mut batch: Vec<(u64, Position, Vec<u8>)> = Vec::new();
        let mut size = 0;
        for (id, position) in alive {
            if let Some(bytes) = self.retrieve(id)? {
                size += bytes.len() as u64 + ENTRY_HEADER as u64;
                batch.push((id, position, bytes));
            }
            if size >= AT_ONCE {
                self.append_again(&batch, &mut done)?;
                (size, batch) = (0, Vec::new());
            }
        }
        self.append_again(&batch, &mut done)?;
        if segments > 0 {
            self.create_snapshot()?;
        }
        Ok(done)
    }

    /// How many segments are sparse, and what is alive in them, in the order of the log.
    fn sparse(&self, percent: u8) -> Result<(usize, Vec<(u64, Position)>)> {
        let index = self.index();
        let mut bytes = BTreeMap::<u32, u64>::new();
        index.positions().for_each(|(_, position)| {
            // As if it had a record to itself: a segment of small payloads is not sparse.
            let size = FRAME_HEADER + ENTRY_HEADER + padded(position.length as usize);
            *bytes.entry(position.slot).or_default() += size as u64;
        });
        let active = index.slots.iter().map(|slot| slot.epoch).max();
        let mut sparse = BTreeSet::<u32>::new();
        for (number, slot) in index.slots.numbered() {
            let Some(file) = slot.file.as_ref().filter(|_| slot.live > 0) else { continue };
            let size = file.size().map_err(Error::io("size of", &slot.name()))?;
            let alive = bytes.get(&number).copied().unwrap_or(0);
            if alive * 100 < size * u64::from(percent) && Some(slot.epoch) != active {
                sparse.insert(number);
            }
        }
        let within = |(_, position): &(u64, Position)| sparse.contains(&position.slot);
        let mut alive: Vec<(u64, Position)> = index.positions().filter(within).collect();
        alive.sort_unstable_by_key(|(_, position)| (position.lsn, position.offset));
        Ok((sparse.len(), alive))
    }

    fn append_again(
        &self,
        batch: &[(u64, Position, Vec<u8>)],
        done: &mut Compaction,
    ) -> Result<()> {
        let (payloads, bytes) = self.engine.change(|log| {
            log.writer.check()?;
            let index = self.index();
            let newest = |(id, position, _): &&(u64, Position, Vec<u8>)| {
                index.get(*id) == Some(*position) && pending(log, *id).is_none() // CP1
            };
            let again: Vec<Entry<'_>> = batch
                .iter()
                .filter(newest)
                .map(|(id, _, bytes)| Entry { id: *id, bytes: Some(bytes) })
                .collect();
            drop(index);
            let bytes: usize = again.iter().map(|e| e.bytes.map_or(0, <[u8]>::len)).sum();
            let count = (again.len(), bytes);
            let size = again.iter().map(Entry::size).sum();
            if again.is_empty() {
                return Ok(Gathered::Done(count));
            }
            // The snapshot makes it durable.
            Ok(match log.append(&again, size, Level::Buffered)? {
                Gathered::Done(_) => Gathered::Done(count),
                Gathered::Wait(_) => Gathered::Wait(count),
                Gathered::Full => Gathered::Full,
            })
        })?;
        done.payloads += payloads;
        done.bytes += bytes as u64;
        Ok(())
    }
}
