//! **RACE-1**: a compaction renames the active log while others append to it.
//!
//! TopGun (2026). Appends hold a mutex, the compaction does not: it reads the log, writes what is
//! alive to a new file and renames that over the log. What was appended in between went to the old
//! file, which has no name any more: under load 1,870 of 2,000 acknowledged appends were lost. The
//! tests with one thread had passed, and so had those that killed the process.
//!
//! The missing line: the compaction takes the mutex of the appends, from its first read to the
//! moment when they write to the new file.

use super::kit::{self, Disk, Latch, Log, State, locked, put};
use super::piece::Piece;
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::Act;
use highwater_vfs::OpenMode;
use shuttle::sync::Mutex;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "RACE-1",
    title: "compaction renames the active log without the append lock",
    source: "https://github.com/TopGunBuild/topgun/pull/50",
    ops: 2,
    threads: Some([
        || Scheduled::new::<Compacting<true>>(program()),
        || Scheduled::new::<Compacting<false>>(program()),
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

struct Compacting<const BUG: bool> {
    disk: Disk,
    log: Mutex<(Log, Latch)>,
    state: Mutex<State>,
}

impl<const BUG: bool> Compacting<BUG> {
    /// A log that holds the state and nothing else, under the name of the old one.
    fn rewrite(&self, number: u64) -> io::Result<Log> {
        let state = locked(&self.state).clone();
        let (name, bytes) =
            (format!("log.{number}"), kit::frames(number, &kit::base(number, &state)));
        kit::replace(&self.disk, &name, &bytes)?;
        let file = self.disk.open(name.as_ref(), OpenMode::Write)?;
        Ok(Log { file, number, end: bytes.len() as u64 })
    }
}

impl<const BUG: bool> SharedKv for Compacting<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        let log = Mutex::new((log, Latch::default()));
        Ok(Compacting { disk, log, state: Mutex::new(state) })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        let mut guard = locked(&self.log);
        let (log, latch) = &mut *guard;
        latch.check()?;
        let written = log.write(&[put(key, value)]);
        latch.keep(written)?;
        latch.keep(log.sync())?;
        locked(&self.state).insert(key, value.to_vec());
        Ok(None)
    }

    fn checkpoint(&self) -> io::Result<()> {
        if BUG {
            let number = locked(&self.log).0.number;
            let log = self.rewrite(number)?;
            locked(&self.log).0 = log;
            return Ok(());
        }
        let mut guard = locked(&self.log);
        let (log, latch) = &mut *guard;
        latch.check()?;
        *log = latch.keep(self.rewrite(log.number))?;
        Ok(())
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(locked(&self.state).get(&key).cloned())
    }
}
