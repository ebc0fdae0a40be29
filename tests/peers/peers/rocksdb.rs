//! RocksDB, behind the feature of that name: it takes long to build, and libclang.

use crate::load::{Load, id};
use crate::peer::{Done, Kind, Log, Pairs, Peer, Place, Replayed};
use rocksdb::{DB, IteratorMode, WriteBatch, WriteOptions};
use std::path::Path;
use std::time::Instant;

/// The store.
pub(crate) fn peer() -> Peer {
    Peer {
        name: "rocksdb",
        version: "0.25.0",
        kind: Kind::Peer,
        note: "durable: `set_sync(true)`, W4 a write batch",
        log: Some(|dir, _| Ok(Box::new(Tree(DB::open_default(dir)?)))),
        replay: Some(replay),
        pairs: Some(|dir| Ok(Box::new(Tree(DB::open_default(dir)?)))),
        bulk_only: false,
    }
}

struct Tree(DB);

fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

impl Log for Tree {
    fn append(&self, count: u64, load: &Load) -> Done {
        for nth in 0..count {
            self.0.put(id(nth), load.record(nth))?;
        }
        Ok(self.0.flush_wal(true)?)
    }

    fn commit(&self, place: Place, record: &[u8]) -> Done {
        Ok(self.0.put_opt(id(place.thread << 48 | place.nth), record, &synced())?)
    }

    fn commit_batch(&self, place: Place, records: &[&[u8]]) -> Done {
        let mut batch = WriteBatch::default();
        for (nth, record) in (place.nth * records.len() as u64..).zip(records) {
            batch.put(id(nth), record);
        }
        Ok(self.0.write_opt(batch, &synced())?)
    }
}

fn replay(dir: &Path) -> Done<Replayed> {
    let tree = DB::open_default(dir)?;
    let opened = Instant::now();
    let mut records = 0;
    for pair in tree.iterator(IteratorMode::Start) {
        records += u64::from(!pair?.1.is_empty());
    }
    Ok(Replayed { opened, records, kept: Box::new(tree) })
}

impl Pairs for Tree {
    fn set(&mut self, count: u64, load: &Load) -> Done {
        for nth in 0..count {
            self.0.put(id(nth), load.value(nth))?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Done {
        Ok(self.0.flush_wal(true)?)
    }

    fn get(&self, ids: &[u64]) -> Done<u64> {
        let mut bytes = 0;
        for nth in ids {
            bytes += self.0.get(id(*nth))?.ok_or("a pair is gone")?.len() as u64;
        }
        Ok(bytes)
    }
}
