//! A model disk that is slow and obvious, written from the text of the disk model and from nothing
//! of the simulator: one flat list of events, explicit edges, and states by brute force.

use crate::history::{Coins, Op, Target, bytes_of};
use highwater_sim::{FailedSync, Model};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

pub(crate) const SECTOR: u64 = 512;
pub(crate) const ROOT: Ino = 0;
pub(crate) type Ino = usize;
pub(crate) type Bytes = Rc<Vec<u8>>;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cell {
    Sector(Ino, u64),
    Len(Ino),
    Name(Ino, Rc<str>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Data(Bytes),
    Len(u64),
    Name(Option<Ino>),
}

/// What a cell holds at position 0.
#[derive(Clone, Debug)]
pub(crate) enum Base {
    Durable(Value),
    /// A sector that was never durable, and what it held for somebody else.
    Fill(Option<Bytes>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending,
    Durable,
    Lost,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) sets: Vec<(Cell, Value)>,
    /// The events that must persist before this one.
    pub(crate) before: BTreeSet<usize>,
    pub(crate) fate: Fate,
    /// It is the length that a write brings with it.
    pub(crate) appends: bool,
    /// The inodes it links or unlinks.
    pub(crate) links: BTreeSet<Ino>,
    /// Of the directories it changes, those that were synced since.
    pub(crate) synced: BTreeSet<Ino>,
}

pub(crate) fn zeros() -> Value {
    Value::Data(Rc::new(vec![0; SECTOR as usize]))
}

/// The cells of a disk with a value each.
pub(crate) type Disk = BTreeMap<Cell, Value>;

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) model: Model,
    pub(crate) events: Vec<Event>,
    pub(crate) base: BTreeMap<Cell, Base>,
    /// What the running programs see.
    pub(crate) cache: Disk,
    pub(crate) is_dir: Vec<bool>,
    /// Each with how many errors of its file it was told of.
    handles: Vec<(Ino, u32)>,
    /// How many errors there were of a file or directory, and whether the last was told.
    errors: BTreeMap<Ino, (u32, bool)>,
    /// The last bytes of each sector of the inode removed, replaced or cut last.
    pub(crate) stale: BTreeMap<u64, Bytes>,
    /// How many holes a sync has pinned.
    pub(crate) pinned: u64,
    /// How many pairs of events each rule of the order has put in order alone.
    pub(crate) forced: BTreeMap<&'static str, u64>,
}

impl Reference {
    pub(crate) fn new(model: Model) -> Reference {
        Reference::on(model, Disk::new(), vec![true])
    }

    /// A disk all of which is durable: what a crash left.
    pub(crate) fn on(model: Model, disk: Disk, is_dir: Vec<bool>) -> Reference {
        let base = disk.iter().map(|(c, v)| (c.clone(), Base::Durable(v.clone()))).collect();
        Reference {
            model,
            events: Vec::new(),
            base,
            cache: disk,
            is_dir,
            handles: Vec::new(),
            errors: BTreeMap::new(),
            stale: BTreeMap::new(),
            pinned: 0,
            forced: BTreeMap::new(),
        }
    }

    pub(crate) fn name(&self, dir: Ino, name: &str) -> Option<Ino> {
        match self.cache.get(&Cell::Name(dir, name.into())) {
            Some(Value::Name(ino)) => *ino,
            _ => None,
        }
    }

    pub(crate) fn len(&self, ino: Ino) -> u64 {
        match self.cache.get(&Cell::Len(ino)) {
            Some(Value::Len(len)) => *len,
            _ => 0,
        }
    }

    fn sector(&self, ino: Ino, sector: u64) -> Vec<u8> {
        match self.cache.get(&Cell::Sector(ino, sector)) {
            Some(Value::Data(bytes)) => bytes.to_vec(),
            _ => vec![0; SECTOR as usize],
        }
    }

    /// The sector as a writer of a part of it sees it: nothing is behind the end of the file.
    fn inside(&self, ino: Ino, sector: u64) -> Vec<u8> {
        let mut bytes = self.sector(ino, sector);
        let inside = self.len(ino).saturating_sub(sector * SECTOR).min(SECTOR);
        bytes[inside as usize..].fill(0);
        bytes
    }

    fn parent<'p>(&self, path: &'p str) -> Option<(Ino, &'p str)> {
        match path.split_once('/') {
            None => Some((ROOT, path)),
            Some((dir, name)) => {
                let ino = self.name(ROOT, dir)?;
                self.is_dir[ino].then_some((ino, name))
            }
        }
    }

    fn find(&self, path: &str) -> Option<Ino> {
        if path.is_empty() {
            return Some(ROOT);
        }
        let (dir, name) = self.parent(path)?;
        self.name(dir, name)
    }

    fn file(&self, path: &str) -> Option<Ino> {
        self.find(path).filter(|ino| !self.is_dir[*ino])
    }

    fn target(&self, at: &Target) -> Option<Ino> {
        match at {
            Target::Path(path) => self.file(path),
            Target::Handle(n) => self.handles.get(*n).map(|handle| handle.0),
        }
    }

    /// An error is told once through every handle that was open when it happened; one that is
    /// opened later is told only if nobody was.
    fn told(&mut self, ino: Ino, at: Option<&Target>) -> Option<()> {
        let &mut (times, ref mut told) = self.errors.entry(ino).or_default();
        let knows = match at {
            Some(Target::Handle(n)) => std::mem::replace(&mut self.handles[*n].1, times),
            _ if *told => times,
            _ => 0,
        };
        *told |= knows != times;
        (knows == times).then_some(())
    }

    fn fails(&mut self, ino: Ino, at: Option<&Target>, family: FailedSync) -> Option<()> {
        let (times, told) = self.errors.entry(ino).or_default();
        (*times, *told) = (*times + 1, false);
        if family == FailedSync::Late { Some(()) } else { self.told(ino, at) }
    }

    /// Carries out a call; `None` if it fails. Coins decide what a failed sync loses.
    pub(crate) fn call(&mut self, op: &Op, coins: &mut Coins) -> Option<()> {
        match op {
            Op::Create(path) => {
                let ino = self.link_new(path, false)?;
                self.handles.push((ino, 0));
            }
            Op::Mkdir(path) => drop(self.link_new(path, true)?),
            Op::Write { at, offset, len, tag } => {
                let ino = self.target(at)?;
                self.write(ino, *offset, &bytes_of(*tag, *offset, *len));
            }
            Op::SetLen(at, len) => self.set_len(self.target(at)?, *len),
            Op::Rename(from, to) => self.rename(from, to)?,
            Op::Remove(path) => {
                let (ino, (dir, name)) = (self.file(path)?, self.parent(path)?);
                self.frees(ino);
                self.issue_names(&[(dir, name, None)], &[ino]);
            }
            Op::Sync(at) => {
                let ino = self.target(at)?;
                self.sync_file(ino);
                self.told(ino, Some(at))?;
            }
            Op::SyncDir(dir) => {
                let dir = self.find(dir).filter(|d| self.is_dir[*d])?;
                self.sync_dir(dir);
                self.told(dir, None)?;
            }
            Op::FailSync(at, family) => {
                let ino = self.target(at)?;
                let covered = self.covered_by_file(ino);
                self.fail(&covered, *family, coins);
                self.fails(ino, Some(at), *family)?;
            }
            Op::FailSyncDir(dir, family) => {
                let dir = self.find(dir).filter(|d| self.is_dir[*d])?;
                let covered = self.covered_by_dir(dir);
                self.fail(&covered, *family, coins);
                self.fails(dir, None, *family)?;
            }
            Op::Kill => self.handles.clear(), // the cache stays
        }
        Some(())
    }

    fn link_new(&mut self, path: &str, is_dir: bool) -> Option<Ino> {
        let (dir, name) = self.parent(path)?;
        if self.name(dir, name).is_some() {
            return None;
        }
        let ino = self.is_dir.len();
        self.is_dir.push(is_dir);
        self.issue_names(&[(dir, name, Some(ino))], &[ino]);
        Some(ino)
    }

    fn rename(&mut self, from: &str, to: &str) -> Option<()> {
        let ino = self.file(from)?;
        let ((from_dir, from_name), (to_dir, to_name)) = (self.parent(from)?, self.parent(to)?);
        let replaced = self.name(to_dir, to_name);
        if replaced.is_some_and(|other| self.is_dir[other]) {
            return None;
        }
        if replaced == Some(ino) {
            return Some(()); // POSIX: two names of one file, nothing happens
        }
        let mut links = vec![ino];
        if let Some(other) = replaced {
            self.frees(other);
            links.push(other);
        }
        // One event in two cells.
        let names = [(from_dir, from_name, None), (to_dir, to_name, Some(ino))];
        self.issue_rename(&names, &links, replaced.map(|_| ino));
        Some(())
    }

    /// How many sectors the file has or once had in this life.
    pub(crate) fn sectors(&self, ino: Ino) -> u64 {
        let of = |c: &&Cell| matches!(c, Cell::Sector(i, _) if *i == ino);
        self.base.keys().filter(of).count() as u64
    }

    /// The file was removed, replaced or cut: others may see what its sectors held last.
    fn frees(&mut self, ino: Ino) {
        let sectors = 0..self.sectors(ino);
        if !sectors.is_empty() {
            self.stale = sectors.map(|s| (s, Rc::new(self.sector(ino, s)))).collect();
        }
    }

    fn write(&mut self, ino: Ino, offset: u64, bytes: &[u8]) {
        let (old, end) = (self.len(ino), offset + bytes.len() as u64);
        let mut data = BTreeMap::new();
        self.grow(ino, old, end, &mut data);
        for (i, byte) in bytes.iter().enumerate() {
            let at = offset + i as u64;
            let sector = data.entry(at / SECTOR);
            sector.or_insert_with(|| self.inside(ino, at / SECTOR))[(at % SECTOR) as usize] = *byte;
        }
        self.issue_data(ino, data);
        if end > old {
            self.issue_len(ino, old, end, true);
        }
    }

    fn set_len(&mut self, ino: Ino, len: u64) {
        let old = self.len(ino);
        if len == old {
            return;
        }
        let mut data = BTreeMap::new();
        if len > old {
            self.grow(ino, old, len, &mut data);
        } else {
            self.frees(ino);
            for s in len / SECTOR..self.sectors(ino) {
                let keep = len.saturating_sub(s * SECTOR).min(SECTOR) as usize;
                let mut bytes = self.sector(ino, s);
                bytes[keep..].fill(0);
                data.insert(s, bytes);
            }
        }
        self.issue_data(ino, data);
        self.issue_len(ino, old, len, false);
    }

    /// New sectors come into the file; the partly filled one gets its zeroed tail, and so does
    /// whatever lies behind the end from a longer past.
    fn grow(&mut self, ino: Ino, old: u64, new: u64, data: &mut BTreeMap<u64, Vec<u8>>) {
        if new <= old {
            return;
        }
        if !old.is_multiple_of(SECTOR) {
            data.insert(old / SECTOR, self.inside(ino, old / SECTOR));
        }
        for s in old.div_ceil(SECTOR)..new.div_ceil(SECTOR) {
            let (cell, stale) = (Cell::Sector(ino, s), self.stale.get(&s).cloned());
            if self.base.contains_key(&cell) {
                data.insert(s, vec![0; SECTOR as usize]);
                continue;
            }
            self.cache.insert(cell.clone(), zeros());
            self.base.insert(cell, Base::Fill(stale));
        }
    }
}
