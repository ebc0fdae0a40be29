//! The whole store under schedules of threads, on a disk that is cut on the way: its own sources,
//! compiled with the locks of a scheduler (`models/shuttle`). Here schedules are many and disks
//! few; `models/threads` crosses few schedules with every disk.
//!
//! Each life is cut at two moments of its schedule, all that is pending lost and all of it kept,
//! and after every reader; what is recovered, what callers were told and what is there after a
//! shutdown must have one order that explains it (`highwater_models::history`, with the LSNs).
//! A failure names the schedule by a token, with which `shuttle_again` shows it again.
//! 152,000 schedules take 30 s of processor time; with `HIGHWATER_BOUNDS=full` there are ten times
//! as many.
//!
//! Weak memory is not in it, and time never passes: see the models of loom for both. The schedules
//! in order vary the last decisions of a life and not the first; they are a few, beside the others.

mod disk;
mod life;
mod programs;
mod schedules;
mod service;
mod views;

use life::{Seen, live};
use programs::{BUFFERS, COUNTED, CROWD, DEFERRED, FAILING, FLAWED, IN_ORDER, SHUTDOWN, SNAPSHOTS};
use schedules::{BATCH, Chosen, again, batch, hold, hold_view};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    let seen = hold(CROWD, 12_000, 10_000, 0);
    all_judged(&seen);
    reached(&seen.rotated, "a rotation");
    reached(&seen.open, "a cut that decides something");
}

/// S6: snapshots while others write, delete and read.
#[test]
fn shuttle_s6_snapshots() {
    all_judged(&hold(SNAPSHOTS, 12_000, 10_000, 0));
}

/// S5, L6: changes that wait for nobody among those that wait.
#[test]
fn shuttle_s5_deferred() {
    all_judged(&hold(DEFERRED, 10_000, 8_000, 0));
}

/// Q5: every operation is done or refused, and a closed log is whole.
#[test]
fn shuttle_q5_shutdown() {
    let seen = hold(SHUTDOWN, 10_000, 10_000, 0);
    all_judged(&seen);
    reached(&seen.refused, "a refusal");
}

/// L6, S5: without waiting for the disk, but for the one whose record fills the buffer.
#[test]
fn shuttle_l6_buffers() {
    all_judged(&hold(BUFFERS, 8_000, 6_000, 0));
}

/// S8: a cut at any answer takes fewer acknowledged records than may wait for a sync.
#[test]
fn shuttle_s8_counted() {
    let seen = hold(COUNTED, 4_000, 4_000, 0);
    all_judged(&seen);
    reached(&seen.most_lost, "an acknowledged record that is lost");
}

/// Two threads, in order of their schedules, from the last decision backwards.
#[test]
fn shuttle_s1_in_order() {
    all_judged(&hold(IN_ORDER, 0, 0, 8_000));
}

/// L5, Q2: a sync or a write fails while three threads append. Everybody is answered; who was
/// acknowledged is durable; who begins after somebody was told of it is refused.
#[test]
fn shuttle_l5_the_disk_fails() {
    for program in FAILING {
        let seen = hold(program, 1_000, 1_000, 0);
        all_judged(&seen);
        reached(&seen.failed, "a caller who is told");
        reached(&seen.refused, "a caller who comes later");
        // Who finds a full segment is alone with it.
        if !program.name.starts_with("sync-dir") {
            reached(&seen.failed_together, "two for whom one has asked the disk");
        }
    }
}

/// K4, K2.
#[test]
fn shuttle_k4_counters_and_locks() {
    let [refused, ..] = hold_view("kv");
    assert!(refused > 0, "a lock that was held");
}

/// J2.
#[test]
fn shuttle_j2_readers_and_clean_ups() {
    let [found, ..] = hold_view("journal");
    assert!(found > 0, "a reader that found something");
}

#[test]
fn shuttle_the_last_sync_of_the_service() {
    let [early, ..] = hold_view("last-sync");
    assert!(early > 0, "acknowledged before the service was stopped");
}

/// Q5.
#[test]
fn shuttle_q5_the_store_is_closed_under_the_service() {
    let refused = hold_view("closed-under-the-service");
    assert!(refused.iter().all(|n| *n > 0), "never refused, in one of three ways: {refused:?}");
}

/// Flaws in the disk's part of the work: each is found within this many schedules, and its token
/// shows it again, in one schedule.
#[test]
fn shuttle_planted_flaws_are_found_and_shown_again() {
    const BUDGET: usize = 2_000;
    for (program, rule) in FLAWED {
        let seen = Arc::new(Seen::default());
        let run = |seed| {
            let seen = Arc::clone(&seen);
            batch(program.name, Chosen::Random, seed, BATCH, move || live(&program, &seen))
        };
        let found = (0..(BUDGET / BATCH) as u64).find_map(|seed| run(seed).err());
        let Some(failure) = found else { panic!("{}: not in {BUDGET} schedules", program.name) };
        let schedules = seen.schedules.load(Ordering::Relaxed) + 1;
        let why = failure.why.lines().next().unwrap();
        println!("schedule {schedules}: {why}\n{}", failure.token);
        let (broken, _) = why.split_once(':').unwrap_or_default();
        assert_eq!(broken, rule, "{}: {failure}", program.name);
        assert_eq!(again(&failure.token), Err(failure), "the token shows it again");
    }
}

/// The schedule of the token in `HIGHWATER_SCHEDULE`.
#[test]
fn shuttle_again() {
    let Ok(token) = std::env::var("HIGHWATER_SCHEDULE") else { return };
    again(&token).unwrap_or_else(|failure| panic!("{failure}"));
    println!("nothing breaks");
}
