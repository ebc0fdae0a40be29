//! **VIS-1**: a reader sees what no sync has covered.
//!
//! CorfuDB (2020). Several writes share one sync, and the index learns of each as soon as it is
//! written. A reader is answered the value; the power goes before the sync, and after it the same
//! address, which never changes, answers nothing.
//!
//! The line in the wrong place: the index learns of a write after the sync that covers it.

use super::kit::{self, Disk, Log, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "VIS-1",
    title: "the index is updated after the write, before the sync of the batch",
    source: "https://github.com/CorfuDB/CorfuDB/issues/2470",
    rule: Rule::P10Visibility,
    ops: 3,
    engine: || Easy::new::<Indexed<true>>(acts()).stops(),
    twin: || Easy::new::<Indexed<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let submit = |key: u64| Act::Submit(key, vec![b'a' + key as u8; 20]);
    vec![submit(1), submit(2), Act::Get(1), Act::Commit]
}

struct Indexed<const BUG: bool> {
    index: State,
    log: Log,
    submitted: Vec<Record>,
}

impl<const BUG: bool> Kv for Indexed<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (index, log) = Log::open(&disk)?;
        Ok(Indexed { index, log, submitted: Vec::new() })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.submit(key, value)?;
        self.commit()
    }

    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let record = put(key, value);
        self.log.write(std::slice::from_ref(&record))?;
        if BUG {
            kit::apply(&mut self.index, std::slice::from_ref(&record));
        }
        self.submitted.push(record);
        Ok(())
    }

    fn commit(&mut self) -> io::Result<()> {
        self.log.sync()?;
        kit::apply(&mut self.index, &std::mem::take(&mut self.submitted));
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.index.get(&key).cloned())
    }
}
