//! **STALE-2**: an old record is the end of a log that was used again, or of one that lost records.
//!
//! RocksDB (2024). Log files are recycled: a new log overwrites an old one. If a crash loses its
//! last records, the old ones show in their place; they carry the number of the old log, so the
//! reader says "end of the log". Recovery does check that the next log begins where this one ends,
//! but only behind a log that looks torn, and this one does not. Recycling was switched off where
//! syncs may be left out.
//!
//! The missing line: an old record proves nothing; the next log must begin where this one ends.

use super::kit::{self, Disk, Log, Record, State, mark, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{File, OpenMode};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "STALE-2",
    title: "the end of a recycled log cannot be told from records that were lost",
    source: "https://github.com/facebook/rocksdb/pull/12403",
    rule: Rule::P2Prefix,
    shows: UNORDERED, // in order, the overwrite is there before anything of the next log
    ops: 4,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let submit = |key: u64| Act::Submit(key, vec![b'a' + key as u8; 20]);
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, submit(2), submit(3), Act::Commit]
}

/// Whether a log has a record of an older one behind its last own.
fn ends_old(file: &dyn File, number: u64, end: u64) -> io::Result<bool> {
    for older in 1..number {
        if kit::read_frame(file, older, end)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

struct Store<const BUG: bool> {
    state: State,
    disk: Disk,
    /// The first log that counts, and the next one.
    first: u64,
    number: u64,
    /// Of the next record.
    lsn: u64,
    /// What is in the logs and not committed.
    pending: Vec<(Log, Record)>,
}

impl<const BUG: bool> Store<BUG> {
    /// A snapshot of what is durable, after which no log counts.
    fn begin(disk: Disk, number: u64, state: State) -> io::Result<Self> {
        kit::save_snapshot(&disk, number, &state)?;
        Ok(Store { state, disk, first: number, number, lsn: 1, pending: Vec::new() })
    }
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (first, mut state) = kit::load_snapshot(&disk)?;
        let (mut lsn, mut number, mut old) = (1, first, false);
        for log in kit::numbers(&disk, "log")?.into_iter().filter(|log| *log >= first) {
            number = log;
            let file = disk.open(format!("log.{log}").as_ref(), OpenMode::Read)?;
            let scan = kit::scan(&*file, log)?;
            let Some((begins, records)) = scan.records.split_first() else {
                old = ends_old(&*file, log, 0)?;
                continue;
            };
            if begins.key == lsn || BUG && old {
                kit::apply(&mut state, records);
                lsn = begins.key + records.len() as u64;
            }
            old = ends_old(&*file, log, scan.end)?;
        }
        Self::begin(disk, number + 1, state)
    }

    /// A log is full with one record here; in front of it stands its position.
    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let mut log = Log::recycled(&self.disk, self.number, self.first)?;
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

    fn checkpoint(&mut self) -> io::Result<()> {
        self.commit()?;
        *self = Self::begin(self.disk.clone(), self.number, self.state.clone())?;
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
