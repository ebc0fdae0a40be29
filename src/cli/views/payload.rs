//! The payload store, and VelesDB's two formats.

use super::{View, failed, hex, unsynced};
use crate::exit::Failure;
use highwater::{Error, PayloadStore};
use highwater_formats::veles::{Dialect, State, read, write};
use highwater_formats::{Codec, Files};
use highwater_vfs::Vfs;
use serde_json::{Map, Value};
use std::sync::Arc;

/// In one batch: so many bytes, or one payload that has more.
const BATCH: usize = 1 << 20;

/// Payloads by id.
pub(super) struct Payload;

fn dialect(format: &str) -> Dialect {
    let plan = format == Dialect::Plan.name();
    if plan { Dialect::Plan } else { Dialect::Current }
}

impl View for Payload {
    fn name(&self) -> &'static str {
        "a payload store"
    }

    fn formats(&self) -> &'static [&'static str] {
        &["velesdb", "velesdb-plan"]
    }

    /// Payloads are any bytes: those that are JSON are shown as such under `state`, the others in
    /// hexadecimal under `bytes`.
    fn state(&self, store: Arc<dyn Vfs>, _at: Option<i64>) -> Result<Map<String, Value>, Error> {
        let store = PayloadStore::open_read_only(store)?;
        let (mut state, mut other) = (Map::new(), Map::new());
        let mut payload = Vec::new();
        for id in store.ids() {
            match store.retrieve_into(id, &mut payload) {
                Ok(_) => {}
                Err(Error::Corrupt(_)) => continue, // its file's tail says it
                Err(e) => return Err(e),
            }
            match serde_json::from_slice(&payload) {
                Ok(value) => drop(state.insert(id.to_string(), value)),
                Err(_) => drop(other.insert(id.to_string(), hex(&payload).into())),
            }
        }
        Ok(Map::from_iter([("bytes".into(), other.into()), ("state".into(), state.into())]))
    }

    /// What VelesDB could not show is left out: the codec has said so.
    fn import(&self, files: &Files, format: &str, new: Arc<dyn Vfs>) -> Result<u64, Failure> {
        let mut payloads = read(files, dialect(format)).state.payloads;
        payloads.retain(|_, payload| serde_json::from_slice::<Value>(payload).is_ok());
        let store = PayloadStore::open(new, unsynced()).map_err(failed)?;
        let (mut batch, mut size) = (Vec::new(), 0);
        for (id, payload) in &payloads {
            if size + payload.len() > BATCH {
                store.store_batch(&std::mem::take(&mut batch)).map_err(failed)?;
                size = 0;
            }
            size += payload.len();
            batch.push((*id, payload.as_slice()));
        }
        store.store_batch(&batch).map_err(failed)?;
        store.create_snapshot().map_err(failed)?;
        store.close().map_err(failed)?;
        Ok(payloads.len() as u64)
    }

    fn export(&self, store: Arc<dyn Vfs>, format: &str) -> Result<Files, Failure> {
        let store = PayloadStore::open_read_only(store).map_err(failed)?;
        let payload = |id| {
            let payload = store.retrieve(id).map_err(failed)?;
            Ok((id, payload.unwrap_or_default()))
        };
        let payloads = store.ids().into_iter().map(payload).collect::<Result<_, Failure>>()?;
        write(&State { payloads }, dialect(format)).map_err(|why| Failure::usage(why.to_string()))
    }
}
