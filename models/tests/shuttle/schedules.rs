//! Schedules in batches, each from a seed of its own: the name of a batch is enough to see a
//! failure again.

use crate::life::{Program, Seen, live};
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How the next thread is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// Any, at every step.
    Random,
    /// By priorities that change at two moments.
    Pct,
    /// Every way, from the last decision backwards, as far as it goes.
    InOrder,
}

/// Schedules in a batch.
pub(crate) const BATCH: usize = 250;

/// What a batch ends with: how many schedules there were, or what broke.
pub(crate) fn batch(
    program: Program,
    chosen: Chosen,
    seed: u64,
    schedules: usize,
    seen: &Arc<Seen>,
) -> Result<usize, String> {
    let mut config = Config::new();
    // The recovery of a cut disk runs on the stack of the thread that cut it.
    config.stack_size = 0x40000;
    config.silence_warnings = true;
    let seen = Arc::clone(seen);
    let life = move || live(&program, &seen);
    let run = || match chosen {
        Chosen::Random => {
            Runner::new(RandomScheduler::new_from_seed(seed, schedules), config).run(life)
        }
        Chosen::Pct => {
            Runner::new(PctScheduler::new_from_seed(seed, 3, schedules), config).run(life)
        }
        Chosen::InOrder => Runner::new(DfsScheduler::new(Some(schedules), false), config).run(life),
    };
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into())).unwrap_or_default()
    })
}

/// At least so many schedules, ten times as many in a full run, and none that breaks anything.
pub(crate) fn hold(program: Program, random: usize, pct: usize, in_order: usize) -> Arc<Seen> {
    let full = std::env::var("HIGHWATER_BOUNDS").is_ok_and(|bounds| bounds == "full");
    let [random, pct, in_order] = [random, pct, in_order].map(|n| if full { 10 * n } else { n });
    let (seen, mut total) = (Arc::new(Seen::default()), 0);
    for (chosen, schedules) in [(Chosen::Random, random), (Chosen::Pct, pct)] {
        for seed in 0..schedules.div_ceil(BATCH) as u64 {
            let done = batch(program, chosen, seed, BATCH, &seen);
            let token = format!("{} {chosen:?} seed {seed}", program.name);
            total += done.unwrap_or_else(|why| panic!("{token}: {why}"));
        }
    }
    if in_order > 0 {
        let done = batch(program, Chosen::InOrder, 0, in_order, &seen);
        total += done.unwrap_or_else(|why| panic!("{} in order: {why}", program.name));
    }
    let counted = seen.schedules.load(Ordering::Relaxed);
    assert_eq!(counted, total as u64, "schedules that ended");
    assert!(total >= random + pct + in_order, "{total} schedules");
    println!("{}: {seen:?}", program.name);
    seen
}
