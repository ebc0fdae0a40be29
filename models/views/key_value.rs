//! The key-value store: every operation, a clock that starts again at the same time in each life,
//! and leases that expire.

use super::{options, told};
use highwater::{KvStore, TestClock, Value};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::Vfs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// When each life begins, in nanoseconds: so a crash sets the clock back.
const START: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;
const LEASE: Duration = Duration::from_secs(5);
const SHARDS: usize = 3;

struct Engine {
    store: KvStore,
    clock: Arc<TestClock>,
}

fn name(key: u64) -> String {
    format!("key {key}")
}

/// What happened, for an operation that must have an effect.
fn done<T>(what: Option<T>) -> io::Result<()> {
    what.map(drop).ok_or_else(|| io::Error::other("it had no effect"))
}

impl Engine {
    fn wait(&self, seconds: i64) {
        self.clock.set(self.store.now() + seconds * SECOND);
    }
}

impl Kv for Engine {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Engine> {
        let clock = Arc::new(TestClock::new(START));
        let store = KvStore::open_with(disk, options(), clock.clone(), SHARDS).map_err(told)?;
        store.check_invariants();
        Ok(Engine { store, clock })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.store.set(name(key), value.into(), None).map(drop).map_err(told)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(match self.store.get(name(key)) {
            None => None,
            Some(Value::Int(count)) => Some(count.to_le_bytes().to_vec()),
            Some(Value::Bytes(bytes)) => Some(bytes),
            Some(Value::String(text)) => Some(text.into_bytes()),
            Some(other) => return Err(io::Error::other(format!("{other:?} was never set"))),
        })
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.store.delete(name(key)).map_err(told).map(drop)
    }

    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        let items: Vec<(String, Value)> =
            items.iter().map(|(key, value)| (name(*key), (*value).into())).collect();
        self.store.mset(&items, None).map(drop).map_err(told)
    }

    fn add(&mut self, key: u64, by: u64) -> io::Result<()> {
        self.store.incr(name(key), by as i64).map(drop).map_err(told)
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.store.create_snapshot().map(drop).map_err(told)
    }

    fn special(&mut self, what: &str) -> io::Result<()> {
        let store = &self.store;
        match what {
            "lock 10 for a" => done(store.lock(name(10), "a", LEASE).map_err(told)?),
            "extend 10 for a" => done(store.extend_lock(name(10), "a", LEASE).map_err(told)?),
            "unlock 10 for b" => done(store.unlock(name(10), "b").map_err(told)?),
            "wait until 10 expires, lock it for b" => {
                self.wait(6);
                done(store.lock(name(10), "b", LEASE).map_err(told)?)
            }
            "set 11 if it is not there" => {
                done(store.set_nx(name(11), b"new"[..].into(), None).map_err(told)?)
            }
            "compare 11 and set" => {
                let old = Value::from(&b"new"[..]);
                let new = b"newer"[..].into();
                done(store.compare_and_set(name(11), Some(&old), new, None).map_err(told)?)
            }
            "delete 1 and 11" => store.mdel(&[name(1), name(11)]).map(drop).map_err(told),
            "wait and purge" => {
                self.wait(6);
                store.purge(10).map(drop).map_err(told)
            }
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn close(&mut self) -> io::Result<()> {
        self.store.close().map_err(told)
    }
}

/// The key-value store with a workload that has all of its operations, or the first `ops` of it.
pub fn key_value(ops: usize) -> Easy {
    let set = |key: u64, value: &[u8]| (key, Some(value.to_vec()));
    let mut acts = vec![
        Act::Put(1, b"one".to_vec()),
        Act::Special("lock 10 for a", vec![set(10, b"a")]),
        Act::Add(5, 7),
        Act::Batch(vec![(2, b"two".to_vec()), (3, b"three".to_vec())]),
        Act::Special("wait until 10 expires, lock it for b", vec![set(10, b"b")]),
        Act::Checkpoint,
        Act::Add(5, 1),
        Act::Special("set 11 if it is not there", vec![set(11, b"new")]),
        Act::Delete(2),
        Act::Special("compare 11 and set", vec![set(11, b"newer")]),
        Act::Special("unlock 10 for b", vec![(10, None)]),
        Act::Checkpoint,
        Act::Special("delete 1 and 11", vec![(1, None), (11, None)]),
        Act::Special("lock 10 for a", vec![set(10, b"a")]),
        Act::Special("extend 10 for a", vec![set(10, b"a")]),
        Act::Special("wait and purge", vec![(10, None)]),
        Act::Reopen,
        Act::Add(5, 1),
    ];
    acts.truncate(ops);
    Easy::new::<Engine>(acts)
}
