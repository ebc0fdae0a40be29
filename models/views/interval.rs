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

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.submit(key, value)?;
        self.commit()
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        self.store.retrieve(key).map_err(told)
    }

    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.store.store(key, value).map(drop).map_err(told)
    }

    /// A tick that is not due, and one that is.
    fn commit(&mut self) -> io::Result<()> {
        for _ in 0..2 {
            self.now += INTERVAL / 2;
            if self.store.tick(self.now).map_err(told)?.is_some() {
                return Ok(());
            }
        }
        Err(io::Error::other("no tick was due"))
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.store.create_snapshot().map(drop).map_err(told)
    }
}

/// The payload store in mode `Interval`.
pub fn interval() -> Easy {
    let submit = |key: u64| Act::Submit(key, vec![b'a' + key as u8; 60]);
    let acts = vec![submit(1), submit(2), Act::Commit, submit(1), Act::Commit, Act::Checkpoint];
    Easy::new::<Engine>(acts)
}
