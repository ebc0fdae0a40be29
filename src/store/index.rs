//! The index in memory: where each live payload stands.
//!
//! Invariants
//! - X1: the live count of a slot is the number of positions that point into it.

use crate::format::Lsn;
use crate::format::entry;
use crate::log::Slot;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
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
    pub(crate) slots: Vec<Slot>,
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn get(&self, id: u64) -> Option<Position> {
        self.map.get(&id).copied()
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.map.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn reserve(&mut self, more: usize) {
        self.map.reserve(more);
    }

    pub(crate) fn insert(&mut self, id: u64, position: Position) {
        self.slots[position.slot as usize].live += 1;
        if let Some(old) = self.map.insert(id, position) {
            self.slots[old.slot as usize].live -= 1;
        }
    }

    fn remove(&mut self, id: u64) {
        if let Some(old) = self.map.remove(&id) {
            self.slots[old.slot as usize].live -= 1;
        }
    }

    /// The entry of record `lsn` that stands at `offset` of `slot` is now the newest of its id.
    pub(crate) fn apply(&mut self, entry: &entry::Entry<'_>, lsn: Lsn, slot: u32, offset: u32) {
        match entry.bytes {
            Some(bytes) => {
                let length = bytes.len() as u32;
                self.insert(entry.id, Position { lsn, slot, offset, length });
            }
            None => self.remove(entry.id),
        }
    }

    /// A change of this life, unless a later one of the same id is there already.
    pub(crate) fn change(&mut self, id: u64, position: Position) {
        if position.length == Position::DELETED {
            if self.get(id).is_some_and(|old| old.lsn < position.lsn) {
                self.remove(id);
            }
            return;
        }
        match self.map.entry(id) {
            Entry::Vacant(place) => {
                place.insert(position);
            }
            Entry::Occupied(mut place) => {
                if place.get().lsn > position.lsn {
                    return;
                }
                let old = place.insert(position);
                self.slots[old.slot as usize].live -= 1;
            }
        }
        self.slots[position.slot as usize].live += 1;
    }

    /// Applies changes in order and empties the list; `expected` is how many more there may be, as
    /// far as one can tell.
    pub(crate) fn apply_all(&mut self, changes: &mut Vec<(u64, Position)>, expected: u64) {
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

    /// The slot of a segment, added if it is new.
    pub(crate) fn slot(&mut self, first: Lsn, epoch: u32) -> u32 {
        let found = self.slots.iter().rposition(|s| s.epoch == epoch);
        let at = found.unwrap_or_else(|| {
            let (file, live, present, last) = (None, 0, false, Lsn(0));
            self.slots.push(Slot { first, epoch, file, live, present, last });
            self.slots.len() - 1
        });
        at as u32
    }

    /// X1.
    pub(crate) fn check_invariants(&self) {
        let mut live = vec![0; self.slots.len()];
        self.map.values().for_each(|p| live[p.slot as usize] += 1);
        let counted: Vec<usize> = self.slots.iter().map(|s| s.live).collect();
        assert_eq!(live, counted, "X1: live counts");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::entry::Entry;

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
        let (a, b) = (index.slot(Lsn(1), 1), index.slot(Lsn(9), 2));
        let put = |id| Entry { id, bytes: Some(b"x") };
        index.apply(&put(1), Lsn(1), a, 80);
        index.apply(&put(2), Lsn(2), a, 160);
        index.apply(&put(1), Lsn(9), b, 80);
        index.apply(&Entry { id: 2, bytes: None }, Lsn(10), b, 160);
        index.apply(&Entry { id: 7, bytes: None }, Lsn(11), b, 160);
        index.check_invariants();
        assert_eq!((index.slots[0].live, index.slots[1].live, index.len()), (0, 1, 1));
    }
}
