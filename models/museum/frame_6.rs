//! **FRAME-6**: an offset into the log, but into which one?
//!
//! memtrace (2026). A snapshot says at which offset of the log the replay begins, and names no
//! segment. The log goes on in a new segment, and recovery begins to read that one at an offset
//! where no record begins: it took text for a header and asked for 192 GiB. Here the reader looks
//! at checksums, finds none that is right, and calls that the end of the log.
//!
//! The missing line: the segment beside the offset.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "FRAME-6",
    title: "a snapshot stores an offset of the log that is no record's in the next segment",
    source: "https://github.com/syncable-dev/memtrace-public/issues/80",
    ops: 2,
    engine: || Easy::new::<Store<true>>(acts()).between(later()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).between(later()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint]
}

fn later() -> Vec<Act> {
    vec![Act::Put(2, vec![b'b'; 60])]
}

struct Store<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
}

impl<const BUG: bool> Kv for Store<BUG> {
    /// Every life begins a new segment.
    fn open(disk: Disk) -> io::Result<Self> {
        let (position, mut state) = kit::load_snapshot(&disk)?;
        let (segment, offset) = (position >> 32, position & 0xffff_ffff);
        let mut number = 0;
        for log in kit::numbers(&disk, "log")? {
            number = log;
            let start = if BUG || log == segment { offset } else { 0 };
            if log >= segment {
                let file = kit::found(&disk, log)?;
                kit::apply(&mut state, &kit::scan_from(&*file, log, start)?.records);
            }
        }
        disk.sync_dir(Path::new(""))?;
        let log = Log::empty(&disk, number + 1)?;
        Ok(Store { state, disk, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let segment = if BUG { 0 } else { self.log.number };
        kit::save_snapshot(&self.disk, segment << 32 | self.log.end, &self.state)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
