//! The names of the disk: which of them lead to which inode, and the calls that change them.

use crate::Choices;
use crate::cell::Cell;
use crate::disk::{Disk, FileNode, Node, ROOT};
use crate::model::Fills;
use crate::order::{CellRef, Event, Id, Ino};
use std::io::{self, ErrorKind};
use std::sync::Arc;

impl Disk {
    pub(crate) fn find(
        &mut self,
        dir: Ino,
        name: &str,
        choices: &mut Choices,
    ) -> io::Result<Option<Ino>> {
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

    pub(crate) fn name_number(&mut self, dir: Ino, name: &str) -> u32 {
        let names = &mut self.dir_mut(dir).names;
        let found = names.iter().position(|n| &*n.0 == name).unwrap_or_else(|| {
            names.push((name.into(), Cell::durable(None)));
            names.len() - 1
        });
        found as u32
    }

    pub(crate) fn order_link(&mut self, dir: Ino, target: Option<Ino>, id: Id) {
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
    pub(crate) fn set_names(
        &mut self,
        changes: &[(Ino, &str, Option<Ino>, Option<Ino>)],
        call: u32,
    ) -> Id {
        let numbers: Vec<u32> = changes.iter().map(|c| self.name_number(c.0, c.1)).collect();
        let cell = |i: usize| Some(CellRef::Name(changes.get(i)?.0, *numbers.get(i)?));
        let id = self.begin_event([cell(0), cell(1)], call, false); // D3: one event, two cells
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
        id
    }

    pub(crate) fn create(
        &mut self,
        path: &str,
        node: Node,
        call: u32,
        choices: &mut Choices,
    ) -> io::Result<Ino> {
        let (dir, name) = self.parent(path, choices)?;
        let there = if name.is_empty() { Some(ROOT) } else { self.find(dir, name, choices)? };
        if let Some(there) = there {
            let file_over_dir = self.is_dir(there) && matches!(node, Node::File(_));
            let exists = ErrorKind::AlreadyExists;
            return Err(if file_over_dir { ErrorKind::IsADirectory } else { exists }.into());
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

    pub(crate) fn present_file(
        &mut self,
        dir: Ino,
        name: &str,
        choices: &mut Choices,
    ) -> io::Result<Option<Ino>> {
        let found = self.find(dir, name, choices)?;
        let is_dir = name.is_empty() || found.is_some_and(|ino| self.is_dir(ino));
        if is_dir { Err(ErrorKind::IsADirectory.into()) } else { Ok(found) }
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
        let id = if self.device.atomic_rename {
            self.set_names(&change, call)
        } else {
            self.set_names(&change[1..], call);
            self.set_names(&change[..1], call)
        };
        if replaced.is_some() && self.model.order().data_before_replacing {
            let of_file = |e: &&Event| {
                let (cell, real) = (e.cells[0].expect("an event has a cell"), e.alternatives == 0);
                real && cell.ino() == ino && !matches!(cell, CellRef::Name(..))
            };
            let before: Vec<Id> =
                self.pending.events.iter().filter(of_file).map(|e| e.id).collect();
            before.into_iter().for_each(|data| self.after(Some((self.life, data)), id));
        }
        Ok(())
    }

    pub(crate) fn become_stale(&mut self, ino: Ino) {
        if self.model.fills() != Fills::Zeros {
            let life = self.life;
            let sectors = self.file(ino).sectors.iter();
            let blocks: Vec<_> = sectors.map(|s| Arc::new(s.memory(life))).collect();
            if !blocks.is_empty() {
                self.stale = Some(Arc::new(blocks));
            }
        }
    }
}
