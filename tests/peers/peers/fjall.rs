//! fjall: an LSM tree with a journal.

use crate::load::{Load, id};
use crate::peer::{Done, Kind, Log, Pairs, Peer, Place, Replayed};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::path::Path;
use std::time::Instant;

/// The store.
pub(crate) fn peer() -> Peer {
    Peer {
        name: "fjall",
        version: "3.1.13",
        kind: Kind::Peer,
        note: "durable: an insert and `persist(SyncData)`, W4 a batch with that durability",
        log: Some(|dir, _| Ok(Box::new(Tree::open(dir)?))),
        replay: Some(replay),
        pairs: Some(|dir| Ok(Box::new(Tree::open(dir)?))),
        bulk_only: false,
    }
}

struct Tree {
    db: Database,
    keys: Keyspace,
}

impl Tree {
    fn open(dir: &Path) -> Done<Tree> {
        let db = Database::builder(dir).open()?;
        let keys = db.keyspace("records", KeyspaceCreateOptions::default)?;
        Ok(Tree { db, keys })
    }
}

fn key(place: Place) -> [u8; 16] {
    id(place.thread << 48 | place.nth)
}

impl Log for Tree {
    fn append(&self, count: u64, load: &Load) -> Done {
        for nth in 0..count {
            self.keys.insert(id(nth), load.record(nth))?;
        }
        Ok(self.db.persist(PersistMode::SyncData)?)
    }

    fn commit(&self, place: Place, record: &[u8]) -> Done {
        self.keys.insert(key(place), record)?;
        Ok(self.db.persist(PersistMode::SyncData)?)
    }

    fn commit_batch(&self, place: Place, records: &[&[u8]]) -> Done {
        let mut batch = self.db.batch().durability(Some(PersistMode::SyncData));
        for (nth, record) in (place.nth * records.len() as u64..).zip(records) {
            batch.insert(&self.keys, key(Place { nth, ..place }), *record);
        }
        Ok(batch.commit()?)
    }
}

fn replay(dir: &Path) -> Done<Replayed> {
    let tree = Tree::open(dir)?;
    let opened = Instant::now();
    let mut records = 0;
    for pair in tree.keys.iter() {
        records += u64::from(!pair.value()?.is_empty());
    }
    Ok(Replayed { opened, records, kept: Box::new(tree) })
}

impl Pairs for Tree {
    fn set(&mut self, count: u64, load: &Load) -> Done {
        for nth in 0..count {
            self.keys.insert(id(nth), load.value(nth))?;
        }
        Ok(())
    }

    fn settle(&mut self) -> Done {
        Ok(self.db.persist(PersistMode::SyncAll)?)
    }

    fn get(&self, ids: &[u64]) -> Done<u64> {
        let mut bytes = 0;
        for nth in ids {
            bytes += self.keys.get(id(*nth))?.ok_or("a pair is gone")?.len() as u64;
        }
        Ok(bytes)
    }
}
