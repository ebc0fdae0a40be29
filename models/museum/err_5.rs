//! **ERR-5**: memory keeps what the log has lost, and a flush persists half of it.
//!
//! RocksDB (2024). A write of the log fails, and what was buffered for it is dropped; the entries
//! stay in the tables in memory. The database resumes by itself and flushes the table of one column
//! family. After a crash that family has its part of the batch, and the log does not have the
//! others.
//!
//! The line in the wrong place: the tables in memory change when the log has the batch, not before.

use super::kit::{self, Disk, Log, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, CallFault, CallKind, Easy, Failure, FaultEffect, Kv, Rule};
use highwater_vfs::OpenMode;
use std::io::{self, ErrorKind};
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "ERR-5",
    title: "a failed log write leaves the batch in memory, and one family is flushed",
    source: "https://github.com/facebook/rocksdb/pull/12995",
    rule: Rule::P3Atomicity,
    needs: Some(Failure::Call(CallFault { call: CallKind::Write, what: FaultEffect::Eio })),
    ops: 2,
    engine: || Easy::new::<Families<true>>(acts()),
    twin: || Easy::new::<Families<false>>(acts()),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Batch(vec![(1, vec![b'a'; 20]), (11, vec![b'b'; 30])]), Act::Checkpoint]
}

/// Keys below it are of the first family.
const SECOND: u64 = 10;

struct Families<const BUG: bool> {
    disk: Disk,
    state: State,
    log: Log,
}

fn flushed(disk: &Disk) -> io::Result<State> {
    let mut state = State::new();
    match disk.open(Path::new("first"), OpenMode::Read) {
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        opened => kit::apply(&mut state, &kit::scan(&*opened?, 0)?.records),
    }
    Ok(state)
}

impl<const BUG: bool> Kv for Families<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let mut state = flushed(&disk)?;
        let (logged, log) = Log::open(&disk)?;
        state.extend(logged);
        Ok(Families { disk, state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.batch(&[(key, value)])
    }

    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        let part = |(key, value): &(u64, &[u8])| Record { last: false, ..put(*key, value) };
        let records: Vec<Record> = items.iter().map(part).chain([kit::mark(0)]).collect();
        if BUG {
            kit::apply(&mut self.state, &records);
        }
        self.log.write(&records)?;
        self.log.sync()?;
        kit::apply(&mut self.state, &records);
        Ok(())
    }

    /// Flushes the first family. The log stays: the second is not flushed.
    fn checkpoint(&mut self) -> io::Result<()> {
        let first = self.state.range(..SECOND).map(|(key, value)| (*key, value.clone())).collect();
        kit::replace(&self.disk, "first", &kit::frames(0, &kit::base(0, &first)))
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
