//! A subject made of a [`Kv`] engine and a workload: nothing else is asked of an engine's author.
//!
//! The first life runs the workload, and goes on after an operation that failed, as callers do.
//! Every other life recovers, compares all keys with what the callers were told, and works on, or
//! recovers again and must find the same (P7).

use crate::kv::{Act, Kv};
use crate::promise::{Broken, Level, Rule};
use crate::subject::{Halt, Life, Subject};
use crate::window::{Effect, Map, Recovered, Window};
use highwater_vfs::Vfs;
use std::io;
use std::sync::Arc;

type Open = fn(Arc<dyn Vfs>) -> io::Result<Box<dyn Kv>>;

/// A [`Subject`] made of a [`Kv`] and a workload.
///
/// ```
/// # use highwater_sim::{Act, Easy, Kv};
/// # use highwater_vfs::Vfs;
/// # use std::{io, sync::Arc};
/// # struct Engine;
/// # impl Kv for Engine {
/// #     fn open(_: Arc<dyn Vfs>) -> io::Result<Self> { Ok(Engine) }
/// #     fn put(&mut self, _: u64, _: &[u8]) -> io::Result<()> { Ok(()) }
/// #     fn get(&mut self, _: u64) -> io::Result<Option<Vec<u8>>> { Ok(None) }
/// # }
/// let three_puts = Easy::puts::<Engine>(3);
/// let mine = Easy::new::<Engine>(vec![Act::Put(1, b"one".to_vec()), Act::Delete(1)]);
/// # assert_eq!((three_puts.acts().len(), mine.acts().len()), (3, 2));
/// ```
#[derive(Clone)]
pub struct Easy {
    open: Open,
    acts: Vec<Act>,
    effects: Vec<Option<Arc<Effect>>>,
    between: Vec<Act>,
    stops: bool,
    keys: Vec<u64>,
    /// Of an original workload, the numbers of the acts that are left.
    kept: Vec<usize>,
}

impl std::fmt::Debug for Easy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Easy({:?})", self.acts)
    }
}

/// The key that later lives put, so that a second crash finds work of theirs.
const BETWEEN: u64 = u64::MAX;

fn counter(state: &Map, key: u64) -> u64 {
    let bytes = state.get(&key).and_then(|value| value[..].try_into().ok());
    bytes.map_or(0, u64::from_le_bytes)
}

/// What the acts do, one after the other.
fn effects(acts: &[Act]) -> Vec<Option<Arc<Effect>>> {
    let mut all = Window::default();
    let mut effects = Vec::new();
    for (nth, act) in acts.iter().enumerate() {
        let before = all.state_after(all.accepted());
        let effect = act.effect(nth, |key| counter(&before, key));
        effect.iter().for_each(|effect| all.attempt(effect));
        effects.push(effect);
    }
    effects
}

impl Easy {
    /// An engine and a workload.
    pub fn new<K: Kv + 'static>(acts: Vec<Act>) -> Easy {
        let open: Open = |disk| Ok(Box::new(K::open(disk)?));
        let between = vec![Act::Put(BETWEEN, b"work between crashes".to_vec())];
        let (effects, stops, keys, kept) = (Vec::new(), false, Vec::new(), Vec::new());
        Easy { open, acts: Vec::new(), effects, between, stops, keys, kept }.with(acts)
    }

    /// `count` puts of different keys and sizes.
    pub fn puts<K: Kv + 'static>(count: u64) -> Easy {
        let put = |n: u64| Act::Put(n, vec![b'a' + n as u8 % 26; 20 + 9 * n as usize]);
        Easy::new::<K>((1..=count).map(put).collect())
    }

    /// The same engine with another workload.
    #[must_use]
    pub fn with(&self, acts: Vec<Act>) -> Easy {
        let mut keys: Vec<u64> =
            acts.iter().chain(&self.between).flat_map(Act::keys).chain([BETWEEN]).collect();
        keys.sort_unstable();
        keys.dedup();
        let (kept, between) = ((0..acts.len()).collect(), self.between.clone());
        Easy { effects: effects(&acts), acts, keys, between, kept, ..*self }
    }

    /// The same engine with these of its acts, by number, from 0.
    #[must_use]
    pub fn keeping(&self, kept: &[usize]) -> Easy {
        let acts = kept.iter().map(|nth| self.acts[*nth].clone()).collect();
        let kept = kept.iter().map(|nth| self.kept[*nth]).collect();
        Easy { kept, ..self.with(acts) }
    }

    /// Of the workload that this one was shrunk from, the numbers of the acts that are left.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// What later lives do between two crashes, instead of one put.
    #[must_use]
    pub fn between(mut self, acts: Vec<Act>) -> Easy {
        self.between = acts;
        self.with(self.acts.clone())
    }

    /// Callers stop at the first error: for an engine that does not refuse by itself what it
    /// cannot keep, and does not claim to.
    #[must_use]
    pub fn stops(mut self) -> Easy {
        self.stops = true;
        self
    }

    /// The workload.
    pub fn acts(&self) -> &[Act] {
        &self.acts
    }

    /// All that the engine answers, and whether it is allowed: `judge` is told.
    fn look(
        &self,
        engine: &mut dyn Kv,
        life: &Life<'_, Window>,
        judge: fn(&mut Window, Recovered, Map) -> Result<(), Broken>,
    ) -> Result<(), Halt> {
        let mut recovered = Recovered::default();
        let mut full = Map::new();
        for &key in &self.keys {
            let answer = engine.get(key).map_err(|e| Halt::Failed(format!("get {key}: {e}")))?;
            if let Some(value) = answer {
                recovered.add(key, &value);
                full.insert(key, value);
            }
        }
        life.remark(|| format!("found {}", in_words(&full)));
        Ok(life.told.tell(|window| judge(window, recovered, full))?)
    }

    fn act(
        &self,
        act: &Act,
        effect: Option<&Arc<Effect>>,
        engine: &mut Box<dyn Kv>,
        life: &Life<'_, Window>,
    ) -> Result<(), Halt> {
        if let Some(effect) = effect {
            life.told.begin(|window| window.attempt(effect));
        }
        life.remark(|| act.to_string());
        let failed = |e: io::Error| Halt::Failed(format!("{act}: {e}"));
        match act {
            Act::Get(key) => {
                let value = engine.get(*key).map_err(failed)?;
                life.remark(|| match &value {
                    Some(value) => format!("answered {} bytes", value.len()),
                    None => "answered nothing".to_string(),
                });
                return Ok(life.told.tell(|window| window.saw(*key, value.as_deref()))?);
            }
            Act::Reopen => {
                engine.close().map_err(failed)?;
                *engine = (self.open)(Arc::clone(&life.disk)).map_err(failed)?;
                return self.look(&mut **engine, life, show);
            }
            _ => act.run(&mut **engine).map_err(failed)?,
        }
        if act.acknowledges() {
            life.remark(|| "acknowledged".to_string());
            life.told.tell(|window| window.acknowledge(Level::Durable));
        }
        Ok(())
    }

    /// Whether what comes after a failure of `act` still has a known meaning: what a counter holds
    /// after a failed change of it has not.
    fn goes_on(&self, nth: usize) -> bool {
        let changed = self.acts[nth].keys();
        let counts = |act: &Act| matches!(act, Act::Add(key, _) if changed.contains(key));
        !self.stops && !self.acts[nth + 1..].iter().any(counts)
    }

    fn work(&self, engine: &mut Box<dyn Kv>, life: &Life<'_, Window>) -> Result<(), Halt> {
        let mut failed = None;
        for (nth, (act, effect)) in self.acts.iter().zip(&self.effects).enumerate() {
            let first = life.told.tell(|window| window.accepted());
            match self.act(act, effect.as_ref(), engine, life) {
                Err(Halt::Failed(why)) if self.goes_on(nth) && *act != Act::Reopen => {
                    life.remark(|| format!("failed: {why}"));
                    life.told.tell(|window| match act {
                        Act::Commit => window.failed(), // all that waited for it
                        _ => window.failed_since(first),
                    });
                    failed.get_or_insert(why);
                }
                done => done?,
            }
        }
        self.look(&mut **engine, life, show)?;
        failed.map_or(Ok(()), |why| Err(Halt::Failed(why)))
    }

    fn recover(&self, mut engine: Box<dyn Kv>, life: &Life<'_, Window>) -> Result<(), Halt> {
        self.look(&mut *engine, life, land)?;
        if life.last {
            return if life.nth == 1 { self.once_more(engine, life) } else { Ok(()) };
        }
        for (nth, act) in self.between.iter().enumerate() {
            let state = life.told.tell(|window| window.state_after(window.accepted()));
            let effect = act.effect(self.acts.len() + nth, |key| counter(&state, key));
            let worked = self.act(act, effect.as_ref(), &mut engine, life);
            worked.map_err(|halt| match halt {
                Halt::Failed(what) => Halt::Stuck(what),
                other => other,
            })?;
        }
        self.look(&mut *engine, life, show)?;
        if life.alone { self.once_more(engine, life) } else { Ok(()) }
    }

    /// Recovers again. (Where another crash follows, the kill of this life does that.)
    fn once_more(&self, engine: Box<dyn Kv>, life: &Life<'_, Window>) -> Result<(), Halt> {
        drop(engine);
        life.remark(|| "once more".to_string());
        let mut engine = (self.open)(Arc::clone(&life.disk))
            .map_err(|e| Halt::Failed(format!("open again: {e}")))?;
        self.look(&mut *engine, life, land).map_err(|halt| again(halt, Rule::P7Idempotence))
    }
}

fn land(window: &mut Window, recovered: Recovered, full: Map) -> Result<(), Broken> {
    window.land(recovered, || Ok(full))
}

fn show(window: &mut Window, recovered: Recovered, full: Map) -> Result<(), Broken> {
    window.show(recovered, || Ok(full))
}

/// The same promise broken by recovering again is another one.
fn again(halt: Halt, rule: Rule) -> Halt {
    match halt {
        Halt::Broken(broken) => {
            Halt::broken(rule, format!("recovered again: {}: {}", broken.rule, broken.what))
        }
        other => other,
    }
}

fn in_words(state: &Map) -> String {
    let one = |(key, value): (&u64, &Vec<u8>)| match *key {
        BETWEEN => format!("the work between crashes ({} bytes)", value.len()),
        key if value.len() == 8 => format!("{key} (8 bytes: {})", counter(state, key)),
        key => format!("{key} ({} bytes)", value.len()),
    };
    let all: Vec<String> = state.iter().map(one).collect();
    if all.is_empty() { "nothing".into() } else { format!("keys {}", all.join(", ")) }
}

impl Subject for Easy {
    type Promise = Window;

    fn live(&self, life: &Life<'_, Window>) -> Result<(), Halt> {
        let opened = (self.open)(Arc::clone(&life.disk));
        let mut engine = opened.map_err(|e| Halt::Failed(format!("open: {e}")))?;
        match life.nth {
            0 => self.work(&mut engine, life),
            _ => self.recover(engine, life),
        }
    }

    /// Without a change that is acknowledged nothing can be lost.
    fn promises_durable(&self) -> bool {
        let changes = |act: &Act| !matches!(act, Act::Get(_) | Act::Reopen | Act::Checkpoint);
        self.acts.iter().any(changes)
    }

    fn smaller(&self) -> Vec<Easy> {
        let count = self.acts.len();
        let without = |n: usize| (0..count).filter(|at| *at != n).collect::<Vec<usize>>();
        (0..count).map(|n| self.keeping(&without(n))).collect()
    }
}
