//! Torn sectors: what the power cut left of the one that was being written.
//!
//! Invariants
//! - T1: a torn sector is the last of its order that was begun: nothing that had to persist after
//!   it did.
//! - T2: torn states are judged and not counted: a state is a position for each cell.
//! - T3: a disk is spoiled only where garbage took bytes that the torn write had left as they were:
//!   then no engine that writes there again can keep what it had promised.

use crate::Choices;
use crate::cell::Block;
use crate::cell::Cell;
use crate::device::{Device, Tear};
use crate::disk::Disk;
use crate::order::{Id, Ino, KEPT, Past};
use std::ops::Range;

/// Where the bytes of a write are in its sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Before the write, the bytes before this one counted.
    pub(crate) valid: usize,
}

impl Patch {
    /// Whether there are bytes that it leaves as they were.
    pub(crate) fn leaves_some(&self) -> bool {
        self.leaves_some_in(&(0..usize::MAX))
    }

    fn leaves_some_in(&self, range: &Range<usize>) -> bool {
        let some = |from: usize, to: usize| from.max(range.start) < to.min(range.end);
        some(0, self.start.min(self.valid)) || some(self.end, self.valid)
    }
}

/// Of more grains that differ than this, not every subset is tried.
const SUBSETS_MAX: usize = 6;

/// The ways to tear a sector.
struct Mixes {
    /// By grain: which of those that differ are new. One may be garbage.
    ways: Vec<(Vec<bool>, Option<usize>)>,
    /// Whether these are all.
    all: bool,
}

fn mixes(count: usize, tear: Tear) -> Mixes {
    let prefix = |i: usize| (0..count).map(|at| at < i).collect::<Vec<bool>>();
    let mut ways: Vec<(Vec<bool>, Option<usize>)> = Vec::new();
    let mut all = true;
    match tear {
        Tear::None => {}
        Tear::Prefix => ways.extend((1..count).map(|i| (prefix(i), None))),
        Tear::Subset | Tear::SubsetGarbage if count <= SUBSETS_MAX => {
            let mask = |mask: usize| (0..count).map(|at| mask >> at & 1 == 1).collect();
            ways.extend((1..(1usize << count).saturating_sub(1)).map(|bits| (mask(bits), None)));
        }
        Tear::Subset | Tear::SubsetGarbage => {
            let rest = |i: usize| prefix(i).iter().map(|new| !new).collect();
            ways.extend((1..count).flat_map(|i| [(prefix(i), None), (rest(i), None)]));
            all = false;
        }
    }
    if tear == Tear::SubsetGarbage {
        ways.extend((0..count).map(|i| (prefix(i), Some(i))));
    }
    Mixes { ways, all }
}

impl Disk {
    /// What is found in a sector that holds `block` if it was written whole.
    pub(crate) fn maybe_torn(
        &mut self,
        ino: Ino,
        sector: usize,
        block: Block,
        choices: &mut Choices,
    ) -> Block {
        if !self.tears_left || !self.looked_at.insert((ino, sector)) {
            return block;
        }
        let Some((id, old)) = self.last_kept(ino, sector) else { return block };
        let (mut new_bytes, mut old_bytes) = (vec![0; self.device.sector], Vec::new());
        old_bytes.resize(self.device.sector, 0);
        block.copy(0, &mut new_bytes);
        old.copy(0, &mut old_bytes);
        let Device { atomic, powersafe, tear, .. } = self.device;
        let grains = new_bytes.chunks(atomic).zip(old_bytes.chunks(atomic)).enumerate();
        let differing: Vec<usize> =
            grains.filter(|(_, (new, old))| new != old).map(|(at, _)| at).collect();
        let tear = if atomic < self.device.sector { tear } else { Tear::None };
        let mixes = mixes(differing.len(), tear);
        let ways = mixes.ways.len() + usize::from(!powersafe);
        let way = choices.choose(1 + ways as u32) as usize;
        if way == 0 {
            return block;
        }
        self.coarse |= !mixes.all;
        (self.tears_left, self.torn) = (false, true); // T2
        self.drop_behind(id);
        let torn = match mixes.ways.get(way - 1) {
            None => {
                self.spoil(id, &(0..self.device.sector));
                Block::Garbage
            }
            Some((new, garbage)) => {
                for (n, &grain) in differing.iter().enumerate() {
                    let range = grain * atomic..(grain + 1) * atomic;
                    if *garbage == Some(n) {
                        self.spoil(id, &range);
                        Block::Garbage.copy(range.start, &mut new_bytes[range]);
                    } else if !new[n] {
                        new_bytes[range.clone()].copy_from_slice(&old_bytes[range]);
                    }
                }
                Block::new(&new_bytes)
            }
        };
        self.file_mut(ino).sectors[sector] = Cell::durable(torn.clone());
        torn
    }

    /// Garbage took these bytes of the sector that the last past's event `id` had written (T3).
    fn spoil(&mut self, id: Id, range: &Range<usize>) {
        let life = self.last_past().map(|past| past.life);
        let patch = life.and_then(|life| self.patches.get(&(life, id)));
        // T3: a write that leaves nothing as it was has no patch.
        self.spoiled |= patch.is_some_and(|patch| patch.leaves_some_in(range));
    }

    /// The event that wrote the sector last before the cut, if nothing behind it persisted (T1),
    /// and what the sector held before it.
    fn last_kept(&self, ino: Ino, sector: usize) -> Option<(Id, Block)> {
        let past = self.last_past()?;
        let cell = self.file(ino).sectors.get(sector)?;
        let status = &self.status[past.at..];
        let kept =
            |v: &&crate::cell::Version<Block>| v.life == past.life && status[v.id as usize] == KEPT;
        let at = cell.versions.iter().rposition(|v| kept(&v))?;
        let id = cell.versions[at].id;
        if past.frozen.after(id).any(|later| status[later as usize] == KEPT) {
            return None; // T1
        }
        let old = match at.checked_sub(1).map(|before| &cell.versions[before]) {
            Some(before) => before.value.clone(),
            None if cell.fill.is_some() => Block::Zero,
            None => cell.base.clone(),
        };
        Some((id, old))
    }

    /// The order of the life that the last power cut has ended.
    fn last_past(&self) -> Option<&Past> {
        self.pasts.last().filter(|past| past.life + 1 == self.life)
    }

    fn drop_behind(&mut self, id: Id) {
        let Some(past) = self.last_past().cloned() else { return };
        let later: Vec<Id> = past.frozen.after(id).collect();
        later.iter().for_each(|id| past.frozen.decide_dropped(*id, &mut self.status[past.at..]));
    }
}
