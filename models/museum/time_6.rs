//! **TIME-6**: a fence is put into a slot that the replay boundary has passed.
//!
//! SlateDB (2026). Records are objects in numbered slots, made only if nothing is there; whoever
//! takes over puts an empty one into the next slot, and the writer before it runs into that. But
//! between the look and the fence that writer had filled the slot, moved on, written a snapshot and
//! collected the slot again. The fence fits, behind everybody's back: both write, and what the new
//! writer says lies where replay does not begin any more.
//!
//! The missing line: after the fence is made, the boundary is read again; if it has passed the
//! fence, the takeover begins anew.

use super::kit::{self, Disk, Latch, Record, State, apply, frames, locked, mark, put};
use super::piece::Piece;
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::Act;
use highwater_vfs::{OpenMode, write_all_at};
use shuttle::sync::Mutex;
use std::io::{self, ErrorKind};
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "TIME-6",
    title: "a fence is written into a slot behind the replay boundary",
    source: "https://github.com/slatedb/slatedb/pull/1682",
    ops: 4,
    threads: Some([
        || Scheduled::new::<Writers<true>>(program()),
        || Scheduled::new::<Writers<false>>(program()),
    ]),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

/// The key whose clients go to the writer that takes over.
const SECOND: u64 = 9;

fn program() -> Program {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    Program {
        threads: vec![vec![put(1), put(2), Act::Checkpoint], vec![put(SECOND)]],
        ..Program::default()
    }
}

/// The store of objects: each call is one step for all that use it.
struct Bucket {
    disk: Disk,
    latch: Latch,
}

impl Bucket {
    /// The first slot that the newest snapshot does not cover.
    fn boundary(&self) -> io::Result<u64> {
        Ok(kit::snapshots::newest_snapshot(&self.disk)?.number)
    }

    /// The next slot, and the state before it.
    fn replay(&self) -> io::Result<(u64, State)> {
        self.latch.check()?;
        let found = kit::snapshots::newest_snapshot(&self.disk)?;
        let (mut next, mut state) = (found.number, found.state);
        for slot in kit::numbers(&self.disk, "slot")?.into_iter().filter(|n| *n >= found.number) {
            let file = self.disk.open(format!("slot.{slot}").as_ref(), OpenMode::Read)?;
            apply(&mut state, &kit::scan(&*file, slot)?.records);
            next = slot + 1;
        }
        Ok((next, state))
    }

    /// Makes an object, durable; not if there is one.
    fn make(&mut self, slot: u64, record: &Record) -> io::Result<bool> {
        self.latch.check()?;
        let name = format!("slot.{slot}");
        let file = match self.disk.open(name.as_ref(), OpenMode::CreateNew) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            opened => self.latch.keep(opened)?,
        };
        let bytes = frames(slot, std::slice::from_ref(record));
        self.latch.keep(write_all_at(&*file, &bytes, 0))?;
        self.latch.keep(file.sync())?;
        self.latch.keep(self.disk.sync_dir(Path::new("")))?;
        Ok(true)
    }

    /// Writes a snapshot of what is before `boundary`.
    fn snapshot(&mut self, boundary: u64, state: &State) -> io::Result<()> {
        self.latch.check()?;
        self.latch.keep(kit::snapshots::write_snapshot(&self.disk, boundary, 0, state))
    }

    /// Collects the slots before `boundary`.
    fn collect(&mut self, boundary: u64) -> io::Result<()> {
        self.latch.keep(kit::drop_below(&self.disk, "slot", boundary))
    }
}

struct Writer {
    next: u64,
    state: State,
    fenced: bool,
}

struct Writers<const BUG: bool> {
    bucket: Mutex<Bucket>,
    first: Mutex<Writer>,
    second: Mutex<Option<Writer>>,
}

impl<const BUG: bool> Writers<BUG> {
    fn take_over(&self) -> io::Result<Writer> {
        loop {
            let (slot, state) = locked(&self.bucket).replay()?;
            let made = locked(&self.bucket).make(slot, &mark(0))?;
            if made && (BUG || locked(&self.bucket).boundary()? <= slot) {
                return Ok(Writer { next: slot + 1, state, fenced: false });
            }
        }
    }

    /// Whether the writer could still write.
    fn append(&self, writer: &mut Writer, record: &Record) -> io::Result<bool> {
        writer.fenced |= !locked(&self.bucket).make(writer.next, record)?;
        if !writer.fenced {
            writer.next += 1;
            apply(&mut writer.state, std::slice::from_ref(record));
        }
        Ok(!writer.fenced)
    }
}

impl<const BUG: bool> SharedKv for Writers<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let mut bucket = Bucket { disk, latch: Latch::default() };
        let (next, state) = bucket.replay()?;
        // What stands in slots may not be durable: it is kept under a number that nobody has used.
        let used = kit::numbers(&bucket.disk, "snapshot")?.last().copied().unwrap_or(0);
        let next = next.max(used) + 1;
        bucket.snapshot(next, &state)?;
        let first = Writer { next, state, fenced: false };
        let (bucket, second) = (Mutex::new(bucket), Mutex::new(None));
        Ok(Writers { bucket, first: Mutex::new(first), second })
    }

    /// A client whose writer was fenced off goes to the other one.
    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        let record = put(key, value);
        if key != SECOND && self.append(&mut locked(&self.first), &record)? {
            return Ok(None);
        }
        let mut second = locked(&self.second);
        if second.is_none() {
            *second = Some(self.take_over()?);
        }
        match second.as_mut().map(|writer| self.append(writer, &record)) {
            Some(Ok(true)) => Ok(None),
            Some(Err(error)) => Err(error),
            _ => Err(io::Error::other("fenced off")),
        }
    }

    /// By the first writer. (Whoever is behind the boundary has nothing to add to it.)
    fn checkpoint(&self) -> io::Result<()> {
        let first = locked(&self.first);
        let mut bucket = locked(&self.bucket);
        if first.next > bucket.boundary()? {
            bucket.snapshot(first.next, &first.state)?;
            bucket.collect(first.next)?;
        }
        Ok(())
    }

    /// From the writer that the key's clients write to.
    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let second = locked(&self.second);
        let first = locked(&self.first);
        let writer = second.as_ref().filter(|_| key == SECOND || first.fenced);
        Ok(writer.unwrap_or(&first).state.get(&key).cloned())
    }
}
