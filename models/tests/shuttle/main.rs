//! The whole store under schedules of threads, on a disk that is cut on the way: its own sources,
//! compiled with the locks of a scheduler (`models/shuttle`). Here schedules are many and disks
//! few; `models/threads` crosses few schedules with every disk.
//!
//! Each life is cut at two moments of its schedule, all that is pending lost and all of it kept,
//! and after every reader; what is recovered, what callers were told and what is there after a
//! shutdown must have one order that explains it (`highwater_models::history`, with the LSNs).
//! A failure names program, scheduler and seed, which show it again. 128,000 schedules take 25 s
//! of processor time; with `HIGHWATER_BOUNDS=full` there are ten times as many.
//!
//! Weak memory is not in it, and time never passes: see the models of loom for both. The schedules
//! in order vary the last decisions of a life and not the first; they are a few, beside the others.

mod disk;
mod life;
mod schedules;
mod service;
mod views;

use disk::Race;
use highwater_shuttle::Durability;
use life::Act::{Batch, Close, Deferred, Delete, Flush, Get, Put, PutLarge, Snapshot};
use life::{Program, Seen};
use schedules::{BATCH, Chosen, batch, hold};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const SMALL: Program = Program {
    name: "crowd",
    mode: Durability::Fsync,
    size: 300,
    reserve: 0,
    threads: &[&[Put(1), Put(2)], &[Put(1), Get(1), Get(2)], &[Delete(1), Put(2)]],
    race: None,
};

fn reached(counter: &AtomicU64, what: &str) {
    assert!(counter.load(Ordering::Relaxed) > 0, "never reached: {what}");
}

fn all_judged(seen: &Seen) {
    let (unknown, schedules) = (&seen.unknown, &seen.schedules);
    let (unknown, schedules) = (unknown.load(Ordering::Relaxed), schedules.load(Ordering::Relaxed));
    assert!(unknown * 100 <= schedules, "{unknown} verdicts of {schedules} schedules are open");
}

/// S1, S5, Q2, L4: writers, a reader and a deleter, with rotations.
#[test]
fn shuttle_s5_a_crowd() {
    let seen = hold(SMALL, 12_000, 10_000, 0);
    all_judged(&seen);
    reached(&seen.rotated, "a rotation");
    reached(&seen.open, "a cut that decides something");
}

/// S6: snapshots while others write, delete and read.
#[test]
fn shuttle_s6_snapshots() {
    let threads: &[&[life::Act]] =
        &[&[Put(2), Snapshot], &[Snapshot, Delete(1)], &[Get(1), Put(3), Get(2)]];
    let seen = hold(Program { name: "snapshots", threads, ..SMALL }, 12_000, 10_000, 0);
    all_judged(&seen);
}

/// S5, L6: changes that wait for nobody among those that wait.
#[test]
fn shuttle_s5_deferred() {
    let threads: &[&[life::Act]] =
        &[&[Deferred(1), Flush], &[Put(1), Get(1)], &[Batch(1, 2), Get(2)]];
    let program = Program { name: "deferred", threads, size: 4000, reserve: 4096, ..SMALL };
    all_judged(&hold(program, 10_000, 8_000, 0));
}

/// Q5: every operation is done or refused, and a closed log is whole.
#[test]
fn shuttle_q5_shutdown() {
    let threads: &[&[life::Act]] = &[&[Put(1), Put(2)], &[Delete(1), Put(3)], &[Close, Get(1)]];
    let seen = hold(Program { name: "shutdown", threads, ..SMALL }, 10_000, 10_000, 0);
    all_judged(&seen);
    reached(&seen.refused, "a refusal");
}

/// L6, S5: without waiting for the disk, but for the one whose record fills the buffer.
#[test]
fn shuttle_l6_buffers() {
    let threads: &[&[life::Act]] = &[&[PutLarge(1)], &[Delete(1), Get(1)], &[Put(2), Get(2)]];
    let mode = Durability::None;
    let program = Program { name: "buffers", threads, mode, size: 1 << 20, ..SMALL };
    all_judged(&hold(program, 8_000, 6_000, 0));
}

/// Two threads, in order of their schedules, from the last decision backwards.
#[test]
fn shuttle_s1_in_order() {
    let threads: &[&[life::Act]] = &[&[Put(1)], &[Get(1)]];
    all_judged(&hold(Program { name: "in order", threads, ..SMALL }, 0, 0, 8_000));
}

/// Races in the disk's part of the work: each is found within this many schedules, and by its seed
/// again.
#[test]
fn shuttle_planted_races_are_found() {
    const BUDGET: usize = 2_000;
    for (race, reason) in
        [(Race::SyncGivesWay, "P10"), (Race::SyncIsLate, "P1"), (Race::ReadDuringWrite, "S2, L6")]
    {
        let program = Program { race: Some(race), size: 250, ..SMALL };
        let seen = Arc::new(Seen::default());
        let run = |seed| batch(program, Chosen::Random, seed, BATCH, &seen);
        let found = (0..(BUDGET / BATCH) as u64).find_map(|seed| Some((seed, run(seed).err()?)));
        let Some((seed, why)) = found else { panic!("{race:?}: not in {BUDGET} schedules") };
        let schedules = seen.schedules.load(Ordering::Relaxed) + 1;
        println!("{race:?}: schedule {schedules}, seed {seed}: {}", why.lines().next().unwrap());
        assert!(why.contains(reason), "{race:?}: {why}");
        assert_eq!(run(seed), Err(why), "{race:?}: the seed shows it again");
    }
}
