//! The key-value store, and the format of data-bridge-kv.

use super::{View, failed, hex, unsynced};
use crate::exit::Failure;
use highwater::{Error, KvEntry, KvStore, TestClock, Value};
use highwater_formats::Files;
use highwater_formats::bridge::{self, Entry, Form, State, fits, read, write};
use highwater_vfs::Vfs;
use serde_json::{Map, Value as Json, json};
use std::sync::Arc;

/// Values by key.
pub(super) struct KeyValue;

/// A store that takes `at` for the time, or the newest time that is recorded in it if that is
/// later.
fn open(store: Arc<dyn Vfs>, at: i64) -> Result<KvStore, Error> {
    KvStore::open_read_only(store, Arc::new(TestClock::new(at)))
}

impl View for KeyValue {
    fn name(&self) -> &'static str {
        "a key-value store"
    }

    fn formats(&self) -> &'static [&'static str] {
        &["data-bridge-kv"]
    }

    /// Keys are any bytes: those that are no text are shown in hexadecimal, under `bytes`.
    fn state(&self, store: Arc<dyn Vfs>, at: Option<i64>) -> Result<Map<String, Json>, Error> {
        let store = open(store, at.unwrap_or(0))?;
        let (mut state, mut other, mut keys) = (Map::new(), Map::new(), Map::new());
        for key in store.keys() {
            let Some(KvEntry { value, expires, version }) = store.entry(&key) else { continue };
            let value = theirs(value).to_json();
            let name = match String::from_utf8(key) {
                Ok(name) => {
                    state.insert(name.clone(), value);
                    name
                }
                Err(e) => {
                    let name = hex(e.as_bytes());
                    other.insert(name.clone(), value);
                    name
                }
            };
            keys.insert(name, json!({ "version": version, "expires_ns": expires }));
        }
        Ok(Map::from_iter([
            ("at".into(), store.now().into()),
            ("keys".into(), keys.into()),
            ("bytes".into(), other.into()),
            ("state".into(), state.into()),
        ]))
    }

    /// Only what had not expired at the newest time in the files, with what is left of its time.
    fn import(&self, files: &Files, _format: &str, new: Arc<dyn Vfs>) -> Result<u64, Failure> {
        let State { at, entries } = read(files, None).state;
        let clock = Arc::new(TestClock::new(at));
        let store = KvStore::open(new, unsynced(), clock).map_err(failed)?;
        for (key, entry) in &entries {
            let (value, expires) = (ours(entry.value.clone()), entry.expires);
            let entry = KvEntry { value, expires, version: entry.version };
            store.restore(key, &entry).map_err(failed)?;
        }
        store.create_snapshot().map_err(failed)?;
        store.close().map_err(failed)?;
        Ok(entries.len() as u64)
    }

    fn export(&self, store: Arc<dyn Vfs>, _format: &str) -> Result<Files, Failure> {
        let store = open(store, 0).map_err(failed)?;
        let mut state = State { at: store.now(), ..State::default() };
        for key in store.keys() {
            let Some(KvEntry { value, expires, version }) = store.entry(&key) else { continue };
            let value = theirs(value);
            let key = String::from_utf8(key).map_err(|e| {
                let key = hex(e.as_bytes());
                Failure::usage(format!("a key of data-bridge-kv is text, and {key} is none"))
            })?;
            if value.has_decimal() {
                let why = "data-bridge-kv writes decimals and cannot read them";
                return Err(Failure::usage(format!("{why}: the value of {key:?}")));
            }
            state.entries.insert(key, Entry { value, expires, version, lock: false });
        }
        fits(&state, Form::Both).map_err(|why| Failure::usage(why.to_string()))?;
        Ok(write(&state, Form::Both))
    }
}

fn ours(value: bridge::Value) -> Value {
    match value {
        bridge::Value::Int(n) => Value::Int(n),
        bridge::Value::Float(n) => Value::Float(n),
        bridge::Value::Decimal(digits) => Value::Decimal(digits),
        bridge::Value::String(text) => Value::String(text),
        bridge::Value::Bytes(bytes) => Value::Bytes(bytes),
        bridge::Value::List(values) => Value::List(values.into_iter().map(ours).collect()),
        bridge::Value::Map(values) => {
            Value::Map(values.into_iter().map(|(name, value)| (name, ours(value))).collect())
        }
        bridge::Value::Null => Value::Null,
    }
}

fn theirs(value: Value) -> bridge::Value {
    match value {
        Value::Int(n) => bridge::Value::Int(n),
        Value::Float(n) => bridge::Value::Float(n),
        Value::Decimal(digits) => bridge::Value::Decimal(digits),
        Value::String(text) => bridge::Value::String(text),
        Value::Bytes(bytes) => bridge::Value::Bytes(bytes),
        Value::List(values) => bridge::Value::List(values.into_iter().map(theirs).collect()),
        Value::Map(values) => {
            let values = values.into_iter().map(|(name, value)| (name, theirs(value)));
            bridge::Value::Map(values.collect())
        }
        Value::Null => bridge::Value::Null,
    }
}
