//! What the medium does by itself: one sector that is not what was written to it.
//!
//! It is decided when recovery first reads the sector, and stays until the sector is written again.
//!
//! Invariants
//! - M1: decay changes what one sector holds (misdirection: two), and nothing that is not read.

use crate::Choices;
use crate::cell::{Block, Cell};
use crate::disk::{Disk, Node};
use crate::failure::{Decay, Failure};
use crate::fs::State;
use crate::order::Ino;
use std::collections::BTreeSet;
use std::io;

/// A sector that has decayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decayed {
    pub(crate) ino: Ino,
    pub(crate) sector: usize,
    pub(crate) how: Decay,
    /// It was the last one of its file: nothing behind it shows that it was durable.
    pub(crate) tail: bool,
}

/// A write can go astray to this many sectors.
const ASTRAY_MAX: usize = 6;

impl State {
    /// Lets the medium decay before the sectors of `len` bytes at `offset` are read.
    ///
    /// # Errors
    /// One of them cannot be read.
    pub(crate) fn decay(
        &mut self,
        path: &str,
        ino: Ino,
        len: usize,
        offset: u64,
    ) -> io::Result<()> {
        if let (Some(Failure::Decay(how)), true) = (self.disk.to_fail, self.may_fail) {
            let unit = self.disk.device.sector as u64;
            let size = self.disk.size(ino, &mut self.choices);
            let end = size.min(offset.saturating_add(len as u64));
            for sector in (offset / unit) as usize..end.div_ceil(unit) as usize {
                let fresh = self.disk.is_cold(ino, sector) && self.met.insert((ino, sector));
                if fresh && self.disk.decays(ino, sector, how, size, &self.met, &mut self.choices) {
                    self.note(|| format!("DECAY: sector {sector} of {path} is {how}"));
                    break;
                }
            }
        }
        match self.disk.bad_sector(ino, len, offset) {
            Some((sector, _)) => Err(unreadable(sector)),
            None => Ok(()),
        }
    }

    /// A write mends a sector that cannot be read if it replaces it; else it would have to read it.
    ///
    /// # Errors
    /// It would.
    pub(crate) fn mend(&mut self, ino: Ino, len: usize, offset: u64) -> io::Result<()> {
        match self.disk.bad_sector(ino, len, offset) {
            Some((sector, false)) => Err(unreadable(sector)),
            Some((_, true)) => {
                self.disk.unreadable = None;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

fn unreadable(sector: usize) -> io::Error {
    io::Error::other(format!("input/output error (injected: sector {sector} cannot be read)"))
}

impl Disk {
    /// The unreadable sector among these bytes, and whether all of it is among them.
    fn bad_sector(&self, ino: Ino, len: usize, offset: u64) -> Option<(usize, bool)> {
        let (_, sector) = self.unreadable.filter(|bad| bad.0 == ino)?;
        let start = (sector * self.device.sector) as u64;
        let (stop, end) = (start + self.device.sector as u64, offset.saturating_add(len as u64));
        (offset < stop && start < end).then_some((sector, offset <= start && stop <= end))
    }

    /// Whether nobody has read or written the sector since the power came back.
    fn is_cold(&self, ino: Ino, sector: usize) -> bool {
        let cell = self.file(ino).sectors.get(sector);
        cell.is_some_and(|cell| cell.cached(self.life).is_none())
    }

    /// Whether the sector decays; if so, it has.
    fn decays(
        &mut self,
        ino: Ino,
        sector: usize,
        how: Decay,
        size: u64,
        met: &BTreeSet<(Ino, usize)>,
        choices: &mut Choices,
    ) -> bool {
        let valid =
            (size - (sector * self.device.sector) as u64).min(self.device.sector as u64) as u32;
        let mut astray = self.astray(ino, sector);
        // What was read or written since the power came back is what it was (M1).
        astray.retain(|at| self.is_cold(at.0, at.1) && !met.contains(at));
        let ways = match how {
            Decay::Flipped => valid,
            Decay::Misdirected => astray.len() as u32,
            _ => 1,
        };
        let way = choices.choose(1 + ways);
        if way == 0 {
            return false;
        }
        let block = self.block(ino, sector, choices);
        let before = self.file(ino).sectors[sector].former.clone();
        let now = match how {
            Decay::Flipped => self.flipped(&block, way as usize - 1),
            Decay::Zeroed => Block::Zero,
            Decay::Lost => Block::Garbage,
            Decay::Stale => before.unwrap_or(Block::Zero),
            Decay::Misdirected => {
                let (other, at) = astray[way as usize - 1];
                self.file_mut(other).sectors[at] = Cell::durable(block);
                before.unwrap_or(Block::Zero)
            }
            Decay::Unreadable => {
                self.unreadable = Some((ino, sector));
                block
            }
        };
        self.file_mut(ino).sectors[sector] = Cell::durable(now); // M1
        let tail = (sector + 1) * self.device.sector >= size as usize;
        self.decayed = Some(Decayed { ino, sector, how, tail });
        self.to_fail = None;
        true
    }

    fn flipped(&self, block: &Block, byte: usize) -> Block {
        let mut bytes = vec![0; self.device.sector];
        block.copy(0, &mut bytes);
        bytes[byte] ^= 1 << (byte * 5 % 8);
        Block::new(&bytes)
    }

    /// The sectors that a write to this one may have gone to: its neighbours, other files' first.
    fn astray(&self, ino: Ino, sector: usize) -> Vec<(Ino, usize)> {
        let here = self.file(ino).sectors.len();
        let near = (sector.saturating_sub(1)..here.min(sector + 3)).filter(|at| *at != sector);
        let mut all: Vec<(Ino, usize)> = near.map(|at| (ino, at)).collect();
        for (other, node) in self.nodes.iter().enumerate() {
            let other = other as Ino;
            if let Node::File(file) = node
                && other != ino
                && file.sectors.first().is_some_and(|cell| cell.versions.is_empty())
            {
                all.push((other, 0));
            }
        }
        all.truncate(ASTRAY_MAX);
        all
    }
}
