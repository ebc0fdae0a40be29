//! Schedules in batches. What breaks names the one schedule that broke it, by a token that shows it
//! again: the program's name, and every step.

use crate::life::{Program, Seen, live};
use crate::programs::{Counts, VIEWS, life_of};
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, ReplayScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};
use shuttle_engine::runtime::execution::CurrentSchedule;
use shuttle_engine::scheduler::serialization::serialize_schedule;
use std::fmt;
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

/// What broke, and under which schedule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) token: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { why, token } = self;
        writeln!(f, "{why}\nThis schedule again:")?;
        writeln!(f, "HIGHWATER_SCHEDULE='{token}' \\")?;
        write!(f, "    cargo test -p highwater-models --test shuttle shuttle_again")
    }
}

/// Runs `life` under all schedules of a scheduler: how many there were, or what broke.
fn run<S: Scheduler + 'static>(
    name: &str,
    scheduler: S,
    life: impl Fn() + Send + Sync + 'static,
) -> Result<usize, Failure> {
    let mut config = Config::new();
    // The recovery of a cut disk runs on the stack of the thread that cut it.
    config.stack_size = 0x40000;
    config.silence_warnings = true;
    config.failure_persistence = FailurePersistence::None; // the token has it
    let run = || Runner::new(scheduler, config).run(life);
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).into()));
        let steps = serialize_schedule(&CurrentSchedule::get_schedule());
        let steps: String = steps.split_whitespace().collect();
        Failure { why: text.unwrap_or_default(), token: format!("{name}.{steps}") }
    })
}

/// A number of schedules from a seed.
pub(crate) fn batch(
    name: &str,
    chosen: Chosen,
    seed: u64,
    schedules: usize,
    life: impl Fn() + Send + Sync + 'static,
) -> Result<usize, Failure> {
    match chosen {
        Chosen::Random => run(name, RandomScheduler::new_from_seed(seed, schedules), life),
        Chosen::Pct => run(name, PctScheduler::new_from_seed(seed, 3, schedules), life),
        Chosen::InOrder => run(name, DfsScheduler::new(Some(schedules), false), life),
    }
}

/// The schedule of a token again.
pub(crate) fn again(token: &str) -> Result<usize, Failure> {
    let named = token.split_once('.').and_then(|(name, steps)| Some((life_of(name)?, name, steps)));
    let Some((life, name, steps)) = named else { panic!("no token of a program: {token:?}") };
    run(name, ReplayScheduler::new_from_encoded(steps), life)
}

/// So many schedules, ten times as many in a full run, and none that breaks anything.
pub(crate) fn all(
    name: &str,
    [random, pct, in_order]: [usize; 3],
    life: impl Fn() + Send + Sync + Clone + 'static,
) -> usize {
    assert!(life_of(name).is_some(), "a token of {name} could not be shown again");
    let full = std::env::var("HIGHWATER_BOUNDS").is_ok_and(|bounds| bounds == "full");
    let all = [(Chosen::Random, random), (Chosen::Pct, pct), (Chosen::InOrder, in_order)];
    let mut total = 0;
    for (chosen, schedules) in all {
        let schedules = if full { 10 * schedules } else { schedules };
        let size = if chosen == Chosen::InOrder { schedules.max(1) } else { BATCH };
        for seed in 0..schedules.div_ceil(size) as u64 {
            let done = batch(name, chosen, seed, size, life.clone());
            total += done.unwrap_or_else(|failure| panic!("{name}: {failure}"));
        }
    }
    total
}

/// A program of a view or of the service under schedules of both kinds; what it counted.
pub(crate) fn hold_view(name: &'static str) -> [u64; 3] {
    let (_, life) = VIEWS.iter().find(|(view, _)| *view == name).expect("it is in the table");
    let counts = Arc::new(Counts::default());
    let seen = Arc::clone(&counts);
    all(name, [3_000, 3_000, 0], move || life(&seen));
    counts.each_ref().map(|count| count.load(Ordering::Relaxed))
}

/// A program of the payload store under so many schedules.
pub(crate) fn hold(program: Program, random: usize, pct: usize, in_order: usize) -> Arc<Seen> {
    let seen = Arc::new(Seen::default());
    let life = Arc::clone(&seen);
    let total = all(program.name, [random, pct, in_order], move || live(&program, &life));
    let counted = seen.schedules.load(Ordering::Relaxed);
    assert_eq!(counted, total as u64, "schedules that ended");
    println!("{}: {seen:?}", program.name);
    seen
}
