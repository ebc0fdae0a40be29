//! What a sync covers, and what a failed one leaves.

use crate::cell::Cell;
use crate::disk::{DirNode, Disk, Node};
use crate::order::{CellRef, Event, Id, Ino, NONE};
use crate::{Choices, FailedSync, Layers};
use std::sync::Arc;

/// Of more events than this, not every subset is tried.
const EACH_MAX: usize = 10;

/// Which of `count` events a failed sync made durable: any of them; if they are many, all, none,
/// all but one, or one.
fn which_are_kept(count: usize, choices: &mut Choices) -> Vec<bool> {
    if count <= EACH_MAX {
        return (0..count).map(|_| choices.choose(2) == 0).collect();
    }
    let way = choices.choose(2 * count as u32 + 2) as usize;
    let kept = |i: usize| match way {
        0 => true,
        1 => false,
        way if way < count + 2 => i != way - 2,
        way => i == way - 2 - count,
    };
    (0..count).map(kept).collect()
}

/// An error that the handles of a file have yet to be told: each once, as Linux does since 4.13.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owed {
    /// How many errors there were.
    pub(crate) times: u32,
    /// Whether anybody was told of the last one: who opens the file later is told only if not.
    pub(crate) told: bool,
}

impl Disk {
    /// What a handle that is opened now has been told of.
    pub(crate) fn told_at_open(&self, ino: Ino) -> u32 {
        self.errors.get(&ino).map_or(0, |owed| if owed.told { owed.times } else { 0 })
    }

    /// Tells a handle what it was not told yet: true if that is an error.
    pub(crate) fn tell(&mut self, ino: Ino, told: &mut u32) -> bool {
        let Some(owed) = self.errors.get_mut(&ino) else { return false };
        let news = *told != owed.times;
        *told = owed.times;
        owed.told |= news;
        news
    }

    pub(crate) fn covers(&self, synced: Ino, cell: CellRef) -> bool {
        match cell {
            CellRef::Sector(ino, _) | CellRef::Length(ino) => ino == synced,
            CellRef::Name(dir, _) => dir == synced,
        }
    }

    /// Whether the cell is a name of the file that is synced, under a model whose syncs cover it.
    fn covers_name(&self, synced: Ino, cell: CellRef) -> bool {
        let CellRef::Name(dir, number) = cell else { return false };
        let target = |d: &Arc<DirNode>| *d.names[number as usize].1.cached(self.life)?;
        self.model.order().sync_covers_name
            && !self.is_dir(synced)
            && self.dir(dir).ok().and_then(target) == Some(synced)
    }

    /// The pending events that a sync of `ino` covers, closed downwards, by id.
    pub(crate) fn covered(&self, ino: Ino) -> (Vec<bool>, Vec<Event>) {
        let mut marked = vec![false; self.pending.next as usize];
        let mut events = self.pending.events.clone();
        for event in &mut events {
            for (cell, covered) in event.cells.iter().zip(&mut event.covered) {
                *covered |= cell.is_none_or(|cell| self.covers(ino, cell));
            }
            // A rename is covered by the name it gave, with the name it took.
            if event.cells.into_iter().flatten().any(|cell| self.covers_name(ino, cell)) {
                event.covered = [true; 2];
            }
            marked[event.id as usize] = event.alternatives == 0 && event.covered == [true; 2];
        }
        self.pending.close_down(&mut marked);
        (marked, events)
    }

    pub(crate) fn settle(&mut self, marked: &mut [bool]) {
        let life = self.life;
        for event in self.pending.events.clone() {
            if marked[event.id as usize] {
                if event.fill != NONE {
                    marked[event.fill as usize] = true;
                }
                for cell in event.cells.into_iter().flatten() {
                    match cell {
                        CellRef::Sector(ino, s) => {
                            self.file_mut(ino).sectors[s as usize].settle(life, event.id);
                        }
                        CellRef::Length(ino) => self.file_mut(ino).length.settle(life, event.id),
                        CellRef::Name(dir, n) => {
                            self.dir_mut(dir).names[n as usize].1.settle(life, event.id);
                        }
                    }
                }
            }
        }
        self.pending.remove(marked, false);
    }

    /// What a power cut spares because an ability of the disk is switched off.
    pub(crate) fn settle_layers(&mut self) {
        if self.layers == Layers::ALL {
            return;
        }
        let Layers { data, names, lengths, .. } = self.layers;
        let mut marked = vec![false; self.pending.next as usize];
        for event in self.pending.events.iter().filter(|e| e.alternatives == 0) {
            marked[event.id as usize] = match event.cells[0] {
                Some(CellRef::Sector(..)) => !data,
                Some(CellRef::Length(_)) => !lengths,
                _ => !names,
            };
        }
        self.pending.close_down(&mut marked);
        self.settle(&mut marked);
    }

    /// A successful sync of a file or a directory: what was issued before is durable.
    pub(crate) fn sync(&mut self, ino: Ino) {
        if self.pending.events.is_empty() {
            return;
        }
        let (mut marked, events) = self.covered(ino);
        self.pending.events = events; // half of a rename may be covered for later
        if let Node::File(file) = &self.nodes[ino as usize]
            && file.sectors.iter().any(|s| s.fill.is_some())
        {
            self.pin_holes(ino, &mut marked);
        }
        self.settle(&mut marked);
    }

    /// Holes of a synced file are zeros for good.
    pub(crate) fn pin_holes(&mut self, ino: Ino, marked: &mut [bool]) {
        let life = self.life;
        for cell in &mut self.file_mut(ino).sectors {
            if cell.versions.is_empty()
                && let Some(fill) = cell.fill.take_if(|f| f.life == life && !f.lost)
            {
                marked[fill.id as usize] = true;
            }
        }
    }

    /// A failed sync: what it would have covered is durable or lost, by choice, or stays pending.
    pub(crate) fn fail_sync(&mut self, ino: Ino, family: FailedSync, choices: &mut Choices) {
        self.errors.entry(ino).or_default().times += 1;
        self.errors.entry(ino).or_default().told = false;
        if family == FailedSync::KeepDirty {
            return;
        }
        let (covered, _) = self.covered(ino);
        let mut durable = vec![false; covered.len()];
        let mut lost = vec![false; covered.len()];
        let hit = self.pending.events.iter().filter(|e| covered[e.id as usize]);
        let hit: Vec<usize> = hit.map(|e| e.id as usize).collect();
        self.coarse |= hit.len() > EACH_MAX;
        let kept = which_are_kept(hit.len(), choices);
        for (&id, kept) in hit.iter().zip(kept) {
            (durable[id], lost[id]) = (kept, !kept);
        }
        let events: Vec<_> =
            self.pending.events.iter().filter(|e| lost[e.id as usize]).copied().collect();
        for event in &events {
            for cell in event.cells.into_iter().flatten() {
                self.lose(cell, event.id);
            }
        }
        self.lost.extend(&events);
        self.pending.remove(&lost, true);
        self.pending.close_down(&mut durable);
        self.settle(&mut durable);
        if family == FailedSync::Revert {
            events.iter().flat_map(|e| e.cells).flatten().for_each(|cell| self.revert(cell));
        }
    }

    /// The event leaves the cell's future; what readers see of it stays in the cache.
    pub(crate) fn lose(&mut self, cell: CellRef, id: Id) {
        let life = self.life;
        match cell {
            CellRef::Sector(ino, s) => {
                let cell = &mut self.file_mut(ino).sectors[s as usize];
                let first = cell.versions.iter().find(|v| v.life == life).map(|v| v.id);
                cell.forget(life, id);
                cell.fill.iter_mut().for_each(|fill| fill.lost = true);
                // The next version, if any, is now the one that stands on the fill.
                let fill = cell.fill.as_ref().filter(|f| f.life == life).map(|f| f.id);
                let next = cell.versions.iter().find(|v| v.life == life).map(|v| v.id);
                if let (Some(fill), Some(next), true) = (fill, next, first == Some(id)) {
                    self.pending.get_mut(next).expect("a version is pending").fill = fill;
                }
            }
            CellRef::Length(ino) => self.file_mut(ino).length.forget(life, id),
            CellRef::Name(dir, n) => self.dir_mut(dir).names[n as usize].1.forget(life, id),
        }
    }

    /// The cache goes back to the newest value that is still on its way, or else to the disk's.
    pub(crate) fn revert(&mut self, cell: CellRef) {
        fn back<V: Clone>(cell: &mut Cell<V>, life: u32) {
            let newest = cell.versions.last().filter(|v| v.life == life).map(|v| v.value.clone());
            cell.cache = newest.map(|value| (life, value));
        }
        let life = self.life;
        match cell {
            CellRef::Sector(ino, s) => back(&mut self.file_mut(ino).sectors[s as usize], life),
            CellRef::Length(ino) => back(&mut self.file_mut(ino).length, life),
            CellRef::Name(dir, n) => back(&mut self.dir_mut(dir).names[n as usize].1, life),
        }
    }
}
