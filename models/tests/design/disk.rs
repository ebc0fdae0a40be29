//! One directory as a power cut sees it: names, their pending changes, and files of items of which
//! the last ones are not synced.

use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Lsn = u8;
pub(crate) type Epoch = u8;

/// By LSN and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Name {
    Segment(Lsn, Epoch),
    Temporary(Lsn, Epoch),
    Snapshot(Lsn, Epoch),
}

impl Name {
    /// A rename changes the name, not the file.
    fn file(self) -> Name {
        match self {
            Name::Temporary(lsn, epoch) => Name::Snapshot(lsn, epoch),
            name => name,
        }
    }

    pub(crate) fn epoch(self) -> Epoch {
        let (Name::Segment(_, epoch) | Name::Temporary(_, epoch) | Name::Snapshot(_, epoch)) = self;
        epoch
    }
}

/// A change of the directory that is not durable yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Change {
    Create(Name),
    Remove(Name),
    Rename(Name, Name),
}

impl Change {
    fn touches(self, name: Name) -> bool {
        match self {
            Change::Create(one) | Change::Remove(one) => one == name,
            Change::Rename(from, to) => from == name || to == name,
        }
    }

    /// Two values of one name persist in order.
    fn must_follow(self, earlier: Change) -> bool {
        match self {
            Change::Create(one) | Change::Remove(one) => earlier.touches(one),
            Change::Rename(from, to) => earlier.touches(from) || earlier.touches(to),
        }
    }

    fn apply(self, names: &mut BTreeSet<Name>) {
        match self {
            Change::Create(name) => drop(names.insert(name)),
            Change::Remove(name) => drop(names.remove(&name)),
            Change::Rename(from, to) => {
                names.remove(&from);
                names.insert(to);
            }
        }
    }
}

/// Where the payload of each id stands: its LSN, and the epoch of the segment.
pub(crate) type Index = BTreeMap<u8, (Lsn, Epoch)>;

/// What is written and lost as one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    /// Of a segment: all up to `through` are copies; `durable` is a statement.
    Header { through: Lsn, durable: Lsn },
    /// `life` is the life that made the record: the same LSN may be given twice.
    Frame { lsn: Lsn, life: u8, durable: Lsn },
    /// A whole snapshot. The log goes on in the segment of that epoch: within it, or at its start.
    Body { index: Index, resume: Epoch, within: bool },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct File {
    items: Vec<Option<Item>>,
    synced: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Disk {
    /// As the process sees them.
    names: BTreeSet<Name>,
    durable: BTreeSet<Name>,
    pending: Vec<Change>,
    files: BTreeMap<Name, File>,
}

impl Disk {
    pub(crate) fn names(&self) -> impl Iterator<Item = Name> {
        self.names.iter().copied()
    }

    pub(crate) fn has(&self, name: Name) -> bool {
        self.names.contains(&name)
    }

    /// What is in a file; `None` where something was lost.
    pub(crate) fn items(&self, name: Name) -> &[Option<Item>] {
        self.files.get(&name.file()).map_or(&[], |file| &file.items)
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    pub(crate) fn create(&mut self, name: Name) {
        self.change(Change::Create(name));
        self.files.insert(name.file(), File::default());
    }

    pub(crate) fn rename(&mut self, from: Name, to: Name) {
        self.change(Change::Rename(from, to));
    }

    pub(crate) fn remove(&mut self, name: Name) {
        self.change(Change::Remove(name));
    }

    pub(crate) fn write(&mut self, name: Name, items: impl IntoIterator<Item = Item>) {
        let file = self.files.get_mut(&name.file()).expect("a file that was created");
        file.items.extend(items.into_iter().map(Some));
    }

    pub(crate) fn sync(&mut self, name: Name) {
        let file = self.files.get_mut(&name.file()).expect("a file that was created");
        file.synced = file.items.len();
    }

    pub(crate) fn sync_directory(&mut self) {
        self.pending.clear();
        self.durable = self.names.clone();
        self.forget();
    }

    /// Files without a name are gone; kept, they would multiply the states.
    fn forget(&mut self) {
        let named = |file: &Name| {
            let is = |name: &Name| name.file() == *file;
            self.names.iter().any(is) || self.durable.iter().any(is) || {
                let is = |change: &Change| match change {
                    Change::Create(name) | Change::Remove(name) => name.file() == *file,
                    Change::Rename(from, _) => from.file() == *file,
                };
                self.pending.iter().any(is)
            }
        };
        let kept: Vec<Name> = self.files.keys().copied().filter(named).collect();
        self.files.retain(|name, _| kept.contains(name));
    }

    /// How many changes of names and how many items a power cut may take.
    pub(crate) fn undecided(&self) -> (usize, usize) {
        let items = self.files.values().map(|file| file.items.len() - file.synced).sum();
        (self.pending.len(), items)
    }

    /// What a power cut leaves that keeps these, a bit each; `None` if that cannot be.
    pub(crate) fn power_cut(&self, names: u32, items: u32) -> Option<Disk> {
        let keeps = |nth: usize| names >> nth & 1 == 1;
        let mut left = Disk { names: self.durable.clone(), ..Disk::default() };
        for (nth, change) in self.pending.iter().enumerate().filter(|(nth, _)| keeps(*nth)) {
            let lost = (0..nth).filter(|nth| !keeps(*nth));
            if lost.into_iter().any(|earlier| change.must_follow(self.pending[earlier])) {
                return None;
            }
            change.apply(&mut left.names);
        }
        left.durable = left.names.clone();
        left.files = self.files.clone();
        let mut bit = 0;
        for (name, file) in &mut left.files {
            let stays = left.names.iter().any(|one| one.file() == *name);
            for item in &mut file.items[file.synced..] {
                let keeps = items >> bit & 1 == 1;
                if keeps && !stays {
                    return None; // the same disk as without
                }
                if !keeps {
                    *item = None;
                }
                bit += 1;
            }
            while file.items.last() == Some(&None) {
                file.items.pop();
            }
            file.synced = file.items.len();
        }
        left.forget();
        Some(left)
    }
}
