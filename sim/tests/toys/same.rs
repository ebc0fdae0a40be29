//! The same subject and settings give the same report: on one thread and on three, today and
//! tomorrow.

use crate::judge::{JUDGED, acts_of, put};
use crate::{ack, ckpt, rec};
use highwater_sim::{Act, Easy, Explorer, Kv, Model, Settings, Tally};

fn tally<K: Kv>(acts: &[Act], settings: &Settings, threads: usize) -> Tally {
    let settings = Settings { threads, ..settings.clone() };
    Explorer::new(settings).run(&Easy::<K>::new(acts.to_vec()))
}

fn same<K: Kv>(acts: &[Act], found: bool) {
    for model in JUDGED {
        let settings = Settings { model, ..Settings::default() };
        let first = tally::<K>(acts, &settings, 1);
        assert_eq!(first.found.is_some(), found && model == Model::Posix, "{model}");
        for threads in [1, 2, 3] {
            assert_eq!(tally::<K>(acts, &settings, threads), first, "{model}, {threads} threads");
        }
    }
}

#[test]
fn a_twin_on_one_thread_and_on_three() {
    same::<ack::Acked<true>>(&acts_of(&[(1, 20), (2, 600), (1, 30)]), false);
    same::<rec::Slots<true>>(&acts_of(&[(1, 500), (2, 30)]), false);
}

#[test]
fn a_bug_on_one_thread_and_on_three() {
    same::<ckpt::Published<false>>(&[put(1, 20), Act::Checkpoint, put(2, 30)], true);
}
