//! **ACK-6**: only one entry point of the interface syncs.
//!
//! kglite (2026). `flush_wal` had one caller, the query interface; nodes that were added, labels
//! and committed transactions were acknowledged as durable with nothing on the disk. Reading the
//! code had not shown it; killing child processes did. Here `put` syncs, and what appends through
//! the same helper, `delete` and `batch`, waits for the next `put`.
//!
//! The missing line: `sync` in the helper, not in one of its callers.

use super::kit::{self, Disk, Log, Record, State};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "ACK-6",
    title: "only one entry point of the interface syncs the log",
    source: "https://github.com/kkollsga/kglite/pull/68",
    ops: 1,
    engine: || Easy::new::<Entrances<true>>(acts()).stops(),
    twin: || Easy::new::<Entrances<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let batch = Act::Batch(vec![(1, vec![b'b'; 30]), (2, vec![b'c'; 40])]);
    vec![Act::Put(1, vec![b'a'; 20]), batch, Act::Delete(1)]
}

struct Entrances<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Entrances<BUG> {
    fn append(&mut self, records: &[Record]) -> io::Result<()> {
        self.log.write(records)?;
        if !BUG {
            self.log.sync()?;
        }
        kit::apply(&mut self.state, records);
        Ok(())
    }
}

impl<const BUG: bool> Kv for Entrances<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Entrances { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(&[kit::put(key, value)])?;
        self.log.sync()
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.append(&[kit::delete(key)])
    }

    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        let mut records: Vec<Record> = items
            .iter()
            .map(|(key, value)| Record { last: false, ..kit::put(*key, value) })
            .collect();
        records.iter_mut().last().expect("a batch has a part").last = true;
        self.append(&records)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
