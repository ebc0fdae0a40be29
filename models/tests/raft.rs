//! The Raft store, and redb below it, on the disk that forgets.

use highwater_models::views::redb::{Copied, InPlace, votes};
use highwater_models::views::{VIEWS, raft};
use highwater_sim::{
    Campaign, Device, Easy, FailedSync, Failure, Model, Report, Rule, Settings, Verdict,
};

/// redb checksums whole pages, and writes them whole.
const PAGES: Device = Device { sector: 4096, ..Device::PLAIN };

fn campaign(model: Model, crashes: u32, failures: Vec<Failure>) -> Campaign {
    let settings = Settings { model, device: PAGES, crashes, threads: 2, ..Settings::default() };
    Campaign { settings, failures, control: true }
}

fn held(subject: &Easy, campaign: &Campaign) -> Report<Easy> {
    let report = campaign.run(subject, &mut |_| ());
    let why = report.finding.as_ref().map(ToString::to_string).unwrap_or_default();
    let (model, tally) = (campaign.settings.model, &report.tally);
    let (states, count) = (tally.states_total, report.recoveries());
    println!("{model}: {}, {states:?} states, {count} recoveries", report.verdict);
    assert_eq!(report.verdict, Verdict::Held, "{model}: {why}");
    assert_eq!(report.control_caught, Some(true), "{model}");
    assert!(tally.exhaustive, "{model}: every trail");
    report
}

/// How many states there are is known where a hole in a file has one content only: redb leaves one
/// of a megabyte, which elsewhere has more states than 128 bits can count.
#[test]
fn the_raft_store_is_held() {
    let view = VIEWS.iter().find(|view| view.name == "raft").unwrap();
    for model in Model::ALL {
        // Under `posix` two take five minutes: `highwater run --engine raft`.
        let crashes = if model == Model::Ext4Journal { 2 } else { 1 };
        let report = held(&(view.subject)(), &campaign(model, crashes, Vec::new()));
        let counted = matches!(model, Model::Ext4Journal | Model::Strict);
        assert_eq!(report.exhaustive(), counted, "{model}");
    }
}

#[test]
fn a_failed_sync_is_the_last_thing_that_the_raft_store_does() {
    let failures = FailedSync::TOLD.map(Failure::Sync).to_vec();
    held(&raft(usize::MAX), &campaign(Model::Posix, 1, failures));
}

#[test]
fn the_metadata_are_held() {
    held(&votes::<Copied>(), &campaign(Model::Posix, 1, Vec::new()));
}

/// redb sets the length of a new file before it writes the number by which it knows it: killed in
/// between it calls the file none of its own, for good. In the Raft store a file has its name only
/// once it is whole (RM2).
#[test]
fn redb_under_its_own_name_cannot_be_opened_after_a_kill() {
    let subject = votes::<InPlace<false>>();
    let report = campaign(Model::Posix, 1, Vec::new()).run(&subject, &mut |_| ());
    let finding = report.finding.expect("it is found");
    assert_eq!((report.verdict, finding.broken.rule), (Verdict::Violated, Rule::P5FalseAlarm));
    assert!(finding.broken.what.contains("magic number mismatch"), "{}", finding.broken.what);
}
