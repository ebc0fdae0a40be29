//! The key-value store and the journal, damaged: several segments, two snapshots, and a tail that
//! nothing proves.

use super::*;
use highwater::{Journal, KvStore, Lsn, TestClock, Value};
use std::time::Duration;

/// A store that was not closed, the state after each LSN, and the LSN of its newest snapshot.
struct Made<S: Store> {
    image: Image,
    states: Vec<S::State>,
    covered: u64,
    options: Options,
}

/// What is done besides the operations of a view, before the one with this number.
const SNAPSHOTS: [usize; 2] = [6, 10];
const FLUSHES: [usize; 2] = [3, 13];

type Step<S> = (&'static str, fn(&S) -> bool);

/// Each step is one record; `before` is told its number.
fn made<S: Store>(
    (fs, store): (SimFs, S),
    options: Options,
    steps: &[Step<S>],
    before: impl Fn(&S, usize),
) -> Made<S> {
    let mut states = vec![store.state()];
    for (nth, (name, step)) in steps.iter().enumerate() {
        before(&store, nth);
        states.resize(store.appended().0 as usize + 1, store.state()); // a clean-up is a record too
        assert!(step(&store), "{name} had no effect");
        states.push(store.state());
        assert_eq!(store.appended().0 as usize, states.len() - 1, "{name}: a record a step");
    }
    drop(store);
    let image = image(&fs);
    let covered = newest(&image).map_or(0, |name| u64::from_str_radix(&name[..16], 16).unwrap());
    assert!(covered >= SNAPSHOTS[1] as u64, "what was done before it");
    Made { image, states, covered, options }
}

fn newest(image: &Image) -> Option<&String> {
    image.keys().rfind(|name| name.ends_with(".snap"))
}

/// Writes when it is asked, and syncs when it is asked: so that the tail is not proven.
fn small(snapshots_kept: usize) -> Options {
    Options { durability: Durability::FlushOnly, snapshots_kept, ..options(320) }
}

const TTL: Duration = Duration::from_nanos(15);

/// A lease that expires and is taken by another, one that expires and is purged, counters, batches.
const KV: [Step<KvStore>; 17] = [
    ("set", |s| s.set("a", Value::Int(1), None).is_ok()),
    ("lock", |s| s.lock("lease", "me", TTL).unwrap().is_some()),
    ("incr", |s| s.incr("a", 2).unwrap().0 == 3),
    ("lock", |s| s.lock("lease", "you", 3 * TTL).unwrap().is_some()),
    ("mset", |s| s.mset(&[("b", "two".into()), ("c", Value::Null)], Some(TTL)).is_ok()),
    ("delete", |s| s.delete("a").unwrap().is_some()),
    ("extend", |s| s.extend_lock("lease", "you", TTL).unwrap().is_some()),
    ("purge", |s| s.purge(1).unwrap() == 1),
    ("set_nx", |s| s.set_nx("a", Value::List(vec![Value::Float(0.5)]), None).unwrap().is_some()),
    ("mdel", |s| s.mdel(&["a", "b", "c"]).unwrap().0 == 1),
    ("set", |s| s.set("lease", "you".into(), Some(TTL)).is_ok()),
    ("set", |s| s.set("d", Value::Bytes(vec![7; 40]), None).is_ok()),
    ("compare", |s| {
        let old = Value::Bytes(vec![7; 40]);
        s.compare_and_set("d", Some(&old), Value::Decimal("1.5".into()), None).unwrap().is_some()
    }),
    ("decr", |s| s.unlock("lease", "you").unwrap().is_none() && s.decr("n", 1).is_ok()),
    ("set", |s| s.set("e", "five".into(), None).is_ok()),
    ("delete", |s| s.delete("d").unwrap().is_some()),
    ("set", |s| s.set("e", "six".into(), Some(TTL)).is_ok()),
];

fn kv(snapshots_kept: usize) -> Made<KvStore> {
    let (options, fs) = (small(snapshots_kept), SimFs::new(Model::Posix));
    let clock = Arc::new(TestClock::default());
    let disk = Arc::new(fs.clone());
    let store = KvStore::open_with(disk, options.clone(), clock.clone(), 3).unwrap();
    made((fs, store), options, &KV, |store, nth| {
        if SNAPSHOTS.contains(&nth) {
            store.create_snapshot().unwrap();
        }
        if FLUSHES.contains(&nth) {
            store.flush().unwrap();
        }
        clock.set(10 * (nth as i64 + 1));
    })
}

/// Records with and without a hash, cursors that move and one that goes.
const JOURNAL: [Step<Journal>; 17] = [
    ("append", |j| j.append(b"one").is_ok()),
    ("append", |j| j.clone().hashing().append(b"two").is_ok()),
    ("cursor", |j| j.set_cursor("slow", Lsn(1)).is_ok()),
    ("append", |j| j.append_deferred(b"three").is_ok()),
    ("append", |j| j.append(&[7; 60]).is_ok()),
    ("append", |j| j.append(b"").is_ok()),
    ("cursor", |j| j.set_cursor("fast", Lsn(6)).is_ok()),
    ("append", |j| j.clone().hashing().append(b"four").is_ok()),
    ("cursor", |j| j.set_cursor("slow", Lsn(7)).is_ok()),
    ("append", |j| j.append(b"five").is_ok()),
    ("append", |j| j.append(&[8; 60]).is_ok()),
    ("remove", |j| j.remove_cursor("fast").is_ok()),
    ("append", |j| j.append(b"six").is_ok()),
    ("append", |j| j.append(&[9; 90]).is_ok()),
    ("append", |j| j.clone().hashing().append(b"seven").is_ok()),
    ("cursor", |j| j.set_cursor("fast", Lsn(9)).is_ok()),
    ("append", |j| j.append(b"eight").is_ok()),
];

fn journal(snapshots_kept: usize) -> Made<Journal> {
    let (options, fs) = (small(snapshots_kept), SimFs::new(Model::Posix));
    let journal = Journal::recover(&fs, &options).unwrap();
    made((fs, journal), options, &JOURNAL, |journal, nth| {
        if SNAPSHOTS.contains(&nth) {
            journal.clean_up().unwrap();
        }
        if FLUSHES.contains(&nth) {
            journal.flush().unwrap();
        }
    })
}

/// Every flip and every cut of every file, against what the layout says has to come out. `below`
/// judges damage to the log below the snapshot, which opening does not look at.
fn everywhere<S: Store>(made: &Made<S>, below: impl Fn(&Image, &[Part], &str, usize)) -> Classes {
    let Made { image, states, covered, options } = made;
    let parts = parts(image);
    let newest = newest(image).unwrap();
    let mut classes = Classes::default();
    for file in image.keys() {
        if file.ends_with(".snap") {
            for (at, damaged) in flips(image, file).chain(cuts(image, file)) {
                let found = outcome::<S>(&damaged, states, options);
                let gap = file == newest && options.snapshots_kept == 1;
                let refused = Outcome::Corrupt { file: file.clone(), offset: 0 };
                let expected = if gap { refused } else { whole(&parts) };
                assert_eq!(found, expected, "{file} byte {at}");
                if let Ok(store) = S::look(&disk(&damaged)) {
                    let passed_over = &store.report().damaged_snapshots;
                    assert_eq!(passed_over.contains(file), file == newest, "{file} byte {at}");
                }
                let which = if file == newest { "newest" } else { "older" };
                classes.count(format!("{which} snapshot: {}", found.name()));
            }
            continue;
        }
        let flipped = flips(image, file).map(|(byte, damaged)| {
            let (what, expected) = expected_of_flip(&parts, *covered, file, byte);
            (byte, damaged, format!("{what:?}"), expected)
        });
        let cut = cuts(image, file).map(|(size, damaged)| {
            let expected = expected_of_cut(&parts, *covered, file, size);
            (size, damaged, "cut".to_string(), expected)
        });
        for (at, damaged, what, expected) in flipped.chain(cut) {
            if expected == whole(&parts) {
                below(&damaged, &parts, file, at);
                classes.count(format!("{what}: below"));
                continue;
            }
            let found = outcome::<S>(&damaged, states, options);
            assert_eq!(found, expected, "{file} {what} at {at}");
            classes.count(format!("{what}: {}", found.name()));
        }
    }
    classes
}

/// P6: a record below the snapshot is checked when it is read. The one that is hit is refused, and
/// if its header does not say where the next one begins, those behind it in its segment too.
fn below_in_a_journal(
    made: &Made<Journal>,
    damaged: &Image,
    parts: &[Part],
    file: &str,
    at: usize,
) {
    let here = |part: &&Part| part.file == file;
    let hit = parts.iter().filter(here).rfind(|part| part.range.start <= at).unwrap();
    let cut = damaged[file].len() < made.image[file].len();
    let behind = match hit.what {
        _ if cut => hit.lsn..=u64::MAX,
        What::Record => hit.lsn..=hit.lsn,
        What::FrameHeader | What::Mark => hit.lsn..=u64::MAX,
        What::SegmentHeader => u64::MAX..=u64::MAX, // marks lead a reader past it
    };
    let expected = made.states.last().unwrap();
    let slowest = expected.cursors.values().min().unwrap().0;
    let fs = disk(damaged);
    let (read_only, inspected) = (Journal::look(&fs), inspect(&fs).unwrap());
    agrees(&inspected, &read_only);
    let mut journal = Journal::recover(&fs, &made.options).unwrap();
    let mut shown = journal.state();
    assert_eq!(read_only.unwrap().state(), shown, "{file} at {at}");
    assert_eq!((shown.last, &shown.cursors), (expected.last, &expected.cursors));
    for lsn in slowest..=expected.last {
        let wanted = expected.records.get(&lsn).cloned();
        let refused =
            behind.contains(&lsn) && parts.iter().filter(here).any(|part| part.lsn == lsn);
        let wanted = if refused { Some(None) } else { wanted };
        assert_eq!(shown.records.get(&lsn), wanted.as_ref(), "{file} at {at}: LSN {lsn}");
    }
    journal.work(&mut shown);
    journal.clean_up().unwrap();
    drop(journal);
    journal = Journal::recover(&fs, &made.options).unwrap();
    assert_eq!(journal.state(), shown, "P7, P8: {file} at {at}");
}

/// What is met, whatever the view; with one snapshot there is none to fall back to.
fn met(classes: &Classes, snapshots_kept: usize) {
    println!("{snapshots_kept} snapshots: {classes:?}");
    let mut all = vec!["cut: clean", "cut: corrupt", "cut: torn"];
    all.extend(["FrameHeader: below", "FrameHeader: corrupt", "FrameHeader: torn"]);
    all.extend(["Record: below", "Record: corrupt", "Record: torn"]);
    all.extend(["SegmentHeader: below", "SegmentHeader: corrupt", "SegmentHeader: torn"]);
    all.extend(match snapshots_kept {
        1 => &["newest snapshot: corrupt"][..],
        _ => &["cut: below", "newest snapshot: clean", "older snapshot: clean"],
    });
    assert!(all.iter().all(|class| classes.0.contains_key(*class)), "{classes:?}");
}

/// P5, P6, P7, P8, P11. Nothing of the log below a snapshot is read again: damage there is nobody's
/// business.
#[test]
fn every_bit_and_every_cut_of_a_key_value_store() {
    for snapshots_kept in [1, 2] {
        let made = kv(snapshots_kept);
        let classes = everywhere(&made, |damaged, parts, file, at| {
            let found = outcome::<KvStore>(damaged, &made.states, &made.options);
            assert_eq!(found, whole(parts), "{file} at {at}");
        });
        met(&classes, snapshots_kept);
    }
}

/// P5, P6, P7, P8, P11.
#[test]
fn every_bit_and_every_cut_of_a_journal() {
    for snapshots_kept in [1, 2] {
        let made = journal(snapshots_kept);
        let below = |damaged: &Image, parts: &[Part], file: &str, at| {
            below_in_a_journal(&made, damaged, parts, file, at);
        };
        met(&everywhere(&made, below), snapshots_kept);
    }
}
