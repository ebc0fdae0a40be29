//! **HOLE-1**: a log without its end, and the next log on top of it.
//!
//! RocksDB, and again memgraph (2020, 2026). A crash cuts a log within its last records, or cuts
//! those off altogether. Recovery takes that for the end of the log, which it is, and goes on with
//! the next log as if nothing had happened: a later write is there, an earlier one is not. (RocksDB
//! had a test for it. A typo kept it from ever failing.)
//!
//! The missing line: a log counts only if it begins where the one before it ends.

use super::kit::{self, Disk, Log, Record, State, mark, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::OpenMode;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "HOLE-1",
    title: "a log without its end is followed by the next log",
    source: "https://github.com/facebook/rocksdb/pull/7701",
    rule: Rule::P2Prefix,
    shows: UNORDERED, // in one order, the first log never ends before the second has something
    ops: 3,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Submit(1, vec![b'a'; 20]), Act::Submit(2, vec![b'b'; 30]), Act::Commit]
}

struct Store<const BUG: bool> {
    state: State,
    disk: Disk,
    /// Of the next log.
    number: u64,
    /// Of the next record.
    lsn: u64,
    /// What is in the logs and not committed.
    pending: Vec<(Log, Record)>,
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (first, mut state) = kit::load_snapshot(&disk)?;
        let (mut lsn, mut number) = (1, first);
        for log in kit::numbers(&disk, "log")?.into_iter().filter(|log| *log >= first) {
            number = log;
            let file = disk.open(format!("log.{log}").as_ref(), OpenMode::Read)?;
            let records = kit::scan(&*file, log)?.records;
            let Some((begins, records)) = records.split_first() else { continue };
            if BUG || begins.key == lsn {
                kit::apply(&mut state, records);
                lsn = begins.key + records.len() as u64;
            }
        }
        kit::save_snapshot(&disk, number + 1, &state)?;
        Ok(Store { state, disk, number: number + 1, lsn: 1, pending: Vec::new() })
    }

    /// A log is full with one record here; in front of it stands its position.
    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let mut log = Log::empty(&self.disk, self.number)?;
        log.write(&[Record { last: false, ..mark(self.lsn) }, put(key, value)])?;
        (self.number, self.lsn) = (self.number + 1, self.lsn + 1);
        self.pending.push((log, put(key, value)));
        Ok(())
    }

    fn commit(&mut self) -> io::Result<()> {
        for (log, record) in self.pending.drain(..) {
            log.sync()?;
            kit::apply(&mut self.state, &[record]);
        }
        Ok(())
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.submit(key, value)?;
        self.commit()
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
