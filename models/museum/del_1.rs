//! **DEL-1**: a delete is not logged, because the log is believed to be empty.
//!
//! InfluxDB (2019). After a snapshot the cache is empty, and the engine takes that for a log that
//! is empty too; but it has not cut it. A delete then goes to the files of the snapshot only, and
//! after the next start the log puts the old points back.
//!
//! The missing line: a delete is logged wherever its key is.

use super::kit::{self, Disk, Log, State, delete, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use std::collections::BTreeSet;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "DEL-1",
    title: "a delete of what has left the cache is not logged, and the log still has it",
    source: "https://github.com/influxdata/influxdb/issues/14229",
    ops: 3,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Delete(1)]
}

struct Store<const BUG: bool> {
    state: State,
    /// The keys that were put since the last snapshot.
    cache: BTreeSet<u64>,
    disk: Disk,
    log: Log,
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let kit::Recovered { state, next, .. } = kit::recover(&disk, |log| log)?;
        kit::save_snapshot(&disk, next, &state)?;
        let log = Log::empty(&disk, next)?;
        Ok(Store { state, cache: BTreeSet::new(), disk, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        self.cache.insert(key);
        Ok(())
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        if !BUG || self.cache.contains(&key) {
            self.log.write(&[delete(key)])?;
            self.log.sync()?;
        }
        self.state.remove(&key);
        if !self.cache.remove(&key) {
            kit::save_snapshot(&self.disk, self.log.number, &self.state)?;
        }
        Ok(())
    }

    /// A snapshot; the log stays as it is.
    fn checkpoint(&mut self) -> io::Result<()> {
        kit::save_snapshot(&self.disk, self.log.number, &self.state)?;
        self.cache.clear();
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
