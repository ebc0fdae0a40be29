//! What every view is: a state, its log, its checkpoints. A view adds what its entries mean.

pub(crate) mod checkpoint;
pub(crate) mod log;

use crate::counters::Counters;
use crate::error::{Error, Result};
use crate::format::entry::Entry;
use crate::group_commit::{Gathered, GroupCommit};
use crate::limits::{PAYLOAD_SIZE_MAX, SEGMENT_SIZE_MAX};
use crate::log::writer::Sizes;
use crate::options::{Ack, Damage, Durability, Level, Options};
use crate::positions::Positions;
use crate::recovery::{Recovered, RecoveryReport, look, quarantine, recover};
use crate::sync::{self, Mutex, RwLock};
use crate::view::View;
use checkpoint::Checkpoints;
use highwater_vfs::Vfs;
use log::ViewLog;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Engine<V: View> {
    vfs: Arc<dyn Vfs>,
    options: Options,
    pub(crate) report: RecoveryReport,
    pub(crate) positions: Positions,
    pub(crate) counters: Arc<Counters>,
    pub(crate) state: sync::Arc<RwLock<V>>,
    pub(crate) log: GroupCommit<ViewLog<V>>,
    /// Locked before the log, and that before the state.
    checkpoints: Mutex<Checkpoints>,
    /// The last tick that was due.
    ticked: Mutex<Option<Duration>>,
}

impl<V: View> Engine<V> {
    pub(crate) fn open(vfs: Arc<dyn Vfs>, options: Options) -> Result<Engine<V>> {
        let Options { segment_size: segment, reserve, damage, .. } = options;
        let sizes = Sizes { segment, reserve, view: V::KIND };
        let recovered = match recover(&vfs, sizes) {
            Err(Error::Corrupt(_)) if damage != Damage::Refuse => quarantine(&vfs, sizes, damage)?,
            recovered => recovered?,
        };
        Ok(Engine::new(vfs, options, recovered))
    }

    pub(crate) fn open_read_only(vfs: Arc<dyn Vfs>) -> Result<Engine<V>> {
        let recovered = look(&vfs)?;
        Ok(Engine::new(vfs, Options::default(), recovered))
    }

    fn new(vfs: Arc<dyn Vfs>, options: Options, recovered: Recovered<V>) -> Engine<V> {
        let Recovered { state, writer, report, snapshots, snapshot_size, obsolete } = recovered;
        let (positions, counters) = (writer.positions.clone(), Arc::clone(&writer.counters));
        if let Some(newest) = snapshots.first() {
            // Short lives would never make a snapshot due if each began to count at 0.
            positions.publish_snapshot(newest.lsn, writer.growth);
        }
        let state = sync::Arc::new(RwLock::new(state));
        let sync_after = options.sync_after.unwrap_or(u64::MAX);
        let log = GroupCommit::new(ViewLog::new(writer, sync::Arc::clone(&state), sync_after));
        let checkpoints = Mutex::new(Checkpoints::new(snapshots, snapshot_size, obsolete));
        let ticked = Mutex::new(None);
        Engine { vfs, options, report, positions, counters, state, log, checkpoints, ticked }
    }

    /// What the mode asks for before an `Ok`.
    pub(crate) fn level(&self, deferred: bool) -> Level {
        match (self.options.durability, deferred) {
            (Durability::Fsync, false) => Level::Durable,
            (Durability::FlushOnly, false) => Level::Flushed,
            _ => Level::Buffered,
        }
    }

    /// Adds to the log what `gather` says, and waits for the disk if it says so.
    pub(crate) fn change<R>(
        &self,
        gather: impl FnMut(&mut ViewLog<V>) -> Result<Gathered<R>>,
    ) -> Result<R> {
        let result = self.log.commit(self.options.patience, gather)?;
        self.checkpoint_if_due()?;
        Ok(result)
    }

    /// Appends a record.
    pub(crate) fn commit(&self, entries: &[Entry<'_>], deferred: bool) -> Result<Ack> {
        let (size, level) = (measured(entries)?, self.level(deferred));
        let lsn = self.change(|log| log.append(entries, size, level))?;
        Ok(Ack { lsn, level })
    }

    /// Waits until everything so far has `level`.
    pub(crate) fn ask(&self, level: Level) -> Result<Ack> {
        let lsn = self.log.commit(self.options.patience, |log| log.ask(level))?;
        Ok(Ack { lsn, level })
    }

    /// In mode `Interval`: says what time it is, and makes everything durable if that is due. A
    /// time that goes back begins anew.
    pub(crate) fn tick(&self, now: Duration) -> Result<Option<Ack>> {
        let Durability::Interval(interval) = self.options.durability else { return Ok(None) };
        let mut ticked = self.ticked.lock();
        let before = *ticked.get_or_insert(now);
        let passed = now.checked_sub(before);
        if passed.is_none_or(|passed| passed >= interval) {
            *ticked = Some(now);
        }
        drop(ticked);
        match passed {
            Some(passed) if passed >= interval => self.ask(Level::Durable).map(Some),
            _ => Ok(None),
        }
    }

    pub(crate) fn close(&self) -> Result<()> {
        if self.log.with(|log| log.writer.reads_only()) {
            return Ok(());
        }
        let _last = self.checkpoints.lock(); // one that is under way is finished first
        self.log.alone(|log| log.writer.close())
    }

    /// The numbered invariants that can be checked from here.
    pub(crate) fn check_invariants(&self) {
        self.log.with(|log| {
            let (appended, durable) = (log.writer.appended, log.writer.durable);
            assert!(durable <= appended, "A1: durable beyond appended");
            let (durable, written) = (self.positions.durable(), self.positions.written());
            assert!(durable <= written && written <= appended, "A1: written between them");
            self.state.read().check_invariants(appended);
        });
    }

    /// Bytes of an entry at `offset` of the segment with that epoch that are still in the writer's
    /// memory: only for them a reader takes its lock, which is held during the sync of a rotation,
    /// a checkpoint or a shutdown, and of no other. What is visible because it is durable is never
    /// among them.
    #[cold]
    pub(crate) fn read_unwritten(
        &self,
        epoch: u32,
        offset: u64,
        size: usize,
        bytes: &mut Vec<u8>,
    ) -> bool {
        self.log.with(|log| {
            let found = log.writer.unwritten(epoch, offset, size);
            found.map(|found| bytes.extend_from_slice(found)).is_some()
        })
    }
}

/// The size of a record in bytes, if it has one.
pub(crate) fn measured(entries: &[Entry<'_>]) -> Result<usize> {
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
    Ok(size as usize)
}
