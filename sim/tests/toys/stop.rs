//! The latch that every engine needs and none of the toys has for itself.

use crate::kit::Disk;
use highwater_sim::Kv;
use std::io;

/// An engine that ends with its first error (P9): what failed is unknown, and whatever came after
/// it would stand on that.
pub(crate) struct FailStop<K> {
    engine: K,
    failed: bool,
}

impl<K> FailStop<K> {
    fn unless_failed(&mut self, act: impl FnOnce(&mut K) -> io::Result<()>) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier operation failed; open again"));
        }
        act(&mut self.engine).inspect_err(|_| self.failed = true)
    }
}

impl<K: Kv> Kv for FailStop<K> {
    fn open(disk: Disk) -> io::Result<Self> {
        Ok(FailStop { engine: K::open(disk)?, failed: false })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.unless_failed(|engine| engine.put(key, value))
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        self.engine.get(key)
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.unless_failed(|engine| engine.delete(key))
    }

    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        self.unless_failed(|engine| engine.batch(items))
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.unless_failed(Kv::checkpoint)
    }
}
