//! The other views under every disk model, with two crashes: held, exhaustive, the control caught.

use highwater_models::views::VIEWS;
use highwater_sim::{Campaign, Model, Verdict};

fn judge(name: &str) {
    let view = VIEWS.iter().find(|view| view.name == name).unwrap();
    for model in Model::ALL {
        let mut campaign: Campaign = view.campaign();
        (campaign.settings.model, campaign.settings.threads) = (model, 2);
        if !matches!(model, Model::Posix | Model::Btrfs) {
            campaign.failures.clear(); // a hundred thousand recoveries each
        }
        let report = campaign.run(&(view.subject)(), &mut |_| ());
        let why = report.finding.as_ref().map(ToString::to_string).unwrap_or_default();
        let (total, count) = (report.tally.states_total, report.recoveries());
        println!("{name} {model}: {}, {total:?} states, {count} recoveries", report.verdict);
        assert_eq!(report.verdict, Verdict::Held, "{name} {model}: {why}");
        assert!(report.exhaustive(), "{name} {model}");
        assert_eq!(report.control_caught, Some(true), "{name} {model}");
    }
}

#[test]
fn the_key_value_store_is_held() {
    judge("kv");
}

#[test]
fn the_journal_is_held() {
    judge("journal");
}

/// S8: nobody asks for a sync.
#[test]
fn s8_a_record_is_durable_when_enough_is_behind_it() {
    judge("journal-batched");
}

#[test]
fn compaction_loses_nothing() {
    judge("payload-compaction");
}

#[test]
fn a_tick_keeps_what_it_says() {
    judge("payload-interval");
}
