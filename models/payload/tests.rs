use crate::{Case, PayloadSubject, Setup, Workload};
use highwater::Durability;
use highwater_sim::{
    Campaign, Explorer, FailedSync, Failure, Model, Rule, Settings, Subject, Verdict,
};

fn subject(text: &str, durability: Durability) -> PayloadSubject {
    let workload = text.parse().expect("a workload");
    PayloadSubject::new(Case { workload, setup: Setup { durability, ..Setup::default() } })
}

#[test]
fn a_short_workload_is_held_under_every_model_and_its_control_is_caught() {
    for model in Model::ALL {
        let settings = Settings { model, ..Settings::default() };
        let campaign = Campaign { settings, ..Campaign::default() };
        let subject =
            PayloadSubject::new(Case { workload: Workload::standard(3), ..Case::default() });
        let report = campaign.run(&subject, &mut |_| ());
        assert_eq!(report.verdict, Verdict::Held, "{model}: {:?}", report.finding);
        assert!(report.exhaustive(), "{model}");
        assert_eq!(report.control_caught, Some(true), "{model}");
    }
}

#[test]
fn every_mode_keeps_what_it_promises_and_no_more_is_asked() {
    let text = "put 1 x16\ndeferred 2 x9\ndelete 1\nflush\nput 3 x5\ncheckpoint\nreopen\nput 1 x3";
    for durability in [Durability::Fsync, Durability::FlushOnly, Durability::None] {
        let settings = Settings { crashes: 1, ..Settings::default() };
        let tally = Explorer::new(settings).run(&subject(text, durability));
        assert_eq!(tally.found, None, "{durability:?}");
    }
}

/// The subject must notice what a store without syncs loses: in mode `Fsync` an acknowledged put,
/// in the others what was flushed.
#[test]
fn lost_syncs_are_noticed() {
    let deaf = Settings { deaf: true, crashes: 1, ..Settings::default() };
    // Without syncs a snapshot may be there before its bytes, which is reported as damage.
    let (loss, damage) = (Some(Rule::P1Loss), Some(Rule::P5FalseAlarm));
    for (text, durability, noticed) in [
        ("put 1 x16", Durability::Fsync, loss),
        ("deferred 1 x16\nflush", Durability::Fsync, loss),
        ("deferred 1 x16", Durability::Fsync, None),
        ("put 1 x16\nflush", Durability::None, loss),
        ("put 1 x16\ncheckpoint", Durability::FlushOnly, damage),
        ("put 1 x16\nreopen", Durability::None, loss),
        ("put 1 x16", Durability::FlushOnly, None),
        ("delete 1", Durability::Fsync, None),
        ("batch\nflush", Durability::Fsync, None),
    ] {
        let subject = subject(text, durability);
        let found = Explorer::new(deaf.clone()).run(&subject).found;
        assert_eq!(found.map(|found| found.broken.rule), noticed, "{text}");
        assert_eq!(subject.promises_durable(), noticed.is_some(), "{text}");
    }
}

#[test]
fn a_failed_sync_poisons_and_a_failed_checkpoint_need_not() {
    for family in FailedSync::TOLD {
        let settings =
            Settings { failure: Some(Failure::Sync(family)), crashes: 1, ..Settings::default() };
        let tally =
            Explorer::new(settings).run(&subject("put 1 x16\ncheckpoint", Durability::Fsync));
        assert_eq!(tally.found, None, "{family}");
        for what in [super::POISONED, super::GOES_ON] {
            assert!(tally.reach.contains_key(what), "{family}: never reached {what}");
        }
    }
}

/// Found here once: in the modes without a sync an operation, a poisoned handle acknowledged a
/// batch of nothing.
#[test]
fn failed_syncs_are_survived_in_every_mode() {
    for durability in [Durability::Fsync, Durability::FlushOnly, Durability::None] {
        for family in FailedSync::TOLD {
            let settings = Settings { failure: Some(Failure::Sync(family)), ..Settings::default() };
            let subject = subject("put 1 x16\ndeferred 2 x9\nflush\ndelete 1", durability);
            let tally = Explorer::new(settings).run(&subject);
            assert_eq!(tally.found, None, "{durability:?}, {family}");
            assert!(tally.reach.contains_key(super::POISONED), "{durability:?}, {family}");
        }
    }
}

#[test]
fn smaller_subjects_run_smaller_workloads() {
    let subject = subject("put 1 x16\nbatch 2 x1, 3 x1", Durability::None);
    let texts: Vec<String> =
        subject.smaller().iter().map(|s| s.case().workload.compact()).collect();
    let all = [
        "p1-x1_b2-x1~3-x1",
        "p1-x16",
        "b2-x1~3-x1",
        "p1-x16_b3-x1",
        "p1-x16_b2-x1",
        "p1-x8_b2-x1~3-x1",
    ];
    assert_eq!(texts, all);
    assert!(subject.smaller().iter().all(|s| s.case().setup.durability == Durability::None));
}
