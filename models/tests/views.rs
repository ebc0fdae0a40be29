//! The other views under every disk model, with two crashes.

use highwater_models::views::{compaction, interval, journal, key_value};
use highwater_sim::{Campaign, Easy, FailedSync, Failure, Model, Settings, Verdict};

fn judge(name: &str, subject: &Easy, model: Model, failures: Vec<Failure>) {
    let settings = Settings { model, threads: 2, ..Settings::default() };
    let campaign = Campaign { settings, failures, ..Campaign::default() };
    let report = campaign.run(subject, &mut |_| ());
    let why = report.finding.as_ref().map(ToString::to_string).unwrap_or_default();
    println!(
        "{name} {model:?}: {:?}, exhaustive {}, {:?} states, {} recoveries, control {:?}",
        report.verdict,
        report.exhaustive(),
        report.tally.states_total,
        report.recoveries(),
        report.control_caught
    );
    assert_eq!(report.verdict, Verdict::Held, "{name} {model:?}: {why}");
    assert_eq!(report.control_caught, Some(true), "{name} {model:?}");
}

#[test]
fn the_key_value_store_is_held() {
    for model in Model::ALL {
        judge("key-value", &key_value(18), model, told(model));
    }
}

#[test]
fn the_journal_is_held() {
    for model in Model::ALL {
        judge("journal", &journal(14), model, told(model));
    }
}

#[test]
fn compaction_loses_nothing() {
    for model in Model::ALL {
        judge("compaction", &compaction(), model, told(model));
    }
}

#[test]
fn a_tick_keeps_what_it_says() {
    for model in Model::ALL {
        // What is visible is not promised in this mode, which this reader takes it to be: so no call
        // fails here. (The payload store's own subject knows better: `--durability interval`.)
        judge("interval", &interval(), model, Vec::new());
    }
}

/// The syncs that fail and say so: a hundred thousand recoveries for a model, so under two of them.
fn told(model: Model) -> Vec<Failure> {
    match model {
        Model::Posix | Model::Btrfs => FailedSync::TOLD.map(Failure::Sync).to_vec(),
        _ => Vec::new(),
    }
}
