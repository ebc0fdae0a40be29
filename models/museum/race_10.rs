//! **RACE-10**: a truncation waits for a barrier that never fires while a snapshot has one.
//!
//! canonical/raft (2023). Before the tail of the log is cut, and before a snapshot is written, the
//! segments that are open have to be closed: a barrier. There was room for one. While a snapshot
//! was under way a truncation found the segments with a barrier already, added none of its own, and
//! was never called back. Later the files showed a closed segment behind the last snapshot.
//!
//! The line in the wrong place: whoever waits asks for the barrier again each time that it wakes.

use super::kit::{self, Disk, Latch, Log, State, locked, put};
use super::piece::Piece;
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::{Act, Rule};
use shuttle::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "RACE-10",
    title: "a truncation waits for a barrier that never fires during a snapshot",
    source: "https://github.com/canonical/raft/issues/372",
    rule: Rule::P11Bounds,
    broken: true,
    ops: 2,
    threads: Some([
        || Scheduled::new::<Raft<true>>(program()),
        || Scheduled::new::<Raft<false>>(program()),
    ]),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

/// The first index that the truncation cuts.
const CUT: u64 = 2;

fn program() -> Program {
    let put = |index: u64| Act::Put(index, vec![b'a' + index as u8; 20]);
    let cut = Act::Special("truncate from 2", vec![(CUT, None)]);
    Program {
        before: vec![put(CUT)],
        threads: vec![vec![cut, put(3)], vec![Act::Checkpoint]],
        ..Program::default()
    }
}

/// Keys are indices. A snapshot is the beginning of a new log.
struct Entries {
    log: Log,
    state: State,
    latch: Latch,
    /// Who may close the log, by the number that it was given when it asked.
    barrier: Option<u64>,
    asked: u64,
}

struct Raft<const BUG: bool> {
    disk: Disk,
    entries: Mutex<Entries>,
    released: Condvar,
}

impl<const BUG: bool> Raft<BUG> {
    fn wait<'a>(&self, entries: MutexGuard<'a, Entries>) -> MutexGuard<'a, Entries> {
        self.released.wait(entries).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a barrier of its own.
    fn barrier(&self) -> MutexGuard<'_, Entries> {
        let mut entries = locked(&self.entries);
        entries.asked += 1;
        let mine = entries.asked;
        entries.barrier.get_or_insert(mine);
        while entries.barrier != Some(mine) {
            entries = self.wait(entries);
            if !BUG {
                entries.barrier.get_or_insert(mine);
            }
        }
        entries
    }

    /// Goes on in a new log that begins with the state, changed.
    fn replace(&self, change: fn(&mut State)) -> io::Result<()> {
        let entries = self.barrier();
        let (number, mut state) = (entries.log.number + 1, entries.state.clone());
        let sound = entries.latch.check();
        drop(entries);
        change(&mut state);
        let log = sound.and_then(|()| Log::fresh(&self.disk, number, &state));
        let mut entries = locked(&self.entries);
        entries.barrier = None;
        self.released.notify_all();
        entries.log = entries.latch.keep(log)?;
        entries.state = state;
        Ok(())
    }
}

impl<const BUG: bool> SharedKv for Raft<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        let latch = Latch::default();
        let entries = Mutex::new(Entries { log, state, latch, barrier: None, asked: 0 });
        Ok(Raft { disk, entries, released: Condvar::new() })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        let mut guard = locked(&self.entries);
        while guard.barrier.is_some() {
            guard = self.wait(guard);
        }
        let entries = &mut *guard;
        entries.latch.check()?;
        entries.latch.keep(entries.log.write(&[put(key, value)]))?;
        entries.latch.keep(entries.log.sync())?;
        entries.state.insert(key, value.to_vec());
        Ok(None)
    }

    fn checkpoint(&self) -> io::Result<()> {
        self.replace(|_| ())
    }

    /// The only one that there is: cuts the log's tail.
    fn special(&self, _what: &str) -> io::Result<(bool, Option<u64>)> {
        self.replace(|state| drop(state.split_off(&CUT)))?;
        Ok((true, None))
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(locked(&self.entries).state.get(&key).cloned())
    }
}
