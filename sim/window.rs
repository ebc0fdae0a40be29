//! The window that the recovery of a key-value engine must land in.
//!
//! An engine is not told what state it must recover to; it has told its callers things, and must
//! keep them. [`Window`] records what callers were told.
//!
//! Invariants
//! - W1: flushed and durable never exceed the operations accepted, and durable never exceeds
//!   flushed; what callers were told never exceeds flushed.
//! - W2: after recovery the state shown is a promise: all of it must survive whatever comes (P7,
//!   P9, P10).
//! - W3: an operation that failed is unknown: whole, in or out, and as recovery showed it from then
//!   on.

use crate::hash::Fingerprint;
use crate::promise::{Broken, Level, Promise, Rule};
use std::collections::BTreeMap;
use std::hash::Hasher;
use std::sync::Arc;

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

    /// What it is called in reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The keys that it sets (`Some`) and deletes (`None`), each once, in order.
    pub fn changes(&self) -> impl Iterator<Item = (u64, Option<&[u8]>)> {
        self.changes.iter().map(|(key, value, _)| (*key, value.as_deref()))
    }
}

/// A recovered state, taken in one key at a time.
///
/// It keeps only a fingerprint, so that judging a recovery costs no allocation; two are equal if
/// the states are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Recovered {
    print: u128,
}

impl Recovered {
    /// A whole state.
    pub fn of(state: &Map) -> Recovered {
        let mut whole = Recovered::default();
        state.iter().for_each(|(key, value)| whole.add(*key, value));
        whole
    }

    /// The engine answers `value` for `key`. Added a second time, it is taken out again.
    pub fn add(&mut self, key: u64, value: &[u8]) {
        self.print ^= print_of(key, value);
    }
}

/// An operation that was accepted.
#[derive(Clone, Debug)]
struct Accepted {
    effect: Arc<Effect>,
    /// Of the state after it and all before it.
    print: u128,
    /// Its caller was told that it failed: it is in or out (W3).
    failed: bool,
}

impl Accepted {
    /// What it sets the key to, if it changes it.
    fn sets(&self, key: u64) -> Option<Option<&[u8]>> {
        let change = self.effect.changes.iter().find(|change| change.0 == key);
        change.map(|change| change.1.as_deref())
    }
}

/// What stands before the names of operations that were acknowledged and are gone.
pub(crate) const LOST: &str = "promised and lost: ";

/// Of more failed operations than this, not every subset is allowed for.
const FAILED_MAX: usize = 10;

/// The window of a key-value engine: the operations it accepted in order, and how many of them
/// must survive. Recovery must land on the state after one of the allowed prefixes; of those that
/// failed, each may be left out.
#[derive(Clone, Debug, Default)]
pub struct Window {
    accepted: Vec<Accepted>,
    flushed: usize,
    durable: usize,
    /// Of the flushed ones, those whose callers were told; the others were only seen by a reader.
    told: usize,
}

impl Window {
    /// An operation begins: from now on it may be found after a crash.
    pub fn attempt(&mut self, effect: &Arc<Effect>) {
        let print = self.print_with(effect);
        self.accepted.push(Accepted { effect: Arc::clone(effect), print, failed: false });
    }

    fn print_with(&self, effect: &Effect) -> u128 {
        let mut print = self.accepted.last().map_or(0, |a| a.print);
        for (key, _, new) in &effect.changes {
            print ^= new ^ self.print_now(*key);
        }
        print
    }

    fn print_now(&self, key: u64) -> u128 {
        let change = |a: &Accepted| a.effect.changes.iter().find(|c| c.0 == key).map(|c| c.2);
        self.accepted.iter().rev().find_map(change).unwrap_or(0)
    }

    /// Whatever is not acknowledged has failed: each of it is in or out (W3).
    pub fn failed(&mut self) {
        self.failed_since(self.flushed);
    }

    /// The operations from that number on have failed: each of them is in or out (W3).
    pub fn failed_since(&mut self, first: usize) {
        self.accepted[first.max(self.flushed)..].iter_mut().for_each(|a| a.failed = true);
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
            (self.flushed, self.told) = (self.accepted.len(), self.accepted.len());
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
        assert!(self.told <= self.flushed, "W1: told beyond flushed");
    }

    /// The state after the first `count` operations.
    pub fn state_after(&self, count: usize) -> Map {
        let mut map = Map::new();
        for accepted in &self.accepted[..count] {
            for (key, value, _) in &accepted.effect.changes {
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
        let Some((count, out)) = self.landing(recovered.print) else {
            return Err(self.explain(&full()?));
        };
        self.accepted.truncate(count);
        if !out.is_empty() {
            let mut kept = std::mem::take(&mut self.accepted).into_iter().enumerate();
            while let Some((_, accepted)) = kept.by_ref().find(|(nth, _)| !out.contains(nth)) {
                self.attempt(&accepted.effect);
            }
        }
        self.accepted.iter_mut().for_each(|a| a.failed = false); // W3
        (self.flushed, self.durable) = (self.accepted.len(), self.accepted.len()); // W2
        self.told = self.accepted.len();
        Ok(())
    }

    /// Judges what the engine shows in the life in which operations failed: what it shows is a
    /// promise; what it does not show may still come back (W3).
    ///
    /// # Errors
    /// As [`land`](Window::land).
    pub fn show(
        &mut self,
        shown: Recovered,
        full: impl FnOnce() -> Result<Map, Broken>,
    ) -> Result<(), Broken> {
        let Some((count, out)) = self.landing(shown.print) else {
            return Err(self.explain(&full()?));
        };
        for (nth, accepted) in self.accepted[..count].iter_mut().enumerate() {
            accepted.failed &= out.contains(&nth);
        }
        (self.flushed, self.durable) = (self.flushed.max(count), self.durable.max(count));
        self.told = self.told.max(count);
        Ok(())
    }

    /// A reader was answered `value` for `key`: the operation that set it, and all before it, is a
    /// promise from now on (P10).
    ///
    /// # Errors
    /// The promise that is broken if no allowed state has that value.
    pub fn saw(&mut self, key: u64, value: Option<&[u8]>) -> Result<(), Broken> {
        let shows = |count: &usize| self.state_after(*count).get(&key).map(Vec::as_slice) == value;
        match (self.durable..=self.accepted.len()).find(shows) {
            Some(count) => {
                self.durable = count;
                self.flushed = self.flushed.max(count);
                self.promise_what_shows(key, value);
                Ok(())
            }
            None if self.may_show(key, value) => {
                self.promise_what_shows(key, value);
                Ok(())
            }
            None => {
                let got = value.map_or("nothing".into(), |v| format!("{} bytes", v.len()));
                let what = format!("a reader of key {key} is answered {got}");
                Err(Broken::new(Rule::P10Visibility, what))
            }
        }
    }

    /// Whether a value may be there because operations failed.
    fn may_show(&self, key: u64, value: Option<&[u8]>) -> bool {
        self.accepted.iter().any(|a| a.failed)
            && (value.is_none() || self.accepted.iter().any(|a| a.sets(key) == Some(value)))
    }

    /// If nothing but one failed operation can have set what a reader saw, it is in (W3).
    fn promise_what_shows(&mut self, key: u64, value: Option<&[u8]>) {
        let mut who = None;
        for (nth, accepted) in self.accepted.iter().enumerate().rev() {
            let Some(set) = accepted.sets(key) else { continue };
            if set == value && who.replace(nth).is_some() {
                return; // it may be either
            }
            if !accepted.failed && nth < self.flushed {
                break; // what came before is overwritten
            }
        }
        who.into_iter().for_each(|nth| self.accepted[nth].failed = false);
    }

    fn print_after(&self, count: usize) -> u128 {
        if count == 0 { 0 } else { self.accepted[count - 1].print }
    }

    /// The allowed state with this fingerprint: after how many operations, and without which.
    fn landing(&self, print: u128) -> Option<(usize, Vec<usize>)> {
        let allowed = self.flushed..=self.accepted.len();
        if let Some(count) = allowed.clone().find(|&n| self.print_after(n) == print) {
            return Some((count, Vec::new()));
        }
        let failed = self.accepted.iter().enumerate().filter(|(_, a)| a.failed).map(|(n, _)| n);
        let failed: Vec<usize> = failed.take(FAILED_MAX).collect();
        allowed.flat_map(|n| (1u32..1 << failed.len()).map(move |mask| (n, mask))).find_map(
            |(count, mask)| {
                let out = failed.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1);
                let out: Vec<usize> = out.map(|(_, nth)| *nth).filter(|n| *n < count).collect();
                (self.print_without(count, &out) == print).then_some((count, out))
            },
        )
    }

    fn print_without(&self, count: usize, out: &[usize]) -> u128 {
        let mut last: BTreeMap<u64, u128> = BTreeMap::new();
        let kept = self.accepted[..count].iter().enumerate().filter(|(n, _)| !out.contains(n));
        last.extend(kept.flat_map(|(_, a)| &a.effect.changes).map(|c| (c.0, c.2)));
        last.values().fold(0, |sum, print| sum ^ print)
    }

    /// Which promise a state breaks that is not in the window.
    fn explain(&self, got: &Map) -> Broken {
        let all = self.accepted.len();
        if let Some(count) = (0..self.flushed).rev().find(|&n| self.state_after(n) == *got) {
            let lost = self.names(count, self.flushed);
            let broken = if count < self.told {
                Broken::new(Rule::P1Loss, format!("{LOST}{lost}"))
            } else {
                Broken::new(Rule::P10Visibility, format!("seen by a reader and lost: {lost}"))
            };
            let changed = |a: &&Accepted| !a.failed && !a.effect.changes.is_empty();
            let short_by = self.accepted[count..self.flushed].iter().filter(changed).count();
            return Broken { short_by, ..broken };
        }
        for (key, value) in got {
            let ever = self.accepted.iter().flat_map(|a| &a.effect.changes);
            if !ever.clone().any(|c| c.0 == *key && c.1.as_ref() == Some(value)) {
                let what = format!("key {key} has a value of {} bytes nobody wrote", value.len());
                return Broken::new(Rule::P4Invention, what);
            }
        }
        if let Some(what) = self.part_of_batch(got) {
            return Broken::new(Rule::P3Atomicity, what);
        }
        let newest = self.state_after(all);
        let durable = self.state_after(self.flushed);
        for (key, value) in got {
            if !durable.contains_key(key) && !newest.contains_key(key) {
                let what = format!("key {key} is back ({} bytes) after its delete", value.len());
                return Broken::new(Rule::P4Invention, what);
            }
        }
        let gone = durable.iter().find(|(k, v)| {
            got.get(k) != Some(v) && got.get(k).is_none_or(|g| newest.get(k) != Some(g))
        });
        match gone {
            Some((key, value)) => {
                let got = got.get(key).map_or("missing".into(), |g| format!("{} bytes", g.len()));
                let what = format!("key {key}: promised {} bytes, found {got}", value.len());
                Broken::new(Rule::P1Loss, what)
            }
            None => {
                let what = "a later operation is there and an earlier one is not".to_string();
                Broken::new(Rule::P2Prefix, what)
            }
        }
    }

    fn part_of_batch(&self, got: &Map) -> Option<String> {
        let shows = |key: &u64, value: &Option<Vec<u8>>| got.get(key) == value.as_ref();
        for count in 0..self.accepted.len() {
            let effect = &self.accepted[count].effect;
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

    /// The operations between two states that changed something and did not fail.
    fn names(&self, from: usize, to: usize) -> String {
        let changed = |a: &&Accepted| !a.failed && !a.effect.changes.is_empty();
        let kept = self.accepted[from..to].iter().filter(changed);
        let names: Vec<&str> = kept.map(|a| a.effect.name.as_str()).collect();
        names.join(", ")
    }
}

impl Promise for Window {
    fn power_cut(&mut self) {
        self.flushed = self.durable;
        self.told = self.told.min(self.durable);
    }

    fn fingerprint(&self) -> u128 {
        let mut print = Fingerprint::default();
        print.add((self.durable as i64 - self.flushed as i64) as u64);
        print.add((self.flushed - self.told) as u64);
        let allowed = self.flushed..=self.accepted.len();
        allowed.for_each(|n| print.add_wide(self.print_after(n)));
        // What may be left out shows in what is left.
        if let Some(first) = self.accepted.iter().position(|a| a.failed) {
            print.add_wide(self.print_after(first));
            for accepted in &self.accepted[first..] {
                print.add(u64::from(accepted.failed));
                accepted.effect.changes.iter().for_each(|c| {
                    print.add(c.0);
                    print.add_wide(c.2);
                });
            }
        }
        print.value()
    }
}
