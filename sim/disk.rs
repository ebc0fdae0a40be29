//! The disk: inodes, names, lengths and sectors as cells, and the calls that change them as events.
//!
//! Names are apart from inodes, lengths apart from data: what no sync covers may survive alone.
//!
//! Invariants
//! - D3: a change is an event (or several) in issue order, each a new value of one cell; a rename
//!   is one event in two cells.
//! - D4: bytes behind a file's length read as zeros once the file grows over them.

use crate::cell::{Block, Cell, Decider, Fill};
use crate::model::{Fills, Model};
use crate::order::{CellRef, Event, Id, Ino, NONE, Past, Pending, Status};
use crate::{Choices, FailedSync};
use std::io::{self, ErrorKind};
use std::sync::Arc;

pub(crate) const ROOT: Ino = 0;
pub(crate) const SECTOR: usize = 512;
/// Sector numbers fit 32 bits with room to spare.
pub(crate) const FILE_SIZE_MAX: u64 = 1 << 40;

#[derive(Clone, Debug)]
pub(crate) struct FileNode {
    pub(crate) length: Cell<u64>,
    pub(crate) sectors: Vec<Cell<Block>>,
    /// The last event that changed its length or one of its links.
    last_meta: Option<(u32, Id)>,
}

pub(crate) type Name = (Arc<str>, Cell<Option<Ino>>);

#[derive(Clone, Debug, Default)]
pub(crate) struct DirNode {
    /// In the order of their first use: an index is the name's number in a [`CellRef`].
    pub(crate) names: Vec<Name>,
    last: Option<(u32, Id)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    File(Arc<FileNode>),
    Dir(Arc<DirNode>),
    Gone,
}

/// A disk in the middle of its history. A clone is a fork: cheap, and independent.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) model: Model,
    /// Power cuts so far.
    pub(crate) life: u32,
    /// Crashes of any kind so far.
    pub(crate) process: u32,
    pub(crate) nodes: Vec<Node>,
    pub(crate) pending: Pending,
    pub(crate) pasts: Vec<Past>,
    pub(crate) status: Vec<Status>,
    /// The sectors of the inode that was removed or cut last.
    pub(crate) stale: Option<Arc<Vec<Block>>>,
    last: Option<(u32, Id)>,
}

fn no(kind: ErrorKind) -> io::Error {
    kind.into()
}

impl Disk {
    pub(crate) fn new(model: Model) -> Disk {
        Disk {
            model,
            life: 0,
            process: 0,
            nodes: vec![Node::Dir(Arc::default())],
            pending: Pending::default(),
            pasts: Vec::new(),
            status: Vec::new(),
            stale: None,
            last: None,
        }
    }

    fn decider<'a>(&'a mut self, choices: &'a mut Choices) -> (&'a mut [Node], Decider<'a>) {
        let decider = Decider { pasts: &self.pasts, status: &mut self.status, choices };
        (&mut self.nodes, decider)
    }

    fn dir(&self, ino: Ino) -> io::Result<&Arc<DirNode>> {
        match &self.nodes[ino as usize] {
            Node::Dir(dir) => Ok(dir),
            _ => Err(no(ErrorKind::NotADirectory)),
        }
    }

    fn dir_mut(&mut self, ino: Ino) -> &mut DirNode {
        match &mut self.nodes[ino as usize] {
            Node::Dir(dir) => Arc::make_mut(dir),
            _ => panic!("inode {ino} was a directory a moment ago"),
        }
    }

    fn file(&self, ino: Ino) -> &Arc<FileNode> {
        match &self.nodes[ino as usize] {
            Node::File(file) => file,
            _ => panic!("inode {ino} is open, so it is a file"),
        }
    }

    fn file_mut(&mut self, ino: Ino) -> &mut FileNode {
        match &mut self.nodes[ino as usize] {
            Node::File(file) => Arc::make_mut(file),
            _ => panic!("inode {ino} is open, so it is a file"),
        }
    }

    pub(crate) fn is_dir(&self, ino: Ino) -> bool {
        matches!(self.nodes[ino as usize], Node::Dir(_))
    }

    // ---- names ---------------------------------------------------------------------------

    fn find(&mut self, dir: Ino, name: &str, choices: &mut Choices) -> io::Result<Option<Ino>> {
        let life = self.life;
        let names = Arc::clone(self.dir(dir)?);
        let (_, mut decider) = self.decider(choices);
        let entry = names.names.iter().find(|n| &*n.0 == name);
        Ok(entry.and_then(|(_, cell)| cell.value(life, &mut decider)))
    }

    /// The directory that holds the last component of `path`, and that component.
    pub(crate) fn parent<'p>(
        &mut self,
        path: &'p str,
        choices: &mut Choices,
    ) -> io::Result<(Ino, &'p str)> {
        let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.lookup(above, choices)?, name))
    }

    pub(crate) fn lookup(&mut self, path: &str, choices: &mut Choices) -> io::Result<Ino> {
        let mut at = ROOT;
        for name in path.split('/').filter(|n| !n.is_empty()) {
            at = self.find(at, name, choices)?.ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    pub(crate) fn list(&mut self, dir: Ino, choices: &mut Choices) -> io::Result<Vec<String>> {
        let life = self.life;
        let names = Arc::clone(self.dir(dir)?);
        let (_, mut decider) = self.decider(choices);
        let mut list = Vec::with_capacity(names.names.len());
        for (name, cell) in &names.names {
            if cell.value(life, &mut decider).is_some() {
                list.push(name.to_string());
            }
        }
        list.sort_unstable();
        Ok(list)
    }

    fn name_number(&mut self, dir: Ino, name: &str) -> u32 {
        let names = &mut self.dir_mut(dir).names;
        let found = names.iter().position(|n| &*n.0 == name).unwrap_or_else(|| {
            names.push((name.into(), Cell::durable(None)));
            names.len() - 1
        });
        found as u32
    }

    /// An edge from an earlier event to the one just added, if the earlier one is still pending.
    fn after(&mut self, earlier: Option<(u32, Id)>, id: Id) {
        if let Some((life, earlier)) = earlier
            && life == self.life
            && earlier != id
            && self.pending.get(earlier).is_some()
        {
            self.pending.edge(earlier, id);
        }
    }

    fn begin_event(&mut self, cells: [Option<CellRef>; 2], call: u32) -> Id {
        let id = self.pending.add(cells, (self.process, call));
        if self.model.order().everything {
            self.after(self.last, id);
            self.last = Some((self.life, id));
        }
        id
    }

    fn order_link(&mut self, dir: Ino, target: Option<Ino>, id: Id) {
        let rules = self.model.order();
        if rules.directory {
            let last = self.dir(dir).ok().and_then(|d| d.last);
            self.after(last, id);
            self.dir_mut(dir).last = Some((self.life, id));
        }
        if let (true, Some(ino)) = (rules.length_with_links, target)
            && !self.is_dir(ino)
        {
            let last = self.file(ino).last_meta;
            self.after(last, id);
            self.file_mut(ino).last_meta = Some((self.life, id));
        }
    }

    /// Gives names of up to two directories new values in one event (D3).
    fn set_names(&mut self, changes: &[(Ino, &str, Option<Ino>, Option<Ino>)], call: u32) {
        let numbers: Vec<u32> = changes.iter().map(|c| self.name_number(c.0, c.1)).collect();
        let cell = |i: usize| Some(CellRef::Name(changes.get(i)?.0, *numbers.get(i)?));
        let id = self.begin_event([cell(0), cell(1)], call);
        let life = self.life;
        for (&(dir, _, value, old), &number) in changes.iter().zip(&numbers) {
            let before = self.dir_mut(dir).names[number as usize].1.last_pending(life);
            self.after(before.map(|b| (life, b)), id);
            self.order_link(dir, value.or(old), id);
            if value.is_some() && old.is_some() {
                self.order_link(dir, old, id);
            }
            self.dir_mut(dir).names[number as usize].1.push(life, id, value);
        }
    }

    fn create(
        &mut self,
        path: &str,
        node: Node,
        call: u32,
        choices: &mut Choices,
    ) -> io::Result<Ino> {
        let (dir, name) = self.parent(path, choices)?;
        if name.is_empty() || self.find(dir, name, choices)?.is_some() {
            return Err(no(ErrorKind::AlreadyExists));
        }
        let ino = self.nodes.len() as Ino;
        self.nodes.push(node);
        self.set_names(&[(dir, name, Some(ino), None)], call);
        Ok(ino)
    }

    pub(crate) fn create_file(
        &mut self,
        path: &str,
        call: u32,
        choices: &mut Choices,
    ) -> io::Result<Ino> {
        let mut length = Cell::durable(0);
        length.cache = Some((self.life, 0));
        let file = FileNode { length, sectors: Vec::new(), last_meta: None };
        self.create(path, Node::File(Arc::new(file)), call, choices)
    }

    pub(crate) fn create_dir(
        &mut self,
        path: &str,
        call: u32,
        choices: &mut Choices,
    ) -> io::Result<()> {
        self.create(path, Node::Dir(Arc::default()), call, choices).map(drop)
    }

    fn present_file(
        &mut self,
        dir: Ino,
        name: &str,
        choices: &mut Choices,
    ) -> io::Result<Option<Ino>> {
        let found = self.find(dir, name, choices)?;
        let is_dir = name.is_empty() || found.is_some_and(|ino| self.is_dir(ino));
        if is_dir { Err(no(ErrorKind::IsADirectory)) } else { Ok(found) }
    }

    pub(crate) fn remove(
        &mut self,
        path: &str,
        call: u32,
        choices: &mut Choices,
    ) -> io::Result<()> {
        let (dir, name) = self.parent(path, choices)?;
        let ino = self.present_file(dir, name, choices)?.ok_or(ErrorKind::NotFound)?;
        self.become_stale(ino);
        self.set_names(&[(dir, name, None, Some(ino))], call);
        Ok(())
    }

    pub(crate) fn rename(
        &mut self,
        from: &str,
        to: &str,
        call: u32,
        choices: &mut Choices,
    ) -> io::Result<()> {
        let (dir, name) = self.parent(from, choices)?;
        let ino = self.present_file(dir, name, choices)?.ok_or(ErrorKind::NotFound)?;
        let (to_dir, to_name) = self.parent(to, choices)?;
        let replaced = self.present_file(to_dir, to_name, choices)?;
        if (dir, name) == (to_dir, to_name) {
            return Ok(());
        }
        if let Some(replaced) = replaced {
            self.become_stale(replaced);
        }
        let change = [(dir, name, None, Some(ino)), (to_dir, to_name, Some(ino), replaced)];
        self.set_names(&change, call);
        Ok(())
    }

    fn become_stale(&mut self, ino: Ino) {
        if self.model.fills() == Fills::ZerosStaleGarbage {
            let life = self.life;
            let blocks: Vec<Block> =
                self.file(ino).sectors.iter().map(|s| s.glance(life)).collect();
            if !blocks.is_empty() {
                self.stale = Some(Arc::new(blocks));
            }
        }
    }

    // ---- contents ------------------------------------------------------------------------

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

    fn block(&mut self, ino: Ino, sector: usize, choices: &mut Choices) -> Block {
        let life = self.life;
        let Node::File(file) = &self.nodes[ino as usize] else {
            panic!("inode {ino} is open, so it is a file")
        };
        let Some(cell) = file.sectors.get(sector) else { return Block::Zero };
        let mut decider = Decider { pasts: &self.pasts, status: &mut self.status, choices };
        cell.read(life, &mut decider)
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
            let (sector, start) = ((at / SECTOR as u64) as usize, (at % SECTOR as u64) as usize);
            let count = (SECTOR - start).min((end - at) as usize);
            let done = (at - offset) as usize;
            self.block(ino, sector, choices).copy(start, &mut buf[done..done + count]);
            at += count as u64;
        }
        end.saturating_sub(offset) as usize
    }

    /// A cell for every sector before `count`; those that are new have never been durable.
    fn grow_cells(&mut self, ino: Ino, count: usize, call: u32) {
        let life = self.life;
        while self.file(ino).sectors.len() < count {
            let sector = self.file(ino).sectors.len();
            let mut cell = Cell::durable(Block::Zero);
            cell.cache = Some((life, Block::Zero));
            if self.model.fills() == Fills::ZerosStaleGarbage {
                let stale = self.stale.as_ref().and_then(|s| s.get(sector).cloned());
                let place = Some(CellRef::Sector(ino, sector as u32));
                let id = self.pending.add([place, None], (self.process, call));
                let fill = Fill { life, id, stale };
                self.pending.get_mut(id).expect("just added").alternatives = fill.alternatives();
                cell.fill = Some(fill);
            }
            self.file_mut(ino).sectors.push(cell);
        }
    }

    fn set_block(&mut self, ino: Ino, sector: usize, block: Block, call: u32) -> Id {
        let life = self.life;
        let id = self.begin_event([Some(CellRef::Sector(ino, sector as u32)), None], call);
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

    fn set_length(&mut self, ino: Ino, length: u64, exposes: &[Id], call: u32) {
        let life = self.life;
        let id = self.begin_event([Some(CellRef::Length(ino)), None], call);
        let before = self.file(ino).length.last_pending(life);
        let rules = self.model.order();
        if rules.new_data_before_length {
            exposes.iter().for_each(|&data| self.after(Some((life, data)), id));
        }
        self.after(before.map(|b| (life, b)), id);
        if rules.length_with_links {
            let last = self.file(ino).last_meta.filter(|&(_, last)| Some(last) != before);
            self.after(last, id);
            self.file_mut(ino).last_meta = Some((life, id));
        }
        self.file_mut(ino).length.push(life, id, length);
    }

    /// Puts `bytes` at `start` of a sector whose bytes before `valid` count and whose other bytes
    /// are zeros.
    fn patch(
        &mut self,
        ino: Ino,
        sector: usize,
        valid: usize,
        start: usize,
        bytes: &[u8],
        choices: &mut Choices,
    ) -> Block {
        if bytes.len() == SECTOR {
            return Block::new(bytes);
        }
        let mut image = [0; SECTOR];
        // Only bytes that stay need a look, and only a look decides them.
        if start > 0 && valid > 0 || start + bytes.len() < valid {
            self.block(ino, sector, choices).copy(0, &mut image[..valid]);
        }
        image[start..start + bytes.len()].copy_from_slice(bytes);
        Block::new(&image)
    }

    /// Growth from `size`: the rest of a partly filled sector, and whatever a former life left
    /// behind the end, become zeros (D4), up to but without sector `until`.
    fn zero_tail(&mut self, ino: Ino, size: u64, until: usize, call: u32, choices: &mut Choices) {
        let (first, valid) = ((size / SECTOR as u64) as usize, (size % SECTOR as u64) as usize);
        let cells = self.file(ino).sectors.len();
        if valid > 0 && first < until && first < cells {
            let block = self.patch(ino, first, valid, valid, &[], choices);
            self.set_block(ino, first, block, call);
        }
        let behind = first + usize::from(valid > 0);
        for sector in behind..until.min(cells) {
            self.set_block(ino, sector, Block::Zero, call);
        }
    }

    /// Looks at all that a write of `len` bytes at `offset` will look at, so that the write itself
    /// decides nothing and may be cut anywhere.
    pub(crate) fn look_before(&mut self, ino: Ino, len: usize, offset: u64, choices: &mut Choices) {
        let size = self.size(ino, choices);
        let end = offset.saturating_add(len as u64);
        let unit = SECTOR as u64;
        let mut look = |at: u64| drop(self.block(ino, (at / unit) as usize, choices));
        if offset > size && size % unit > 0 {
            look(size);
        }
        if offset % unit > 0 && offset - offset % unit < size {
            look(offset);
        }
        if end % unit > 0 && end < size {
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
        let first = (offset / SECTOR as u64) as usize;
        if offset > size {
            self.zero_tail(ino, size, first, call, choices);
        }
        let old_count = size.div_ceil(SECTOR as u64) as usize;
        let new_count = end.max(size).div_ceil(SECTOR as u64) as usize;
        self.grow_cells(ino, new_count, call);
        let mut exposes = Vec::new();
        let mut done = 0;
        let mut at = offset;
        while at < end {
            let (sector, start) = ((at / SECTOR as u64) as usize, (at % SECTOR as u64) as usize);
            let count = (SECTOR - start).min(buf.len() - done);
            let valid = size.saturating_sub((sector * SECTOR) as u64).min(SECTOR as u64) as usize;
            let bytes = &buf[done..done + count];
            let block = self.patch(ino, sector, valid, start, bytes, choices);
            let id = self.set_block(ino, sector, block, call);
            if sector >= old_count {
                exposes.push(id);
            }
            done += count;
            at += count as u64;
        }
        if end > size {
            self.set_length(ino, end, &exposes, call);
        }
    }

    pub(crate) fn set_len(&mut self, ino: Ino, length: u64, call: u32, choices: &mut Choices) {
        let size = self.size(ino, choices);
        let count = length.div_ceil(SECTOR as u64) as usize;
        if length < size {
            self.become_stale(ino);
            self.zero_tail(ino, length, self.file(ino).sectors.len(), call, choices);
        } else if length > size {
            self.zero_tail(ino, size, count, call, choices);
            self.grow_cells(ino, count, call);
        }
        if length != size {
            self.set_length(ino, length, &[], call);
        }
    }

    // ---- syncs ---------------------------------------------------------------------------

    fn covers(&self, synced: Ino, cell: CellRef) -> bool {
        match cell {
            CellRef::Sector(ino, _) | CellRef::Length(ino) => ino == synced,
            CellRef::Name(dir, number) => {
                dir == synced
                    || self.model.order().sync_covers_name && {
                        let target =
                            |d: &Arc<DirNode>| *d.names[number as usize].1.cached(self.life)?;
                        self.dir(dir).ok().and_then(target) == Some(synced)
                    }
            }
        }
    }

    /// The pending events that a sync of `ino` covers, closed downwards, by id.
    fn covered(&self, ino: Ino) -> (Vec<bool>, Vec<Event>) {
        let mut marked = vec![false; self.pending.next as usize];
        let mut events = self.pending.events.clone();
        for event in &mut events {
            for (cell, covered) in event.cells.iter().zip(&mut event.covered) {
                *covered |= cell.is_none_or(|cell| self.covers(ino, cell));
            }
            marked[event.id as usize] = event.alternatives == 0 && event.covered == [true; 2];
        }
        self.pending.close_down(&mut marked);
        (marked, events)
    }

    fn settle(&mut self, marked: &mut [bool]) {
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
    fn pin_holes(&mut self, ino: Ino, marked: &mut [bool]) {
        let life = self.life;
        for cell in &mut self.file_mut(ino).sectors {
            if cell.versions.is_empty()
                && let Some(fill) = cell.fill.take_if(|f| f.life == life)
            {
                marked[fill.id as usize] = true;
            }
        }
    }

    /// A failed sync: what it would have covered is durable or lost, by choice, or stays pending.
    pub(crate) fn fail_sync(&mut self, ino: Ino, family: FailedSync, choices: &mut Choices) {
        if family == FailedSync::KeepDirty {
            return;
        }
        let (covered, _) = self.covered(ino);
        let mut durable = vec![false; covered.len()];
        let mut lost = vec![false; covered.len()];
        for event in &self.pending.events {
            if covered[event.id as usize] {
                let kept = choices.choose(2) == 0;
                durable[event.id as usize] = kept;
                lost[event.id as usize] = !kept;
            }
        }
        let events: Vec<_> =
            self.pending.events.iter().filter(|e| lost[e.id as usize]).copied().collect();
        for event in &events {
            for cell in event.cells.into_iter().flatten() {
                self.lose(cell, event.id);
            }
        }
        self.pending.remove(&lost, true);
        self.pending.close_down(&mut durable);
        self.settle(&mut durable);
        if family == FailedSync::Revert {
            events.iter().flat_map(|e| e.cells).flatten().for_each(|cell| self.revert(cell));
        }
    }

    /// The event leaves the cell's future; what readers see of it stays in the cache.
    fn lose(&mut self, cell: CellRef, id: Id) {
        let life = self.life;
        match cell {
            CellRef::Sector(ino, s) => {
                let cell = &mut self.file_mut(ino).sectors[s as usize];
                let first = cell.versions.iter().find(|v| v.life == life).map(|v| v.id);
                cell.forget(life, id);
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
    fn revert(&mut self, cell: CellRef) {
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
