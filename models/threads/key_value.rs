//! The key-value store, compiled with shuttle's primitives, under schedules: two owners of one
//! lock, a counter of two threads, a snapshot beside a writer. And the same with a flaw.

use super::store::{answer, options, other};
use super::{Program, Scheduled, SharedKv, kv};
use crate::history::What;
use highwater_shuttle::{KvStore, TestClock, Value};
use highwater_sim::Act;
use highwater_vfs::Vfs;
use shuttle::sync::Mutex;
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

const LOCK: u64 = 10;
const COUNTER: u64 = 5;
const LEASE: Duration = Duration::from_secs(60);
const SHARDS: usize = 2;

/// With the flaw it keeps the locks in memory, too, and answers from there that one is taken:
/// before it is known that the lock is durable.
struct Store<const EARLY: bool> {
    store: KvStore,
    taken: Mutex<BTreeSet<u64>>,
}

fn name(key: u64) -> String {
    format!("key {key}")
}

/// Whether somebody wants the lock or lets go of it, and who.
fn asked(what: &str) -> Option<(bool, &str)> {
    let takes = what.strip_prefix("lock 10 for ").map(|owner| (true, owner));
    takes.or_else(|| Some((false, what.strip_prefix("unlock 10 for ")?)))
}

impl<const EARLY: bool> Store<EARLY> {
    fn taken<R>(&self, with: impl FnOnce(&mut BTreeSet<u64>) -> R) -> R {
        with(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<const EARLY: bool> SharedKv for Store<EARLY> {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        let clock = Arc::new(TestClock::new(0));
        let store = KvStore::open_with(disk, options(), clock, SHARDS).map_err(other)?;
        store.check_invariants();
        Ok(Store { store, taken: Mutex::default() })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        answer(self.store.set(name(key), value.into(), None))
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(match self.store.get(name(key)) {
            None => None,
            Some(Value::Int(count)) => Some(count.to_le_bytes().to_vec()),
            Some(Value::Bytes(bytes)) => Some(bytes),
            Some(Value::String(text)) => Some(text.into_bytes()),
            Some(other) => return Err(io::Error::other(format!("{other:?} was never set"))),
        })
    }

    fn add(&self, key: u64, by: u64) -> io::Result<(u64, Option<u64>)> {
        let (sum, ack) = self.store.incr(name(key), by as i64).map_err(other)?;
        Ok((sum as u64, Some(ack.lsn.0)))
    }

    fn checkpoint(&self) -> io::Result<()> {
        self.store.create_snapshot().map(drop).map_err(other)
    }

    fn special(&self, what: &str) -> io::Result<(bool, Option<u64>)> {
        let (takes, owner) = asked(what).ok_or(io::ErrorKind::Unsupported)?;
        if EARLY && takes && !self.taken(|taken| taken.insert(LOCK)) {
            return Ok((false, None)); // breaks K4
        }
        let done = match takes {
            true => self.store.lock(name(LOCK), owner, LEASE),
            false => self.store.unlock(name(LOCK), owner),
        };
        let ack = done.map_err(other)?;
        if EARLY && !takes && ack.is_some() {
            self.taken(|taken| taken.remove(&LOCK));
        }
        Ok((ack.is_some(), ack.map(|ack| ack.lsn.0)))
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
