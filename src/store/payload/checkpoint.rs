//! Checkpoints: a snapshot of the index, and what it makes superfluous.
//!
//! Invariants
//! - S3: a segment is dropped only if every kept snapshot covers it, no live payload is in it, and
//!   the snapshot that says so was written and synced by this life.
//! - S4: an operation whose checkpoint fails is acknowledged if and only if the store is not
//!   poisoned: a file of the checkpoint's own takes nothing back, a log or a directory that cannot
//!   be synced is P9, and leaves the operation unknown.

use super::PayloadStore;
use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::name::{Kind, Name};
use crate::format::snapshot::Resume;
use crate::recovery::remove_obsolete;
use crate::snapshot::{oldest_kept, publish, write_temporary};
use std::path::Path;

impl PayloadStore {
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
        (self.snapshot, self.checkpoint_error, self.retry_at) = (Some(lsn), None, 0);
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

    /// Why the last automatic checkpoint failed: on a full disk, say. The operation that made it
    /// due was acknowledged all the same, the store goes on, and the next one is tried after as
    /// much log growth again. `None` once a checkpoint has succeeded.
    ///
    /// To hear of it at once, turn [`auto_checkpoint`](crate::Options::auto_checkpoint) off, and
    /// call [`create_snapshot`](PayloadStore::create_snapshot) when
    /// [`should_create_snapshot`](PayloadStore::should_create_snapshot) says so.
    pub fn checkpoint_error(&self) -> Option<&Error> {
        self.checkpoint_error.as_ref()
    }

    /// Writes the snapshot that an operation has made due (S4).
    pub(super) fn checkpoint_if_due(&mut self) -> Result<()> {
        let due = self.options.checkpoint_bytes.max(self.retry_at);
        let growth = self.writer.positions.growth();
        if !self.options.auto_checkpoint || growth < due {
            return Ok(());
        }
        let Err(error) = self.create_snapshot() else { return Ok(()) };
        if self.writer.check().is_err() {
            return Err(error); // S4: P9
        }
        // Not with every operation from now on: each try writes the whole index.
        self.retry_at = growth.saturating_add(self.options.checkpoint_bytes);
        self.checkpoint_error = Some(error); // S4: the log and its directory are as they were
        Ok(())
    }
}
