//! One exploration: how far, what was seen, how long it took.

use crate::engine::sync;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// How often a thread may be stopped that could go on: in the ordinary run, and in the full one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds(pub(crate) Option<usize>, pub(crate) Option<usize>);

/// Every order, always.
pub(crate) const COMPLETE: Bounds = Bounds(None, None);

/// The outcomes of all executions, and how many had each.
pub(crate) struct Seen<T>(BTreeMap<T, u64>);

impl<T: Ord + Debug> Seen<T> {
    /// Fails unless all of these were reached: a model that never gets to what it is about proves
    /// nothing.
    pub(crate) fn reached(&self, interesting: &[T]) {
        for outcome in interesting {
            assert!(self.0.contains_key(outcome), "not reached: {outcome:?} of {:?}", self.0);
        }
    }

    /// Fails unless these are all that there were.
    pub(crate) fn are(&self, all: &[T]) {
        self.reached(all);
        assert_eq!(self.0.len(), all.len(), "more than {all:?}: {:?}", self.0);
    }

    /// Fails unless there was one like this.
    pub(crate) fn some(&self, what: &str, is: impl Fn(&T) -> bool) {
        assert!(self.0.keys().any(is), "not reached: {what}: {:?}", self.0);
    }
}

fn full() -> bool {
    std::env::var("HIGHWATER_BOUNDS").is_ok_and(|bounds| bounds == "full")
}

/// Runs `model` in every order within the bound.
pub(crate) fn explore<T: Ord + Debug + Send + 'static>(
    name: &str,
    bounds: Bounds,
    model: impl Fn() -> T + Send + Sync + 'static,
) -> Seen<T> {
    run(name, bounds, false, model)
}

/// With shadows ([`sync::AtomicU64`]): where a thread reads an atomic that it also writes.
pub(crate) fn explore_shadowed<T: Ord + Debug + Send + 'static>(
    name: &str,
    bounds: Bounds,
    model: impl Fn() -> T + Send + Sync + 'static,
) -> Seen<T> {
    run(name, bounds, true, model)
}

fn run<T: Ord + Debug + Send + 'static>(
    name: &str,
    Bounds(small, large): Bounds,
    shadows: bool,
    model: impl Fn() -> T + Send + Sync + 'static,
) -> Seen<T> {
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = if full() { large } else { small };
    builder.max_branches = 20_000;
    (builder.max_permutations, builder.max_duration) = (None, None);
    let (bound, start) = (builder.preemption_bound, Instant::now());
    let outcomes = Arc::clone(&seen);
    builder.check(move || {
        sync::begin(shadows);
        let outcome = model();
        *outcomes.lock().unwrap().entry(outcome).or_insert(0) += 1;
    });
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let (executions, time) = (seen.values().sum::<u64>(), start.elapsed());
    let bound = bound.map_or("none".into(), |bound| bound.to_string());
    println!("| {name} | {bound} | {executions} | {time:.2?} | {seen:?} |");
    Seen(seen)
}
