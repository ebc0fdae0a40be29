//! velesdb-core's payload log: the design that this store answers.

use crate::load::{BATCH, Load, RECORD, VALUE};
use crate::peer::{Done, Kind, Log, Pairs, Peer, Place, Replayed};
use parking_lot::Mutex;
use serde_json::Value;
use std::path::Path;
use std::time::Instant;
use velesdb_core::storage::{LogPayloadStorage, PayloadStorage};

/// The store.
pub(crate) fn peer() -> Peer {
    Peer {
        name: "velesdb-core",
        version: "8.0.0",
        kind: Kind::Peer,
        note: "`LogPayloadStorage`, mode Fsync; strings that are 256 or 100 bytes of JSON; W1 and \
               the sets of W6 in deferred batches of 100; W5 opens from its snapshot and retrieves",
        log: Some(|dir, _| Ok(Box::new(Payloads(Mutex::new(LogPayloadStorage::new(dir)?))))),
        replay: Some(replay),
        pairs: Some(|dir| Ok(Box::new(LogPayloadStorage::new(dir)?))),
        bulk_only: false,
    }
}

/// A string that is as many bytes of JSON.
fn json(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(&bytes[2..]).into_owned())
}

/// The first `count` values in deferred batches.
fn defer<'a>(store: &mut LogPayloadStorage, count: u64, bytes: impl Fn(u64) -> &'a [u8]) -> Done {
    for first in (0..count).step_by(BATCH as usize) {
        let ids = first..count.min(first + BATCH);
        let values: Vec<(u64, Value)> = ids.map(|nth| (nth, json(bytes(nth)))).collect();
        let items: Vec<(u64, &Value)> = values.iter().map(|(id, value)| (*id, value)).collect();
        store.store_batch_deferred(&items)?;
    }
    Ok(())
}

/// It stores with `&mut self`.
struct Payloads(Mutex<LogPayloadStorage>);

impl Log for Payloads {
    fn append(&self, count: u64, load: &Load) -> Done {
        let mut store = self.0.lock();
        defer(&mut store, count, |nth| load.record(nth))?;
        Ok(store.flush()?)
    }

    fn commit(&self, place: Place, record: &[u8]) -> Done {
        let value = json(record);
        Ok(self.0.lock().store(place.thread << 48 | place.nth, &value)?)
    }

    fn commit_batch(&self, place: Place, records: &[&[u8]]) -> Done {
        let first = place.nth * records.len() as u64;
        let values: Vec<Value> = records.iter().map(|record| json(record)).collect();
        let items: Vec<(u64, &Value)> = (first..).zip(&values).collect();
        Ok(self.0.lock().store_batch(&items)?)
    }
}

fn replay(dir: &Path) -> Done<Replayed> {
    let store = LogPayloadStorage::new(dir)?;
    let opened = Instant::now();
    let mut ids = store.ids();
    ids.sort_unstable();
    let mut records = 0;
    for id in ids {
        let value = store.retrieve(id)?.ok_or("a payload is gone")?;
        records += u64::from(value.as_str().is_some_and(|text| text.len() == RECORD - 2));
    }
    Ok(Replayed { opened, records, kept: Box::new(store) })
}

impl Pairs for LogPayloadStorage {
    fn set(&mut self, count: u64, load: &Load) -> Done {
        defer(self, count, |nth| load.value(nth))
    }

    fn settle(&mut self) -> Done {
        Ok(self.flush()?)
    }

    fn get(&self, ids: &[u64]) -> Done<u64> {
        for id in ids {
            let value = self.retrieve(*id)?.ok_or("a payload is gone")?;
            if value.as_str().is_none_or(|text| text.len() != VALUE - 2) {
                return Err("another payload".into());
            }
        }
        Ok((ids.len() * VALUE) as u64)
    }
}
