//! The order of the reference, and what a sync covers.

use crate::history::Coins;
use crate::reference::{Base, Cell, Event, Fate, Ino, Reference, SECTOR, Value, zeros};
use highwater_sim::{FailedSync, Model};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

impl Event {
    fn touches(&self, cell: &Cell) -> bool {
        self.sets.iter().any(|(c, _)| c == cell)
    }

    fn dirs(&self) -> BTreeSet<Ino> {
        let dir = |c: &Cell| if let Cell::Name(dir, _) = c { Some(*dir) } else { None };
        self.sets.iter().filter_map(|(c, _)| dir(c)).collect()
    }

    /// The file whose bytes or length this changes.
    fn file(&self) -> Option<Ino> {
        match self.sets[0].0 {
            Cell::Sector(ino, _) | Cell::Len(ino) => Some(ino),
            Cell::Name(..) => None,
        }
    }

    fn sets_length_or_links_of(&self, ino: Ino) -> bool {
        self.touches(&Cell::Len(ino)) || self.links.contains(&ino)
    }
}

impl Reference {
    pub(crate) fn issue_names(&mut self, names: &[(Ino, &str, Option<Ino>)], links: &[Ino]) {
        let set = |(d, n, v): &(Ino, &str, Option<Ino>)| (Cell::Name(*d, (*n).into()), *v);
        let sets = names.iter().map(set).map(|(c, v)| (c, Value::Name(v))).collect();
        self.issue(sets, links, &[]);
    }

    pub(crate) fn issue_data(&mut self, ino: Ino, data: BTreeMap<u64, Vec<u8>>) {
        for (s, bytes) in data {
            self.issue(vec![(Cell::Sector(ino, s), Value::Data(Rc::new(bytes)))], &[], &[]);
        }
    }

    pub(crate) fn issue_len(&mut self, ino: Ino, old: u64, new: u64) {
        let exposed = old.div_ceil(SECTOR)..new.div_ceil(SECTOR);
        let cells: Vec<Cell> = exposed.map(|s| Cell::Sector(ino, s)).collect();
        self.issue(vec![(Cell::Len(ino), Value::Len(new))], &[], &cells);
    }

    /// Adds an event. `exposed`: the whole sectors that a longer length brings into the file.
    fn issue(&mut self, sets: Vec<(Cell, Value)>, links: &[Ino], exposed: &[Cell]) {
        self.cache.extend(sets.iter().cloned());
        let event = Event {
            sets,
            before: BTreeSet::new(),
            fate: Fate::Pending,
            links: links.iter().copied().collect(),
            synced: BTreeSet::new(),
        };
        let precedes = |earlier: &Event| {
            let cell = event.sets.iter().any(|(c, _)| earlier.touches(c));
            let dir = !event.dirs().is_disjoint(&earlier.dirs());
            let mut inodes = event.links.clone();
            inodes.extend(event.sets.iter().filter_map(|(c, _)| match c {
                Cell::Len(ino) => Some(*ino),
                _ => None,
            }));
            let length = inodes.iter().any(|ino| earlier.sets_length_or_links_of(*ino));
            let data = exposed.iter().any(|c| earlier.touches(c));
            match self.model {
                Model::Strict => true,
                Model::Ext4Ordered => cell || dir || length || data,
                _ => cell,
            }
        };
        let all = self.events.iter().enumerate();
        let before = all.filter(|(_, e)| e.fate != Fate::Lost && precedes(e)).map(|(i, _)| i);
        let before = before.collect();
        self.events.push(Event { before, ..event });
    }

    fn pending(&self, of: impl Fn(&Event) -> bool) -> Vec<usize> {
        let all = self.events.iter().enumerate();
        all.filter(|(_, e)| e.fate == Fate::Pending && of(e)).map(|(i, _)| i).collect()
    }

    pub(crate) fn covered_by_file(&self, ino: Ino) -> Vec<usize> {
        // The event that gave the file the name it has; a directory's name is no file's.
        let names =
            |(c, v): &(Cell, Value)| *v == Value::Name(Some(ino)) && self.cache.get(c) == Some(v);
        let name_too = self.model == Model::Strict;
        self.pending(|e| e.file() == Some(ino) || (name_too && e.sets.iter().any(names)))
    }

    pub(crate) fn covered_by_dir(&self, dir: Ino) -> Vec<usize> {
        self.pending(|e| {
            let mut synced = e.synced.clone();
            synced.insert(dir);
            e.dirs().contains(&dir) && e.dirs().is_subset(&synced)
        })
    }

    fn make_durable(&mut self, events: &[usize]) {
        for event in self.closed(events) {
            self.events[event].fate = Fate::Durable;
        }
    }

    pub(crate) fn sync_file(&mut self, ino: Ino) {
        self.make_durable(&self.covered_by_file(ino));
        let written: BTreeSet<Cell> = self.events.iter().map(|e| e.sets[0].0.clone()).collect();
        for (cell, base) in &mut self.base {
            let hole = matches!(cell, Cell::Sector(i, _) if *i == ino) && !written.contains(cell);
            if hole && matches!(base, Base::Fill(_)) {
                *base = Base::Durable(zeros());
                self.pinned += 1;
            }
        }
    }

    pub(crate) fn sync_dir(&mut self, dir: Ino) {
        self.make_durable(&self.covered_by_dir(dir));
        for event in self.events.iter_mut().filter(|e| e.dirs().contains(&dir)) {
            event.synced.insert(dir);
        }
    }

    /// `events` closed downwards: all that must be durable when they are.
    fn closed(&self, events: &[usize]) -> BTreeSet<usize> {
        let mut closed = BTreeSet::new();
        let mut open = events.to_vec();
        while let Some(event) = open.pop() {
            if self.events[event].fate == Fate::Pending && closed.insert(event) {
                open.extend(&self.events[event].before);
            }
        }
        closed
    }

    /// Each event that a sync would have made durable becomes durable or lost.
    pub(crate) fn fail(&mut self, covered: &[usize], family: FailedSync, coins: &mut Coins) {
        if family == FailedSync::KeepDirty {
            return;
        }
        let covered = self.closed(covered);
        let lost: Vec<usize> = covered.iter().copied().filter(|_| coins.toss()).collect();
        for gone in &lost {
            self.events[*gone].fate = Fate::Lost;
            let before = self.events[*gone].before.clone();
            for event in &mut self.events {
                if event.before.remove(gone) {
                    event.before.extend(before.iter().copied());
                }
            }
        }
        for event in covered.into_iter().filter(|e| !lost.contains(e)) {
            self.events[event].fate = Fate::Durable;
        }
        if family == FailedSync::Revert {
            for gone in &lost {
                for (cell, _) in self.events[*gone].sets.clone() {
                    let value = self.newest(&cell);
                    self.cache.insert(cell, value);
                }
            }
        }
    }

    /// The newest value of a cell that is not lost.
    fn newest(&self, cell: &Cell) -> Value {
        let left = self.events.iter().filter(|e| e.fate != Fate::Lost);
        let mut sets = left.flat_map(|e| &e.sets).filter(|(c, _)| c == cell);
        if let Some((_, value)) = sets.next_back() {
            return value.clone();
        }
        match (self.base.get(cell), cell) {
            (Some(Base::Durable(value)), _) => value.clone(),
            (_, Cell::Sector(..)) => zeros(),
            (_, Cell::Len(_)) => Value::Len(0),
            (_, Cell::Name(..)) => Value::Name(None),
        }
    }
}
