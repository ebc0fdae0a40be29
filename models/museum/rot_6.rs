//! **ROT-6**: the log that is dropped holds the operation that was just logged.
//!
//! zvec (2026). An operation is logged; the block is full, so it is flushed, and its log deleted;
//! then the operation is applied, to the next block. The flushed block does not have it, and the
//! log that had it is gone.
//!
//! The line in the wrong place: apply what was logged before the log goes.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "ROT-6",
    title: "rotation deletes the log with the operation that was just logged",
    source: "https://github.com/alibaba/zvec/pull/768",
    ops: 1,
    engine: || Easy::new::<Blocks<true>>(acts()).stops(),
    twin: || Easy::new::<Blocks<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 60]), Act::Put(3, vec![b'c'; 30])]
}

/// A block is full when its log has so many bytes.
const FULL: u64 = 80;

struct Blocks<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
}

impl<const BUG: bool> Kv for Blocks<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let recovered = kit::recover(&disk, |number| number)?;
        let log = kit::compact(&disk, recovered.next, &recovered.state)?;
        Ok(Blocks { state: recovered.state, disk, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        if !BUG {
            self.state.insert(key, value.to_vec());
        }
        if self.log.end() >= FULL {
            self.log = kit::compact(&self.disk, self.log.number() + 1, &self.state)?;
        }
        if BUG {
            self.state.insert(key, value.to_vec());
        }
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
