//! The key-value store, compiled with shuttle's primitives, under schedules: two owners of one
//! lock, a counter of two threads, a snapshot beside a writer. And the same with a flaw.

use super::store::{answer, options, other};
use super::{Program, Scheduled, SharedKv, kv};
use crate::history::What;
use highwater_shuttle::{Ack, Durability, KvStore, Options, Result, TestClock, Value};
use highwater_sim::Act;
use highwater_vfs::Vfs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

const LOCK: u64 = 10;
const COUNTER: u64 = 5;
const LEASE: Duration = Duration::from_secs(60);
const SHARDS: usize = 2;

/// With the flaw the store itself waits for nothing: who has changed something makes it durable,
/// and who has changed nothing answers at once, whatever he saw.
struct Store<const EARLY: bool>(KvStore);

fn name(key: u64) -> String {
    format!("key {key}")
}

/// Whether somebody wants the lock or lets go of it, and who.
fn asked(what: &str) -> Option<(bool, &str)> {
    let takes = what.strip_prefix("lock 10 for ").map(|owner| (true, owner));
    takes.or_else(|| Some((false, what.strip_prefix("unlock 10 for ")?)))
}

impl<const EARLY: bool> Store<EARLY> {
    fn changed(&self, done: Result<Ack>) -> io::Result<Option<u64>> {
        if EARLY && done.is_ok() {
            self.0.flush().map_err(other)?;
        }
        answer(done)
    }
}

impl<const EARLY: bool> SharedKv for Store<EARLY> {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        let clock = Arc::new(TestClock::new(0));
        let durability = if EARLY { Durability::None } else { Durability::Fsync };
        let options = Options { durability, ..options() };
        let store = KvStore::open_with(disk, options, clock, SHARDS).map_err(other)?;
        store.check_invariants();
        Ok(Store(store))
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        self.changed(self.0.set(name(key), value.into(), None))
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(match self.0.get(name(key)) {
            None => None,
            Some(Value::Int(count)) => Some(count.to_le_bytes().to_vec()),
            Some(Value::Bytes(bytes)) => Some(bytes),
            Some(Value::String(text)) => Some(text.into_bytes()),
            Some(other) => return Err(io::Error::other(format!("{other:?} was never set"))),
        })
    }

    fn add(&self, key: u64, by: u64) -> io::Result<(u64, Option<u64>)> {
        let (sum, ack) = self.0.incr(name(key), by as i64).map_err(other)?;
        Ok((sum as u64, self.changed(Ok(ack))?))
    }

    fn checkpoint(&self) -> io::Result<()> {
        self.0.create_snapshot().map(drop).map_err(other)
    }

    fn special(&self, what: &str) -> io::Result<(bool, Option<u64>)> {
        let (takes, owner) = asked(what).ok_or(io::ErrorKind::Unsupported)?;
        let done = match takes {
            true => self.0.lock(name(LOCK), owner, LEASE),
            false => self.0.unlock(name(LOCK), owner),
        };
        match done.map_err(other)? {
            Some(ack) => Ok((true, self.changed(Ok(ack))?)),
            None => Ok((false, None)), // with the flaw, against K4
        }
    }

    /// Whoever takes a lock finds nothing there, and whoever lets go of it finds itself.
    fn what(act: &Act) -> What {
        let Act::Special(what, _) = act else { return kv::what(act) };
        let (takes, owner) = asked(what).expect("a program of this engine");
        let (nobody, owner) = (None, Some(owner.as_bytes().to_vec()));
        let (from, to) = if takes { (nobody, owner) } else { (owner, nobody) };
        What::Swap { name: act.to_string(), key: LOCK, from, to }
    }
}

fn program() -> Program {
    let put = |key: u64, size: usize| Act::Put(key, vec![b'a' + key as u8; size]);
    let swap = |what: &'static str| Act::Special(what, Vec::new());
    Program {
        before: vec![put(1, 40)],
        threads: vec![
            vec![swap("lock 10 for a"), Act::Add(COUNTER, 1), swap("unlock 10 for a")],
            vec![swap("lock 10 for b"), Act::Add(COUNTER, 2)],
            vec![put(2, 150), Act::Checkpoint],
        ],
        after: Vec::new(),
    }
}

/// The store with its program.
pub fn key_value() -> Scheduled {
    Scheduled::new::<Store<false>>(program())
}

/// The same when it answers before what it saw is durable.
pub fn early() -> Scheduled {
    Scheduled::new::<Store<true>>(program())
}
