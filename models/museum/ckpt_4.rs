//! **CKPT-4**: a checkpoint copies what the log may still lose.
//!
//! Turso (2026, found in a review). With `synchronous=NORMAL` commits are appended and not synced,
//! and the checkpoint copied their pages into the database without syncing the log first. A crash
//! leaves some of the new pages, no log to complete them from, and a state that never was;
//! `integrity_check` says ok.
//!
//! The missing line: `log.sync()` before the first page is copied.

use super::kit::redo::{next_log, redo, write_slots};
use super::kit::{Disk, Log, State, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::File;
use std::io;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "CKPT-4",
    title: "a checkpoint copies records into the database before the log is durable",
    source: "https://github.com/tursodatabase/turso/pull/7781",
    rule: Rule::P2Prefix,
    shows: UNORDERED, // in order, the log is there before the copy
    ops: 3,
    engine: || Easy::new::<Database<true>>(acts()).stops(),
    twin: || Easy::new::<Database<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let submit = |key, byte| Act::Submit(key, vec![byte; 20]);
    vec![submit(1, b'a'), submit(2, b'b'), Act::Checkpoint]
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

    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.dirty.insert(key, value.to_vec());
        Ok(())
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.submit(key, value)?;
        self.log.sync()?;
        self.state.append(&mut self.dirty.clone());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        if !BUG {
            self.log.sync()?;
        }
        write_slots(&*self.table, &self.dirty)?;
        self.table.sync()?;
        self.log = next_log(&self.disk, self.log.number() + 1)?;
        self.state.append(&mut self.dirty);
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
