//! The easy way in: an engine that can open, put and get, and what its callers may do.

use crate::window::Effect;
use highwater_vfs::Vfs;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// A key-value engine, as small as it gets: [`open`](Kv::open), [`put`](Kv::put) and
/// [`get`](Kv::get); the rest is for workloads that ask for it. Every `Ok` is taken as a promise:
/// durable.
///
/// A call that fails leaves its operation *unknown*: it may be found after a crash or not. Callers
/// go on after it, and what is acknowledged then is a promise like any other; an engine that cannot
/// keep it must refuse from then on.
pub trait Kv {
    /// Opens the store on `disk`, or recovers it.
    ///
    /// # Errors
    /// Anything; without an injected fault it is a false alarm (P5).
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self>
    where
        Self: Sized;

    /// Sets `key` to `value`; durable when it returns.
    ///
    /// # Errors
    /// Anything; the operation is then unknown.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()>;

    /// What `key` is set to.
    ///
    /// # Errors
    /// Anything; as [`open`](Kv::open).
    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>>;

    /// Deletes `key`; durable when it returns.
    ///
    /// # Errors
    /// As [`put`](Kv::put).
    fn delete(&mut self, key: u64) -> io::Result<()> {
        let _ = key;
        Err(ErrorKind::Unsupported.into())
    }

    /// Puts several at once, all or nothing; durable when it returns.
    ///
    /// # Errors
    /// As [`put`](Kv::put).
    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        let _ = items;
        Err(ErrorKind::Unsupported.into())
    }

    /// Adds to the counter `key`; durable when it returns. A counter's value is its 8 bytes,
    /// little-endian; one that is not there is 0. Applied twice it shows.
    ///
    /// # Errors
    /// As [`put`](Kv::put).
    fn add(&mut self, key: u64, by: u64) -> io::Result<()> {
        let _ = (key, by);
        Err(ErrorKind::Unsupported.into())
    }

    /// Sets `key` to `value` and does not wait: [`commit`](Kv::commit) acknowledges it. A reader
    /// that sees it before has been promised it (P10).
    ///
    /// # Errors
    /// As [`put`](Kv::put).
    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let _ = (key, value);
        Err(ErrorKind::Unsupported.into())
    }

    /// Makes durable all that was submitted.
    ///
    /// # Errors
    /// As [`put`](Kv::put).
    fn commit(&mut self) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Writes a snapshot and drops the log that it covers.
    ///
    /// # Errors
    /// As [`put`](Kv::put).
    fn checkpoint(&mut self) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Whatever else the engine can do; the workload says what it changes ([`Act::Special`]).
    ///
    /// # Errors
    /// As [`put`](Kv::put).
    fn special(&mut self, what: &str) -> io::Result<()> {
        let _ = what;
        Err(ErrorKind::Unsupported.into())
    }

    /// Shuts down in order, before the store is dropped and opened again.
    ///
    /// # Errors
    /// As [`put`](Kv::put).
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The keys that an operation sets (`Some`) and deletes (`None`).
pub type Changes = Vec<(u64, Option<Vec<u8>>)>;

/// An operation of an [`Easy`](crate::Easy) workload.
#[derive(Clone, PartialEq, Eq)]
pub enum Act {
    /// [`Kv::put`].
    Put(u64, Vec<u8>),
    /// [`Kv::delete`].
    Delete(u64),
    /// [`Kv::batch`].
    Batch(Vec<(u64, Vec<u8>)>),
    /// [`Kv::add`].
    Add(u64, u64),
    /// [`Kv::submit`].
    Submit(u64, Vec<u8>),
    /// [`Kv::commit`].
    Commit,
    /// [`Kv::get`] by a reader: the answer is a promise.
    Get(u64),
    /// [`Kv::checkpoint`].
    Checkpoint,
    /// [`Kv::special`]: its name, and what it changes.
    Special(&'static str, Changes),
    /// [`Kv::close`], and open again.
    Reopen,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Put(key, value) => write!(f, "put {key} ({} bytes)", value.len()),
            Act::Delete(key) => write!(f, "delete {key}"),
            Act::Batch(items) => {
                let keys: Vec<String> = items.iter().map(|item| item.0.to_string()).collect();
                write!(f, "batch {}", keys.join(" "))
            }
            Act::Add(key, by) => write!(f, "add {by} to {key}"),
            Act::Submit(key, value) => write!(f, "submit {key} ({} bytes)", value.len()),
            Act::Commit => f.write_str("commit"),
            Act::Get(key) => write!(f, "get {key}"),
            Act::Checkpoint => f.write_str("checkpoint"),
            Act::Special(name, _) => f.write_str(name),
            Act::Reopen => f.write_str("reopen"),
        }
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Act {
    /// The keys it may change, and for a counter what is added to it.
    pub(crate) fn keys(&self) -> Vec<u64> {
        match self {
            Act::Put(key, _) | Act::Delete(key) | Act::Add(key, _) | Act::Submit(key, _) => {
                vec![*key]
            }
            Act::Get(key) => vec![*key],
            Act::Batch(items) => items.iter().map(|item| item.0).collect(),
            Act::Special(_, changes) => changes.iter().map(|change| change.0).collect(),
            Act::Commit | Act::Checkpoint | Act::Reopen => Vec::new(),
        }
    }

    /// What it does to a state in which a counter has the value `count(key)`. Operation `nth`,
    /// from 0; `None` if it changes nothing by itself.
    pub(crate) fn effect(&self, nth: usize, count: impl Fn(u64) -> u64) -> Option<Arc<Effect>> {
        let put = |key: &u64, value: &[u8]| (*key, Some(value.to_vec()));
        let changes = match self {
            Act::Put(key, value) | Act::Submit(key, value) => vec![put(key, value)],
            Act::Delete(key) => vec![(*key, None)],
            Act::Batch(items) => items.iter().map(|(key, value)| put(key, value)).collect(),
            Act::Add(key, by) => vec![put(key, &count(*key).wrapping_add(*by).to_le_bytes())],
            Act::Special(_, changes) => changes.clone(),
            Act::Checkpoint => Vec::new(),
            Act::Commit | Act::Get(_) | Act::Reopen => return None,
        };
        Some(Effect::new(format!("operation {} ({self})", nth + 1), changes))
    }

    /// Whether `Ok` says that everything so far is durable.
    pub(crate) fn acknowledges(&self) -> bool {
        !matches!(self, Act::Submit(..) | Act::Get(_) | Act::Reopen)
    }

    pub(crate) fn run(&self, engine: &mut dyn Kv) -> io::Result<()> {
        match self {
            Act::Put(key, value) => engine.put(*key, value),
            Act::Delete(key) => engine.delete(*key),
            Act::Batch(items) => {
                let items: Vec<(u64, &[u8])> = items.iter().map(|(k, v)| (*k, &v[..])).collect();
                engine.batch(&items)
            }
            Act::Add(key, by) => engine.add(*key, *by),
            Act::Submit(key, value) => engine.submit(*key, value),
            Act::Commit => engine.commit(),
            Act::Get(key) => engine.get(*key).map(drop),
            Act::Checkpoint => engine.checkpoint(),
            Act::Special(what, _) => engine.special(what),
            Act::Reopen => engine.close(),
        }
    }
}
