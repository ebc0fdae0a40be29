//! The log of a view, as group commit sees it: the writer, and what is not visible yet.
//!
//! Invariants
//! - S5: changes become visible in the order of their LSNs, but for those that need not wait, which
//!   are visible at once; a change never replaces a later one.
//! - S8: of records that are acknowledged fewer wait for a sync than the options say: whoever comes
//!   when there are so many, itself included, waits for one, also if one is on its way.

use super::Level;
use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::entry::Entry;
use crate::group_commit::{Gathered, Log, Unanswered};
use crate::log::writer::{self, Writer};
use crate::sync::{Arc, RwLock};
use crate::view::{Place, View};

#[derive(Debug)]
pub(crate) struct ViewLog<V: View> {
    pub(crate) writer: Writer,
    state: Arc<RwLock<V>>,
    /// How many records may wait for a sync (S8).
    sync_after: u64,
    /// Changes that wait for the disk, in the order of their LSNs. The first `on_its_way` of them
    /// are in the batch that is.
    pub(crate) pending: Vec<V::Change>,
    on_its_way: usize,
    /// What somebody waits for.
    wanted: Level,
    /// The slot of the segment that is written.
    slot: u32,
    failure: Option<Error>,
}

impl<V: View> ViewLog<V> {
    pub(super) fn new(writer: Writer, state: Arc<RwLock<V>>, sync_after: u64) -> ViewLog<V> {
        let slot = state.read().slots().newest();
        let (pending, on_its_way, failure) = (Vec::new(), 0, None);
        let wanted = Level::Buffered;
        ViewLog { writer, state, sync_after, pending, on_its_way, wanted, slot, failure }
    }

    /// Appends a record, to be acknowledged with `level`; `size` is that of its entries.
    pub(crate) fn append(
        &mut self,
        entries: &[Entry<'_>],
        size: usize,
        level: Level,
    ) -> Result<Gathered<Lsn>> {
        let appended = self.writer.append(size, |lsn, out| {
            entries.iter().for_each(|entry| entry.encode(lsn, out));
        })?;
        let Some(appended) = appended else { return Ok(Gathered::Full) };
        let (lsn, slot) = (appended.lsn, self.slot);
        let mut end = appended.payload;
        let changes = entries.iter().map(|entry| {
            let offset = end as u32;
            end += entry.size() as u64;
            V::change(entry, Place { lsn, slot, offset }).expect("an entry of this version")
        });
        // A full buffer is written by whoever filled it, even if nobody asks for that.
        let behind = |entry: &Entry<'_>| V::waits(entry, &self.pending);
        let waits = self.writer.is_full() || entries.iter().any(behind);
        let crowded = lsn.0 - self.writer.durable.0 >= self.sync_after; // S8
        let wanted = match (crowded, waits) {
            (true, _) => Level::Durable,
            (false, true) => level.max(Level::Flushed),
            (false, false) => level,
        };
        if wanted > Level::Buffered {
            self.pending.extend(changes);
            self.wanted = self.wanted.max(wanted);
            return Ok(Gathered::Wait(lsn));
        }
        let mut state = self.state.write();
        changes.for_each(|change| state.apply(change)); // S5
        state.slots_mut()[slot].last = lsn;
        Ok(Gathered::Done(lsn))
    }

    /// Asks for everything so far with `level`.
    pub(crate) fn ask(&mut self, level: Level) -> Result<Gathered<Lsn>> {
        self.writer.check()?;
        let lsn = self.writer.appended;
        let reached = match level {
            Level::Buffered => true,
            Level::Flushed => self.writer.written == lsn,
            Level::Durable => self.writer.durable == lsn,
        };
        if reached {
            return Ok(Gathered::Done(lsn));
        }
        self.wanted = self.wanted.max(level);
        Ok(Gathered::Wait(lsn))
    }

    /// The log is of no use any more: remembers why, and says it.
    pub(super) fn failed(&mut self, error: Error) -> Error {
        match (&self.failure, &error) {
            (Some(before), Error::Poisoned) => before.again(),
            _ => {
                self.failure.get_or_insert(error.again());
                error
            }
        }
    }
}

/// A batch, and how many of the pending changes become visible with it.
pub(crate) struct Batch {
    batch: writer::Batch,
}

impl<V: View> Log for ViewLog<V> {
    type Batch = Batch;
    type Error = Error;

    fn take(&mut self) -> Batch {
        let wanted = std::mem::replace(&mut self.wanted, Level::Buffered);
        self.on_its_way = self.pending.len();
        Batch { batch: self.writer.take(wanted == Level::Durable) }
    }

    fn carry_out(batch: &mut Batch) -> Result<()> {
        batch.batch.write_and_sync()
    }

    fn finish(&mut self, batch: Batch, done: Result<()>) -> Result<()> {
        let (to, void) = (batch.batch.to, batch.batch.is_void());
        if let Err(error) = self.writer.finish(batch.batch, done) {
            // S1: what is pending is never shown. If something else has failed while it was on its
            // way, that is the answer: `Poisoned` says that nothing has happened.
            return Err(if void { error } else { self.failed(error) });
        }
        let mut state = self.state.write();
        let changes = self.pending.drain(..std::mem::take(&mut self.on_its_way));
        changes.for_each(|change| state.apply(change)); // S5, S1
        if let Some(slot) = state.slots_mut().get_mut(self.slot) {
            slot.last = slot.last.max(to);
        }
        Ok(())
    }

    fn make_room(&mut self) -> Result<()> {
        self.writer.sync()?; // L4: what nobody waits for too
        self.writer.rotate()?;
        let active = self.writer.active.as_ref().expect("just begun");
        let mut state = self.state.write();
        self.slot = state.slots_mut().number(active.first, active.epoch);
        let slot = &mut state.slots_mut()[self.slot];
        (slot.file, slot.present) = (Some(Arc::clone(&active.file)), true);
        Ok(())
    }

    fn unanswered(&self, why: Unanswered) -> Error {
        match why {
            Unanswered::Failed => self.failure.as_ref().map_or(Error::Poisoned, Error::again),
            Unanswered::Impatient => Error::TimedOut,
            Unanswered::Refused => self.writer.check().err().unwrap_or(Error::Poisoned),
        }
    }
}
