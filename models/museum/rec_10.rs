//! **REC-10**: of two that open at once, the second believes that the first has recovered.
//!
//! SQLite (2013, and in another way 2023). Two processes open a database after a crash. The first
//! begins to recover; what the second sees of that, a lock held for an instant, looks to it as if
//! recovery were done, or nobody needed one. It reads what recovery is about to remove, or writes
//! where nobody will look any more.
//!
//! The lines in the wrong order: the mark that says *recovered* is set behind the recovery, and set
//! and read under the lock that the recovery holds.

use super::kit::{self, Disk, Latch, Log, State, apply, locked, put};
use super::piece::Piece;
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::{Act, Rule};
use highwater_vfs::OpenMode;
use shuttle::sync::Mutex;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "REC-10",
    title: "two openers: the second believes that recovery is complete",
    source: "https://www.sqlite.org/howtocorrupt.html",
    rule: Rule::P2Prefix,
    broken: true,
    ops: 2,
    threads: Some([
        || Scheduled::new::<Machine<true>>(program()),
        || Scheduled::new::<Machine<false>>(program()),
    ]),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn program() -> Program {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    Program { threads: vec![vec![put(1)], vec![put(2)]], ..Program::default() }
}

/// What the processes of a machine share besides its disk, and what is gone when it stops.
#[derive(Default)]
struct Shared {
    recovered: bool,
    latch: Latch,
}

/// Every call is a process of its own: it opens the store, does one thing, and ends.
struct Machine<const BUG: bool> {
    disk: Disk,
    shared: Mutex<Shared>,
}

impl<const BUG: bool> Machine<BUG> {
    /// The first process since the machine was started recovers: what stands in the newest log goes
    /// on in one of its own.
    fn recover(&self) -> io::Result<()> {
        if BUG {
            let done = std::mem::replace(&mut locked(&self.shared).recovered, true);
            return if done { Ok(()) } else { Log::open(&self.disk).map(drop) };
        }
        let shared = &mut *locked(&self.shared);
        if !shared.recovered {
            shared.latch.check()?;
            shared.latch.keep(Log::open(&self.disk))?;
            shared.recovered = true;
        }
        Ok(())
    }

    /// The newest log whose beginning is whole, as it is.
    fn attach(&self) -> io::Result<(State, Log)> {
        for number in kit::numbers(&self.disk, "log")?.into_iter().rev() {
            let file = self.disk.open(format!("log.{number}").as_ref(), OpenMode::Write)?;
            let scan = kit::scan(&*file, number)?;
            if !scan.records.is_empty() {
                let mut state = State::new();
                apply(&mut state, &scan.records);
                return Ok((state, Log { file, number, end: scan.end }));
            }
        }
        Err(io::ErrorKind::NotFound.into())
    }
}

impl<const BUG: bool> SharedKv for Machine<BUG> {
    /// The machine starts. On an empty disk the store is made.
    fn open(disk: Disk) -> io::Result<Self> {
        if kit::numbers(&disk, "log")?.is_empty() {
            Log::open(&disk)?;
        }
        Ok(Machine { disk, shared: Mutex::default() })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        self.recover()?;
        let shared = &mut *locked(&self.shared);
        shared.latch.check()?;
        let (_, mut log) = self.attach()?;
        shared.latch.keep(log.write(&[put(key, value)]))?;
        shared.latch.keep(log.sync())?;
        Ok(None)
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        self.recover()?;
        let shared = locked(&self.shared);
        shared.latch.check()?;
        Ok(self.attach()?.0.remove(&key))
    }
}
