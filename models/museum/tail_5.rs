//! **TAIL-5**: half a record at the end, and the store does not open.
//!
//! DuckDB (2023). The log ends in half a record, as it may after every crash, and the reader passes
//! the short read up: "not enough data in file". The store does not open, though everything that
//! was acknowledged is there.
//!
//! The missing line: half a record at the end *is* the end.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use std::io::{self, ErrorKind};

pub(crate) const PIECE: Piece = Piece {
    bug: "TAIL-5",
    title: "half a record at the end makes the store unopenable",
    source: "https://github.com/duckdb/duckdb/issues/8592",
    rule: Rule::P5FalseAlarm,
    ops: 2,
    engine: || Easy::new::<Torn<true>>(acts()).stops(),
    twin: || Easy::new::<Torn<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

/// The second record is longer than a sector: where the power cannot tear it, a kill can.
fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 600])]
}

struct Torn<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Torn<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let found = kit::recover(&disk, |number| number)?;
        if BUG && found.torn {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "not enough data in file"));
        }
        kit::save_snapshot(&disk, found.next, &found.state)?;
        let log = Log::empty(&disk, found.next)?;
        Ok(Torn { state: found.state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
