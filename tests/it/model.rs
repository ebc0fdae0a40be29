//! The store against the window of what its callers were told: random histories of operations,
//! crashes and faults, and all short ones. The other views: long histories, by a state machine.

mod history;
mod journal;
mod judge;
mod kv;
mod leases;
mod lives;
mod long;
mod records;
mod run;
mod small;
mod switch;

use highwater_sim::Reach;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use run::Run;
use std::cell::RefCell;

/// How many times as many cases: for a run in anger.
fn times() -> u32 {
    std::env::var("HIGHWATER_TIMES").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// What must have happened in `CASES` histories, and how often at least.
const REACHED: [(&str, u64); 27] = [
    ("lives", 10_000),
    ("power cuts", 5_000),
    ("kills", 2_000),
    ("cut within", 3_000),
    ("cut at the end", 3_000),
    ("torn tails", 500),
    ("recoveries that copied", 1_000),
    ("snapshots used", 1_000),
    ("files removed", 1_000),
    ("lives that end with several segments", 500),
    ("opens that failed", 300),
    ("operations that failed", 1_000),
    ("refused when poisoned", 1_000),
    ("goes on after a failed checkpoint", 30),
    ("acknowledged after a failed checkpoint", 30),
    ("seen although failed", 1),
    ("EIO", 300),
    ("EIO after a part", 100),
    ("ENOSPC", 100),
    ("full", 100),
    ("short", 500),
    ("EINTR", 300),
    ("keep-dirty", 50),
    ("keep-new", 50),
    ("revert", 50),
    ("histories", CASES as u64),
    ("operations acknowledged", 20_000),
];
const CASES: u32 = 6_000;

#[test]
fn random_histories_land_in_the_window() {
    let reach = RefCell::new(Reach::new());
    for seed in [1, 2] {
        let cases = CASES / 2 * times();
        let rng_seed = RngSeed::Fixed(seed);
        let config = Config { cases, failure_persistence: None, rng_seed, ..Config::default() };
        println!("seed {seed}, {cases} histories");
        let ran = TestRunner::new(config).run(&history::history(), |history| {
            let mut run = Run::new(&history);
            let lived = run.live();
            let mut reach = reach.borrow_mut();
            run.reach.insert("histories", 1);
            run.reach.insert("operations acknowledged", run.window.accepted() as u64);
            run.reach.iter().for_each(|(what, n)| *reach.entry(what).or_default() += n);
            lived.map_err(TestCaseError::fail)
        });
        if let Err(TestError::Fail(why, history)) = ran {
            let mut again = Run::new(&history);
            again.story = Some(String::new());
            let lived = again.live();
            let story = again.story.unwrap_or_default();
            panic!("seed {seed}: {why}\n{story}{lived:?}\n{history:?}");
        }
        ran.unwrap();
    }
    let reach = reach.into_inner();
    for (what, count) in &reach {
        println!("{count:>9} {what}");
    }
    for (what, least) in REACHED {
        let count = reach.get(what).copied().unwrap_or(0);
        assert!(count >= least, "{what}: {count} times, wanted {least}");
    }
}
