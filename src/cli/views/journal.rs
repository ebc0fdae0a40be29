//! The journal, and stemedb's format.

use super::{View, failed, hex, unsynced};
use crate::exit::Failure;
use highwater::{Error, Journal, Lsn};
use highwater_formats::Files;
use highwater_formats::stemedb::{Record, State, read, write};
use highwater_vfs::Vfs;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Of the segments that are written, in bytes.
const SEGMENT: u64 = 64 << 20;

/// Records by position.
pub(super) struct Records;

fn each(journal: &Journal, mut record: impl FnMut(Lsn, Vec<u8>)) -> Result<(), Error> {
    let mut reader = journal.reader(Lsn(1));
    while let Some((lsn, bytes)) = reader.next_record()? {
        record(lsn, bytes);
    }
    Ok(())
}

impl View for Records {
    fn name(&self) -> &'static str {
        "a journal"
    }

    fn formats(&self) -> &'static [&'static str] {
        &["stemedb"]
    }

    fn state(&self, store: Arc<dyn Vfs>, _at: Option<i64>) -> Result<Map<String, Value>, Error> {
        let journal = Journal::open_read_only(store)?;
        let mut state = Vec::new();
        each(&journal, |lsn, bytes| {
            state.push(json!({ "lsn": lsn.0, "payload_hex": hex(&bytes) }));
        })?;
        let cursors = journal.cursors().into_iter().map(|(name, at)| (name, json!(at.0)));
        let cursors = Value::Object(cursors.collect());
        Ok(Map::from_iter([("cursors".into(), cursors), ("state".into(), state.into())]))
    }

    fn import(&self, files: &Files, _format: &str, new: Arc<dyn Vfs>) -> Result<u64, Failure> {
        let records = read(files).state.records;
        let journal = Journal::open(new, unsynced()).map_err(failed)?;
        for record in &records {
            journal.append_deferred(&record.payload).map_err(failed)?;
        }
        journal.close().map_err(failed)?;
        Ok(records.len() as u64)
    }

    /// Offsets begin at 0: what has been cleaned up is not known any more.
    fn export(&self, store: Arc<dyn Vfs>, _format: &str) -> Result<Files, Failure> {
        let journal = Journal::open_read_only(store).map_err(failed)?;
        let mut records: Vec<Record> = Vec::new();
        each(&journal, |_, payload| {
            let offset = records.last().map_or(0, Record::end);
            records.push(Record { offset, payload });
        })
        .map_err(failed)?;
        write(&State { records }, SEGMENT).map_err(|why| Failure::usage(why.to_string()))
    }
}
