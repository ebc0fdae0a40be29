//! The views of our store as the places of other systems' files: what they show, what they take in
//! and what they give out. A view is a file here, and a line in [`views`].

mod journal;
mod kv;
mod payload;
mod raft;

use crate::exit::{ENVIRONMENT, Failure, VIOLATED};
use highwater::inspect::{FileKind, inspect};
use highwater::{Durability, Error, Options};
use highwater_formats::{Codec, Files};
use highwater_raft::looks_like_one;
use highwater_vfs::Vfs;
use serde_json::{Map, Value};
use std::panic::RefUnwindSafe;
use std::sync::Arc;

/// The view that is not said by the headers of its files: it has several kinds of them.
pub(crate) const VIEW_OF_RAFT: &str = "a Raft store";

/// A view of our store.
pub(crate) trait View: Sync + RefUnwindSafe {
    /// What kind of store it is, as the store itself calls it.
    fn name(&self) -> &'static str;

    /// The formats whose files it takes in and gives out.
    fn formats(&self) -> &'static [&'static str];

    /// What a store shows, as fields of a report: `state`, and what does not fit into that.
    fn state(&self, store: Arc<dyn Vfs>, at: Option<i64>) -> Result<Map<String, Value>, Error>;

    /// Fills a new store with what the files of a system hold; how many payloads, keys or records.
    fn import(&self, files: &Files, format: &str, new: Arc<dyn Vfs>) -> Result<u64, Failure>;

    /// The files of a format with what a store holds.
    fn export(&self, store: Arc<dyn Vfs>, format: &str) -> Result<Files, Failure>;
}

/// All of them.
pub(crate) fn views() -> &'static [&'static dyn View] {
    &[&payload::Payload, &kv::KeyValue, &journal::Records, &raft::Raft]
}

/// The view that takes in and gives out a format.
pub(crate) fn of_format(format: &str) -> Option<&'static dyn View> {
    views().iter().copied().find(|view| view.formats().contains(&format))
}

/// Which view a folder is a store of, as the store calls it; `None` if it is none.
pub(crate) fn of_store(disk: &dyn Vfs) -> Result<Option<&'static str>, Error> {
    let found = inspect(disk)?;
    if looks_like_one(found.files.iter().map(|file| file.name.as_str())) {
        return Ok(Some(VIEW_OF_RAFT));
    }
    let ours = found.files.iter().any(|file| file.kind != FileKind::Foreign);
    Ok(ours.then_some(found.view))
}

/// What a store of any view shows; nothing if it is refused.
pub(crate) fn state(
    view: &str,
    store: Arc<dyn Vfs>,
    at: Option<i64>,
) -> Result<Map<String, Value>, Error> {
    let nothing = || Map::from_iter([("state".to_string(), Value::Null)]);
    match views().iter().find(|known| known.name() == view) {
        Some(view) => match view.state(store, at) {
            Err(Error::Corrupt(_)) => Ok(nothing()),
            shown => shown,
        },
        None => Ok(nothing()),
    }
}

/// For a store that is filled at once and made durable at the end.
fn unsynced() -> Options {
    Options { durability: Durability::None, ..Options::default() }
}

/// A failure of our own store.
fn failed(error: Error) -> Failure {
    let code = match &error {
        Error::Corrupt(_) => VIOLATED,
        Error::Io { .. } => ENVIRONMENT,
        // The files, or what they hold, are not for this store.
        _ => return Failure::usage(error.to_string()),
    };
    Failure::new(code, error.to_string())
}

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names of all formats that can be imported and exported.
pub(crate) fn formats() -> Vec<&'static str> {
    views().iter().flat_map(|view| view.formats()).copied().collect()
}

/// The codec of a format.
pub(crate) fn codec(format: &str) -> Option<&'static dyn Codec> {
    highwater_formats::codecs().iter().copied().find(|codec| codec.name() == format)
}
