//! The contents of files: lengths and sectors, and the calls that change them.

use crate::Choices;
use crate::cell::{Block, Cell, Decider, Fill};
use crate::disk::{Disk, Node, SECTOR_MAX};
use crate::model::{Exposed, Fills};
use crate::order::{CellRef, Id, Ino};
use crate::tear::Patch;

impl Disk {
    pub(crate) fn size(&mut self, ino: Ino, choices: &mut Choices) -> u64 {
        let life = self.life;
        let Node::File(file) = &self.nodes[ino as usize] else {
            panic!("inode {ino} is open, so it is a file")
        };
        if let Some(&cached) = file.length.cached(life) {
            return cached;
        }
        let mut decider = Decider { pasts: &self.pasts, status: &mut self.status, choices };
        file.length.value(life, &mut decider)
    }

    pub(crate) fn block(&mut self, ino: Ino, sector: usize, choices: &mut Choices) -> Block {
        let life = self.life;
        let Node::File(file) = &self.nodes[ino as usize] else {
            panic!("inode {ino} is open, so it is a file")
        };
        let Some(cell) = file.sectors.get(sector) else { return Block::Zero };
        let mut decider = Decider { pasts: &self.pasts, status: &mut self.status, choices };
        let warm = cell.cached(life).is_some();
        let block = cell.read(life, &mut decider);
        if warm || !self.tears_left {
            return block;
        }
        self.maybe_torn(ino, sector, block, choices)
    }

    pub(crate) fn read(
        &mut self,
        ino: Ino,
        buf: &mut [u8],
        offset: u64,
        choices: &mut Choices,
    ) -> usize {
        let size = self.size(ino, choices);
        let end = size.min(offset.saturating_add(buf.len() as u64));
        let mut at = offset;
        while at < end {
            let (sector, start) = (
                (at / self.device.sector as u64) as usize,
                (at % self.device.sector as u64) as usize,
            );
            let count = (self.device.sector - start).min((end - at) as usize);
            let done = (at - offset) as usize;
            self.block(ino, sector, choices).copy(start, &mut buf[done..done + count]);
            at += count as u64;
        }
        end.saturating_sub(offset) as usize
    }

    /// A cell for every sector before `count`; those that are new have never been durable.
    pub(crate) fn grow_cells(&mut self, ino: Ino, count: usize, call: u32) {
        let life = self.life;
        while self.file(ino).sectors.len() < count {
            let sector = self.file(ino).sectors.len();
            let mut cell = Cell::durable(Block::Zero);
            cell.cache = Some((life, Block::Zero));
            let stale = self.stale.as_ref().and_then(|s| s.get(sector).cloned());
            let garbage = self.model.fills() == Fills::ZerosStaleGarbage;
            if garbage || stale.is_some() {
                let place = Some(CellRef::Sector(ino, sector as u32));
                let id = self.pending.add([place, None], (self.process, call));
                let fill = Fill { life, id, stale, garbage, lost: false };
                self.pending.get_mut(id).expect("just added").alternatives = fill.alternatives();
                cell.fill = Some(fill);
            }
            self.file_mut(ino).sectors.push(cell);
        }
    }

    pub(crate) fn set_block(&mut self, ino: Ino, sector: usize, block: Block, call: u32) -> Id {
        let life = self.life;
        let id = self.begin_event([Some(CellRef::Sector(ino, sector as u32)), None], call, false);
        let cell = &mut self.file_mut(ino).sectors[sector];
        let before = cell.last_pending(life);
        let fill = cell.fill.as_ref().filter(|f| before.is_none() && f.life == life).map(|f| f.id);
        cell.push(life, id, block);
        self.after(before.map(|b| (life, b)), id);
        if let Some(fill) = fill {
            self.pending.get_mut(id).expect("just added").fill = fill;
        }
        id
    }

    /// `exposes`: what was written to sectors that a longer length brings into the file; `delayed`:
    /// the length of a write, which file systems put off until they allocate the blocks: it waits
    /// for the metadata before it, and no other file's or name's change waits for it.
    pub(crate) fn set_length(
        &mut self,
        ino: Ino,
        length: u64,
        (exposes, delayed): (&[(usize, Id)], bool),
        call: u32,
        choices: &mut Choices,
    ) {
        let life = self.life;
        let id = self.begin_event([Some(CellRef::Length(ino)), None], call, delayed);
        let before = self.file(ino).length.last_pending(life);
        let rules = self.model.order();
        let first = match rules.data_before_length {
            Exposed::None => usize::MAX,
            Exposed::New => self.size(ino, choices).div_ceil(self.device.sector as u64) as usize,
            Exposed::All => 0,
        };
        for &(_, data) in exposes.iter().filter(|(sector, _)| *sector >= first) {
            self.after(Some((life, data)), id);
        }
        self.after(before.map(|b| (life, b)), id);
        if rules.length_with_links {
            let last = self.file(ino).last_meta.filter(|&(_, last)| Some(last) != before);
            self.after(last, id);
            if !delayed {
                self.file_mut(ino).last_meta = Some((life, id));
            }
        }
        self.file_mut(ino).length.push(life, id, length);
    }

    /// Puts `bytes` at `start` of a sector whose bytes before `valid` count and whose other bytes
    /// are zeros.
    pub(crate) fn patch(
        &mut self,
        ino: Ino,
        sector: usize,
        valid: usize,
        start: usize,
        bytes: &[u8],
        choices: &mut Choices,
    ) -> Block {
        if bytes.len() == self.device.sector {
            return Block::new(bytes);
        }
        let mut image = [0; SECTOR_MAX];
        let image = &mut image[..self.device.sector];
        // Only bytes that stay need a look, and only a look decides them.
        if start > 0 && valid > 0 || start + bytes.len() < valid {
            self.block(ino, sector, choices).copy(0, &mut image[..valid]);
        }
        image[start..start + bytes.len()].copy_from_slice(bytes);
        Block::new(image)
    }

    /// Keeps what a device that spoils needs to know of the event.
    fn patched(&mut self, id: Id, patch: Patch) {
        if self.device.spoils() && patch.leaves_some() {
            self.patches.insert((self.life, id), patch);
        }
    }

    /// Growth from `size`: the rest of a partly filled sector, and whatever a former life left
    /// behind the end, become zeros (D4), up to but without sector `until`. Returns the sectors
    /// and their events.
    pub(crate) fn zero_tail(
        &mut self,
        ino: Ino,
        size: u64,
        until: usize,
        call: u32,
        choices: &mut Choices,
    ) -> Vec<(usize, Id)> {
        let mut zeroed = Vec::new();
        let (first, valid) = (
            (size / self.device.sector as u64) as usize,
            (size % self.device.sector as u64) as usize,
        );
        let cells = self.file(ino).sectors.len();
        if valid > 0 && first < until && first < cells {
            let block = self.patch(ino, first, valid, valid, &[], choices);
            let id = self.set_block(ino, first, block, call);
            self.patched(id, Patch { start: valid, end: self.device.sector, valid });
            zeroed.push((first, id));
        }
        let behind = first + usize::from(valid > 0); // D4
        let whole = behind..until.min(cells);
        zeroed.extend(whole.map(|sector| (sector, self.set_block(ino, sector, Block::Zero, call))));
        zeroed
    }

    /// Looks at all that a write of `len` bytes at `offset` will look at, so that the write itself
    /// decides nothing and may be cut anywhere.
    pub(crate) fn look_before(&mut self, ino: Ino, len: usize, offset: u64, choices: &mut Choices) {
        let size = self.size(ino, choices);
        let end = offset.saturating_add(len as u64);
        let unit = self.device.sector as u64;
        let mut look = |at: u64| drop(self.block(ino, (at / unit) as usize, choices));
        if offset > size && !size.is_multiple_of(unit) {
            look(size);
        }
        if !offset.is_multiple_of(unit) && offset - offset % unit < size {
            look(offset);
        }
        if !end.is_multiple_of(unit) && end < size {
            look(end);
        }
    }

    pub(crate) fn write(
        &mut self,
        ino: Ino,
        buf: &[u8],
        offset: u64,
        call: u32,
        choices: &mut Choices,
    ) {
        let end = offset + buf.len() as u64;
        let size = self.size(ino, choices);
        let first = (offset / self.device.sector as u64) as usize;
        let mut exposes = Vec::new();
        if offset > size {
            exposes = self.zero_tail(ino, size, first, call, choices);
        }
        let new_count = end.max(size).div_ceil(self.device.sector as u64) as usize;
        self.grow_cells(ino, new_count, call);
        let mut done = 0;
        let mut at = offset;
        while at < end {
            let (sector, start) = (
                (at / self.device.sector as u64) as usize,
                (at % self.device.sector as u64) as usize,
            );
            let count = (self.device.sector - start).min(buf.len() - done);
            let valid = size
                .saturating_sub((sector * self.device.sector) as u64)
                .min(self.device.sector as u64) as usize;
            let bytes = &buf[done..done + count];
            let block = self.patch(ino, sector, valid, start, bytes, choices);
            let id = self.set_block(ino, sector, block, call);
            self.patched(id, Patch { start, end: start + count, valid });
            exposes.push((sector, id));
            done += count;
            at += count as u64;
        }
        if end > size {
            let behind = (size / self.device.sector as u64) as usize;
            exposes.retain(|&(sector, _)| sector >= behind);
            self.set_length(ino, end, (&exposes, true), call, choices);
        }
    }

    pub(crate) fn set_len(&mut self, ino: Ino, length: u64, call: u32, choices: &mut Choices) {
        let size = self.size(ino, choices);
        let count = length.div_ceil(self.device.sector as u64) as usize;
        let mut exposes = Vec::new();
        if length < size {
            self.become_stale(ino);
            self.zero_tail(ino, length, self.file(ino).sectors.len(), call, choices);
        } else if length > size {
            exposes = self.zero_tail(ino, size, count, call, choices);
            self.grow_cells(ino, count, call);
        }
        if length != size {
            self.set_length(ino, length, (&exposes, false), call, choices);
        }
    }
}
