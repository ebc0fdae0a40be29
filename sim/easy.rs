//! The easy way in: an engine that can open, put and get.

use crate::promise::{Effect, Level, Map, Recovered, Window};
use crate::subject::{Halt, Life, Subject};
use highwater_vfs::Vfs;
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

/// A key-value engine, as small as it gets. Every `Ok` is taken as a promise: durable.
pub trait Kv: Sized {
    /// Opens the store on `disk`, or recovers it.
    ///
    /// # Errors
    /// Anything; without an injected fault it is a false alarm (P5).
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self>;

    /// Sets `key` to `value`; durable when it returns.
    ///
    /// # Errors
    /// Anything; the operation is then unknown, and the life is over.
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
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Puts several at once, all or nothing.
    ///
    /// # Errors
    /// As [`put`](Kv::put).
    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        let _ = items;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Writes a snapshot and drops the log that it covers.
    ///
    /// # Errors
    /// As [`put`](Kv::put).
    fn checkpoint(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// An operation of an [`Easy`] workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// [`Kv::put`].
    Put(u64, Vec<u8>),
    /// [`Kv::delete`].
    Delete(u64),
    /// [`Kv::batch`].
    Batch(Vec<(u64, Vec<u8>)>),
    /// [`Kv::checkpoint`].
    Checkpoint,
}

impl Act {
    fn effect(&self, nth: usize) -> Arc<Effect> {
        let (name, changes) = match self {
            Act::Put(key, value) => (format!("put {key}"), vec![(*key, Some(value.clone()))]),
            Act::Delete(key) => (format!("delete {key}"), vec![(*key, None)]),
            Act::Batch(items) => (
                format!("batch of {}", items.len()),
                items.iter().map(|(k, v)| (*k, Some(v.clone()))).collect(),
            ),
            Act::Checkpoint => ("checkpoint".into(), Vec::new()),
        };
        Effect::new(format!("operation {} ({name})", nth + 1), changes)
    }

    fn run<K: Kv>(&self, engine: &mut K) -> io::Result<()> {
        match self {
            Act::Put(key, value) => engine.put(*key, value),
            Act::Delete(key) => engine.delete(*key),
            Act::Batch(items) => {
                let items: Vec<(u64, &[u8])> = items.iter().map(|(k, v)| (*k, &v[..])).collect();
                engine.batch(&items)
            }
            Act::Checkpoint => engine.checkpoint(),
        }
    }
}

/// A [`Subject`] made of a [`Kv`] and a workload.
#[derive(Debug)]
pub struct Easy<K> {
    acts: Vec<Act>,
    effects: Vec<Arc<Effect>>,
    between: Arc<Effect>,
    kind: PhantomData<fn() -> K>,
}

// Not derived: the engine itself is never cloned.
impl<K> Clone for Easy<K> {
    fn clone(&self) -> Easy<K> {
        Easy {
            acts: self.acts.clone(),
            effects: self.effects.clone(),
            between: Arc::clone(&self.between),
            kind: PhantomData,
        }
    }
}

/// The key that every later life sets, to work between two crashes.
const BETWEEN: u64 = 1_000_000;

impl<K: Kv> Easy<K> {
    /// The workload `acts`, in order.
    pub fn new(acts: Vec<Act>) -> Easy<K> {
        let effects = acts.iter().enumerate().map(|(nth, act)| act.effect(nth)).collect();
        let between = Act::Put(BETWEEN, b"work between crashes".to_vec()).effect(acts.len());
        Easy { acts, effects, between, kind: PhantomData }
    }

    /// `count` puts of different keys and sizes.
    pub fn puts(count: u64) -> Easy<K> {
        let put = |n: u64| Act::Put(n, vec![b'a' + n as u8 % 26; 20 + 9 * n as usize]);
        Easy::new((1..=count).map(put).collect())
    }

    /// The workload.
    pub fn acts(&self) -> &[Act] {
        &self.acts
    }

    fn keys(&self) -> impl Iterator<Item = u64> {
        let keys = self.acts.iter().flat_map(|act| match act {
            Act::Put(key, _) | Act::Delete(key) => vec![*key],
            Act::Batch(items) => items.iter().map(|i| i.0).collect(),
            Act::Checkpoint => Vec::new(),
        });
        let mut keys: Vec<u64> = keys.chain([BETWEEN]).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter()
    }

    fn check(&self, engine: &mut K, life: &Life<'_, Window>) -> Result<(), Halt> {
        let failed = |e: io::Error| Halt::Failed(format!("get: {e}"));
        let mut recovered = Recovered::default();
        let mut full = Map::new();
        for key in self.keys() {
            if let Some(value) = engine.get(key).map_err(failed)? {
                recovered.add(key, &value);
                full.insert(key, value);
            }
        }
        life.remark(|| format!("recovered keys {:?}", full.keys().collect::<Vec<_>>()));
        life.told.tell(|window| window.land(recovered, || Ok(full)))?;
        Ok(())
    }

    fn act(
        &self,
        act: &Act,
        effect: &Arc<Effect>,
        engine: &mut K,
        life: &Life<'_, Window>,
    ) -> Result<(), Halt> {
        life.told.tell(|window| window.attempt(effect));
        life.remark(|| format!("{act:?}"));
        act.run(engine).map_err(|e| Halt::Failed(format!("{act:?}: {e}")))?;
        life.remark(|| "acknowledged".to_string());
        life.told.tell(|window| window.acknowledge(Level::Durable));
        Ok(())
    }
}

impl<K: Kv> Subject for Easy<K> {
    type Promise = Window;

    fn live(&self, life: &Life<'_, Window>) -> Result<(), Halt> {
        let opened = K::open(Arc::clone(&life.disk));
        let mut engine = opened.map_err(|e| Halt::Failed(format!("open: {e}")))?;
        if life.nth == 0 {
            for (act, effect) in self.acts.iter().zip(&self.effects) {
                self.act(act, effect, &mut engine, life)?;
            }
            return self.check(&mut engine, life);
        }
        self.check(&mut engine, life)?;
        if life.last {
            return Ok(());
        }
        let put = Act::Put(BETWEEN, b"work between crashes".to_vec());
        let worked = self.act(&put, &self.between, &mut engine, life);
        worked.map_err(|halt| match halt {
            Halt::Failed(what) => Halt::Stuck(what),
            other => other,
        })?;
        self.check(&mut engine, life)
    }

    fn smaller(&self) -> Vec<Self> {
        let without = |n: usize| {
            let mut acts = self.acts.clone();
            acts.remove(n);
            Easy::new(acts)
        };
        (0..self.acts.len()).map(without).collect()
    }
}
