//! The disk: inodes, names, lengths and sectors as cells, and the calls that change them as events.
//!
//! Names are apart from inodes, lengths apart from data: what no sync covers may survive alone.
//!
//! Invariants
//! - D3: a change is an event (or several) in issue order, each a new value of one cell; a rename
//!   is one event in two cells.
//! - D4: bytes behind a file's length read as zeros once the file grows over them.

use crate::cell::{Block, Cell, Decider};
use crate::decay::Decayed;
use crate::model::Model;
use crate::order::{CellRef, Event, Id, Ino, Past, Pending, Status};
use crate::syncs::Owed;
use crate::tear::Patch;
use crate::{Choices, Device, Failure, Layers};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::sync::Arc;

pub(crate) const ROOT: Ino = 0;
/// Bytes of the largest sectors.
pub(crate) const SECTOR_MAX: usize = 4096;
/// Sector numbers fit 32 bits with room to spare.
pub(crate) const FILE_SIZE_MAX: u64 = 1 << 40;

#[derive(Clone, Debug)]
pub(crate) struct FileNode {
    pub(crate) length: Cell<u64>,
    pub(crate) sectors: Vec<Cell<Block>>,
    /// The last event that changed its length or one of its links.
    pub(crate) last_meta: Option<(u32, Id)>,
}

pub(crate) type Name = (Arc<str>, Cell<Option<Ino>>);

#[derive(Clone, Debug, Default)]
pub(crate) struct DirNode {
    /// In the order of their first use: an index is the name's number in a [`CellRef`].
    pub(crate) names: Vec<Name>,
    pub(crate) last: Option<(u32, Id)>,
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
    pub(crate) device: Device,
    /// Which abilities the disk uses.
    pub(crate) layers: Layers,
    /// Power cuts so far.
    pub(crate) life: u32,
    /// Crashes of any kind so far.
    pub(crate) process: u32,
    pub(crate) nodes: Vec<Node>,
    pub(crate) pending: Pending,
    pub(crate) pasts: Vec<Past>,
    pub(crate) status: Vec<Status>,
    /// What a failed sync lost: in no order any more, kept only to be named.
    pub(crate) lost: Vec<Event>,
    /// One thing may still fail, in this way, in a life that allows it.
    pub(crate) to_fail: Option<Failure>,
    /// What has decayed.
    pub(crate) decayed: Option<Decayed>,
    /// The sector that cannot be read, until it is written whole.
    pub(crate) unreadable: Option<(Ino, usize)>,
    /// Files and directories that owe somebody an error.
    pub(crate) errors: BTreeMap<Ino, Owed>,
    /// The last power cut may still have torn a sector.
    pub(crate) tears_left: bool,
    /// A sector is torn.
    pub(crate) torn: bool,
    /// Of writes that left bytes of their sector as they were: where the written ones are. Kept
    /// only for a device that may turn the others into garbage.
    pub(crate) patches: BTreeMap<(u32, Id), Patch>,
    /// Bytes that the torn write left as they were are garbage: what was durable there is lost.
    pub(crate) spoiled: bool,
    /// Sectors that were looked at since the last power cut, if it may have torn one.
    pub(crate) looked_at: BTreeSet<(Ino, usize)>,
    /// A failed sync covered too many events to try each way to lose them, or a torn sector had
    /// too many grains.
    pub(crate) coarse: bool,
    /// The sectors of the inode that was removed or cut last.
    pub(crate) stale: Option<Arc<Vec<Arc<Cell<Block>>>>>,
    pub(crate) last: Option<(u32, Id)>,
}

impl Disk {
    pub(crate) fn new(model: Model) -> Disk {
        Disk::with(model, Device::PLAIN, Layers::ALL)
    }

    pub(crate) fn with(model: Model, device: Device, layers: Layers) -> Disk {
        Disk {
            model,
            device,
            layers,
            life: 0,
            process: 0,
            nodes: vec![Node::Dir(Arc::default())],
            pending: Pending::default(),
            pasts: Vec::new(),
            status: Vec::new(),
            lost: Vec::new(),
            to_fail: None,
            decayed: None,
            unreadable: None,
            errors: BTreeMap::new(),
            tears_left: false,
            torn: false,
            patches: BTreeMap::new(),
            spoiled: false,
            looked_at: BTreeSet::new(),
            coarse: false,
            stale: None,
            last: None,
        }
    }

    pub(crate) fn decider<'a>(
        &'a mut self,
        choices: &'a mut Choices,
    ) -> (&'a mut [Node], Decider<'a>) {
        let decider = Decider { pasts: &self.pasts, status: &mut self.status, choices };
        (&mut self.nodes, decider)
    }

    pub(crate) fn dir(&self, ino: Ino) -> io::Result<&Arc<DirNode>> {
        match &self.nodes[ino as usize] {
            Node::Dir(dir) => Ok(dir),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    pub(crate) fn dir_mut(&mut self, ino: Ino) -> &mut DirNode {
        match &mut self.nodes[ino as usize] {
            Node::Dir(dir) => Arc::make_mut(dir),
            _ => panic!("inode {ino} was a directory a moment ago"),
        }
    }

    pub(crate) fn file(&self, ino: Ino) -> &Arc<FileNode> {
        match &self.nodes[ino as usize] {
            Node::File(file) => file,
            _ => panic!("inode {ino} is open, so it is a file"),
        }
    }

    pub(crate) fn file_mut(&mut self, ino: Ino) -> &mut FileNode {
        match &mut self.nodes[ino as usize] {
            Node::File(file) => Arc::make_mut(file),
            _ => panic!("inode {ino} is open, so it is a file"),
        }
    }

    pub(crate) fn is_dir(&self, ino: Ino) -> bool {
        matches!(self.nodes[ino as usize], Node::Dir(_))
    }

    /// An edge from an earlier event to the one just added, if the earlier one is still pending.
    pub(crate) fn after(&mut self, earlier: Option<(u32, Id)>, id: Id) {
        if let Some((life, earlier)) = earlier
            && life == self.life
            && earlier != id
            && self.pending.get(earlier).is_some()
        {
            self.pending.edge(earlier, id);
        }
    }

    /// A change; of metadata that is `delayed` nobody waits for it.
    pub(crate) fn begin_event(
        &mut self,
        cells: [Option<CellRef>; 2],
        call: u32,
        delayed: bool,
    ) -> Id {
        let id = self.pending.add(cells, (self.process, call));
        let rules = self.model.order();
        let data = matches!(cells[0], Some(CellRef::Sector(..)));
        let everything = rules.everything || !self.layers.reorder;
        if everything || rules.metadata && !data {
            self.after(self.last, id);
            if everything || !delayed {
                self.last = Some((self.life, id));
            }
        }
        id
    }
}
