//! The same subject and settings give the same report: on one thread and on three, today and
//! tomorrow.

use crate::verdicts::{CORRECT, Log, NO_SYNC_DIR, put};
use highwater_sim::{Act, Device, Easy, Explorer, FailedSync, Failure, Model, Settings, Tally};

fn tally<const QUIRK: u8>(acts: &[Act], settings: &Settings, threads: usize) -> Tally {
    let settings = Settings { threads, ..settings.clone() };
    Explorer::new(settings).run(&Easy::new::<Log<QUIRK>>(acts.to_vec()).stops())
}

fn same<const QUIRK: u8>(acts: &[Act], settings: &Settings, found: bool) {
    let first = tally::<QUIRK>(acts, settings, 1);
    assert!(first.recoveries > 20 || found, "{settings:?}: too few to differ");
    assert_eq!(first.found.is_some(), found, "{settings:?}");
    for threads in [1, 2, 3] {
        assert_eq!(tally::<QUIRK>(acts, settings, threads), first, "{threads}: {settings:?}");
    }
}

#[test]
fn a_correct_engine_on_one_thread_and_on_three() {
    let acts = [put(1, 20), put(2, 600), Act::Delete(1)];
    for model in Model::ALL {
        same::<CORRECT>(&acts, &Settings { model, ..Settings::default() }, false);
    }
    let failure = Some(Failure::Sync(FailedSync::KeepNew));
    same::<CORRECT>(&acts[..2], &Settings { failure, ..Settings::default() }, false);
    let device: Device = "tear=prefix".parse().expect("a device");
    same::<CORRECT>(&acts[..2], &Settings { device, crashes: 1, ..Settings::default() }, false);
}

/// Elsewhere than under `posix` the sync of the grown file takes its name along.
#[test]
fn a_bug_on_one_thread_and_on_three() {
    for model in Model::ALL {
        let settings = Settings { model, ..Settings::default() };
        same::<NO_SYNC_DIR>(&[put(1, 20), put(2, 30)], &settings, model == Model::Posix);
    }
}
