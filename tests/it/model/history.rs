//! Histories: lives of operations, each with its faults and its end; and how they are generated.

use super::switch::Crash;
use highwater::{Durability, Options};
use highwater_sim::{CallKind, FailedSync, Fault, FaultEffect, FaultPlan, Model};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// One operation. Sizes are in bytes; the bytes themselves follow from the operation's number.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Put(u64, usize),
    Delete(u64),
    Batch(Vec<(u64, usize)>),
    Deferred(Vec<(u64, usize)>),
    Flush,
    Checkpoint,
    /// The handle is dropped, and the store opened again in the same process.
    Reopen,
    /// The same after a clean close.
    CloseReopen,
}

/// One life.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    pub(crate) ops: Vec<Op>,
    pub(crate) faults: FaultPlan,
    pub(crate) crash: Crash,
    /// Before which changing call; a life with fewer calls crashes at its end.
    pub(crate) at: u64,
}

/// A whole history of one store.
#[derive(Clone, Debug)]
pub(crate) struct History {
    pub(crate) model: Model,
    pub(crate) options: Options,
    pub(crate) lives: Vec<Life>,
}

const IDS: u64 = 6;

fn size() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..40usize, 3 => 0..300usize, 1 => 0..=1500usize]
}

fn items() -> impl Strategy<Value = Vec<(u64, usize)>> {
    vec((0..IDS, size()), 0..4)
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..IDS, size()).prop_map(|(id, size)| Op::Put(id, size)),
        3 => (0..IDS).prop_map(Op::Delete),
        3 => items().prop_map(Op::Batch),
        3 => items().prop_map(Op::Deferred),
        1 => Just(Op::Flush),
        2 => Just(Op::Checkpoint),
        1 => Just(Op::Reopen),
        1 => Just(Op::CloseReopen),
    ]
}

fn effect(call: CallKind) -> BoxedStrategy<FaultEffect> {
    let all = [FaultEffect::Eio, FaultEffect::Enospc, FaultEffect::Eintr];
    let fixed = all.into_iter().chain(FailedSync::TOLD.map(FaultEffect::FailedSync));
    let fixed = fixed.filter(|what| what.fits(call)).collect::<Vec<_>>();
    let some = (1..700u64).prop_flat_map(|n| {
        select(vec![FaultEffect::Short(n), FaultEffect::EioAfter(n), FaultEffect::Short(1 + n % 9)])
    });
    if FaultEffect::Short(1).fits(call) {
        let fits = "a part of a transfer";
        prop_oneof![select(fixed), some.prop_filter(fits, move |what| what.fits(call))].boxed()
    } else {
        select(fixed).boxed()
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    let calls = prop_oneof![
        3 => Just(CallKind::Write),
        3 => Just(CallKind::Sync),
        2 => Just(CallKind::SyncDir),
        2 => Just(CallKind::Read),
        2 => select(CallKind::ALL.map(|(call, _)| call).to_vec()),
    ];
    let calls = (calls, prop_oneof![0..4u64, 0..25u64]);
    calls.prop_flat_map(|(call, nth)| effect(call).prop_map(move |what| Fault { call, nth, what }))
}

fn plan() -> impl Strategy<Value = FaultPlan> {
    let space = prop_oneof![9 => Just(None), 1 => (0..5000u64).prop_map(Some)];
    let faults = prop_oneof![2 => vec(fault(), 0..=0), 3 => vec(fault(), 0..4)];
    (faults, space).prop_map(|(faults, space)| FaultPlan { faults, space })
}

fn crash() -> impl Strategy<Value = Crash> {
    prop_oneof![3 => any::<u64>().prop_map(Crash::Power), 1 => Just(Crash::Kill)]
}

fn life() -> impl Strategy<Value = Life> {
    let at = prop_oneof![2 => 0..12u64, 2 => 0..60u64, 1 => Just(u64::MAX)];
    let parts = (vec(op(), 0..14), plan(), crash(), at);
    parts.prop_map(|(ops, faults, crash, at)| Life { ops, faults, crash, at })
}

fn options() -> impl Strategy<Value = Options> {
    let modes = select(vec![Durability::Fsync, Durability::FlushOnly, Durability::None]);
    let growth = prop_oneof![3 => Just(None), 1 => (1..3000u64).prop_map(Some)];
    let reserve = select(vec![0u64, 300, 1024]);
    let parts = (modes, select(vec![256u64, 512, 1024, 4096]), reserve, 1..3usize, growth);
    parts.prop_map(|(durability, segment_size, reserve, snapshots_kept, growth)| Options {
        durability,
        segment_size,
        reserve,
        snapshots_kept,
        checkpoint_bytes: growth.unwrap_or(u64::MAX),
        auto_checkpoint: growth.is_some(),
        ..Options::default()
    })
}

pub(crate) fn history() -> impl Strategy<Value = History> {
    let parts = (select(Model::ALL.to_vec()), options(), vec(life(), 1..5));
    parts.prop_map(|(model, options, lives)| History { model, options, lives })
}
