//! The index in memory: where each live payload stands.
//!
//! Invariants
//! - X1: the live count of a slot is the number of positions that point into it.

use crate::error::Result;
use crate::format::entry::Entry;
use crate::format::snapshot::{SnapshotEntry, SnapshotHeader, decode_segment, encode_segment};
use crate::format::{Lsn, ViewKind};
use crate::limits::{SNAPSHOT_ENTRY, SNAPSHOT_SEGMENT};
use crate::log::Slots;
use crate::snapshot::{Source, Stream};
use crate::sync::RwLock;
use crate::view::{Place, View};
use std::collections::hash_map;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// Where a live payload's entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) lsn: Lsn,
    pub(crate) slot: u32,
    pub(crate) offset: u32,
    /// Bytes of payload.
    pub(crate) length: u32,
}

impl Position {
    /// The length that stands for a delete where changes are listed.
    pub(crate) const DELETED: u32 = u32::MAX;
}

/// One multiplication: ids are numbers, and the map is asked for every payload. Sixteen ids in a
/// row stay together, so that a run of them costs one cache miss and not one each; anything but
/// the last four bits is scattered, and ids that agree in those share buckets of sixteen, no more.
/// Runs of 64 were tried: in a map that is nearly full, lookups became slower than without runs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("ids are numbers");
    }

    fn write_u64(&mut self, id: u64) {
        let wide = u128::from(id >> 4 ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
        let mixed = wide as u64 ^ (wide >> 64) as u64;
        // The map places by the low bits and tells neighbours apart by the high ones.
        self.0 = (mixed << 4 | id & 15) ^ id << 57;
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    map: HashMap<u64, Position, BuildHasherDefault<IdHasher>>,
    pub(crate) slots: Slots,
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn get(&self, id: u64) -> Option<Position> {
        self.map.get(&id).copied()
    }

    /// Every id and where its payload stands, in any order.
    pub(crate) fn positions(&self) -> impl Iterator<Item = (u64, Position)> {
        self.map.iter().map(|(id, position)| (*id, *position))
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.map.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    fn insert(&mut self, id: u64, position: Position) {
        self.slots[position.slot].live += 1;
        if let Some(old) = self.map.insert(id, position) {
            self.slots[old.slot].live -= 1;
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(old) = self.map.remove(&id) {
            self.slots[old.slot].live -= 1;
        }
    }

    /// X1.
    fn check_live(&self) {
        let counted: BTreeMap<u32, usize> =
            self.slots.numbered().map(|(number, slot)| (number, slot.live)).collect();
        let mut live: BTreeMap<u32, usize> = counted.keys().map(|number| (*number, 0)).collect();
        self.map.values().for_each(|p| *live.entry(p.slot).or_default() += 1);
        assert_eq!(live, counted, "X1: live counts");
    }
}

impl View for Index {
    const KIND: ViewKind = ViewKind::Payload;
    type Change = (u64, Position);
    type Cut = Index;

    fn slots(&self) -> &Slots {
        &self.slots
    }

    fn slots_mut(&mut self) -> &mut Slots {
        &mut self.slots
    }

    fn change(entry: &Entry<'_>, place: Place) -> Option<(u64, Position)> {
        let Place { lsn, slot, offset } = place;
        let length = entry.bytes.map_or(Position::DELETED, |bytes| bytes.len() as u32);
        Some((entry.id, Position { lsn, slot, offset, length }))
    }

    /// A delete of what waits waits too: once it is done, nothing in the index says that it was
    /// later (S5).
    fn waits(entry: &Entry<'_>, pending: &[(u64, Position)]) -> bool {
        entry.bytes.is_none() && pending.iter().any(|(id, _)| *id == entry.id)
    }

    /// Unless a later one of the same id is there already.
    fn apply(&mut self, (id, position): (u64, Position)) {
        if position.length == Position::DELETED {
            if self.get(id).is_some_and(|old| old.lsn < position.lsn) {
                self.remove(id);
            }
            return;
        }
        match self.map.entry(id) {
            hash_map::Entry::Vacant(place) => {
                place.insert(position);
            }
            hash_map::Entry::Occupied(mut place) => {
                if place.get().lsn > position.lsn {
                    return;
                }
                let old = place.insert(position);
                self.slots[old.slot].live -= 1;
            }
        }
        self.slots[position.slot].live += 1;
    }

    fn replay(&mut self, changes: &mut Vec<(u64, Position)>, expected: u64) {
        if self.map.capacity() < self.map.len() + changes.len() {
            self.map.reserve(changes.len().max(expected as usize));
        }
        for (id, position) in changes.drain(..) {
            if position.length == Position::DELETED {
                self.remove(id);
            } else {
                self.insert(id, position);
            }
        }
    }

    fn moved(&mut self, entry: &Entry<'_>, place: Place) {
        if self.get(entry.id).is_some_and(|p| p.lsn == place.lsn) {
            let change = Index::change(entry, place);
            self.replay(&mut Vec::from_iter(change), 0);
        }
    }

    fn cut(&mut self) -> Index {
        self.clone()
    }

    fn counts(cut: &Index) -> (u32, u64) {
        (cut.slots.used().count() as u32, cut.len() as u64)
    }

    fn write(cut: Index, _: &RwLock<Index>, mut stream: Stream) -> Result<u64> {
        let used: Vec<u32> = cut.slots.used().collect();
        for &slot in &used {
            stream.put(&encode_segment(cut.slots[slot].first, cut.slots[slot].epoch))?;
        }
        for id in cut.ids() {
            // N2: ascending
            let position = cut.get(id).expect("an id of the index");
            let segment = used.binary_search(&position.slot).expect("a live slot");
            let (segment, Position { lsn, offset, length, .. }) = (segment as u32, position);
            stream.put(&SnapshotEntry { id, lsn, segment, offset, length }.encode())?;
        }
        stream.finish()
    }

    fn load(header: &SnapshotHeader, source: &mut Source<'_>) -> Result<Option<Index>> {
        let mut index = Index::default();
        for _ in 0..header.segments {
            let Some(bytes) = source.take::<SNAPSHOT_SEGMENT>()? else { return Ok(None) };
            let (first, epoch) = decode_segment(&bytes);
            index.slots.number(first, epoch);
        }
        if index.slots.iter().count() != header.segments as usize {
            return Ok(None); // an epoch twice: the entries would point behind the last segment
        }
        // The header's counts agree with the file's size.
        index.map.reserve(header.entries as usize);
        for _ in 0..header.entries {
            let Some(bytes) = source.take::<SNAPSHOT_ENTRY>()? else { return Ok(None) };
            let SnapshotEntry { id, lsn, segment, offset, length } = SnapshotEntry::decode(&bytes);
            if segment >= header.segments {
                return Ok(None);
            }
            index.insert(id, Position { lsn, slot: segment, offset, length });
        }
        Ok(Some(index))
    }

    fn live(&self) -> u64 {
        self.len() as u64
    }

    /// X1, S1.
    fn check_invariants(&self, appended: Lsn) {
        self.check_live();
        let held = |p: &Position| self.slots[p.slot].file.is_some() && p.lsn <= appended;
        assert!(self.map.values().all(held), "S1: an indexed entry is in the log");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs of ids stay together, and no stride makes them gather: no sixteen places in a row are
    /// where many more than sixteen of as many ids as there are places want to be.
    #[test]
    fn ids_are_spread_whatever_their_stride() {
        let places = 1u64 << 16;
        for stride in (0..64).map(|bit| 1u64 << bit).chain([3, 10, 1000, u64::MAX / 3]) {
            let mut wanted = vec![0u32; (places / 16) as usize];
            let mut tags = std::collections::BTreeSet::new();
            let mut ids = std::collections::BTreeSet::new();
            for nth in 0..places {
                let id = nth.wrapping_mul(stride);
                if !ids.insert(id) {
                    break; // the stride has wrapped around
                }
                let mut hasher = IdHasher::default();
                hasher.write_u64(id);
                let hash = hasher.finish();
                wanted[(hash % places / 16) as usize] += 1;
                tags.insert(hash >> 57);
            }
            let most = wanted.iter().max().unwrap();
            assert!(*most <= 16 * 8, "stride {stride}: {most}");
            assert!(tags.len() >= ids.len().min(100) / 2, "stride {stride}: {} tags", tags.len());
        }
    }

    #[test]
    fn x1_live_counts_follow_every_change() {
        let mut index = Index::default();
        let (a, b) = (index.slots.number(Lsn(1), 1), index.slots.number(Lsn(9), 2));
        let put = |id| Entry { id, bytes: Some(b"x") };
        let gone = |id| Entry { id, bytes: None };
        let entries = [
            (put(1), 1, a, 80),
            (put(2), 2, a, 160),
            (put(1), 9, b, 80),
            (gone(2), 10, b, 160),
            (gone(7), 11, b, 160),
        ];
        for (entry, lsn, slot, offset) in entries {
            index.apply(Index::change(&entry, Place { lsn: Lsn(lsn), slot, offset }).unwrap());
        }
        index.check_live();
        assert_eq!((index.slots[0].live, index.slots[1].live, index.len()), (0, 1, 1));
    }
}
