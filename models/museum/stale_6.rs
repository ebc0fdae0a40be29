//! **STALE-6**: a log that is emptied and filled again, and the records of its former life.
//!
//! cqlite (2026, an audit). After a snapshot the log is emptied in place with `set_len(0)`, which
//! nothing syncs, and filled again from its start. A crash loses the new length, keeps some of the
//! bytes behind it, and recovery walks into records of the former epoch: it applies them to the
//! snapshot that covers them, without those that came after.
//!
//! The missing line: the epoch in the checksum of every record.

use super::kit::{self, Disk, Record, State, delete, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{File, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "STALE-6",
    title: "a log is emptied in place, and records of its former epoch come back",
    source: "an audit of cqlite",
    rule: Rule::P4Invention,
    shows: UNORDERED, // in order, the first record goes first
    ops: 6,
    engine: || Easy::new::<Emptied<true>>(acts()).stops(),
    twin: || Easy::new::<Emptied<false>>(acts()).stops(),
    ..Piece::PLAIN
};

/// The first record fills a sector.
fn acts() -> Vec<Act> {
    let (one, two) = (Act::Put(1, vec![b'a'; 488]), Act::Put(2, vec![b'b'; 20]));
    vec![one, Act::Delete(1), two, Act::Checkpoint]
}

struct Emptied<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Arc<dyn File>,
    epoch: u64,
    end: u64,
}

impl<const BUG: bool> Emptied<BUG> {
    fn seed(epoch: u64) -> u64 {
        if BUG { 0 } else { epoch }
    }

    fn append(&mut self, record: Record) -> io::Result<()> {
        let frame = kit::frame(Self::seed(self.epoch), &record);
        write_all_at(&*self.log, &frame, self.end)?;
        self.log.sync()?;
        self.end += frame.len() as u64;
        kit::apply(&mut self.state, &[record]);
        Ok(())
    }
}

impl<const BUG: bool> Kv for Emptied<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (epoch, mut state) = kit::load_snapshot(&disk)?;
        let log = kit::open_or_create(&disk, "log")?;
        disk.sync_dir(Path::new(""))?; // the snapshot is what it is before the log changes
        let scan = kit::scan(&*log, Self::seed(epoch))?;
        kit::cut_tail(&*log, scan.end)?;
        kit::apply(&mut state, &scan.records);
        Ok(Emptied { state, disk, log, epoch, end: scan.end })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(put(key, value))
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.append(delete(key))
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        kit::save_snapshot(&self.disk, self.epoch + 1, &self.state)?;
        self.log.set_len(0)?;
        (self.epoch, self.end) = (self.epoch + 1, 0);
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
