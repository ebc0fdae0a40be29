//! **REC-1**: recovery wipes what it has not yet written elsewhere.
//!
//! sled (2019). Recovery zeroes the headers of the segments that it is done with, and then writes
//! the snapshot that stands for them. If it crashes between the two, the next recovery finds
//! neither, takes more for incomplete, and zeroes more.
//!
//! The line in the wrong place: the snapshot first, durable; then the zeros.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::{OpenMode, write_all_at};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "REC-1",
    title: "recovery zeroes segments before its own snapshot is durable",
    source: "https://github.com/spacejam/sled/issues/851",
    ops: 1,
    engine: || Easy::new::<Wiped<true>>(acts()).stops(),
    twin: || Easy::new::<Wiped<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

struct Wiped<const BUG: bool> {
    state: State,
    log: Log,
}

fn wipe(disk: &Disk, logs: &[u64]) -> io::Result<()> {
    for number in logs {
        let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Write)?;
        write_all_at(&*file, &[0; kit::HEADER], 0)?;
        file.sync()?;
    }
    Ok(())
}

impl<const BUG: bool> Kv for Wiped<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let kit::Recovered { state, next, logs, .. } = kit::recover(&disk, |number| number)?;
        if BUG {
            wipe(&disk, &logs)?;
        }
        kit::save_snapshot(&disk, next, &state)?;
        if !BUG {
            wipe(&disk, &logs)?;
        }
        let log = Log::empty(&disk, next)?;
        Ok(Wiped { state, log })
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
