//! **CKPT-2**: recovery empties the log before what it recovered is durable.
//!
//! VelesDB (2026, found in an audit). Replay applies the log to a mapped file, truncates the log
//! and returns; only its caller flushes the mapping. A crash between the two loses every record:
//! it is in no log any more, and not yet in the file.
//!
//! The missing line: `table.sync()` before the log goes.

use super::kit::redo::{next_log, open_table, read_logs, write_slots};
use super::kit::{Disk, Log, State, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "CKPT-2",
    title: "recovery truncates the log before the recovered state is flushed",
    source: "https://github.com/cyberlife-coder/VelesDB",
    shows: UNORDERED, // in order, the table is there before the log is gone
    ops: 1,
    engine: || Easy::new::<Table<true>>(acts()).stops(),
    twin: || Easy::new::<Table<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

struct Table<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Table<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (table, mut state) = open_table(&disk)?;
        let (mut logged, newest) = read_logs(&disk)?;
        write_slots(&*table, &logged)?;
        if !BUG {
            table.sync()?;
        }
        let log = next_log(&disk, newest + 1)?;
        if BUG {
            table.sync()?;
        }
        state.append(&mut logged);
        Ok(Table { state, log })
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
