//! data-bridge-kv: logs of operations and snapshots of sharded keys.
//!
//! What is read is what the original's files mean, which is not always what the original made of
//! them: docs/formats/data-bridge-kv.md lists the differences.

mod bincode;
mod op;
mod read;
mod replay;
mod snapshot;
#[cfg(test)]
mod tests;
mod value;
mod wal;
mod write;

pub use op::{Op, Ttl};
pub use read::read;
pub use snapshot::{SHARDS, shard_of};
pub use value::Value;
pub use write::{Form, Misfit, fits, write};

use crate::{Codec, Examined, Files, Likeness};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// The keys that can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The time at which expiry was judged, in nanoseconds since 1970.
    pub at: i64,
    /// By key; none of them has expired.
    pub entries: BTreeMap<String, Entry>,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it holds; of a lock, its owner.
    pub value: Value,
    /// When it expires, in nanoseconds since 1970.
    pub expires: Option<i64>,
    /// 1 when it is set, one more when it is counted up or extended.
    pub version: u64,
    /// Whether the log shows that it is a lock. A snapshot does not say: there a lock is a text
    /// that expires.
    pub lock: bool,
}

impl Entry {
    /// Whether it can be seen at a time.
    pub fn is_live(&self, at: i64) -> bool {
        self.expires.is_none_or(|expires| expires > at)
    }
}

impl State {
    /// The value of each key, as [`Value::to_json`].
    pub fn visible(&self) -> Json {
        let values = self.entries.iter().map(|(key, entry)| (key.clone(), entry.value.to_json()));
        Json::Object(values.collect())
    }

    /// What is known of each key besides.
    fn keys(&self) -> Json {
        let about = |entry: &Entry| {
            let mut about = Map::new();
            about.insert("version".into(), entry.version.into());
            about.extend(entry.expires.map(|expires| ("expires_ns".into(), expires.into())));
            about.extend(entry.lock.then(|| ("lock".into(), true.into())));
            Json::Object(about)
        };
        let keys = self.entries.iter().map(|(key, entry)| (key.clone(), about(entry)));
        Json::Object(keys.collect())
    }
}

/// The codec.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bridge;

impl Codec for Bridge {
    fn name(&self) -> &'static str {
        "data-bridge-kv"
    }

    fn likeness(&self, files: &Files) -> Likeness {
        read::likeness(files)
    }

    fn examine(&self, files: &Files, at: Option<i64>) -> Examined<Json> {
        let mut examined = read(files, at);
        let State { at, .. } = examined.state;
        examined.more.extend([("at", json!(at)), ("keys", examined.state.keys())]);
        examined.map(|state| state.visible())
    }
}
