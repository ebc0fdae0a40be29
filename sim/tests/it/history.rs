//! Random short histories of calls, and their run on the simulator.

use crate::reference::Reference;
use highwater_sim::{Choices, FailedSync, Rng, SimFs};
use highwater_vfs::{File, OpenMode, Vfs, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file by its path, or by the handle that the nth create of this life gave.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Path(&'static str),
    Handle(usize),
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create(&'static str),
    Mkdir(&'static str),
    Write {
        at: Target,
        offset: u64,
        len: usize,
        tag: u8,
    },
    SetLen(Target, u64),
    Rename(&'static str, &'static str),
    Remove(&'static str),
    Sync(Target),
    SyncDir(&'static str),
    FailSync(Target, FailedSync),
    FailSyncDir(&'static str, FailedSync),
    /// The process dies and another one takes its place.
    Kill,
}

/// The bytes of one write: of no other write, and of no other place in it.
pub(crate) fn bytes_of(tag: u8, offset: u64, len: usize) -> Vec<u8> {
    let at = |i: usize| tag.wrapping_mul(41).wrapping_add(((offset + i as u64) / 64) as u8) | 1;
    (0..len).map(at).collect()
}

/// An odometer of bits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coins {
    bits: Vec<bool>,
    at: usize,
}

impl Coins {
    pub(crate) fn toss(&mut self) -> bool {
        if self.at == self.bits.len() {
            self.bits.push(false);
        }
        self.at += 1;
        self.bits[self.at - 1]
    }

    pub(crate) fn tossed(&self) -> usize {
        self.at
    }

    pub(crate) fn advance(&mut self) -> bool {
        self.at = 0;
        while let Some(last) = self.bits.pop() {
            if !last {
                self.bits.push(true);
                return true;
            }
        }
        false
    }
}

/// What the histories of a test are made of.
#[derive(Clone, Copy)]
pub(crate) struct Taste {
    pub(crate) paths: &'static [&'static str],
    pub(crate) offsets: &'static [u64],
    pub(crate) sizes: &'static [u64],
    /// Whether to begin with a file that leaves something to find.
    pub(crate) reuse: bool,
    /// How a failed sync may fail, if at all.
    pub(crate) failures: &'static [FailedSync],
}

pub(crate) const PATHS: &[&str] = &["a", "b", "c", "d/a", "d/b"];
pub(crate) const WIDE: Taste = Taste {
    paths: PATHS,
    offsets: &[0, 0, 0, 100, 300, 511, 512, 600, 1000, 1030],
    sizes: &[1, 50, 200, 412, 512, 513, 700, 1024],
    reuse: false,
    failures: &[],
};
pub(crate) const NARROW: Taste =
    Taste { paths: &["a", "b", "d/a"], sizes: &[1, 50, 200, 512, 600], ..WIDE };
/// What one file leaves on the medium the next one may find.
pub(crate) const REUSING: Taste = Taste { paths: &["a", "b"], reuse: true, ..NARROW };
pub(crate) const FAILING: Taste = Taste { failures: &FailedSync::ALL, ..NARROW };

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.below(from.len() as u64) as usize]
}

impl Taste {
    fn path(&self, rng: &mut Rng) -> &'static str {
        // The first names are met more often.
        let n = self.paths.len() as u64;
        let bound = rng.below(n) + 1;
        self.paths[rng.below(bound) as usize]
    }

    fn target(&self, rng: &mut Rng) -> Target {
        match rng.below(6) {
            0 => Target::Handle(rng.below(2) as usize),
            _ => Target::Path(self.path(rng)),
        }
    }

    /// Any call, whether it will succeed or not.
    pub(crate) fn op(&self, rng: &mut Rng, tag: u8) -> Op {
        let dirs = ["", "", "", "d"];
        match rng.below(24) {
            0..4 => Op::Create(self.path(rng)),
            4 => Op::Mkdir("d"),
            5..12 => Op::Write {
                at: self.target(rng),
                offset: pick(rng, self.offsets),
                len: pick(rng, self.sizes) as usize,
                tag,
            },
            12..14 => Op::SetLen(self.target(rng), pick(rng, &[0, 100, 300, 512, 700, 1024, 1300])),
            14..17 => Op::Rename(self.path(rng), self.path(rng)),
            17 => Op::Remove(self.path(rng)),
            18..21 if !self.failures.is_empty() && rng.below(2) == 0 => {
                Op::FailSync(self.target(rng), pick(rng, self.failures))
            }
            18..21 => Op::Sync(self.target(rng)),
            _ if !self.failures.is_empty() && rng.below(3) == 0 => {
                Op::FailSyncDir(pick(rng, &dirs), pick(rng, self.failures))
            }
            _ => Op::SyncDir(pick(rng, &dirs)),
        }
    }

    /// `calls` calls, of which hardly any fails on `disk` when no choice goes against it.
    pub(crate) fn history(&self, rng: &mut Rng, disk: &Reference, calls: usize) -> Vec<Op> {
        let mut disk = disk.clone();
        let mut ops: Vec<Op> = if self.reuse { leftover(rng) } else { Vec::new() };
        for op in &ops {
            disk.call(op, &mut Coins::default());
        }
        let mut tries = 0_u8;
        while ops.len() < calls {
            let op = self.op(rng, rng_tag(&ops, tries));
            tries = tries.wrapping_add(1);
            let mut after = disk.clone();
            let done = after.call(&op, &mut Coins::default()).is_some();
            let fails = matches!(op, Op::FailSync(..) | Op::FailSyncDir(..));
            if done || fails || rng.below(30) == 0 {
                ops.push(op);
                disk = after;
            }
        }
        ops
    }
}

/// A file is written and goes away, or is cut; another one comes.
fn leftover(rng: &mut Rng) -> Vec<Op> {
    let at = || Target::Path("a");
    let len = pick(rng, &[200, 512, 700]);
    let mut ops = vec![Op::Create("a"), Op::Write { at: at(), offset: 0, len, tag: 99 }];
    if rng.below(2) == 0 {
        ops.extend([Op::Sync(at()), Op::SyncDir("")]);
    }
    match rng.below(3) {
        0 => ops.extend([Op::Remove("a"), Op::Create("b")]),
        1 => ops.extend([Op::Create("b"), Op::Rename("b", "a")]),
        _ => ops.extend([Op::SetLen(at(), 0), Op::Create("b")]),
    }
    ops
}

fn rng_tag(ops: &[Op], tries: u8) -> u8 {
    (ops.len() as u8).wrapping_mul(7).wrapping_add(tries)
}

/// A process on the simulated disk.
pub(crate) struct Process {
    pub(crate) fs: SimFs,
    handles: Vec<Arc<dyn File>>,
    /// The choices made before the first kill; later calls of one life make none.
    choices: Option<Choices>,
}

impl Process {
    pub(crate) fn on(fs: SimFs) -> Process {
        Process { fs, handles: Vec::new(), choices: None }
    }

    pub(crate) fn choices(&self) -> Choices {
        let Some(before) = &self.choices else { return self.fs.choices() };
        assert_eq!(self.fs.choices().made(), 0, "a killed process starts with fresh choices");
        before.clone()
    }

    fn target(&self, at: &Target) -> io::Result<Arc<dyn File>> {
        match at {
            Target::Path(path) => self.fs.open(path.as_ref(), OpenMode::Write),
            Target::Handle(n) => {
                self.handles.get(*n).cloned().ok_or(io::ErrorKind::NotFound.into())
            }
        }
    }

    pub(crate) fn call(&mut self, op: &Op) -> io::Result<()> {
        match op {
            Op::Create(path) => {
                self.handles.push(self.fs.open(path.as_ref(), OpenMode::CreateNew)?);
                Ok(())
            }
            Op::Mkdir(path) => self.fs.create_dir(path.as_ref()),
            Op::Write { at, offset, len, tag } => {
                write_all_at(&*self.target(at)?, &bytes_of(*tag, *offset, *len), *offset)
            }
            Op::SetLen(at, len) => self.target(at)?.set_len(*len),
            Op::Rename(from, to) => self.fs.rename(from.as_ref(), to.as_ref()),
            Op::Remove(path) => self.fs.remove(path.as_ref()),
            Op::Sync(at) => self.target(at)?.sync(),
            Op::SyncDir(dir) => self.fs.sync_dir(dir.as_ref()),
            Op::FailSync(at, family) => {
                let file = self.target(at)?;
                self.fs.fail_next_sync(*family);
                file.sync()
            }
            Op::FailSyncDir(dir, family) => {
                self.fs.list(Path::new(dir))?; // else the failure would wait for the next sync
                self.fs.fail_next_sync(*family);
                self.fs.sync_dir(dir.as_ref())
            }
            Op::Kill => {
                self.choices.get_or_insert(self.fs.choices());
                self.fs = self.fs.kill();
                self.handles.clear();
                Ok(())
            }
        }
    }
}
