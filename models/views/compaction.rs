//! The payload store when it compacts: small segments, most of each overwritten.

use super::{options, told};
use highwater::{Options, PayloadStore};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::Vfs;
use std::io;
use std::sync::Arc;

struct Engine {
    store: PayloadStore,
}

impl Kv for Engine {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Engine> {
        let options = Options { snapshots_kept: 1, ..options() };
        Ok(Engine { store: PayloadStore::open(disk, options).map_err(told)? })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.store.store(key, value).map(drop).map_err(told)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        self.store.retrieve(key).map_err(told)
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.store.delete(key).map(drop).map_err(told)
    }

    /// A compaction, which ends with a snapshot.
    fn checkpoint(&mut self) -> io::Result<()> {
        self.store.compact(60).map(drop).map_err(told)?;
        self.store.check_invariants();
        Ok(())
    }
}

/// The payload store with a workload that leaves segments sparse, and compactions.
pub fn compaction() -> Easy {
    let put = |key: u64, byte: u8| Act::Put(key, vec![byte; 90]);
    let acts = vec![
        put(1, b'a'),
        put(2, b'b'),
        put(3, b'c'),
        put(2, b'd'),
        put(3, b'e'),
        Act::Checkpoint,
        put(4, b'f'),
        Act::Delete(2),
        put(1, b'g'),
        Act::Checkpoint,
        put(5, b'h'),
    ];
    Easy::new::<Engine>(acts)
}
