//! Crashes: what becomes of a disk when the process dies or the power goes.
//!
//! After a power cut nothing is decided: the pending changes become an order of their own, stacked
//! on those of earlier lives, and each cell is decided when somebody looks at it.

use crate::cell::{Cell, Printer};
use crate::count::{Count, times};
use crate::disk::{Disk, FileNode, Name, Node, ROOT};
use crate::hash::Fingerprint;
use crate::order::{CellRef, Ino, Past, Pending};
use crate::{Choices, order};
use std::sync::Arc;

/// A write that a kill may catch half done.
pub(crate) struct UnderWay<'a> {
    pub(crate) ino: Ino,
    pub(crate) buf: &'a [u8],
    pub(crate) offset: u64,
    /// Bytes of a sector.
    pub(crate) sector: usize,
}

impl UnderWay<'_> {
    /// How many sectors the write touches.
    pub(crate) fn sectors(&self) -> u32 {
        let unit = self.sector as u64;
        let first = self.offset / unit;
        ((self.offset + self.buf.len() as u64).div_ceil(unit) - first) as u32
    }
}

impl Disk {
    /// The disk after a power cut at this moment.
    pub(crate) fn power_cut(&self) -> Disk {
        let mut disk = self.clone();
        disk.settle_layers();
        disk.life += 1;
        disk.process += 1;
        disk.errors.clear(); // they were in memory
        disk.tears_left = disk.device.tears();
        disk.looked_at.clear();
        let pending = std::mem::take(&mut disk.pending);
        if !pending.events.is_empty() {
            let frozen = pending.freeze();
            let at = disk.status.len();
            disk.status.extend(frozen.statuses());
            disk.pasts.push(Past { life: self.life, frozen: Arc::new(frozen), at });
        }
        disk.collect();
        disk
    }

    /// The disk after the death of the process: the cache survives. With a write under way, the
    /// first `sectors` sectors of it are done.
    pub(crate) fn kill(&self, under_way: Option<(&UnderWay<'_>, u32)>, call: u32) -> Disk {
        let mut disk = self.clone();
        if let Some((write, sectors)) = under_way {
            let first_end =
                self.device.sector - (write.offset % self.device.sector as u64) as usize;
            let count = first_end + (sectors as usize - 1) * self.device.sector;
            let mut choices = Choices::enumerate();
            disk.write(write.ino, &write.buf[..count], write.offset, call, &mut choices);
            assert_eq!(choices.made(), 0, "what a write looks at is decided before it");
        }
        disk.process += 1;
        disk.collect();
        disk
    }

    /// An inode that no name can lead to any more is gone.
    fn collect(&mut self) {
        let mut reachable = vec![false; self.nodes.len()];
        let mut open = vec![ROOT];
        // What is pending can still be synced (by a model that orders it before something else).
        open.extend(self.pending.events.iter().flat_map(|e| e.cells).flatten().map(CellRef::ino));
        while let Some(ino) = open.pop() {
            if std::mem::replace(&mut reachable[ino as usize], true) {
                continue;
            }
            if let Node::Dir(dir) = &self.nodes[ino as usize] {
                for (_, cell) in &dir.names {
                    open.extend(self.possible(cell));
                }
            }
        }
        for (node, reachable) in self.nodes.iter_mut().zip(reachable) {
            if !reachable {
                *node = Node::Gone;
            }
        }
    }

    fn possible<'a>(&'a self, cell: &'a Cell<Option<Ino>>) -> impl Iterator<Item = Ino> + 'a {
        let settled = |v: &crate::cell::Version<Option<Ino>>| {
            let past = self.pasts.iter().find(|p| p.life == v.life);
            past.is_none_or(|p| self.status[p.at + v.id as usize] != order::DROPPED)
        };
        let versions = cell.versions.iter().filter(move |v| settled(v)).filter_map(|v| v.value);
        versions.chain(cell.base).chain(cell.cached(self.life).copied().flatten())
    }

    /// How many crash states agree with what is decided: the product over all pasts.
    pub(crate) fn count(&self) -> Count {
        if self.torn {
            return Some(0); // T2: judged, and not counted
        }
        let mut product = Some(1);
        for past in &self.pasts {
            product = times(product, past.frozen.count(&self.status[past.at..]));
        }
        product
    }

    /// A fingerprint of everything that an engine can find out about this disk from now on, and
    /// the number of states of what it cannot find out any more.
    pub(crate) fn fingerprint(&self) -> (u128, Count) {
        let mut reached: Vec<Vec<u32>> =
            self.pasts.iter().map(|p| vec![0; p.frozen.components()]).collect();
        let mut numbers = vec![0u32; self.nodes.len()];
        let mut printer = Printer {
            life: self.life,
            pasts: &self.pasts,
            status: &self.status,
            reached: &mut reached,
            met: 0,
            print: Fingerprint::default(),
        };
        print_pending(&self.pending, &mut printer.print);
        printer.print.add(u64::from(self.to_fail.is_some()));
        if self.tears_left || self.torn {
            printer.print.add(u64::from(self.tears_left) << 1 | u64::from(self.torn));
            for (ino, sector) in &self.looked_at {
                printer.print.add(u64::from(*ino) << 32 | *sector as u64);
            }
        }
        printer.print.add(u64::from(self.spoiled));
        for ((life, id), patch) in &self.patches {
            printer.print.add(u64::from(*life) << 32 | u64::from(*id));
            printer.print.add((patch.start << 40 | patch.end << 20 | patch.valid) as u64);
        }
        for (ino, owed) in &self.errors {
            printer.print.add(u64::from(*ino) << 33 | u64::from(owed.times) << 1);
            printer.print.add(u64::from(owed.told));
        }
        let mut met = 1;
        let mut open = vec![ROOT];
        numbers[ROOT as usize] = 1;
        let mut at = 0;
        while let Some(&ino) = open.get(at) {
            at += 1;
            printer.print.add(if self.is_dir(ino) { 5 } else { 6 });
            match &self.nodes[ino as usize] {
                Node::File(file) => print_file(&mut printer, file),
                Node::Dir(dir) => {
                    let mut sorted: Vec<&Name> = dir.names.iter().collect();
                    sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
                    for (name, cell) in sorted {
                        if cell.base.is_none()
                            && cell.versions.is_empty()
                            && cell.cached(self.life).is_none_or(|c| c.is_none())
                        {
                            continue;
                        }
                        printer.print.add_bytes(name.as_bytes());
                        printer.cell(cell, &mut |target, print| match target {
                            None => print.add(0),
                            Some(ino) => {
                                let number = &mut numbers[*ino as usize];
                                if *number == 0 {
                                    met += 1;
                                    *number = met;
                                    open.push(*ino);
                                }
                                print.add(u64::from(*number));
                            }
                        });
                    }
                }
                Node::Gone => {}
            }
        }
        if let Some(stale) = &self.stale {
            for cell in stale.iter() {
                printer.cell(cell, &mut |block, print| block.print(print));
            }
        }
        let print = printer.print.value();
        let mut rest = Some(1);
        for (past, reached) in self.pasts.iter().zip(&reached) {
            let status = &self.status[past.at..];
            rest = times(rest, past.frozen.count_unreached(status, reached));
        }
        (print, rest)
    }
}

fn print_file(printer: &mut Printer<'_>, file: &FileNode) {
    printer.cell(&file.length, &mut |length, print| print.add(*length));
    printer.print.add(file.sectors.len() as u64);
    for sector in &file.sectors {
        printer.cell(sector, &mut |block, print| block.print(print));
    }
}

fn print_pending(pending: &Pending, print: &mut Fingerprint) {
    for event in &pending.events {
        print.add(u64::from(event.id) << 32 | u64::from(event.fill));
        let covered = u64::from(event.covered[0]) << 1 | u64::from(event.covered[1]);
        print.add(u64::from(event.alternatives) << 2 | covered);
    }
    for &(from, to) in &pending.edges {
        print.add(u64::from(from) << 32 | u64::from(to));
    }
}
