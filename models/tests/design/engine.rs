//! A life that works: append, sync, rotate, snapshot, prune. One step is one call to the disk.

use super::disk::{Disk, Epoch, Index, Item, Lsn, Name};
use super::flaw::Flaw;
use super::recovery::id;
use std::collections::BTreeMap;

/// How far a checkpoint is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Checkpoint {
    #[default]
    None,
    Written(Name, Index),
    Synced(Name, Index),
    Renamed(Name, Index),
    Pruning(Vec<Name>),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Engine {
    pub(crate) appended: Lsn,
    pub(crate) durable: Lsn,
    /// The segment that is written, and whether its name is durable.
    pub(crate) active: Option<(Lsn, Epoch)>,
    pub(crate) named: bool,
    pub(crate) next_epoch: Epoch,
    pub(crate) buffer: Vec<Item>,
    /// A sync is under way and will make all up to here durable.
    pub(crate) syncing: Option<Lsn>,
    /// As readers see it.
    pub(crate) index: Index,
    pub(crate) slots: BTreeMap<Epoch, (Lsn, Lsn)>,
    /// Newest first.
    pub(crate) snapshots: Vec<Name>,
    pub(crate) newest: Lsn,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) obsolete: Vec<Name>,
    /// Records a segment has room for.
    pub(crate) room: Lsn,
}

impl Engine {
    fn active(&self) -> Option<Name> {
        self.active.map(|(first, epoch)| Name::Segment(first, epoch))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.active.is_none_or(|(first, _)| self.appended + 1 >= first + self.room)
    }

    pub(crate) fn may_append(&self) -> bool {
        self.named && !self.is_full()
    }

    /// `deferred`: nobody waits for it, and readers see it at once.
    pub(crate) fn append(&mut self, life: u8, deferred: bool, flaw: Option<Flaw>) {
        self.appended += 1;
        let durable = match flaw {
            Some(Flaw::StatedEarly) => self.appended - 1,
            _ => self.durable,
        };
        self.buffer.push(Item::Frame { lsn: self.appended, life, durable });
        if deferred {
            self.show(self.appended);
        }
    }

    /// A change never replaces a later one.
    fn show(&mut self, lsn: Lsn) {
        let (_, epoch) = self.active.expect("a segment that it is in");
        let seen = self.index.entry(id(lsn)).or_insert((lsn, epoch));
        if seen.0 < lsn {
            *seen = (lsn, epoch);
        }
        self.slots.get_mut(&epoch).expect("its slot").1 = lsn;
    }

    pub(crate) fn may_sync(&self) -> bool {
        self.named && self.syncing.is_none() && self.durable < self.appended
    }

    pub(crate) fn sync(&mut self, disk: &mut Disk) {
        let active = self.active().expect("a segment");
        disk.write(active, std::mem::take(&mut self.buffer));
        self.syncing = Some(self.appended);
    }

    pub(crate) fn synced(&mut self, disk: &mut Disk) {
        let to = self.syncing.take().expect("a sync under way");
        disk.sync(self.active().expect("a segment"));
        (self.durable + 1..=to).for_each(|lsn| self.show(lsn));
        self.durable = to;
    }

    pub(crate) fn may_rotate(&self, flaw: Option<Flaw>) -> bool {
        let done = self.durable == self.appended || flaw == Some(Flaw::RotatedEarly);
        self.is_full() && (self.named || self.active.is_none()) && done && self.syncing.is_none()
    }

    pub(crate) fn rotate(&mut self, disk: &mut Disk, flaw: Option<Flaw>) {
        let (first, epoch) = (self.appended + 1, self.next_epoch);
        if let Some(active) = self.active() {
            disk.write(active, std::mem::take(&mut self.buffer));
        }
        disk.create(Name::Segment(first, epoch));
        self.buffer = vec![Item::Header { through: first - 1, durable: self.durable }];
        (self.active, self.next_epoch) = (Some((first, epoch)), epoch + 1);
        self.slots.insert(epoch, (first, first - 1));
        self.named = flaw == Some(Flaw::NameNotSynced);
    }

    pub(crate) fn may_checkpoint(&self) -> bool {
        let still = self.durable == self.appended && self.syncing.is_none();
        let ready = self.named || self.active.is_none();
        self.checkpoint == Checkpoint::None && still && ready && self.newest < self.durable
    }

    /// The state at one LSN, into a temporary file.
    pub(crate) fn write_snapshot(&mut self, disk: &mut Disk) {
        let epoch = self.active.map_or(self.next_epoch, |(_, epoch)| epoch);
        if let Some(active) = self.active() {
            disk.write(active, std::mem::take(&mut self.buffer));
        }
        let (index, within) = (self.index.clone(), self.active.is_some());
        disk.create(Name::Temporary(self.durable, epoch));
        let body = Item::Body { index: index.clone(), resume: epoch, within };
        disk.write(Name::Temporary(self.durable, epoch), [body]);
        self.checkpoint = Checkpoint::Written(Name::Snapshot(self.durable, epoch), index);
    }

    /// The next call of the checkpoint that is under way.
    pub(crate) fn go_on(&mut self, disk: &mut Disk, flaw: Option<Flaw>) {
        self.checkpoint = match std::mem::take(&mut self.checkpoint) {
            Checkpoint::None => Checkpoint::None,
            Checkpoint::Written(name, index) => {
                if flaw != Some(Flaw::SnapshotNotSynced) {
                    disk.sync(name);
                }
                Checkpoint::Synced(name, index)
            }
            Checkpoint::Synced(name @ Name::Snapshot(lsn, epoch), index) => {
                disk.rename(Name::Temporary(lsn, epoch), name);
                Checkpoint::Renamed(name, index)
            }
            Checkpoint::Synced(..) => unreachable!("a snapshot has a snapshot's name"),
            Checkpoint::Renamed(name @ Name::Snapshot(lsn, _), index) => {
                if flaw != Some(Flaw::PrunedEarly) {
                    disk.sync_directory();
                }
                self.newest = lsn;
                self.snapshots.insert(0, name);
                self.superfluous((lsn, name), &index, flaw)
            }
            Checkpoint::Renamed(..) => unreachable!("a snapshot has a snapshot's name"),
            Checkpoint::Pruning(mut names) => {
                disk.remove(names.remove(0));
                pruning(names)
            }
        };
    }

    /// What the snapshot covers, the older snapshots, and what recovery could not remove.
    fn superfluous(
        &mut self,
        (lsn, name): (Lsn, Name),
        index: &Index,
        flaw: Option<Flaw>,
    ) -> Checkpoint {
        let active = self.active.map_or(Epoch::MAX, |(_, epoch)| epoch);
        let mut names: Vec<Name> = self.snapshots.drain(1..).collect();
        let live = match flaw {
            Some(Flaw::PrunedByVisible) => &self.index,
            _ => index,
        };
        // A payload that is live now is needed, and so is one that the snapshot has.
        let is_live = |epoch: Epoch| {
            let has = |index: &Index| index.values().any(|(_, at)| *at == epoch);
            flaw != Some(Flaw::PrunedLive) && (has(live) || has(&self.index))
        };
        let gone = self
            .slots
            .iter()
            .filter(|(epoch, (_, last))| **epoch < active && *last <= lsn && !is_live(**epoch));
        let gone: Vec<(Epoch, Lsn)> = gone.map(|(epoch, (first, _))| (*epoch, *first)).collect();
        for (epoch, first) in gone {
            self.slots.remove(&epoch);
            names.push(Name::Segment(first, epoch));
        }
        let old = |one: &Name| one.epoch() < name.epoch();
        names.extend(self.obsolete.iter().copied().filter(old));
        self.obsolete.retain(|one| !old(one));
        pruning(names)
    }
}

fn pruning(names: Vec<Name>) -> Checkpoint {
    if names.is_empty() { Checkpoint::None } else { Checkpoint::Pruning(names) }
}
