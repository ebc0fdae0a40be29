//! **DUP-2**: the snapshot is there, the next log is not, and the old one goes on.
//!
//! Rayforce (2026). A checkpoint renames the new snapshot and then rolls the log. If that fails,
//! the error path means well: it keeps the old log, so that work can go on. Recovery loads the new
//! snapshot and replays the whole old log on top of it. (There a crash before the roll did the
//! same, which is DUP-1; here the snapshot says which log it needs, and the error path makes it say
//! the old one.)
//!
//! The missing line: fail-stop. A checkpoint that is half done is nothing to go on with.

use super::kit::{self, Disk, Latch, Log, Record, State, add, put};
use super::piece::Piece;
use highwater_sim::{Act, CallFault, CallKind, Easy, Failure, FaultEffect, Kv, Rule};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "DUP-2",
    title: "the log cannot be rolled after a snapshot, and the old log is used on",
    source: "https://github.com/RayforceDB/rayforce/issues/420",
    rule: Rule::P4Invention,
    needs: Some(Failure::Call(CallFault { call: CallKind::Create, what: FaultEffect::Eio })),
    ops: 3,
    engine: || Easy::new::<Store<true>>(acts()),
    twin: || Easy::new::<Store<false>>(acts()),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Add(1, 5), Act::Checkpoint]
}

struct Store<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
    latch: Latch,
}

impl<const BUG: bool> Store<BUG> {
    fn append(&mut self, record: Record) -> io::Result<()> {
        self.latch.check()?;
        let written = self.log.write(std::slice::from_ref(&record));
        self.latch.keep(written.and_then(|()| self.log.sync()))?;
        kit::apply(&mut self.state, &[record]);
        Ok(())
    }
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let kit::Recovered { state, next, .. } = kit::recover(&disk, |log| log)?;
        kit::save_snapshot(&disk, next, &state)?;
        let log = Log::empty(&disk, next)?;
        Ok(Store { state, disk, log, latch: Latch::default() })
    }

    fn add(&mut self, key: u64, by: u64) -> io::Result<()> {
        self.append(add(key, by))
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(put(key, value))
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.latch.check()?;
        let next = self.log.number + 1;
        self.latch.keep(kit::save_snapshot(&self.disk, next, &self.state))?;
        let rolled = Log::empty(&self.disk, next);
        if BUG && rolled.is_err() {
            kit::save_snapshot(&self.disk, self.log.number, &self.state)?;
            return rolled.map(drop);
        }
        self.log = self.latch.keep(rolled)?;
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
