//! raft-engine: entries of many Raft groups in one log.

use crate::load::{BATCH, Load};
use crate::peer::{Done, Kind, Log, Peer, Place, Replayed};
use protobuf::well_known_types::BytesValue;
use raft_engine::{Config, Engine, LogBatch, MessageExt};
use std::path::Path;
use std::time::Instant;

/// The log.
pub(crate) fn peer() -> Peer {
    Peer {
        name: "raft-engine",
        version: "0.4.2",
        kind: Kind::Peer,
        note: "an entry a record, a group a thread; its `sync()` never syncs (its issue 395), so \
               the last write of W1 does",
        log: Some(|dir, _| Ok(Box::new(Groups(open(dir)?)))),
        replay: Some(replay),
        pairs: None,
        bulk_only: false,
    }
}

/// An entry: its index is the first 8 of its bytes.
#[derive(Clone)]
struct Record;

impl MessageExt for Record {
    type Entry = BytesValue;

    fn index(entry: &BytesValue) -> u64 {
        u64::from_le_bytes(entry.value[..8].try_into().expect("a record is longer"))
    }
}

/// Indexes begin at 1.
fn entry(nth: u64, record: &[u8]) -> BytesValue {
    let mut entry = BytesValue::new();
    entry.value = record.to_vec();
    entry.value[..8].copy_from_slice(&(nth + 1).to_le_bytes());
    entry
}

struct Groups(Engine);

fn open(dir: &Path) -> Done<Engine> {
    let dir = dir.to_str().ok_or("a path that is text")?.to_string();
    Ok(Engine::open(Config { dir, ..Config::default() })?)
}

impl Groups {
    fn write(&self, group: u64, entries: &[BytesValue], sync: bool) -> Done {
        let mut batch = LogBatch::with_capacity(1);
        batch.add_entries::<Record>(group, entries)?;
        self.0.write(&mut batch, sync)?;
        Ok(())
    }
}

impl Log for Groups {
    fn append(&self, count: u64, load: &Load) -> Done {
        for nth in 0..count {
            self.write(1, &[entry(nth, load.record(nth))], nth + 1 == count)?;
        }
        Ok(())
    }

    fn commit(&self, place: Place, record: &[u8]) -> Done {
        self.write(1 + place.thread, &[entry(place.nth, record)], true)
    }

    fn commit_batch(&self, place: Place, records: &[&[u8]]) -> Done {
        let first = place.nth * BATCH;
        let entries = (first..).zip(records).map(|(nth, record)| entry(nth, record));
        self.write(1, &entries.collect::<Vec<_>>(), true)
    }
}

fn replay(dir: &Path) -> Done<Replayed> {
    let engine = open(dir)?;
    let opened = Instant::now();
    let (first, last) = (engine.first_index(1).unwrap_or(1), engine.last_index(1).unwrap_or(0));
    let (mut entries, mut records) = (Vec::new(), 0);
    for from in (first..=last).step_by(10_000) {
        entries.clear();
        let to = (from + 10_000).min(last + 1);
        records += engine.fetch_entries_to::<Record>(1, from, to, None, &mut entries)? as u64;
    }
    Ok(Replayed { opened, records, kept: Box::new(engine) })
}
