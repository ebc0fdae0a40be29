//! This store.

use crate::load::{Load, VALUE};
use crate::peer::{Done, Kind, Log, Pairs, Peer, Place, Replayed, Use};
use highwater::{Durability, Journal, KvStore, Options, PayloadStore, SystemClock, Value};
use highwater_vfs::OsFs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// With few ids the index stays in the processor's cache, as a log's position would; with as many
/// ids as records it is what a store of a million payloads has.
const FEW: u64 = 1024;

/// The store with few ids and with many, and the other two views.
pub(crate) fn peers() -> [Peer; 4] {
    let few = Peer {
        name: "highwater",
        version: env!("CARGO_PKG_VERSION"),
        kind: Kind::Ours,
        note: "payload store, one `store` a record; 1,024 ids in turn in W1 to W5, a million in W6",
        log: Some(|dir, used| open(dir, used, FEW)),
        replay: Some(replay),
        pairs: Some(|dir| Ok(Box::new(store(dir, Durability::None, true)?))),
        bulk_only: false,
    };
    let many = Peer {
        name: "highwater-ids",
        note: "the same with an id of its own for each of the million records of W1 and W5",
        log: Some(|dir, used| open(dir, used, u64::MAX)),
        pairs: None,
        bulk_only: true,
        ..few
    };
    let journal = Peer {
        name: "highwater-journal",
        note: "the journal; a batch is appended one by one, and the last waits",
        log: Some(open_journal),
        replay: Some(replay_journal),
        pairs: None,
        ..few
    };
    let kv = Peer {
        name: "highwater-kv",
        note: "the key-value store, keys of 16 bytes",
        log: None,
        replay: None,
        pairs: Some(|dir| Ok(Box::new(Keys(open_kv(dir)?)))),
        ..few
    };
    [few, many, journal, kv]
}

/// Automatic checkpoints are for W6: they drop what later payloads of an id have replaced, and W5
/// is to find a million records.
fn store(dir: &Path, durability: Durability, auto_checkpoint: bool) -> Done<PayloadStore> {
    let options = Options { durability, auto_checkpoint, ..Options::default() };
    Ok(PayloadStore::open(Arc::new(OsFs::open(dir)?), options)?)
}

struct Ours {
    store: PayloadStore,
    ids: u64,
}

fn open(dir: &Path, used: Use, ids: u64) -> Done<Box<dyn Log>> {
    let durability = match used {
        Use::Append => Durability::None,
        Use::Commit { .. } => Durability::Fsync,
    };
    Ok(Box::new(Ours { store: store(dir, durability, false)?, ids }))
}

impl Log for Ours {
    fn append(&self, count: u64, load: &Load) -> Done {
        for nth in 0..count {
            self.store.store(nth % self.ids, load.record(nth))?;
        }
        self.store.flush()?;
        Ok(())
    }

    fn commit(&self, place: Place, record: &[u8]) -> Done {
        self.store.store((place.nth * 64 + place.thread) % self.ids, record)?;
        Ok(())
    }

    fn commit_batch(&self, place: Place, records: &[&[u8]]) -> Done {
        let first = place.nth * records.len() as u64;
        let ids = (first..).map(|nth| nth % self.ids);
        let items: Vec<(u64, &[u8])> = ids.zip(records.iter().copied()).collect();
        self.store.store_batch(&items)?;
        Ok(())
    }
}

/// To open it is to check every record.
fn replay(dir: &Path) -> Done<Replayed> {
    let store = store(dir, Durability::Fsync, false)?;
    let (opened, records) = (Instant::now(), store.report().replayed);
    Ok(Replayed { opened, records, kept: Box::new(store) })
}

impl Pairs for PayloadStore {
    fn set(&mut self, count: u64, load: &Load) -> Done {
        for nth in 0..count {
            PayloadStore::store(self, nth, load.value(nth))?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Done {
        self.flush()?;
        Ok(())
    }

    fn get(&self, ids: &[u64]) -> Done<u64> {
        let (mut payload, mut bytes) = (Vec::with_capacity(VALUE), 0);
        for id in ids {
            self.retrieve_into(*id, &mut payload)?;
            bytes += payload.len() as u64;
        }
        Ok(bytes)
    }
}

fn journal(dir: &Path, durability: Durability) -> Done<Journal> {
    let options = Options { durability, auto_checkpoint: false, ..Options::default() };
    Ok(Journal::open(Arc::new(OsFs::open(dir)?), options)?)
}

fn open_journal(dir: &Path, used: Use) -> Done<Box<dyn Log>> {
    let durability = match used {
        Use::Append => Durability::None,
        Use::Commit { .. } => Durability::Fsync,
    };
    Ok(Box::new(journal(dir, durability)?))
}

impl Log for Journal {
    fn append(&self, count: u64, load: &Load) -> Done {
        for nth in 0..count {
            Journal::append(self, load.record(nth))?;
        }
        self.flush()?;
        Ok(())
    }

    fn commit(&self, _: Place, record: &[u8]) -> Done {
        Journal::append(self, record)?;
        Ok(())
    }

    fn commit_batch(&self, _: Place, records: &[&[u8]]) -> Done {
        let Some((last, before)) = records.split_last() else { return Ok(()) };
        for record in before {
            self.append_deferred(record)?;
        }
        Journal::append(self, last)?;
        Ok(())
    }
}

fn replay_journal(dir: &Path) -> Done<Replayed> {
    let journal = journal(dir, Durability::Fsync)?;
    let (opened, records) = (Instant::now(), journal.report().replayed);
    Ok(Replayed { opened, records, kept: Box::new(journal) })
}

fn open_kv(dir: &Path) -> Done<KvStore> {
    let options = Options { durability: Durability::None, ..Options::default() };
    Ok(KvStore::open(Arc::new(OsFs::open(dir)?), options, Arc::new(SystemClock))?)
}

struct Keys(KvStore);

fn key(nth: u64) -> [u8; 16] {
    u128::from(nth).to_be_bytes()
}

impl Pairs for Keys {
    fn set(&mut self, count: u64, load: &Load) -> Done {
        for nth in 0..count {
            self.0.set(key(nth), Value::Bytes(load.value(nth).to_vec()), None)?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Done {
        self.0.flush()?;
        Ok(())
    }

    fn get(&self, ids: &[u64]) -> Done<u64> {
        let found = ids.iter().filter_map(|id| self.0.get(key(*id)));
        let size = |value| if let Value::Bytes(bytes) = value { bytes.len() as u64 } else { 0 };
        Ok(found.map(size).sum())
    }
}
