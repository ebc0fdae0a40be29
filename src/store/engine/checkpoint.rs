//! Checkpoints: a snapshot of the state, and what it makes superfluous.
//!
//! Invariants
//! - S3: a segment is dropped only if every kept snapshot covers it, no payload that was live at
//!   the newest one is in it, and that one was written and synced by this life. What has been
//!   replaced since does not count: the change may be on no disk yet.
//! - S4: an operation whose checkpoint fails is acknowledged if and only if that has not poisoned
//!   the store: a file of the checkpoint's own takes nothing back, a log or a directory that cannot
//!   be synced is P9, and leaves the operation unknown.
//! - S7: no two syncs of the store are under way at once, and none begins before it is known that
//!   the one before it has succeeded, or before the store is poisoned; a snapshot's own file is
//!   synced when nothing else is pending, so its failure is nobody else's.
//! - S6: a snapshot is the state at one LSN, whatever is appended while it is written.

use super::Engine;
use super::log::ViewLog;
use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::name::{Kind, Name};
use crate::format::snapshot::Resume;
use crate::recovery::remove_obsolete;
use crate::snapshot::{oldest_kept, publish, write_temporary};
use crate::view::View;
use std::path::Path;
use std::sync::Arc;

/// What checkpoints know; whoever has the lock makes one.
#[derive(Debug)]
pub(super) struct Checkpoints {
    /// In the directory, newest first.
    snapshots: Vec<Name>,
    obsolete: Vec<Name>,
    /// The LSN of this life's newest snapshot.
    newest: Option<Lsn>,
    /// Why the last automatic one failed.
    error: Option<Arc<Error>>,
    /// Bytes of the newest. No automatic one is tried before the log has grown by as much: all of
    /// them together cost no more than the log, however much is alive.
    size: u64,
    /// After one that failed: the log growth before which no other is tried.
    retry_at: u64,
}

impl Checkpoints {
    pub(super) fn new(snapshots: Vec<Name>, size: u64, obsolete: Vec<Name>) -> Checkpoints {
        Checkpoints { snapshots, obsolete, newest: None, error: None, size, retry_at: 0 }
    }
}

/// The state at one LSN.
struct Cut<V: View> {
    name: Name,
    resume: Resume,
    state: V::Cut,
    /// How much was alive in each segment.
    live: Vec<usize>,
    growth: u64,
}

/// S6: while nobody else is at work, and everything is durable and visible.
fn cut<V: View>(log: &ViewLog<V>, state: &mut V) -> Cut<V> {
    let writer = &log.writer;
    let lsn = writer.appended;
    assert_eq!(lsn, writer.durable, "S6: nothing is pending");
    let active = writer.active.as_ref();
    let epoch = active.map_or(writer.next_epoch, |a| a.epoch);
    // Without a segment of this life the log goes on in one that is not there yet; all that are
    // there are covered, and not read again.
    let resume = active.map_or(Resume { first: lsn.next(), epoch, offset: 0 }, |a| Resume {
        first: a.first,
        epoch: a.epoch,
        offset: a.written as u32,
    });
    let name = Name { kind: Kind::Snapshot, lsn, epoch };
    let (kept, growth) = (state.cut(), writer.growth);
    let live = state.slots().iter().map(|slot| slot.live).collect();
    Cut { name, resume, state: kept, live, growth }
}

impl<V: View> Engine<V> {
    /// Writes a snapshot of the state and drops what it makes superfluous. Returns its LSN; 0 if
    /// the log never held anything. If only the temporary file could not be written, the store goes
    /// on.
    pub(crate) fn create_snapshot(&self) -> Result<Lsn> {
        self.checkpoint(&mut self.checkpoints.lock())
    }

    fn checkpoint(&self, checkpoints: &mut Checkpoints) -> Result<Lsn> {
        let cut = self.log.alone(|log| {
            log.writer.sync()?;
            let lsn = log.writer.appended;
            let needed = lsn != Lsn(0) && checkpoints.newest != Some(lsn);
            if needed { Ok(Ok(cut(log, &mut *self.state.write()))) } else { Ok(Err(lsn)) }
        })?;
        let cut = match cut {
            Ok(cut) => cut,
            Err(lsn) => return Ok(lsn),
        };
        let lsn = cut.name.lsn;
        let temporary = write_temporary(&*self.vfs, cut.name, cut.resume, cut.state, &self.state)?;
        // S7: what a failed sync has lost the next one does not bring back, and says `Ok` (V12).
        self.log.alone(|log| {
            log.writer.sync()?;
            temporary.sync(&*self.vfs)?;
            let published = publish(&*self.vfs, &temporary, cut.name);
            let published = published.map_err(|error| log.failed(error));
            log.writer.fail_stop(published)
        })?;
        (checkpoints.newest, checkpoints.error) = (Some(lsn), None);
        (checkpoints.size, checkpoints.retry_at) = (temporary.size, 0);
        checkpoints.snapshots.insert(0, cut.name);
        self.counters.snapshots.add(1);
        self.log.with(|log| {
            log.writer.growth -= cut.growth;
            self.positions.publish_snapshot(lsn, log.writer.growth);
        });
        self.prune(checkpoints, &cut.live)?;
        Ok(lsn)
    }

    /// P9: a directory that cannot be synced is the log's end too.
    fn fail_stop<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            self.log.with(|log| {
                let error = log.failed(error);
                log.writer.fail_stop::<()>(Err(error)).expect_err("it was one")
            })
        })
    }

    /// S3.
    fn prune(&self, checkpoints: &mut Checkpoints, live: &[usize]) -> Result<()> {
        let keep = self.options.snapshots_kept.max(1);
        let snapshots = &mut checkpoints.snapshots;
        let oldest = oldest_kept(snapshots, keep);
        let mut removed: Vec<Name> = snapshots.drain(keep.min(snapshots.len())..).collect();
        // A segment that was begun meanwhile has nothing visible yet, and no last LSN.
        let active = self.log.with(|log| log.writer.active.as_ref().map_or(u32::MAX, |a| a.epoch));
        let mut state = self.state.write();
        let slots = state.slots_mut().iter_mut().zip(live);
        for (slot, live) in slots.filter(|(slot, _)| slot.present && slot.epoch < active) {
            // S3: and this life has just written and synced a snapshot that covers it.
            if oldest.is_some_and(|oldest| slot.last <= oldest) && *live == 0 {
                (slot.present, slot.file) = (false, None);
                removed.push(Name::segment(slot.first, slot.epoch));
            }
        }
        state.slots_mut().forget();
        drop(state);
        for name in removed {
            let text = name.text();
            let gone = self.vfs.remove(Path::new(&text)).map_err(Error::io("remove", &text));
            self.fail_stop(gone)?;
            self.counters.removed.add(u64::from(name.kind == Kind::Segment));
        }
        let newest = checkpoints.snapshots.first().map_or(0, |s| s.epoch);
        let gone = remove_obsolete(&*self.vfs, &mut checkpoints.obsolete, newest).map(drop);
        self.fail_stop(gone)
    }

    /// Whether the log has grown enough since the last snapshot. Takes no lock.
    pub(crate) fn should_create_snapshot(&self) -> bool {
        self.positions.growth() >= self.options.checkpoint_bytes
    }

    /// Why the last automatic checkpoint failed.
    pub(crate) fn checkpoint_error(&self) -> Option<Arc<Error>> {
        self.checkpoints.lock().error.clone()
    }

    /// Writes the snapshot that an operation has made due (S4), unless somebody else does.
    pub(crate) fn checkpoint_if_due(&self) -> Result<()> {
        if !self.options.auto_checkpoint || !self.should_create_snapshot() {
            return Ok(());
        }
        let Some(mut checkpoints) = self.checkpoints.try_lock() else { return Ok(()) };
        let growth = self.positions.growth();
        let enough = self.options.checkpoint_bytes.max(checkpoints.size);
        if growth < enough.max(checkpoints.retry_at) {
            return Ok(());
        }
        let Err(error) = self.checkpoint(&mut checkpoints) else { return Ok(()) };
        if matches!(error, Error::Closed | Error::Poisoned) {
            return Ok(()); // S4: somebody else's doing, after the operation was acknowledged
        }
        if self.log.with(|log| log.writer.check()).is_err() {
            return Err(error); // S4: P9
        }
        // Not with every operation from now on: each try writes the whole index.
        checkpoints.retry_at = growth.saturating_add(enough);
        checkpoints.error = Some(Arc::new(error)); // S4: the log and its directory are as they were
        Ok(())
    }
}
