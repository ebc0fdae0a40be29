//! **ATOM-5**: a rollback to a savepoint leaves one change too many.
//!
//! SQLite (2021, fixed in 3.37.2). A boundary check in the journal of a nested transaction said
//! `<=` where it had to say `<`: after the inner rollback one change was still there, and the outer
//! commit wrote it. Memory showed the right state; a fuzzer found it by an assertion. Here the
//! transaction keeps what it shows, and the records that its commit will write.
//!
//! The missing character: rolling back to a mark keeps what is before it, not what is at it.

use super::kit::{self, Disk, Log, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "ATOM-5",
    title: "off by one in the rollback to a savepoint",
    source: "https://www.sqlite.org/howtocorrupt.html",
    rule: Rule::P4Invention,
    ops: 1,
    engine: || Easy::new::<Nested<true>>(acts()).stops(),
    twin: || Easy::new::<Nested<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

/// What the transaction is to leave: its own two keys, and neither of the savepoint's.
fn acts() -> Vec<Act> {
    let keys = vec![(1, Some(vec![b'a'; 20])), (2, None), (3, None), (4, Some(vec![b'd'; 20]))];
    vec![Act::Special("put 1, savepoint, put 2, put 3, roll back to it, put 4, commit", keys)]
}

struct Nested<const BUG: bool> {
    state: State,
    log: Log,
}

/// What a transaction has done so far.
struct Transaction {
    shows: State,
    writes: Vec<Record>,
}

impl Transaction {
    fn put(&mut self, key: u64, byte: u8) {
        let record = Record { last: false, ..put(key, &[byte; 20]) };
        kit::apply(&mut self.shows, std::slice::from_ref(&record));
        self.writes.push(record);
    }
}

impl<const BUG: bool> Nested<BUG> {
    fn commit(&mut self, transaction: Transaction) -> io::Result<()> {
        let records: Vec<Record> = transaction.writes.into_iter().chain([kit::mark(0)]).collect();
        self.log.write(&records)?;
        self.log.sync()?;
        self.state = transaction.shows;
        Ok(())
    }
}

impl<const BUG: bool> Kv for Nested<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Nested { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let mut shows = self.state.clone();
        shows.insert(key, value.to_vec());
        self.commit(Transaction { shows, writes: vec![put(key, value)] })
    }

    fn special(&mut self, _what: &str) -> io::Result<()> {
        let mut outer = Transaction { shows: self.state.clone(), writes: Vec::new() };
        outer.put(1, b'a');
        let savepoint = (outer.shows.clone(), outer.writes.len());
        outer.put(2, b'b');
        outer.put(3, b'c');
        outer.shows = savepoint.0;
        outer.writes.truncate(if BUG { savepoint.1 + 1 } else { savepoint.1 });
        outer.put(4, b'd');
        self.commit(outer)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
