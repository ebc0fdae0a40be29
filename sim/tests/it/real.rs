//! What can be seen without losing anything: the simulated disk against the real one, call by
//! call, over long random histories. A reopened directory is to the real disk what the death of
//! the process is to the simulated one, and a power cut that keeps everything.

use crate::history::{Op, PATHS, Target, Taste, WIDE, bytes_of};
use crate::states::Image;
use highwater_sim::{Choices, Model, Pattern, Rng, SimFs};
use highwater_vfs::{File, OpenMode, OsFs, Vfs, read_full_at, write_all_at};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// Calls of one history.
const CALLS: usize = 300;

/// No file, no directory, nothing at all, or no path.
const ODD: &[&str] = &["d", "a/b", "x/y", "", "/a", "../a", "d/", "d//a"];

const MODES: [OpenMode; 3] = [OpenMode::Read, OpenMode::Write, OpenMode::CreateNew];

#[derive(Clone, Debug)]
enum Call {
    Change(Op),
    Open(&'static str, OpenMode),
    Read {
        handle: usize,
        offset: u64,
        size: usize,
    },
    Size(usize),
    List(&'static str),
    /// The process dies.
    Kill,
    /// The power goes, and all that was pending is kept.
    Cut,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Bytes(Vec<u8>),
    Size(u64),
    Names(Vec<String>),
    Failed(ErrorKind),
}

/// A process on a disk, with all the handles it has ever opened.
struct Side {
    disk: Arc<dyn Vfs>,
    handles: Vec<Arc<dyn File>>,
}

impl Side {
    fn handle(&self, at: &Target) -> io::Result<Arc<dyn File>> {
        match at {
            Target::Path(path) => self.disk.open(path.as_ref(), OpenMode::Write),
            Target::Handle(n) => Ok(Arc::clone(&self.handles[*n])),
        }
    }

    fn change(&mut self, op: &Op) -> io::Result<()> {
        let disk = &self.disk;
        match op {
            Op::Create(path) => {
                self.handles.push(disk.open(path.as_ref(), OpenMode::CreateNew)?);
                Ok(())
            }
            Op::Mkdir(path) => disk.create_dir(path.as_ref()),
            Op::Write { at, offset, len, tag } => {
                write_all_at(&*self.handle(at)?, &bytes_of(*tag, *offset, *len), *offset)
            }
            Op::SetLen(at, len) => self.handle(at)?.set_len(*len),
            Op::Rename(from, to) => disk.rename(from.as_ref(), to.as_ref()),
            Op::Remove(path) => disk.remove(path.as_ref()),
            Op::Sync(at) => self.handle(at)?.sync(),
            Op::SyncDir(dir) => disk.sync_dir(dir.as_ref()),
            Op::FailSync(..) | Op::FailSyncDir(..) | Op::Kill => panic!("{op:?} is not for both"),
        }
    }

    fn call(&mut self, call: &Call) -> Answer {
        let answer = match call {
            Call::Change(op) => self.change(op).map(|()| Answer::Done),
            Call::Open(path, mode) => self.disk.open(path.as_ref(), *mode).map(|handle| {
                self.handles.push(handle);
                Answer::Done
            }),
            Call::Read { handle, offset, size } => {
                let mut bytes = vec![0xEE; *size];
                read_full_at(&*self.handles[*handle], &mut bytes, *offset).map(|count| {
                    bytes.truncate(count);
                    Answer::Bytes(bytes)
                })
            }
            Call::Size(handle) => self.handles[*handle].size().map(Answer::Size),
            Call::List(dir) => self.disk.list(dir.as_ref()).map(Answer::Names),
            Call::Kill | Call::Cut => {
                self.handles.clear();
                Ok(Answer::Done)
            }
        };
        answer.unwrap_or_else(|e| Answer::Failed(e.kind()))
    }

    /// All there is, by name and by handle.
    fn everything(&self) -> (Image, Vec<Vec<u8>>) {
        let whole = |file: &dyn File| {
            let mut bytes = vec![0; file.size().unwrap() as usize];
            assert_eq!(read_full_at(file, &mut bytes, 0).unwrap(), bytes.len());
            bytes
        };
        let mut tree = Image::new();
        let mut dirs = vec![String::new()];
        while let Some(dir) = dirs.pop() {
            for name in self.disk.list(Path::new(&dir)).unwrap() {
                let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
                let file = self.disk.open(path.as_ref(), OpenMode::Read);
                let bytes = match file {
                    Ok(file) => Some(whole(&*file)),
                    Err(e) => {
                        assert_eq!(e.kind(), ErrorKind::IsADirectory, "{path}");
                        dirs.push(path.clone());
                        None
                    }
                };
                tree.insert(path, bytes);
            }
        }
        (tree, self.handles.iter().map(|file| whole(&**file)).collect())
    }
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.below(from.len() as u64) as usize]
}

/// Any handle there is; now and then one by name.
fn retarget(rng: &mut Rng, at: &mut Target, handles: usize) {
    *at = match rng.below(3) {
        0 if handles > 0 => Target::Handle(rng.below(handles as u64) as usize),
        _ if rng.below(12) == 0 => Target::Path(pick(rng, ODD)),
        _ => Target::Path(pick(rng, PATHS)),
    };
}

fn odd(rng: &mut Rng, path: &mut &'static str) {
    if rng.below(8) == 0 {
        *path = pick(rng, ODD);
    }
}

fn change(rng: &mut Rng, taste: &Taste, tag: u8, handles: usize) -> Op {
    let mut op = taste.op(rng, tag);
    match &mut op {
        Op::Write { at, .. } | Op::SetLen(at, _) | Op::Sync(at) => retarget(rng, at, handles),
        Op::Create(path) | Op::Mkdir(path) | Op::Remove(path) | Op::SyncDir(path) => {
            odd(rng, path);
        }
        Op::Rename(from, to) => {
            odd(rng, from);
            odd(rng, to);
        }
        _ => {}
    }
    op
}

fn call(rng: &mut Rng, tag: u8, handles: usize) -> Call {
    let path = if rng.below(8) == 0 { pick(rng, ODD) } else { pick(rng, PATHS) };
    match rng.below(40) {
        0..22 => Call::Change(change(rng, &WIDE, tag, handles)),
        22..27 => Call::Open(path, pick(rng, &MODES)),
        27..35 if handles > 0 => Call::Read {
            handle: rng.below(handles as u64) as usize,
            offset: pick(rng, &[0, 0, 1, 300, 511, 512, 1000, 1024, 1500, 5000, u64::MAX]),
            size: pick(rng, &[0, 1, 100, 512, 700, 1500]),
        },
        35..37 if handles > 0 => Call::Size(rng.below(handles as u64) as usize),
        37 => Call::List(path),
        38 if rng.below(4) == 0 => Call::Kill,
        39 if rng.below(4) == 0 => Call::Cut,
        _ => Call::List(if rng.below(2) == 0 { "" } else { "d" }),
    }
}

/// What the contract does not say: which error comes where several would be true. A rename may be
/// wrong at both ends.
fn alike(call: &Call, one: &Answer, other: &Answer) -> bool {
    let both = |kinds: &[ErrorKind]| {
        let of = |answer: &Answer| matches!(answer, Answer::Failed(kind) if kinds.contains(kind));
        of(one) && of(other)
    };
    let wrong_end = [ErrorKind::NotFound, ErrorKind::IsADirectory, ErrorKind::NotADirectory];
    one == other || matches!(call, Call::Change(Op::Rename(..))) && both(&wrong_end)
}

#[derive(Debug, Default)]
struct Reached {
    answers: BTreeMap<String, u64>,
    /// Handles whose name is gone, or leads elsewhere.
    nameless: u64,
    kept_after_cut: u64,
}

impl Reached {
    fn add(&mut self, call: &Call, answer: &Answer) {
        let debug = format!("{call:?}");
        let name = debug.trim_start_matches("Change(").split(['(', ' ', ')']).next();
        let answer = match answer {
            Answer::Failed(kind) => format!("{kind:?}"),
            Answer::Bytes(bytes) if bytes.is_empty() => "end of file".into(),
            _ => "ok".into(),
        };
        *self.answers.entry(format!("{} {answer}", name.unwrap_or("?"))).or_default() += 1;
    }
}

fn history(model: Model, seed: u64, reached: &mut Reached) {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = Rng::new(seed);
    let mut fs = SimFs::new(model);
    let mut sim = Side { disk: Arc::new(fs.clone()), handles: Vec::new() };
    let os = Arc::new(OsFs::open(dir.path()).unwrap());
    let mut real = Side { disk: os, handles: Vec::new() };
    let mut trace: Vec<String> = Vec::new();
    for n in 0..CALLS {
        let call = call(&mut rng, n as u8, sim.handles.len());
        trace.push(format!("{call:?}"));
        let (expected, got) = (real.call(&call), sim.call(&call));
        let last = trace[trace.len().saturating_sub(40)..].join("\n");
        assert!(
            alike(&call, &expected, &got),
            "{model} {seed}: the real disk says {expected:?}, the simulated one {got:?}\n{last}"
        );
        reached.add(&call, &got);
        if matches!(call, Call::Kill | Call::Cut) {
            let cut = matches!(call, Call::Cut);
            fs = if cut { fs.power_cut(Choices::pattern(Pattern::KeepAll)) } else { fs.kill() };
            sim.disk = Arc::new(fs.clone());
            // The lock is the process's: it must go before another one opens the directory.
            real.disk = Arc::new(SimFs::new(model));
            real.disk = Arc::new(OsFs::open(dir.path()).unwrap());
        }
        if n % 10 == 9 || matches!(call, Call::Kill | Call::Cut) {
            let (expected, got) = (real.everything(), sim.everything());
            assert!(expected == got, "{model} {seed}: not the same is there\n{last}");
            let named: Vec<&Vec<u8>> = got.0.values().flatten().collect();
            reached.nameless += u64::from(got.1.iter().any(|bytes| !named.contains(&bytes)));
            reached.kept_after_cut += u64::from(matches!(call, Call::Cut) && !got.0.is_empty());
        }
    }
}

#[test]
fn the_simulated_disk_answers_like_the_real_one() {
    let mut reached = Reached::default();
    let mut calls = 0;
    for seed in 0..10 * Model::ALL.len() {
        history(Model::ALL[seed % Model::ALL.len()], seed as u64, &mut reached);
        calls += CALLS;
    }
    println!("{calls} calls on both disks: {reached:#?}");
    assert!(reached.nameless >= 200 && reached.kept_after_cut >= 30, "{reached:#?}");
    let often = [
        "Create ok",
        "Create AlreadyExists",
        "Create NotFound",
        "Mkdir ok",
        "Mkdir AlreadyExists",
        "Write ok",
        "Write NotFound",
        "Write PermissionDenied",
        "Write IsADirectory",
        "SetLen ok",
        "SetLen PermissionDenied",
        "Rename ok",
        "Rename NotFound",
        "Rename IsADirectory",
        "Remove ok",
        "Remove NotFound",
        "Remove IsADirectory",
        "Remove NotADirectory",
        "Sync ok",
        "Sync PermissionDenied",
        "SyncDir ok",
        "SyncDir NotFound",
        "SyncDir NotADirectory",
        "Open ok",
        "Open AlreadyExists",
        "Open NotFound",
        "Open IsADirectory",
        "Open InvalidInput",
        "Read ok",
        "Read end of file",
        "Size ok",
        "List ok",
        "List NotFound",
        "List NotADirectory",
        "List InvalidInput",
        "Kill ok",
        "Cut ok",
    ];
    for answer in often {
        assert!(reached.answers.get(answer) >= Some(&5), "{answer}: {reached:#?}");
    }
}
