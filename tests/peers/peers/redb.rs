//! redb: a copy-on-write B-tree.

use crate::load::{Load, id};
use crate::peer::{Done, Kind, Log, Pairs, Peer, Place, Replayed};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::path::Path;
use std::time::Instant;

/// The store.
pub(crate) fn peer() -> Peer {
    Peer {
        name: "redb",
        version: "4.4.0",
        kind: Kind::Peer,
        note: "a transaction an operation; W1 and the sets of W6 are one transaction",
        log: Some(|dir, _| Ok(Box::new(Tree(open(dir)?)))),
        replay: Some(replay),
        pairs: Some(|dir| Ok(Box::new(Tree(open(dir)?)))),
        bulk_only: false,
    }
}

const TABLE: TableDefinition<'_, [u8; 16], &[u8]> = TableDefinition::new("records");

struct Tree(Database);

fn open(dir: &Path) -> Done<Database> {
    Ok(Database::create(dir.join("tree"))?)
}

impl Tree {
    fn insert<'a>(&self, pairs: impl Iterator<Item = ([u8; 16], &'a [u8])>) -> Done {
        let transaction = self.0.begin_write()?;
        let mut table = transaction.open_table(TABLE)?;
        for (key, value) in pairs {
            table.insert(key, value)?;
        }
        drop(table);
        Ok(transaction.commit()?)
    }
}

impl Log for Tree {
    fn append(&self, count: u64, load: &Load) -> Done {
        self.insert((0..count).map(|nth| (id(nth), load.record(nth))))
    }

    fn commit(&self, place: Place, record: &[u8]) -> Done {
        self.insert([(id(place.thread << 48 | place.nth), record)].into_iter())
    }

    fn commit_batch(&self, place: Place, records: &[&[u8]]) -> Done {
        let first = place.nth * records.len() as u64;
        self.insert((first..).map(id).zip(records.iter().copied()))
    }
}

fn replay(dir: &Path) -> Done<Replayed> {
    let db = open(dir)?;
    let opened = Instant::now();
    let table = db.begin_read()?.open_table(TABLE)?;
    let mut records = 0;
    for pair in table.iter()? {
        records += u64::from(!pair?.1.value().is_empty());
    }
    Ok(Replayed { opened, records, kept: Box::new(db) })
}

impl Pairs for Tree {
    fn set(&mut self, count: u64, load: &Load) -> Done {
        self.insert((0..count).map(|nth| (id(nth), load.value(nth))))
    }

    /// The transaction was durable.
    fn settle(&mut self) -> Done {
        Ok(())
    }

    fn get(&self, ids: &[u64]) -> Done<u64> {
        let table = self.0.begin_read()?.open_table(TABLE)?;
        let mut bytes = 0;
        for nth in ids {
            bytes += table.get(id(*nth))?.ok_or("a pair is gone")?.value().len() as u64;
        }
        Ok(bytes)
    }
}
