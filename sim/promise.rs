//! The promises, and the window that recovery must land in.
//!
//! An engine is not told what state it must recover to; it has told its callers things, and must
//! keep them. [`Window`] records what callers of a key-value engine were told.
//!
//! Invariants
//! - W1: flushed and durable never exceed the operations accepted, and durable never exceeds
//!   flushed.
//! - W2: after recovery the state shown is a promise: all of it must survive whatever comes (P7,
//!   P9, P10).

use crate::hash::{self, Fingerprint};
use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hasher;
use std::sync::Arc;

/// The numbered promises of `docs/architecture.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// An acknowledged operation is missing.
    P1Loss,
    /// The state is no prefix of the operations.
    P2Prefix,
    /// A part of a batch.
    P3Atomicity,
    /// Something that was not written, or a deleted thing back again.
    P4Invention,
    /// A power cut alone made open fail, or was reported as corruption.
    P5FalseAlarm,
    /// Damage served, or taken for a torn tail.
    P6Silence,
    /// Recovering again gave another state.
    P7Idempotence,
    /// The engine takes no work after recovery.
    P8Progress,
    /// It went on after a failed write or sync.
    P9FailStop,
    /// A value that a reader has seen is gone.
    P10Visibility,
    /// A panic, a hang or an absurd allocation.
    P11Bounds,
    /// Obsolete files stay, or a full disk loses data.
    P12Space,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::P1Loss => "P1 loss",
            Rule::P2Prefix => "P2 prefix",
            Rule::P3Atomicity => "P3 atomicity",
            Rule::P4Invention => "P4 invention",
            Rule::P5FalseAlarm => "P5 false alarm",
            Rule::P6Silence => "P6 silence",
            Rule::P7Idempotence => "P7 idempotence",
            Rule::P8Progress => "P8 progress",
            Rule::P9FailStop => "P9 fail-stop",
            Rule::P10Visibility => "P10 visibility",
            Rule::P11Bounds => "P11 bounds",
            Rule::P12Space => "P12 space",
        })
    }
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which one.
    pub rule: Rule,
    /// What was found, in one sentence.
    pub what: String,
}

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing yet.
    Buffered,
    /// Survives the death of the process.
    Flushed,
    /// Survives power loss.
    Durable,
}

/// What an engine's callers have been told so far.
pub trait Promise: Clone + Default + Send + 'static {
    /// The power is gone: what was promised only for the death of the process is promised no more.
    fn power_cut(&mut self);

    /// Equal for two promises that allow the same futures.
    fn fingerprint(&self) -> u128;
}

/// A state of a key-value engine.
pub type Map = BTreeMap<u64, Vec<u8>>;

/// What one operation does: the keys it sets (`Some`) and deletes (`None`), all or nothing.
#[derive(Debug)]
pub struct Effect {
    name: String,
    changes: Vec<(u64, Option<Vec<u8>>, u128)>,
}

fn print_of(key: u64, value: &[u8]) -> u128 {
    let mut print = Fingerprint::default();
    print.write_u64(key);
    print.add_bytes(value);
    print.value()
}

impl Effect {
    /// An operation called `name` in reports. Of two changes of one key the later wins.
    pub fn new(name: String, changes: Vec<(u64, Option<Vec<u8>>)>) -> Arc<Effect> {
        let mut last = BTreeMap::new();
        for (key, value) in changes {
            let print = value.as_ref().map_or(0, |v| print_of(key, v));
            last.insert(key, (value, print));
        }
        let changes = last.into_iter().map(|(k, (v, p))| (k, v, p)).collect();
        Arc::new(Effect { name, changes })
    }
}

/// A recovered state, taken in one key at a time.
///
/// It keeps only a fingerprint, so that judging a recovery costs no allocation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recovered {
    print: u128,
}

impl Recovered {
    /// The engine answers `value` for `key`.
    pub fn add(&mut self, key: u64, value: &[u8]) {
        self.print ^= print_of(key, value);
    }
}

/// The window of a key-value engine: the operations it accepted in order, and how many of them
/// must survive. Recovery must land on the state after one of the allowed prefixes.
#[derive(Clone, Debug, Default)]
pub struct Window {
    accepted: Vec<(Arc<Effect>, u128)>,
    flushed: usize,
    durable: usize,
}

impl Window {
    /// An operation begins: from now on it may be found after a crash.
    pub fn attempt(&mut self, effect: &Arc<Effect>) {
        let mut print = self.accepted.last().map_or(0, |a| a.1);
        for (key, _, new) in &effect.changes {
            print ^= new ^ self.print_now(*key);
        }
        self.accepted.push((Arc::clone(effect), print));
    }

    fn print_now(&self, key: u64) -> u128 {
        let change = |(effect, _): &(Arc<Effect>, u128)| {
            effect.changes.iter().find(|c| c.0 == key).map(|c| c.2)
        };
        self.accepted.iter().rev().find_map(change).unwrap_or(0)
    }

    /// The last operation attempted was refused before it began: it will never be found.
    pub fn refused(&mut self) {
        self.accepted.pop();
        self.check_invariants();
    }

    /// All operations attempted so far are acknowledged with this level (a level holds for all
    /// that came before, or the state would not be a prefix).
    pub fn acknowledge(&mut self, level: Level) {
        if level >= Level::Flushed {
            self.flushed = self.accepted.len();
        }
        if level >= Level::Durable {
            self.durable = self.accepted.len();
        }
        self.check_invariants();
    }

    /// W1.
    fn check_invariants(&self) {
        assert!(self.durable <= self.flushed, "W1: durable beyond flushed");
        assert!(self.flushed <= self.accepted.len(), "W1: flushed beyond accepted");
    }

    /// The state after the first `count` operations.
    pub fn state_after(&self, count: usize) -> Map {
        let mut map = Map::new();
        for (effect, _) in &self.accepted[..count] {
            for (key, value, _) in &effect.changes {
                match value {
                    Some(value) => drop(map.insert(*key, value.clone())),
                    None => drop(map.remove(key)),
                }
            }
        }
        map
    }

    /// The number of operations accepted.
    pub fn accepted(&self) -> usize {
        self.accepted.len()
    }

    /// Judges a recovered state. If it is allowed, the window narrows to it (W2).
    ///
    /// # Errors
    /// The promise that is broken; `full` is asked for the whole state to say which.
    pub fn land(
        &mut self,
        recovered: Recovered,
        full: impl FnOnce() -> Result<Map, Broken>,
    ) -> Result<(), Broken> {
        let print = |count: usize| if count == 0 { 0 } else { self.accepted[count - 1].1 };
        let landed = (self.flushed..=self.accepted.len()).find(|&n| print(n) == recovered.print);
        match landed {
            Some(count) => {
                self.accepted.truncate(count);
                (self.flushed, self.durable) = (count, count); // W2
                Ok(())
            }
            None => Err(self.explain(&full()?)),
        }
    }

    /// Which promise a state breaks that is not in the window.
    fn explain(&self, got: &Map) -> Broken {
        let all = self.accepted.len();
        if let Some(count) = (0..self.flushed).rev().find(|&n| self.state_after(n) == *got) {
            let lost = self.names(count, self.flushed);
            return Broken { rule: Rule::P1Loss, what: format!("lost although promised: {lost}") };
        }
        for (key, value) in got {
            let ever = self.accepted.iter().flat_map(|a| &a.0.changes);
            if !ever.clone().any(|c| c.0 == *key && c.1.as_ref() == Some(value)) {
                let what = format!("key {key} has a value of {} bytes nobody wrote", value.len());
                return Broken { rule: Rule::P4Invention, what };
            }
        }
        if let Some(what) = self.part_of_batch(got) {
            return Broken { rule: Rule::P3Atomicity, what };
        }
        let newest = self.state_after(all);
        let durable = self.state_after(self.flushed);
        for (key, value) in got {
            if !durable.contains_key(key) && !newest.contains_key(key) {
                let what = format!("key {key} is back ({} bytes) after its delete", value.len());
                return Broken { rule: Rule::P4Invention, what };
            }
        }
        let gone = durable.iter().find(|(k, v)| {
            got.get(k) != Some(v) && got.get(k).is_none_or(|g| newest.get(k) != Some(g))
        });
        match gone {
            Some((key, value)) => {
                let got = got.get(key).map_or("missing".into(), |g| format!("{} bytes", g.len()));
                let what = format!("key {key}: promised {} bytes, found {got}", value.len());
                Broken { rule: Rule::P1Loss, what }
            }
            None => {
                let what = "a later operation is there and an earlier one is not".to_string();
                Broken { rule: Rule::P2Prefix, what }
            }
        }
    }

    fn part_of_batch(&self, got: &Map) -> Option<String> {
        let shows = |key: &u64, value: &Option<Vec<u8>>| got.get(key) == value.as_ref();
        for count in 0..self.accepted.len() {
            let (effect, _) = &self.accepted[count];
            let before = self.state_after(count);
            let changes = effect.changes.iter().filter(|c| before.get(&c.0) != c.1.as_ref());
            let (new, old): (Vec<_>, Vec<_>) = changes.partition(|c| shows(&c.0, &c.1));
            let others = |k: &u64| effect.changes.iter().all(|c| c.0 != *k);
            let same = before.iter().filter(|b| others(b.0)).eq(got.iter().filter(|g| others(g.0)));
            if same && !new.is_empty() && !old.is_empty() {
                return Some(format!(
                    "{} of {} parts of {}",
                    new.len(),
                    new.len() + old.len(),
                    effect.name
                ));
            }
        }
        None
    }

    fn names(&self, from: usize, to: usize) -> String {
        let names: Vec<&str> = self.accepted[from..to].iter().map(|a| a.0.name.as_str()).collect();
        names.join(", ")
    }
}

impl Promise for Window {
    fn power_cut(&mut self) {
        self.flushed = self.durable;
    }

    fn fingerprint(&self) -> u128 {
        let mut print = Fingerprint::default();
        print.add((self.durable as i64 - self.flushed as i64) as u64);
        let allowed = self.flushed..=self.accepted.len();
        allowed.for_each(|n| print.add_wide(if n == 0 { 0 } else { self.accepted[n - 1].1 }));
        print.value()
    }
}

/// For subjects whose promise is a plain value.
pub fn fingerprint_of(value: &impl std::hash::Hash) -> u128 {
    hash::of(value)
}
