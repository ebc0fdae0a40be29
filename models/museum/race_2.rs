//! **RACE-2**: a checkpoint gives the lock back before it empties the log.
//!
//! turbodb (2026). A checkpoint writes its snapshot under the mutex, unlocks, and only then seeks
//! to the beginning of the log and cuts it. A commit that comes in between shares the file, and its
//! position, with it: the record goes where the cut is about to be, is synced and acknowledged, and
//! gone.
//!
//! The lock, one line too short: it ends with the cut, not with the snapshot.

use super::kit::snapshots::{begin_snapshot, newest_snapshot, write_snapshot};
use super::kit::{self, Disk, Latch, Log, Record, State, locked, put};
use super::piece::Piece;
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::Act;
use highwater_vfs::{File, OpenMode, write_all_at};
use shuttle::sync::Mutex;
use std::io;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "RACE-2",
    title: "a checkpoint releases the lock before its own file I/O",
    source: "https://github.com/justrach/turbodb/issues/53",
    ops: 2,
    threads: Some([
        || Scheduled::new::<Emptying<true>>(program()),
        || Scheduled::new::<Emptying<false>>(program()),
    ]),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn program() -> Program {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    Program {
        before: vec![put(1)],
        threads: vec![vec![Act::Checkpoint], vec![put(2)]],
        after: vec![put(3)],
    }
}

/// A file with a position, as the system's are: whoever has the file moves it for all.
struct Stream {
    file: Arc<dyn File>,
    position: Mutex<u64>,
}

impl Stream {
    fn seek(&self, to: u64) {
        *locked(&self.position) = to;
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut position = locked(&self.position);
        write_all_at(&*self.file, bytes, *position)?;
        *position += bytes.len() as u64;
        Ok(())
    }
}

/// A log for each life, emptied by every checkpoint. The number of the snapshot that it follows
/// seeds its checksums, so that no record counts which the snapshot stands for.
struct Emptying<const BUG: bool> {
    disk: Disk,
    log: Stream,
    inner: Mutex<Inner>,
}

struct Inner {
    snapshot: u64,
    state: State,
    latch: Latch,
}

impl Inner {
    fn write(&self, log: &Stream, record: &Record) -> io::Result<()> {
        log.write(&kit::frame(self.snapshot, record))?;
        log.file.sync()
    }

    fn snapshot(&mut self, disk: &Disk) -> io::Result<()> {
        let number = self.snapshot + 1;
        write_snapshot(disk, number, number, &self.state)?;
        self.snapshot = number;
        Ok(())
    }
}

impl<const BUG: bool> SharedKv for Emptying<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let found = newest_snapshot(&disk)?;
        let (mut state, logs) = (found.state, kit::numbers(&disk, "log")?);
        for number in &logs {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            kit::apply(&mut state, &kit::scan(&*file, found.number)?.records);
        }
        let snapshots = kit::numbers(&disk, "snapshot")?;
        let snapshot = [logs, snapshots].concat().into_iter().fold(0, u64::max) + 1;
        begin_snapshot(&disk, snapshot, snapshot, &state)?.sync()?;
        let file = Log::empty(&disk, snapshot)?.file; // both names are durable with this
        let log = Stream { file, position: Mutex::new(0) };
        let inner = Inner { snapshot, state, latch: Latch::default() };
        Ok(Emptying { disk, log, inner: Mutex::new(inner) })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        let mut inner = locked(&self.inner);
        inner.latch.check()?;
        let written = inner.write(&self.log, &put(key, value));
        inner.latch.keep(written)?;
        inner.state.insert(key, value.to_vec());
        Ok(None)
    }

    fn checkpoint(&self) -> io::Result<()> {
        let mut inner = locked(&self.inner);
        inner.latch.check()?;
        let saved = inner.snapshot(&self.disk);
        inner.latch.keep(saved)?;
        if BUG {
            drop(inner);
            self.log.seek(0);
            return self.log.file.set_len(0);
        }
        self.log.seek(0);
        inner.latch.keep(self.log.file.set_len(0))
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(locked(&self.inner).state.get(&key).cloned())
    }
}
