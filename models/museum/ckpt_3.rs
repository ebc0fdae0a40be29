//! **CKPT-3**: the log is cut after a checkpoint that nobody synced.
//!
//! Turso (2026, found by reading an strace). A checkpoint writes the pages to the database file and
//! truncates the log, and there is no sync of the database in between. The truncation survives
//! the crash, the pages do not.
//!
//! The missing line: `table.sync()` between the two.

use super::kit::redo::{next_log, redo, write_slots};
use super::kit::{Disk, Log, State, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::File;
use std::io;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "CKPT-3",
    title: "a checkpoint truncates the log without a sync of the database",
    source: "https://github.com/tursodatabase/turso/issues/4467",
    shows: UNORDERED, // in order, the table is there before the log is gone
    ops: 2,
    engine: || Easy::new::<Database<true>>(acts()).stops(),
    twin: || Easy::new::<Database<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Put(2, vec![b'b'; 30])]
}

struct Database<const BUG: bool> {
    state: State,
    /// What the table does not hold yet.
    dirty: State,
    disk: Disk,
    table: Arc<dyn File>,
    log: Log,
}

impl<const BUG: bool> Kv for Database<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (table, state, log) = redo(&disk)?;
        Ok(Database { state, dirty: State::new(), disk, table, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        self.dirty.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        write_slots(&*self.table, &self.dirty)?;
        if !BUG {
            self.table.sync()?;
        }
        self.log = next_log(&self.disk, self.log.number() + 1)?;
        self.dirty.clear();
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
