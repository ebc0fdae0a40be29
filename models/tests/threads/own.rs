//! The stores of this project among threads, and beside them those with a flaw.

use highwater_models::threads::{CONCURRENT, Concurrent, Plan, run};
use highwater_models::{Job, engine};
use highwater_sim::{Campaign, Settings, Verdict};

fn concurrent(name: &str) -> &'static Concurrent {
    CONCURRENT.iter().find(|concurrent| concurrent.name == name).expect("it is listed")
}

/// Every schedule with one preemption, and random ones, with one crash. In a full run what
/// `highwater run` does: fewer schedules, two crashes, failing syncs.
#[track_caller]
fn is_held(name: &str, least: u64) {
    let (own, settings) = (concurrent(name), Settings { threads: 2, ..Settings::default() });
    let full = std::env::var("HIGHWATER_BOUNDS").is_ok_and(|bounds| bounds == "full");
    let (campaign, plan) = if full {
        (Campaign { settings, ..Campaign::default() }, own.plan())
    } else {
        let settings = Settings { crashes: 1, ..settings };
        let plan = Plan { bound: Some(1), random: 100, pct: 100, ..Plan::default() };
        (Campaign { settings, failures: Vec::new(), control: true }, plan)
    };
    let ran = run(&campaign, plan, &(own.subject)(), &mut |_| ());
    println!("{name}: {:?}, {} recoveries", ran.schedules, ran.report.recoveries());
    assert_eq!(ran.report.verdict, Verdict::Held, "{name}: {:?}", ran.report.finding);
    assert_eq!(ran.report.control_caught, Some(true));
    let whole = ran.schedules.complete == Some(1) && ran.schedules.different > least;
    assert!(full || whole && ran.report.exhaustive(), "{name}: {:?}", ran.schedules);
}

#[test]
fn shuttle_the_payload_store_is_held_under_every_schedule_with_one_preemption() {
    is_held("payload-threads", 100);
}

/// K4, and every answer of a lock and a counter.
#[test]
fn shuttle_k4_the_key_value_store_is_held_under_every_schedule_with_one_preemption() {
    is_held("kv-threads", 100);
}

/// J2: a record that a cursor keeps is there.
#[test]
fn shuttle_j2_the_journal_is_held_under_every_schedule_with_one_preemption() {
    is_held("journal-threads", 100);
}

/// Each breaks its promise, and none while threads take turns.
#[test]
fn shuttle_the_flaws_are_found_and_walk_again() {
    for flaw in CONCURRENT.iter().filter(|concurrent| concurrent.rule.is_some()) {
        let flawed = engine(flaw.name).expect("every one is listed");
        let campaign = Campaign { failures: Vec::new(), ..flawed.campaign() };
        let alone = run(&campaign, Plan::ALONE, &(flaw.subject)(), &mut |_| ());
        assert_eq!(alone.report.verdict, Verdict::Held, "{}: {:?}", flaw.name, alone.report);
        let job = Job { campaign, plan: flawed.plan(), ..Job::default() };
        let found = flawed.run(&job, &mut |_| ());
        let counterexample = found.counterexample.expect("a counterexample");
        println!("{}: {}", flaw.name, counterexample.token);
        println!("{}, {:?}", counterexample.broken.what, counterexample.workload);
        let broken = (found.verdict, Some(counterexample.broken.rule));
        assert_eq!(broken, (flaw.expected, flaw.rule), "{}", counterexample.broken.what);
        let token = counterexample.token.to_string().parse().expect("it is a token");
        let walks = flawed.replay(&token).expect("its own token");
        assert!(walks.agree() && walks.first.broken.is_some(), "{token}");
    }
}
