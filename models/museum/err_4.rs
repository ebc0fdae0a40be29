//! **ERR-4**: the errors of a delete are dropped.
//!
//! rostam (2026). The delete discarded the error of the append and the error of the wait for the
//! commit (`seq, _ =`, `_ =`), so a caller was told that it was done when nothing of it was on the
//! disk; after a crash the point is back. Inserts passed both errors on.
//!
//! The missing line: `?`.

use super::kit::{self, Disk, Log, State, delete, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, FailedSync, Failure, Kv};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "ERR-4",
    title: "a delete drops the errors of its append and of its sync",
    source: "https://github.com/rostamlabs/rostam/pull/87",
    // The kindest failed sync will do: the change is still pending, and nobody syncs it again.
    needs: Some(Failure::Sync(FailedSync::KeepDirty)),
    ops: 2,
    engine: || Easy::new::<Deletes<true>>(acts()).stops(),
    twin: || Easy::new::<Deletes<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30]), Act::Delete(1)]
}

struct Deletes<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Deletes<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Deletes { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        let done = self.log.write(&[delete(key)]).and_then(|()| self.log.sync());
        if !BUG {
            done?;
        }
        self.state.remove(&key);
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
