//! The journal: records, one cursor, clean-ups. A record's bytes begin with its key; what is below
//! the cursor is not there.

use super::{options, told};
use highwater::{Journal, Lsn, Options};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::Vfs;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

const READER: &str = "reader";

struct Engine {
    journal: Journal,
}

impl Engine {
    fn append(&self, key: u64, value: &[u8], deferred: bool) -> io::Result<()> {
        let record = [&key.to_le_bytes()[..], value].concat();
        let done = match deferred {
            false => self.journal.append(&record),
            true => self.journal.append_deferred(&record),
        };
        done.map(drop).map_err(told)
    }

    /// By key: where a record is, and what.
    fn records(&self) -> io::Result<BTreeMap<u64, (Lsn, Vec<u8>)>> {
        let from = self.journal.cursors().get(READER).copied().unwrap_or(Lsn(1));
        let mut reader = self.journal.reader(from);
        let (mut records, mut last) = (BTreeMap::new(), Lsn(0));
        while let Some((lsn, record)) = reader.next_record().map_err(told)? {
            if lsn <= last || self.journal.read(lsn).map_err(told)?.as_ref() != Some(&record) {
                return Err(io::Error::other(format!("LSN {lsn} reads in two ways")));
            }
            last = lsn;
            let (key, value) = record.split_first_chunk().expect("it begins with a key");
            records.insert(u64::from_le_bytes(*key), (lsn, value.to_vec()));
        }
        Ok(records)
    }
}

impl Kv for Engine {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Engine> {
        let options = Options { snapshots_kept: 1, ..options() };
        let journal = Journal::open(disk, options).map_err(told)?.hashing();
        journal.check_invariants();
        Ok(Engine { journal })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(key, value, false)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.records()?.remove(&key).map(|(_, value)| value))
    }

    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(key, value, true)
    }

    fn commit(&mut self) -> io::Result<()> {
        self.journal.flush().map(drop).map_err(told)
    }

    /// A clean-up.
    fn checkpoint(&mut self) -> io::Result<()> {
        self.journal.clean_up().map(drop).map_err(told)
    }

    fn special(&mut self, what: &str) -> io::Result<()> {
        let key = what.strip_prefix("read all before ").and_then(|key| key.parse().ok());
        let key: u64 = key.ok_or(io::ErrorKind::Unsupported)?;
        let at = self.records()?.get(&key).map_or(Lsn(1), |(lsn, _)| *lsn);
        self.journal.set_cursor(READER, at).map(drop).map_err(told)
    }

    fn close(&mut self) -> io::Result<()> {
        self.journal.close().map_err(told)
    }
}

/// The journal with a workload of records, cursors and clean-ups, or the first `ops` of it.
pub fn journal(ops: usize) -> Easy {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 100]);
    let mut acts = vec![
        put(1),
        put(2),
        put(3),
        put(4),
        Act::Special("read all before 4", vec![(1, None), (2, None), (3, None)]),
        Act::Checkpoint,
        put(5),
        Act::Submit(6, vec![b'g'; 100]),
        put(7),
        put(8),
        Act::Special("read all before 8", vec![(4, None), (5, None), (6, None), (7, None)]),
        Act::Checkpoint,
        Act::Reopen,
        put(9),
    ];
    acts.truncate(ops);
    Easy::new::<Engine>(acts)
}
