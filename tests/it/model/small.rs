//! Small scope: every sequence of up to four operations, and every crash state of each.

use highwater::Row;
use highwater_models::{Case, PayloadSubject, Workload};
use highwater_sim::{Explorer, Model, Settings, Tally};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const ALPHABET: [&str; 7] = [
    "put 1 x16",
    "put 2 x40",
    "delete 1",
    "batch 1 x16, 2 x16",
    "deferred 2 x16, 3 x16",
    "checkpoint",
    "reopen",
];

/// Three or four records fill a segment.
const SETUP: &str = "fsync_256_1";

/// Explores all sequences of exactly `length` operations: the crash points of one include those of
/// all its beginnings.
fn all(length: u32, settings: &Settings) -> Tally {
    let next = AtomicUsize::new(0);
    let count = ALPHABET.len().pow(length);
    let (none, exhaustive) = (Some(0), true);
    let empty = Tally { states_covered: none, states_total: none, exhaustive, ..Tally::default() };
    let sum = Mutex::new(empty);
    let work = || {
        loop {
            let nth = next.fetch_add(1, Ordering::Relaxed);
            if nth >= count {
                return;
            }
            let op = |at| ALPHABET[nth / ALPHABET.len().pow(at) % ALPHABET.len()];
            let text: String = (0..length).map(|at| format!("{}\n", op(at))).collect();
            let workload: Workload = text.parse().unwrap();
            let setup = SETUP.parse().unwrap();
            let tally =
                Explorer::new(settings.clone()).run(&PayloadSubject::new(Case { workload, setup }));
            assert_eq!(tally.found, None, "{text}{settings:?}");
            assert!(tally.exhaustive && !tally.diverged, "{text}");
            assert_eq!(tally.states_covered, tally.states_total, "{text}");
            sum.lock().unwrap().add(&tally);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(work)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    sum.into_inner().unwrap()
}

fn explore(model: Model, length: u32, crashes: u32) {
    let settings = Settings { model, crashes, ..Settings::default() };
    let Tally { recoveries, states_covered, reach, .. } = all(length, &settings);
    let states = states_covered.unwrap();
    println!(
        "{model}, {length} operations, {crashes} crashes: {recoveries} recoveries, {states} states"
    );
    for row in Row::ALL.into_iter().filter(|row| !matches!(row, Row::R6Corrupt | Row::R7Gap)) {
        assert!(reach.get(row.name()).is_some_and(|&n| n > 1000), "{}: {reach:?}", row.name());
    }
}

#[test]
fn all_sequences_of_up_to_four_operations_with_one_crash() {
    for model in Model::ALL {
        explore(model, 4, 1);
    }
}

#[test]
fn all_sequences_of_up_to_three_operations_with_two_crashes() {
    explore(Model::Posix, 3, 2);
}
