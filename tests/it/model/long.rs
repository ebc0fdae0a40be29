//! Long histories of a view, by a state machine: what is done next follows from what a reference
//! model holds. That one takes every crash to have lost nothing; the run has a model of its own,
//! which lands where the store does, and everything is asserted of that one.

use super::run::Checked;
use super::switch::Crash;
use super::times;
use highwater::{Damage, Durability, Options};
use highwater_sim::{Model, Reach};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use proptest_state_machine::ReferenceStateMachine;
use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Where and how a life may end while an operation is under way: before this changing call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fate {
    pub(super) crash: Crash,
    pub(super) at: u64,
}

impl Fate {
    pub(super) const NONE: Fate = Fate { crash: Crash::Kill, at: u64::MAX };
}

/// How a life ends between two operations.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Drop,
    Close,
    Crash(Crash),
}

/// What all lives of one history have in common, and the fate of the first.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) model: Model,
    pub(super) options: Options,
    pub(super) fate: Fate,
}

fn crash() -> impl Strategy<Value = Crash> {
    prop_oneof![3 => any::<u64>().prop_map(Crash::Power), 1 => Just(Crash::Kill)]
}

pub(super) fn fate() -> impl Strategy<Value = Fate> {
    let at = prop_oneof![1 => 0..6u64, 3 => 0..60u64, 2 => Just(u64::MAX)];
    (crash(), at).prop_map(|(crash, at)| Fate { crash, at })
}

pub(super) fn end() -> impl Strategy<Value = End> {
    prop_oneof![1 => Just(End::Drop), 1 => Just(End::Close), 2 => crash().prop_map(End::Crash)]
}

pub(super) fn setup() -> impl Strategy<Value = Setup> {
    let interval = Durability::Interval(Duration::from_nanos(20));
    let modes = [Durability::Fsync, Durability::FlushOnly, Durability::None, interval];
    let growth = prop_oneof![2 => Just(None), 1 => (200..2000u64).prop_map(Some)];
    let sizes = (select(vec![256u64, 512, 1024]), select(vec![0u64, 300]), 1..3usize);
    let batch = select(vec![None, Some(1), Some(4)]);
    let modes = (select(modes.to_vec()), batch);
    let parts = (select(Model::ALL.to_vec()), modes, sizes, growth, fate());
    parts.prop_map(|(model, modes, (segment_size, reserve, snapshots_kept), growth, fate)| {
        let (durability, sync_after) = modes;
        let (checkpoint_bytes, auto_checkpoint) = (growth.unwrap_or(u64::MAX), growth.is_some());
        let options = Options {
            durability,
            segment_size,
            reserve,
            snapshots_kept,
            checkpoint_bytes,
            auto_checkpoint,
            patience: None,
            sync_after,
            damage: Damage::Refuse,
        };
        Setup { model, options, fate }
    })
}

/// A view of the log, lived with.
pub(super) trait Lived: Sized {
    type Machine: ReferenceStateMachine;

    fn begin(state: &<Self::Machine as ReferenceStateMachine>::State) -> Checked<Self>;

    fn step(&mut self, op: &<Self::Machine as ReferenceStateMachine>::Transition) -> Checked<()>;

    fn reach(&self) -> &Reach;
}

/// `cases` histories, the same each time, and what must have been reached in them.
pub(super) fn histories<L: Lived>(cases: u32, wanted: &[(&str, u64)]) {
    let total = RefCell::new(Reach::new());
    let (cases, failure_persistence) = (cases * times(), None);
    let config =
        Config { cases, failure_persistence, rng_seed: RngSeed::Fixed(1), ..Config::default() };
    let strategy = L::Machine::sequential_strategy(1..100);
    let ran = TestRunner::new(config).run(&strategy, |(state, ops, seen)| {
        let mut run = L::begin(&state).map_err(TestCaseError::fail)?;
        for (nth, op) in ops.iter().enumerate() {
            // Shrinking begins by leaving out what was not.
            seen.iter().for_each(|seen| _ = seen.fetch_add(1, Ordering::SeqCst));
            run.step(op).map_err(|e| TestCaseError::fail(format!("{nth}, {op:?}: {e}")))?;
        }
        let mut total = total.borrow_mut();
        *total.entry("operations").or_default() += ops.len() as u64;
        run.reach().iter().for_each(|(what, count)| *total.entry(*what).or_default() += count);
        Ok(())
    });
    if let Err(TestError::Fail(why, (state, ops, _))) = ran {
        panic!("{why}\n{state:?}\n{ops:#?}");
    }
    ran.unwrap();
    let total = total.into_inner();
    total.iter().for_each(|(what, count)| println!("{count:>9} {what}"));
    for (what, least) in wanted {
        let count = total.get(what).copied().unwrap_or(0);
        assert!(count >= *least, "{what}: {count} times, wanted {least}");
    }
}
