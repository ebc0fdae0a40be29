//! The journal with a bound on how many records wait for a sync: a record is durable as soon as so
//! many less one were appended behind it.

use super::{options, told};
use highwater::{Durability, Journal, Lsn, Options};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::Vfs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

const SYNC_AFTER: u64 = 3;

struct Engine {
    journal: Journal,
}

impl Kv for Engine {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Engine> {
        let options = Options {
            durability: Durability::Interval(Duration::MAX),
            sync_after: Some(SYNC_AFTER),
            segment_size: 4096, // the next segment is begun with a sync, too
            ..options()
        };
        Ok(Engine { journal: Journal::open(disk, options).map_err(told)? })
    }

    /// Acknowledged when enough is behind it, and nobody has asked for a sync.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let record = [&key.to_le_bytes()[..], value].concat();
        self.journal.append(&record).map_err(told)?;
        (1..SYNC_AFTER).try_for_each(|_| self.journal.append(b"").map(drop).map_err(told))
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let (mut reader, mut found) = (self.journal.reader(Lsn(1)), None);
        while let Some((_, record)) = reader.next_record().map_err(told)? {
            found = record.strip_prefix(&key.to_le_bytes()).map(<[u8]>::to_vec).or(found);
        }
        Ok(found)
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.journal.clean_up().map(drop).map_err(told)
    }
}

/// The journal that counts what waits for a sync.
pub fn batched() -> Easy {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 60]);
    Easy::new::<Engine>(vec![put(1), put(2), put(1), Act::Checkpoint, put(3)])
}
