//! **ATOM-2**: every frame of a transaction carries the commit mark.
//!
//! Turso (2025). The last frame of a transaction says that the transaction is whole; all frames
//! were written with it. Whatever ends the process between two of them commits the first half.
//! (Found by letting the fourth `pwrite` fail.)
//!
//! The missing condition: the mark is for the last frame.

use super::kit::{self, Disk, Log, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "ATOM-2",
    title: "every frame of a transaction carries the commit mark",
    source: "https://github.com/tursodatabase/turso/issues/1889",
    rule: Rule::P3Atomicity,
    ops: 1,
    engine: || Easy::new::<Batched<true>>(acts()).stops(),
    twin: || Easy::new::<Batched<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let batch = Act::Batch(vec![(1, vec![b'b'; 30]), (2, vec![b'c'; 30])]);
    vec![Act::Put(1, vec![b'a'; 20]), batch]
}

struct Batched<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Batched<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Batched { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.batch(&[(key, value)])
    }

    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        let mut records = Vec::new();
        for (nth, (key, value)) in items.iter().enumerate() {
            let last = BUG || nth + 1 == items.len();
            let record = Record { last, ..put(*key, value) };
            self.log.write(std::slice::from_ref(&record))?;
            records.push(record);
        }
        self.log.sync()?;
        kit::apply(&mut self.state, &records);
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
