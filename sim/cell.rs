//! A cell: a place that holds one value at a time, and all the values a power cut may leave in it.
//!
//! Invariants
//! - D1: versions stand in issue order, older lives first; those of the running life are pending.
//! - D2: what the running life has read or written is in the cache and does not change by itself.

use crate::Choices;
use crate::hash::Fingerprint;
use crate::order::{DROPPED, Id, KEPT, Past, Status, UNKNOWN};
use std::sync::{Arc, OnceLock};

/// The bytes of a sector.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    Zero,
    /// What a sector holds that was allocated and never written: no pattern an engine writes.
    Garbage,
    Data(Arc<Data<[u8]>>),
}

#[derive(Debug)]
pub(crate) struct Data<T: ?Sized> {
    print: OnceLock<u128>,
    bytes: T,
}

impl Block {
    pub(crate) fn new(bytes: &[u8]) -> Block {
        fn boxed<const N: usize>(bytes: &[u8]) -> Arc<Data<[u8]>> {
            let bytes: [u8; N] = bytes.try_into().expect("a whole sector");
            Arc::new(Data { print: OnceLock::new(), bytes })
        }
        Block::Data(if bytes.len() == 512 { boxed::<512>(bytes) } else { boxed::<4096>(bytes) })
    }

    /// Copies the bytes from `start` on into `out`.
    pub(crate) fn copy(&self, start: usize, out: &mut [u8]) {
        match self {
            Block::Zero => out.fill(0),
            Block::Garbage => {
                for (i, byte) in out.iter_mut().enumerate() {
                    *byte = [0xA5, 0x5A, 0xC3, 0x3C, 0x96, 0x69, 0xF0][(start + i) % 7];
                }
            }
            Block::Data(data) => out.copy_from_slice(&data.bytes[start..start + out.len()]),
        }
    }

    pub(crate) fn print(&self, print: &mut Fingerprint) {
        match self {
            Block::Zero => print.add(1),
            Block::Garbage => print.add(2),
            Block::Data(data) => print.add_wide(*data.print.get_or_init(|| {
                let mut print = Fingerprint::default();
                print.add_bytes(&data.bytes);
                print.value()
            })),
        }
    }
}

/// What shows in a sector that was never durable, as long as nothing written to it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Fill {
    pub(crate) life: u32,
    pub(crate) id: Id,
    /// What it held for its former owner, decided when that shows.
    pub(crate) stale: Option<Arc<Cell<Block>>>,
    /// Whether it may be garbage.
    pub(crate) garbage: bool,
    /// A failed sync lost what was written here: no hole that a later sync makes zeros.
    pub(crate) lost: bool,
}

impl Fill {
    pub(crate) fn alternatives(&self) -> u8 {
        1 + u8::from(self.stale.is_some()) + u8::from(self.garbage)
    }

    fn block(&self, alternative: u8, life: u32, decider: &mut Decider<'_>) -> Block {
        match (alternative, &self.stale) {
            (0, _) => Block::Zero,
            (1, Some(stale)) => stale.read(life, decider),
            _ => Block::Garbage,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Version<V> {
    pub(crate) life: u32,
    pub(crate) id: Id,
    pub(crate) value: V,
}

#[derive(Clone, Debug)]
pub(crate) struct Cell<V> {
    /// The durable value (if `fill` is empty).
    pub(crate) base: V,
    pub(crate) fill: Option<Fill>,
    /// What was durable before `base` was: a medium that loses a write shows it.
    pub(crate) former: Option<V>,
    pub(crate) versions: Vec<Version<V>>,
    /// What readers see, and in which life.
    pub(crate) cache: Option<(u32, V)>,
}

/// What is known of the undecided past, and who decides.
pub(crate) struct Decider<'a> {
    pub(crate) pasts: &'a [Past],
    pub(crate) status: &'a mut [Status],
    pub(crate) choices: &'a mut Choices,
}

/// Where a cell's durable value stands.
enum Found {
    Version(usize),
    Base,
    Fill(u8),
}

impl<V> Cell<V> {
    pub(crate) fn durable(base: V) -> Cell<V> {
        Cell { base, fill: None, former: None, versions: Vec::new(), cache: None }
    }

    /// The version that the running life wrote last, if it is still pending.
    pub(crate) fn last_pending(&self, life: u32) -> Option<Id> {
        self.versions.last().filter(|v| v.life == life).map(|v| v.id)
    }

    pub(crate) fn push(&mut self, life: u32, id: Id, value: V)
    where
        V: Clone,
    {
        assert!(self.versions.last().is_none_or(|v| (v.life, v.id) < (life, id)), "D1");
        self.cache = Some((life, value.clone())); // D2: its own writes are seen at once
        self.versions.push(Version { life, id, value });
    }

    /// Makes the version `id` of the running life durable, and all before it irrelevant.
    pub(crate) fn settle(&mut self, life: u32, id: Id) {
        if let Some(at) = self.versions.iter().position(|v| v.life == life && v.id == id) {
            let mut gone = self.versions.drain(..=at);
            let version = gone.next_back().expect("at least the one found");
            let former = gone.next_back().map(|version| version.value);
            drop(gone);
            let base = std::mem::replace(&mut self.base, version.value);
            self.former = former.or(self.fill.is_none().then_some(base));
            self.fill = None;
        }
    }

    pub(crate) fn forget(&mut self, life: u32, id: Id) {
        self.versions.retain(|v| v.life != life || v.id != id);
    }

    pub(crate) fn cached(&self, life: u32) -> Option<&V> {
        self.cache.as_ref().filter(|c| c.0 == life).map(|c| &c.1)
    }

    /// The positions that agree with what is decided, among the versions `start..end` of one past:
    /// how many of them are kept at least and at most.
    fn range(&self, start: usize, end: usize, status: &[Status]) -> (usize, usize) {
        let of = |v: &Version<V>| status[v.id as usize];
        let group = &self.versions[start..end];
        let low = group.iter().take_while(|v| of(v) == KEPT).count();
        let high = group.iter().position(|v| of(v) == DROPPED).unwrap_or(group.len());
        (low, high)
    }

    fn past(pasts: &[Past], life: u32) -> &Past {
        pasts.iter().find(|p| p.life == life).expect("a version's life is among the pasts")
    }

    /// Where the value stands that the last power cut left, deciding it if nobody has looked.
    fn find(&self, life: u32, decider: &mut Decider<'_>) -> Found {
        let mut end = self.versions.len();
        while end > 0 && self.versions[end - 1].life == life {
            end -= 1; // pending versions of the running life lie above (after a lost cache only)
        }
        while end > 0 {
            let group_life = self.versions[end - 1].life;
            let start = self.versions[..end].iter().rposition(|v| v.life != group_life);
            let start = start.map_or(0, |i| i + 1);
            let past = Self::past(decider.pasts, group_life);
            let status = &mut decider.status[past.at..];
            let (low, high) = self.range(start, end, status);
            let fill = self.fill.as_ref().filter(|f| {
                low == 0 && start == 0 && f.life == group_life && status[f.id as usize] == UNKNOWN
            });
            let bottom = if low > 0 { 0 } else { fill.map_or(1, |f| u32::from(f.alternatives())) };
            let options = (high - low) as u32 + bottom + u32::from(low > 0);
            let taken = decider.choices.choose(options) as usize;
            let position = high.saturating_sub(taken).max(low);
            if high > low {
                if position > low {
                    past.frozen.decide_kept(self.versions[start + position - 1].id, status);
                }
                if position < high {
                    past.frozen.decide_dropped(self.versions[start + position].id, status);
                }
            }
            if position > 0 {
                return Found::Version(start + position - 1);
            }
            if let Some(fill) = fill {
                status[fill.id as usize] = 1 + (taken - high) as u8;
            }
            end = start;
        }
        let Some(fill) = &self.fill else { return Found::Base };
        if fill.life == life {
            return Found::Fill(0);
        }
        let past = Self::past(decider.pasts, fill.life);
        let status = &mut decider.status[past.at + fill.id as usize];
        if *status == UNKNOWN {
            *status = 1 + decider.choices.choose(u32::from(fill.alternatives())) as u8;
        }
        Found::Fill(*status - 1)
    }
}

impl Cell<Block> {
    pub(crate) fn read(&self, life: u32, decider: &mut Decider<'_>) -> Block {
        if let Some(cached) = self.cached(life) {
            return cached.clone();
        }
        match self.find(life, decider) {
            Found::Version(at) => self.versions[at].value.clone(),
            Found::Base => self.base.clone(),
            Found::Fill(alternative) => {
                let fill = self.fill.as_ref().expect("a fill was found");
                fill.block(alternative, life, decider)
            }
        }
    }

    /// What it holds now, for somebody who looks later; decides nothing.
    pub(crate) fn memory(&self, life: u32) -> Cell<Block> {
        match self.cached(life) {
            Some(block) => Cell::durable(block.clone()),
            None if self.fill.as_ref().is_some_and(|f| f.life == life) => {
                Cell::durable(Block::Zero)
            }
            None => Cell { cache: None, ..self.clone() },
        }
    }
}

impl<V: Copy> Cell<V> {
    pub(crate) fn value(&self, life: u32, decider: &mut Decider<'_>) -> V {
        if let Some(&cached) = self.cached(life) {
            return cached;
        }
        match self.find(life, decider) {
            Found::Version(at) => self.versions[at].value,
            Found::Base | Found::Fill(_) => self.base,
        }
    }
}

/// Writes everything that decides a cell's future into a fingerprint: values that are settled as
/// values, values that are not as a list with their place in the order.
pub(crate) struct Printer<'a> {
    pub(crate) life: u32,
    pub(crate) pasts: &'a [Past],
    pub(crate) status: &'a [Status],
    /// The components of each past that were met, numbered from 1 in the order of meeting: a
    /// rename shows in two cells, and that it is one event must show in the fingerprint.
    pub(crate) reached: &'a mut [Vec<u32>],
    pub(crate) met: u32,
    pub(crate) print: Fingerprint,
}

impl Printer<'_> {
    fn component(&mut self, past: usize, id: Id) {
        let number = &mut self.reached[past][self.pasts[past].frozen.component_of(id)];
        if *number == 0 {
            self.met += 1;
            *number = self.met;
        }
        self.print.add(u64::from(*number));
    }

    pub(crate) fn cell<V>(&mut self, cell: &Cell<V>, value: &mut dyn FnMut(&V, &mut Fingerprint)) {
        self.print.add(cell.versions.len() as u64);
        let mut end = cell.versions.len();
        while end > 0 && cell.versions[end - 1].life == self.life {
            end -= 1;
            self.print.add(u64::from(cell.versions[end].id) << 8 | 1);
            value(&cell.versions[end].value, &mut self.print);
        }
        if let Some(cached) = cell.cached(self.life) {
            self.print.add(2);
            value(cached, &mut self.print);
        }
        while end > 0 {
            let life = cell.versions[end - 1].life;
            let start = cell.versions[..end].iter().rposition(|v| v.life != life);
            let start = start.map_or(0, |i| i + 1);
            let index = self.pasts.iter().position(|p| p.life == life).expect("a known past");
            let past = &self.pasts[index];
            let status = &self.status[past.at..];
            let (low, high) = cell.range(start, end, status);
            if high > low {
                self.print.add((high - low) as u64);
                for version in &cell.versions[start + low..start + high] {
                    self.component(index, version.id);
                    past.frozen.print(version.id, status, &mut self.print);
                    value(&version.value, &mut self.print);
                }
            }
            if low > 0 {
                return value(&cell.versions[start + low - 1].value, &mut self.print);
            }
            end = start;
        }
        let Some(fill) = &cell.fill else { return value(&cell.base, &mut self.print) };
        let past = self.pasts.iter().position(|p| p.life == fill.life);
        let decided = past.map_or(UNKNOWN, |i| self.status[self.pasts[i].at + fill.id as usize]);
        if let (Some(index), UNKNOWN) = (past, decided) {
            self.component(index, fill.id);
        }
        self.print.add(u64::from(decided) << 1 | u64::from(fill.lost));
        if decided == UNKNOWN || decided == 2 {
            let mut block = |b: &Block, print: &mut Fingerprint| b.print(print);
            fill.stale.iter().for_each(|stale| self.cell(stale, &mut block));
        }
    }
}
