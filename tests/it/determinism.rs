//! The same on one thread and on three; and the number of crash states, by hand and by brute force.

use highwater_models::{Case, PayloadSubject, Setup, Workload};
use highwater_sim::{
    Campaign, Explorer, Failure, Model, Report, Settings, Subject, Tally, Verdict, WithoutSync,
    Wrapped,
};
use highwater_vfs::{OpenMode, Vfs, read_full_at};
use std::path::Path;
use std::sync::Arc;

/// The first `ops` operations of the fixed workload: mode `Fsync`, segments of 2 KiB, four puts of
/// 16 bytes, an overwrite, a delete, a batch of three, a checkpoint.
fn standard(ops: usize) -> PayloadSubject {
    PayloadSubject::new(Case { workload: Workload::standard(ops), ..Case::default() })
}

/// The same without reserved room: each write then has a length of its own.
fn growing(ops: usize) -> PayloadSubject {
    let setup = Setup { reserve: 0, ..Setup::default() };
    PayloadSubject::new(Case { workload: Workload::standard(ops), setup })
}

fn explored(subject: &impl Subject, settings: &Settings) -> Tally {
    let tally = Explorer::new(settings.clone()).run(subject);
    assert!(!tally.diverged && !tally.out_of_budget);
    tally
}

/// All that a report says.
fn figures<S>(report: &Report<S>) -> (Verdict, Tally, Vec<(Failure, Tally)>, Option<bool>) {
    (report.verdict, report.tally.clone(), report.failures.clone(), report.control_caught)
}

/// F2 too: otherwise the threads would disagree, and a walk of the trail with itself.
#[test]
fn e5_a_report_does_not_depend_on_the_number_of_threads() {
    let on = |threads| {
        let settings = Settings { threads, ..Settings::default() };
        Campaign { settings, ..Campaign::default() }.run(&standard(8), &mut |_| ())
    };
    let one = on(1);
    assert_eq!(
        (one.verdict, one.exhaustive(), one.control_caught),
        (Verdict::Held, true, Some(true))
    );
    println!("{} recoveries, {:?} states", one.recoveries(), one.tally.states_total);
    for threads in [2, 3] {
        assert_eq!(figures(&on(threads)), figures(&one), "{threads} threads");
    }
}

#[test]
fn e5_nor_does_a_finding() {
    for ordinal in 0..6 {
        let on = |threads| {
            let settings = Settings { threads, ..Settings::default() };
            let nth = move |disk| Arc::new(WithoutSync::nth(disk, ordinal)) as Arc<dyn Vfs>;
            let without = Wrapped::new(standard(8), nth);
            let report = Campaign { settings, ..Campaign::default() }.run(&without, &mut |_| ());
            assert_eq!(report.verdict, Verdict::Violated, "without sync {ordinal}");
            let finding = report.finding.as_ref().map(ToString::to_string);
            (figures(&report), finding)
        };
        let one = on(1);
        assert!([2, 3].into_iter().all(|threads| on(threads) == one), "without sync {ordinal}");
    }
}

/// The states of each crash point of the fixed workload, power loss alone, by hand: the product
/// over the cells of the number of values that each may hold, unless an order ties them.
///
/// A frame is 32 bytes and its entries, an entry 16 bytes and its payload. So the segment ends,
/// after its header, at 48, 112, 176, 240, 304, 368, 416 (the delete) and, after the batch of
/// 3 * 32, at 544: in its second sector. Between two syncs lie these events:
///
/// - the first put: the segment's name | its first sector and its length;
/// - four more puts and the delete, each: the first sector again, and the length;
/// - the batch: the first sector again, the second one, and the length;
/// - the checkpoint: a name, a sector (64 + 16 + 6 * 32 + 32 bytes) and a length | the rename;
/// - the end: nothing;
/// - and before each of the seven that change something began: nothing, for all before it was
///   acknowledged.
///
/// `posix` knows no order, and a sector that was never durable may hold zeros or garbage (nothing
/// was removed that could be stale), so it has three values where it is written once. The file's
/// sync leaves its name pending, so the rename comes second in a chain of two.
///
/// The others write the length behind the name, so syncing the temporary file takes its name along.
/// `ext4-writeback` has no fill here but zeros. `ext4-ordered` writes a new block before the length
/// that exposes it; `xfs` and `btrfs` the grown sector, too. `ext4-journal` and `strict` keep one
/// chain: n events, n + 1 states.
const BY_HAND: [(Model, [u128; 11]); 7] = [
    (Model::Posix, [2, 3 * 2, 2 * 2, 2 * 2, 2 * 2, 2 * 2, 2 * 2, 2 * 3 * 2, 2 * 3 * 2, 3, 1]),
    (Model::Ext4Writeback, [2, 2 * 2, 4, 4, 4, 4, 4, 2 * 2 * 2, 2 * 3, 2, 1]),
    (Model::Ext4Ordered, [2, 3, 2 * 2, 2 * 2, 2 * 2, 2 * 2, 2 * 2, 2 * 3, 2 * 2 + 1, 2, 1]),
    (Model::Ext4Journal, [2, 3, 3, 3, 3, 3, 3, 4, 4, 2, 1]),
    (Model::Xfs, [2, 3, 3, 3, 3, 3, 3, 2 * 2 + 1, 2 * 2 + 1, 2, 1]),
    (Model::Btrfs, [2, 3, 3, 3, 3, 3, 3, 2 * 2 + 1, 2 * 2 + 1, 2, 1]),
    (Model::Strict, [2, 3, 3, 3, 3, 3, 3, 4, 4, 2, 1]),
];

/// Five puts, a delete and a batch.
const BEGINNINGS: u64 = 7;

#[test]
fn the_states_of_one_crash_are_those_counted_by_hand() {
    for (model, points) in BY_HAND {
        let settings = Settings { model, crashes: 1, kill: false, ..Settings::default() };
        let tally = explored(&growing(8), &settings);
        assert_eq!(tally.crash_points, points.len() as u64 + BEGINNINGS, "{model}");
        let states = points.iter().sum::<u128>() + u128::from(BEGINNINGS);
        assert_eq!(tally.states_total, Some(states), "{model}");
        assert_eq!(tally.states_covered, tally.states_total, "{model}");
    }
}

#[test]
fn the_states_of_two_crashes_stay_what_they_are() {
    for (subject, expected) in [
        (growing(8), [2798, 2121, 1876, 1305, 1547, 1588, 1305]),
        (standard(8), [2967, 1541, 1500, 1206, 1474, 1505, 1206]),
    ] {
        let totals = Model::ALL.map(|model| {
            let tally = explored(&subject, &Settings { model, ..Settings::default() });
            assert_eq!(tally.states_total, tally.states_covered, "{model}");
            tally.states_total.unwrap()
        });
        assert_eq!(totals, expected, "another store, or another way to count?");
    }
}

/// Looks at everything on the disk that can be seen: sectors behind a file's end cannot.
fn look(disk: &dyn Vfs, folder: &str) {
    for name in disk.list(Path::new(folder)).unwrap() {
        let file = disk.open(Path::new(&name), OpenMode::Read).unwrap();
        let mut bytes = vec![0; file.size().unwrap() as usize];
        read_full_at(&*file, &mut bytes, 0).unwrap();
    }
}

/// The same subject in lives that look at everything before they begin: nothing is decided late.
fn eager<S: Subject>(subject: S) -> Wrapped<S> {
    Wrapped::new(subject, |disk| {
        look(&*disk, "");
        disk
    })
}

#[test]
fn e4_deciding_everything_first_gives_the_same_states_and_verdicts() {
    let (mut late_recoveries, mut eager_recoveries) = (0, 0);
    // Of the older snapshot and of the segment it covers, recovery looks at nothing.
    let covered = "put 1 x300\nput 1 x300\ncheckpoint\nput 2 x16\ncheckpoint\nput 1 x16\n";
    let setup = "fsync_512_2".parse().unwrap();
    let covered = PayloadSubject::new(Case { workload: covered.parse().unwrap(), setup });
    let subjects = [standard(1), standard(2), standard(3), covered];
    for (model, subject) in Model::ALL.iter().flat_map(|m| subjects.iter().map(move |s| (*m, s))) {
        for crashes in [1, 2] {
            let settings = Settings { model, crashes, ..Settings::default() };
            let late = explored(subject, &settings);
            let early = explored(&eager(subject.clone()), &settings);
            assert_eq!((&late.found, &early.found), (&None, &None));
            assert!(late.exhaustive && early.exhaustive);
            let totals = [&late, &early].map(|tally| (tally.states_covered, tally.states_total));
            let workload = &subject.case().workload;
            assert_eq!(totals[0], totals[1], "{model}, {crashes} crashes, {workload}");
            late_recoveries += late.recoveries;
            eager_recoveries += early.recoveries;
        }
    }
    println!("{late_recoveries} recoveries, {eager_recoveries} of eager readers");
    assert!(late_recoveries < eager_recoveries);
}

#[test]
fn and_finds_the_same_syncs_missing() {
    for model in Model::ALL {
        let mut verdicts = Vec::new();
        for ordinal in 0..4 {
            let nth = move |disk| Arc::new(WithoutSync::nth(disk, ordinal)) as Arc<dyn Vfs>;
            let settings = Settings { model, ..Settings::default() };
            let late = explored(&Wrapped::new(standard(2), nth), &settings).found;
            let early = explored(&eager(Wrapped::new(standard(2), nth)), &settings).found;
            let rule = |found: Option<highwater_sim::Found>| found.map(|f| f.broken.rule);
            let (late, early) = (rule(late), rule(early));
            assert_eq!(late.is_some(), early.is_some(), "{model} without sync {ordinal}");
            verdicts.push(late);
        }
        println!("{model} {verdicts:?}");
        assert!(verdicts.iter().any(Option::is_some), "{model}: nothing was found at all");
    }
}
