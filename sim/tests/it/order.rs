//! The order of the reference, row by row of the table of disk models, and what a sync covers.

use crate::history::Coins;
use crate::reference::{Base, Cell, Event, Fate, Ino, Reference, SECTOR, Value, zeros};
use highwater_sim::{FailedSync, Model};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Rows of the table: which models say yes.
mod row {
    use highwater_sim::Model::{self, *};

    pub(super) const LENGTH_WITH_LINKS: &[Model] =
        &[Ext4Writeback, Ext4Ordered, Ext4Journal, Xfs, Btrfs, Strict];
    pub(super) const DIRECTORY: &[Model] = &[Ext4Writeback, Ext4Ordered, Ext4Journal, Xfs, Strict];
    pub(super) const METADATA: &[Model] = &[Ext4Journal, Xfs, Strict];
    pub(super) const NEW_BLOCKS_BEFORE_LENGTH: &[Model] =
        &[Ext4Ordered, Ext4Journal, Xfs, Btrfs, Strict];
    pub(super) const TAIL_BEFORE_LENGTH: &[Model] = &[Ext4Journal, Xfs, Btrfs, Strict];
    /// An overwrite is ordered with anything, new data goes the same way: one order of all.
    pub(super) const OVERWRITES: &[Model] = &[Ext4Journal, Strict];
    pub(super) const DATA_BEFORE_REPLACING: &[Model] = &[Ext4Journal, Btrfs, Strict];
    pub(super) const NAME_WITH_FILE: &[Model] = &[Strict];
    pub(super) const STALE: &[Model] = &[Posix, Ext4Writeback];
    pub(super) const GARBAGE: &[Model] = &[Posix];
}

/// What a new event brings into the file or under another name: the data cells that may have to
/// persist before it.
#[derive(Default)]
struct Exposes {
    new_blocks: Vec<Cell>,
    tail: Vec<Cell>,
    replacing: Vec<Cell>,
}

impl Event {
    fn is_data(&self) -> bool {
        matches!(self.sets[0].0, Cell::Sector(..))
    }

    fn touches_any(&self, cells: &[Cell]) -> bool {
        cells.iter().any(|c| self.touches(c))
    }

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

/// The rules by which `earlier` must persist before `later`.
fn rules(model: Model, earlier: &Event, later: &Event, exposes: &Exposes) -> Vec<&'static str> {
    let mut inodes = later.links.clone();
    inodes.extend(later.sets.iter().filter_map(|(c, _)| match c {
        Cell::Len(ino) => Some(*ino),
        _ => None,
    }));
    let cell = later.sets.iter().any(|(c, _)| earlier.touches(c));
    // What a write appends is put off: only what orders everything makes others wait for it.
    let put_off = earlier.appends && !row::OVERWRITES.contains(&model);
    let length = !put_off && inodes.iter().any(|ino| earlier.sets_length_or_links_of(*ino));
    let directory = !later.dirs().is_disjoint(&earlier.dirs());
    let metadata = !put_off && !earlier.is_data() && !later.is_data();
    let overwrite = earlier.is_data() || later.is_data();
    let new_blocks = earlier.touches_any(&exposes.new_blocks);
    let replacing = earlier.touches_any(&exposes.replacing);
    let all: [(&'static str, bool, &[Model]); 8] = [
        ("cell", cell, &Model::ALL),
        ("length with links", length, row::LENGTH_WITH_LINKS),
        ("directory", directory, row::DIRECTORY),
        ("metadata", metadata, row::METADATA),
        ("new blocks before length", new_blocks, row::NEW_BLOCKS_BEFORE_LENGTH),
        ("tail before length", earlier.touches_any(&exposes.tail), row::TAIL_BEFORE_LENGTH),
        ("overwrites", overwrite, row::OVERWRITES),
        ("data before replacing", replacing, row::DATA_BEFORE_REPLACING),
    ];
    let says = all.into_iter().filter(|(_, holds, models)| *holds && models.contains(&model));
    says.map(|(rule, ..)| rule).collect()
}

/// The rules of a model that some histories must lean on alone.
pub(crate) fn rules_of(model: Model) -> Vec<&'static str> {
    if row::OVERWRITES.contains(&model) {
        return vec!["overwrites", "metadata"]; // all that the other rules say
    }
    let metadata = row::METADATA.contains(&model);
    let unless_metadata = |models: &[Model]| !metadata && models.contains(&model);
    let all = [
        ("cell", true),
        ("metadata", metadata),
        ("length with links", unless_metadata(row::LENGTH_WITH_LINKS)),
        ("directory", unless_metadata(row::DIRECTORY)),
        ("new blocks before length", row::NEW_BLOCKS_BEFORE_LENGTH.contains(&model)),
        ("tail before length", row::TAIL_BEFORE_LENGTH.contains(&model)),
        ("data before replacing", row::DATA_BEFORE_REPLACING.contains(&model)),
    ];
    all.into_iter().filter(|(_, says)| *says).map(|(rule, _)| rule).collect()
}

impl Reference {
    pub(crate) fn shows_stale(&self) -> bool {
        row::STALE.contains(&self.model)
    }

    pub(crate) fn shows_garbage(&self) -> bool {
        row::GARBAGE.contains(&self.model)
    }

    pub(crate) fn issue_names(&mut self, names: &[(Ino, &str, Option<Ino>)], links: &[Ino]) {
        self.issue_rename(names, links, None);
    }

    /// `replacing`: the file that takes the place of another one.
    pub(crate) fn issue_rename(
        &mut self,
        names: &[(Ino, &str, Option<Ino>)],
        links: &[Ino],
        replacing: Option<Ino>,
    ) {
        let set = |(d, n, v): &(Ino, &str, Option<Ino>)| (Cell::Name(*d, (*n).into()), *v);
        let sets = names.iter().map(set).map(|(c, v)| (c, Value::Name(v))).collect();
        let data = replacing.map_or(0..0, |ino| 0..self.sectors(ino));
        let length = replacing.map(Cell::Len);
        let replacing = data.map(|s| Cell::Sector(replacing.unwrap(), s)).chain(length).collect();
        self.issue(sets, links, &Exposes { replacing, ..Exposes::default() });
    }

    pub(crate) fn issue_data(&mut self, ino: Ino, data: BTreeMap<u64, Vec<u8>>) {
        for (s, bytes) in data {
            self.issue(
                vec![(Cell::Sector(ino, s), Value::Data(Rc::new(bytes)))],
                &[],
                &Exposes::default(),
            );
        }
    }

    /// `appends`: the length that a write brings with it.
    pub(crate) fn issue_len(&mut self, ino: Ino, old: u64, new: u64, appends: bool) {
        let cells = |sectors: std::ops::Range<u64>| sectors.map(|s| Cell::Sector(ino, s)).collect();
        let new_blocks = cells(old.div_ceil(SECTOR)..new.div_ceil(SECTOR));
        let grows_in_it = new > old && !old.is_multiple_of(SECTOR);
        let tail = cells(old / SECTOR..old / SECTOR + u64::from(grows_in_it));
        let exposes = Exposes { new_blocks, tail, ..Exposes::default() };
        self.issue(vec![(Cell::Len(ino), Value::Len(new))], &[], &exposes);
        self.events.last_mut().expect("just issued").appends = appends;
    }

    fn issue(&mut self, sets: Vec<(Cell, Value)>, links: &[Ino], exposes: &Exposes) {
        self.cache.extend(sets.iter().cloned());
        let event = Event {
            sets,
            before: BTreeSet::new(),
            fate: Fate::Pending,
            links: links.iter().copied().collect(),
            synced: BTreeSet::new(),
            appends: false,
        };
        let mut before = BTreeSet::new();
        for (i, earlier) in self.events.iter().enumerate().filter(|(_, e)| e.fate != Fate::Lost) {
            let rules = rules(self.model, earlier, &event, exposes);
            if !rules.is_empty() {
                before.insert(i);
            }
            if let ([alone], Fate::Pending) = (&rules[..], earlier.fate) {
                *self.forced.entry(alone).or_default() += 1;
            }
        }
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
        let name_too = row::NAME_WITH_FILE.contains(&self.model);
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
