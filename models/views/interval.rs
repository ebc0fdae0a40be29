//! The payload store in mode `Interval`: what is put waits for a tick that is due.

use super::{options, told};
use highwater::{Durability, Options, PayloadStore};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::Vfs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(100);

struct Engine {
    store: PayloadStore,
    now: Duration,
}

impl Kv for Engine {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Engine> {
        let options = Options { durability: Durability::Interval(INTERVAL), ..options() };
        let store = PayloadStore::open(disk, options).map_err(told)?;
        store.tick(Duration::ZERO).map_err(told)?;
        Ok(Engine { store, now: Duration::ZERO })
    }

    /// Acknowledged by the tick that is due, the second one.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.store.store(key, value).map_err(told)?;
        for _ in 0..2 {
            self.now += INTERVAL / 2;
            if self.store.tick(self.now).map_err(told)?.is_some() {
                return Ok(());
            }
        }
        Err(io::Error::other("no tick was due"))
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        self.store.retrieve(key).map_err(told)
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.store.create_snapshot().map(drop).map_err(told)
    }
}

/// The payload store in mode `Interval`.
pub fn interval() -> Easy {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 60]);
    let acts = vec![put(1), put(2), put(1), Act::Checkpoint, put(3)];
    Easy::new::<Engine>(acts)
}
