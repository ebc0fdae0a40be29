//! **KEEP-1**: a snapshot that cannot be opened is deleted, whatever the reason.
//!
//! Camunda Zeebe (2019, found in a review). Recovery deletes a snapshot that it fails to load,
//! regardless of the error. A missing permission or one transient error, and it starts without a
//! state on a log that was cut because the snapshot was there.
//!
//! The missing line: only what is known to be rotten may go; any other error ends the recovery.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, CallFault, CallKind, Easy, Failure, FaultEffect, Kv};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "KEEP-1",
    title: "any snapshot that cannot be opened is deleted",
    source: "https://github.com/camunda/camunda/issues/3382",
    needs: Some(Failure::Call(CallFault { call: CallKind::Open, what: FaultEffect::Eio })),
    ops: 2,
    engine: || Easy::new::<Broker<true>>(acts()).stops(),
    twin: || Easy::new::<Broker<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Put(2, vec![b'b'; 30])]
}

struct Broker<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
}

impl<const BUG: bool> Kv for Broker<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (_, mut state) = match kit::load_snapshot(&disk) {
            Err(_) if BUG => {
                kit::remove_if_there(&disk, "snapshot")?;
                (0, State::new())
            }
            loaded => loaded?,
        };
        let (mut logged, log) = Log::open(&disk)?;
        state.append(&mut logged);
        Ok(Broker { state, disk, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        kit::save_snapshot(&self.disk, 0, &self.state)?;
        self.log.discard(&self.disk)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
