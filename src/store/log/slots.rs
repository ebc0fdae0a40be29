//! The segments that a view knows.

use super::Slot;
use crate::format::Lsn;
use std::ops::{Index, IndexMut};

/// Segments by number: it stays a segment's own, also when those before it are forgotten.
#[derive(Clone, Debug, Default)]
pub(crate) struct Slots {
    list: Vec<Slot>,
    /// How many were before them.
    forgotten: u32,
}

impl Slots {
    /// The number of a segment, added if it is new.
    pub(crate) fn number(&mut self, first: Lsn, epoch: u32) -> u32 {
        let found = self.list.iter().rposition(|s| s.epoch == epoch);
        let at = found.unwrap_or_else(|| {
            let (file, live, present, last) = (None, 0, false, Lsn(0));
            self.list.push(Slot { first, epoch, file, live, present, last });
            self.list.len() - 1
        });
        self.forgotten + at as u32
    }

    /// The number of the one that was added last, 0 if there is none.
    pub(crate) fn newest(&self) -> u32 {
        self.forgotten + self.list.len().saturating_sub(1) as u32
    }

    fn at(&self, number: u32) -> usize {
        number.wrapping_sub(self.forgotten) as usize
    }

    pub(crate) fn get(&self, number: u32) -> Option<&Slot> {
        self.list.get(self.at(number))
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut Slot> {
        let at = self.at(number);
        self.list.get_mut(at)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Slot> {
        self.list.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Slot> {
        self.list.iter_mut()
    }

    /// With their numbers, which grow.
    pub(crate) fn numbered(&self) -> impl DoubleEndedIterator<Item = (u32, &Slot)> {
        let end = self.forgotten + self.list.len() as u32;
        (self.forgotten..end).zip(&self.list)
    }

    /// The numbers of those that are pointed into.
    pub(crate) fn used(&self) -> impl Iterator<Item = u32> {
        self.numbered().filter(|(_, slot)| slot.live > 0).map(|(number, _)| number)
    }

    /// Forgets the first ones, as many as are neither there nor pointed into any more.
    pub(crate) fn forget(&mut self) {
        let gone = self.list.iter().take_while(|slot| !slot.present && slot.live == 0).count();
        self.list.drain(..gone);
        self.forgotten += gone as u32;
    }
}

impl Index<u32> for Slots {
    type Output = Slot;

    fn index(&self, number: u32) -> &Slot {
        &self.list[self.at(number)]
    }
}

impl IndexMut<u32> for Slots {
    fn index_mut(&mut self, number: u32) -> &mut Slot {
        let at = self.at(number);
        &mut self.list[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_a_segments_own_when_others_are_forgotten() {
        let mut slots = Slots::default();
        let numbers: Vec<u32> = (1..=5).map(|n| slots.number(Lsn(10 * u64::from(n)), n)).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        slots[1].live = 1;
        slots[4].present = true;
        slots.forget();
        assert_eq!((slots.get(0).is_none(), slots[1].first, slots[4].epoch), (true, Lsn(20), 5));
        assert_eq!((slots.number(Lsn(50), 5), slots.number(Lsn(60), 6)), (4, 5));
        slots[1].live = 0;
        slots.forget();
        let left: Vec<(u32, u32)> = slots.numbered().map(|(n, slot)| (n, slot.epoch)).collect();
        assert_eq!((left, slots.newest()), (vec![(4, 5), (5, 6)], 5));
    }
}
