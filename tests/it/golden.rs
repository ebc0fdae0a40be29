//! What a real vector database did, explored; and a counterexample as people read it.

use highwater_models::{Case, PayloadSubject, Setup, Workload};
use highwater_sim::{Campaign, Model, Settings, SyncKind, Verdict, WithoutSync, Wrapped};
use std::path::Path;
use std::sync::Arc;

/// The operations of a golden vector, if the folder is there.
fn golden(name: &str) -> Option<Workload> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let path = root.join("../shared/golden/velesdb").join(name).join("ops.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(Workload::from_file_text(&text).unwrap()),
        Err(e) => {
            println!("SKIPPED: {}: {e}", path.display());
            None
        }
    }
}

/// The counts below are of a store that reserves no room.
fn growing() -> Setup {
    Setup { reserve: 0, ..Setup::default() }
}

#[test]
fn crc_reopen_is_held_and_exhaustive() {
    let Some(workload) = golden("crc-reopen") else { return };
    let subject = PayloadSubject::new(Case { workload, setup: growing() });
    for (model, states) in Model::ALL.into_iter().zip([4417, 3572, 3241, 2308, 2650, 2725, 2308]) {
        let settings = Settings { model, threads: 2, ..Settings::default() };
        let report = Campaign { settings, ..Campaign::default() }.run(&subject, &mut |_| ());
        let finding = report.finding.as_ref().map(ToString::to_string);
        assert_eq!((report.verdict, finding), (Verdict::Held, None), "{model}");
        assert!(report.exhaustive(), "{model}: {:?}", report.tally);
        assert_eq!(report.control_caught, Some(true), "{model}");
        assert_eq!(report.tally.states_total, Some(states), "{model}");
    }
}

/// Batches of a hundred, each in some fifteen sectors: more crash states than anybody can visit.
/// How many were, and how many there are, is known exactly all the same.
#[test]
fn crc_batch_is_held_as_far_as_it_was_explored() {
    let Some(workload) = golden("crc-batch") else { return };
    let subject = PayloadSubject::new(Case { workload, setup: growing() });
    let settings = Settings { crashes: 1, threads: 2, node_limit: 1000, ..Settings::default() };
    let report = Campaign { settings, ..Campaign::default() }.run(&subject, &mut |_| ());
    let finding = report.finding.as_ref().map(ToString::to_string);
    assert_eq!((report.verdict, finding), (Verdict::Held, None));
    assert_eq!((report.exhaustive(), report.control_caught), (false, Some(true)));
    assert_eq!(report.tally.states_total, Some(6_377_350));
    // Where the new length is lost, one recovery stands for all that the sectors might hold.
    let covered = report.tally.states_covered.unwrap();
    assert!((6_377_350 / 2..6_377_350).contains(&covered), "{covered}");
}

/// A store that creates its segments without ever syncing the directory.
#[test]
fn a_counterexample_says_what_is_missing() {
    let workload = Workload::standard(4);
    let subject = PayloadSubject::new(Case { workload, setup: growing() });
    let without = Wrapped::new(subject, |disk| {
        Arc::new(WithoutSync::when(disk, |call| call.kind == SyncKind::Dir))
    });
    let report = Campaign::default().run(&without, &mut |_| ());
    assert_eq!(report.verdict, Verdict::Violated);
    let finding = report.finding.unwrap();
    assert!(finding.reproduced);
    let case = finding.subject.subject().case();
    let missing = finding.missing().join("\n");
    insta::assert_snapshot!(format!("{}\n{finding}\n{missing}", case.workload));
}
