//! What a journal keeps in memory: its segments, marks to find records by, and the cursors.
//!
//! Invariants
//! - J1: the live count of a segment is the number of entries in it, cursors included, until a
//!   clean-up lets go of all: so what goes is a beginning of the log, and never a hole.
//! - J2: a segment is let go only by a clean-up, and only if it ends before every cursor. What a
//!   clean-up lets go stands in the log, so that an older snapshot, or one more cursor, comes to
//!   the same; derived from the cursors at each opening it came to something else.
//! - J3: marks are in the order of their LSNs, and the first entry of every segment that was not
//!   let go has one: so they say which segment holds an LSN, and where to begin in it.

use crate::error::Result;
use crate::format::entry::Entry;
use crate::format::snapshot::SnapshotHeader;
use crate::format::{Lsn, ViewKind, put_u32, put_u64, u32_at, u64_at};
use crate::limits::{FRAME_HEADER, SEGMENT_SIZE_MAX};
use crate::log::{Slot, Slots};
use crate::snapshot::{Source, Stream};
use crate::sync::RwLock;
use crate::view::{Place, View};
use std::collections::BTreeMap;

/// The id of an entry that is a record.
pub(super) const RECORD: u64 = 0;
/// The id of an entry that sets or removes a cursor: its LSN, and its name.
pub(super) const CURSOR: u64 = 1;
/// The id of an entry that is a record behind its BLAKE3.
pub(super) const HASHED: u64 = 2;
/// The id of an entry that lets go of all segments before an LSN.
pub(super) const LET_GO: u64 = 3;

/// Bytes of log between two marks: what reading one record scans at most, but for long ones.
const MARK_EVERY: u32 = 16 << 10;
/// Bytes of a row of a snapshot's tables.
const ROW: usize = 24;

/// A place where a scan may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) lsn: Lsn,
    slot: u32,
    /// Of the frame.
    offset: u32,
}

/// What an entry changes.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Record(Place),
    Cursor(Place, String, Option<Lsn>),
    LetGo(Place, Lsn),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    slots: Slots,
    pub(super) marks: Vec<Mark>,
    pub(super) cursors: BTreeMap<String, Lsn>,
    /// All before it may be gone.
    pub(super) first: Lsn,
    pub(super) last: Lsn,
}

/// The bytes of an entry that sets a cursor, or removes it.
pub(super) fn cursor(name: &str, at: Option<Lsn>) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    put_u64(&mut bytes, 0, at.map_or(0, |lsn| lsn.0));
    bytes.extend_from_slice(name.as_bytes());
    bytes
}

impl Records {
    /// Where a scan for the first entry from `lsn` on starts: the slot, an offset, and the LSN
    /// there.
    pub(super) fn start(&self, lsn: Lsn) -> Option<(&Slot, u64, Lsn)> {
        let after = self.marks.partition_point(|mark| mark.lsn <= lsn); // J3
        let (before, after) = self.marks.split_at(after);
        // Older versions marked no cursors: none is left out but those.
        before.last().into_iter().chain(after.first()).find_map(|mark| {
            let slot = self.slots.get(mark.slot).filter(|slot| slot.last >= lsn.max(mark.lsn))?;
            slot.file.is_some().then_some((slot, u64::from(mark.offset), mark.lsn))
        })
    }

    /// The first marked entry behind `lsn`.
    pub(super) fn marked_behind(&self, lsn: Lsn) -> Option<Lsn> {
        let at = self.marks.partition_point(|mark| mark.lsn <= lsn); // J3
        self.marks.get(at).map(|mark| mark.lsn)
    }

    fn mark(&mut self, place: Place) {
        let offset = place.offset - FRAME_HEADER as u32;
        let far = |mark: &Mark| {
            mark.slot != place.slot || offset.saturating_sub(mark.offset) >= MARK_EVERY
        };
        if self.marks.last().is_none_or(far) {
            self.marks.push(Mark { lsn: place.lsn, slot: place.slot, offset }); // J3
        }
    }

    /// What a clean-up would let go: all before an LSN, which the entry then says. Changes that are
    /// pending count, those that would let more go do not.
    pub(super) fn superfluous(&self, pending: &[Change]) -> Option<Lsn> {
        let coming = pending.iter().filter_map(|change| match change {
            Change::Cursor(_, _, at) => *at,
            _ => None,
        });
        let slowest = self.cursors.values().copied().chain(coming).min()?;
        let active = self.slots.iter().map(|slot| slot.epoch).max();
        let closed = self.slots.iter().filter(|slot| slot.live > 0 && Some(slot.epoch) != active);
        let passed = closed.filter(|slot| slot.last < slowest); // J2
        passed.map(|slot| slot.last.next()).max()
    }

    fn let_go(&mut self, first: Lsn) {
        self.first = self.first.max(first);
        for slot in self.slots.iter_mut().filter(|slot| slot.first < first && slot.last < first) {
            slot.live = 0;
        }
        let Records { slots, marks, .. } = self;
        marks.retain(|mark| slots.get(mark.slot).is_some_and(|slot| slot.live > 0));
    }
}

impl View for Records {
    const KIND: ViewKind = ViewKind::Journal;
    type Change = Change;
    type Cut = Records;

    fn slots(&self) -> &Slots {
        &self.slots
    }

    fn slots_mut(&mut self) -> &mut Slots {
        &mut self.slots
    }

    fn change(entry: &Entry<'_>, place: Place) -> Option<Change> {
        match (entry.id, entry.bytes?) {
            (RECORD, _) => Some(Change::Record(place)),
            (HASHED, bytes) if bytes.len() >= blake3::OUT_LEN => Some(Change::Record(place)),
            (LET_GO, bytes) => Some(Change::LetGo(place, Lsn(u64_at(bytes.get(..8)?, 0)))),
            (CURSOR, bytes) => {
                let at = Some(Lsn(u64_at(bytes.get(..8)?, 0))).filter(|lsn| lsn.0 > 0);
                Some(Change::Cursor(place, String::from_utf8(bytes[8..].to_vec()).ok()?, at))
            }
            _ => None,
        }
    }

    /// Records become visible in their order.
    fn waits(_: &Entry<'_>, pending: &[Change]) -> bool {
        !pending.is_empty()
    }

    fn apply(&mut self, change: Change) {
        let (Change::Record(place) | Change::Cursor(place, ..) | Change::LetGo(place, _)) = change;
        self.slots[place.slot].live += 1; // J1
        self.mark(place);
        match change {
            Change::LetGo(_, first) => self.let_go(first),
            Change::Record(place) => {
                self.last = place.lsn;
                self.first = if self.first == Lsn(0) { place.lsn } else { self.first };
            }
            Change::Cursor(_, name, Some(at)) => drop(self.cursors.insert(name, at)),
            Change::Cursor(_, name, None) => drop(self.cursors.remove(&name)),
        }
    }

    fn replay(&mut self, changes: &mut Vec<Change>, _: u64) {
        changes.drain(..).for_each(|change| self.apply(change));
    }

    fn moved(&mut self, _: &Entry<'_>, place: Place) {
        let new = place.slot;
        self.slots[new].last = place.lsn;
        let held = |(number, slot): &(u32, &Slot)| {
            *number != new && slot.live > 0 && (slot.first..=slot.last).contains(&place.lsn)
        };
        let old = self.slots.numbered().rev().find(held).map(|(number, _)| number);
        if let Some(old) = old {
            self.slots[old].live -= 1;
        }
        self.slots[new].live += 1; // J1
        self.marks.retain(|mark| mark.lsn < place.lsn || mark.slot == place.slot);
        self.mark(place);
    }

    fn cut(&mut self) -> Records {
        self.clone()
    }

    fn counts(cut: &Records) -> (u32, u64) {
        (cut.slots.used().count() as u32, (cut.marks.len() + cut.cursors.len()) as u64)
    }

    /// The segments with their live counts, the first and the last record, the marks, the cursors.
    fn write(cut: Records, _: &RwLock<Records>, mut stream: Stream) -> Result<u64> {
        let used: Vec<u32> = cut.slots.used().collect();
        let marks: Vec<(u32, &Mark)> = cut
            .marks
            .iter()
            .filter_map(|mark| Some((used.binary_search(&mark.slot).ok()? as u32, mark)))
            .collect();
        let mut put = |a: u64, b: u64, c: u32, d: u32| {
            let mut row = [0; ROW];
            put_u64(&mut row, 0, a);
            put_u64(&mut row, 8, b);
            put_u32(&mut row, 16, c);
            put_u32(&mut row, 20, d);
            stream.put(&row)
        };
        for number in &used {
            let slot = &cut.slots[*number];
            put(slot.first.0, slot.live as u64, slot.epoch, 0)?;
        }
        put(cut.first.0, cut.last.0, marks.len() as u32, cut.cursors.len() as u32)?;
        for (slot, mark) in marks {
            put(mark.lsn.0, 0, slot, mark.offset)?;
        }
        for (name, at) in &cut.cursors {
            put(at.0, name.len() as u64, 0, 0)?;
        }
        for name in cut.cursors.keys() {
            stream.put(name.as_bytes())?;
        }
        stream.finish()
    }

    fn load(header: &SnapshotHeader, source: &mut Source<'_>) -> Result<Option<Records>> {
        let mut records = Records::default();
        for _ in 0..header.segments {
            let Some(row) = source.take::<ROW>()? else { return Ok(None) };
            let (slot, live) = (Lsn(u64_at(&row, 0)), u64_at(&row, 8));
            if live > SEGMENT_SIZE_MAX {
                return Ok(None); // no segment has so many entries
            }
            let slot = records.slots.number(slot, u32_at(&row, 16));
            records.slots[slot].live = live as usize;
        }
        if records.slots.iter().count() != header.segments as usize {
            return Ok(None); // an epoch twice
        }
        let Some(row) = source.take::<ROW>()? else { return Ok(None) };
        (records.first, records.last) = (Lsn(u64_at(&row, 0)), Lsn(u64_at(&row, 8)));
        let (marks, cursors) = (u32_at(&row, 16), u32_at(&row, 20));
        for _ in 0..marks {
            let Some(row) = source.take::<ROW>()? else { return Ok(None) };
            let (lsn, slot, offset) = (Lsn(u64_at(&row, 0)), u32_at(&row, 16), u32_at(&row, 20));
            let sorted = records.marks.last().is_none_or(|before| before.lsn < lsn); // J3
            if slot >= header.segments || !sorted {
                return Ok(None);
            }
            records.marks.push(Mark { lsn, slot, offset });
        }
        let mut named = Vec::new();
        for _ in 0..cursors {
            let Some(row) = source.take::<ROW>()? else { return Ok(None) };
            named.push((Lsn(u64_at(&row, 0)), u64_at(&row, 8)));
        }
        for (at, length) in named {
            let Some(name) = source.bytes(length as usize)? else { return Ok(None) };
            let Ok(name) = String::from_utf8(name.to_vec()) else { return Ok(None) };
            records.cursors.insert(name, at);
        }
        Ok(Some(records))
    }

    fn live(&self) -> u64 {
        self.slots.iter().map(|slot| slot.live as u64).sum()
    }

    fn check_invariants(&self, appended: Lsn) {
        assert!(self.last <= appended, "S1: a record is in the log");
        assert!(self.marks.is_sorted_by_key(|mark| mark.lsn), "J3: marks are sorted");
    }
}
