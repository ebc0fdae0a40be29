//! **DEL-2**: garbage collection writes back what was deleted meanwhile.
//!
//! Badger (2026). Garbage collection reads what is still alive in an old log, and writes it again
//! at the end of the new one. A key that is deleted between the two is written behind its own
//! delete. Here memory knows better, so nobody sees it; but the log is in the order in which it was
//! written, and the next start replays that.
//!
//! The missing line: look again whether it is alive, at the moment of writing it.

use super::kit::{Disk, Log, Record, State, delete, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "DEL-2",
    title: "garbage collection re-inserts a value that was deleted after it was read",
    source: "https://github.com/dgraph-io/badger/issues/2143",
    ops: 4,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

/// The two halves of a garbage collection, and a caller who comes between them.
fn acts() -> Vec<Act> {
    let collect = Act::Special("collect what is alive", Vec::new());
    let rewrite = Act::Special("write it again", Vec::new());
    vec![Act::Put(1, vec![b'a'; 20]), collect, Act::Delete(1), rewrite]
}

struct Store<const BUG: bool> {
    state: State,
    log: Log,
    alive: Vec<Record>,
}

impl<const BUG: bool> Store<BUG> {
    fn append(&mut self, records: &[Record]) -> io::Result<()> {
        self.log.write(records)?;
        self.log.sync()
    }
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Store { state, log, alive: Vec::new() })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(&[put(key, value)])?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.append(&[delete(key)])?;
        self.state.remove(&key);
        Ok(())
    }

    fn special(&mut self, what: &str) -> io::Result<()> {
        if what == "collect what is alive" {
            self.alive = self.state.iter().map(|(key, value)| put(*key, value)).collect();
            return Ok(());
        }
        let mut records = std::mem::take(&mut self.alive);
        if !BUG {
            records.retain(|record| self.state.contains_key(&record.key));
        }
        self.append(&records)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
