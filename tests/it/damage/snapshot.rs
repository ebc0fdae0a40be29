//! Snapshots, and the log below them. What a snapshot covers is not read when the store is opened:
//! damage there shows when a payload is asked for, and in an inspection.

use super::*;
use highwater::inspect::{FileTail, Verdict, inspect};

const SNAP: &str = ".snap";

fn ending<'a>(image: &'a Image, end: &str) -> Vec<&'a String> {
    image.keys().filter(|name| name.ends_with(end)).collect()
}

/// A store with `snapshots` snapshots, more work after each, all that is in it, and its options.
fn made(snapshots: usize, segment_size: u64) -> (Image, State, Options) {
    let options = options(segment_size);
    let fs = SimFs::new(Model::Posix);
    let store = open(&fs, &options).unwrap();
    for round in 0..snapshots as u8 {
        store.store_batch(&[(1, &[round; 20]), (2, &[round; 30])]).unwrap();
        store.store(3, &[round; 7]).unwrap();
        store.delete(3).unwrap().unwrap();
        store.store(4, &[round; 16]).unwrap();
        store.create_snapshot().unwrap();
    }
    store.store(5, b"after the last snapshot").unwrap();
    store.store(2, b"changed").unwrap();
    let state = state(&store);
    drop(store);
    (image(&fs), state, options)
}

/// Opens it, twice, and compares; the damaged snapshots it reports.
fn passed_over(damaged: &Image, expected: &State, options: &Options) -> Vec<String> {
    let fs = disk(damaged);
    let store = open(&fs, options).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(&state(&store), expected);
    let report = store.report().clone();
    drop(store);
    assert_eq!(&state(&open(&fs, options).unwrap()), expected, "P7");
    report.damaged_snapshots
}

/// P6: any bit of the newest snapshot, and any cut: an older one or the log gives the same state,
/// and the report says so.
#[test]
fn every_bit_and_every_cut_of_a_snapshot() {
    for snapshots in [1, 2, 3] {
        let (image, expected, options) = made(snapshots, 1 << 20);
        let newest = *ending(&image, SNAP).last().unwrap();
        assert_eq!(ending(&image, SNAP).len(), snapshots.min(2));
        let mut count = 0;
        for (at, damaged) in flips(&image, newest).chain(cuts(&image, newest)) {
            let damaged = passed_over(&damaged, &expected, &options);
            assert_eq!(damaged, std::slice::from_ref(newest), "byte {at}");
            count += 1;
        }
        println!("{snapshots} snapshots: {count} damages passed over");
        assert_eq!(count, image[newest].len() * 9);
    }
}

/// Damage to an older snapshot is nobody's business while the newest is whole.
#[test]
fn every_bit_of_an_older_snapshot() {
    let (image, expected, options) = made(2, 1 << 20);
    let oldest = ending(&image, SNAP)[0];
    for (at, damaged) in flips(&image, oldest) {
        assert!(passed_over(&damaged, &expected, &options).is_empty(), "byte {at}");
        let found = inspect(&disk(&damaged)).unwrap();
        assert_eq!((found.verdict, found.plan.refused), (Verdict::Corrupt, None));
    }
}

/// When the log no longer reaches back, two damaged snapshots are a gap, and the gap is named.
#[test]
fn all_snapshots_damaged() {
    let (image, expected, options) = made(4, 128);
    let snapshots = ending(&image, SNAP);
    let first = ending(&image, ".log")[0];
    let reaches = u64::from_str_radix(&first[..16], 16).unwrap();
    assert!(reaches > 1 && snapshots.len() == 2, "{:?}", image.keys());
    let mut refused = 0;
    for (at, mut damaged) in flips(&image, snapshots[1]) {
        // The older snapshot alone will do; without it the log would have to begin at 1.
        assert_eq!(passed_over(&damaged, &expected, &options), [snapshots[1].clone()]);
        damaged.get_mut(snapshots[0]).unwrap()[at % 64] ^= 0x20;
        let fs = disk(&damaged);
        let Err(Error::Corrupt(found)) = open(&fs, &options) else { panic!("opened") };
        assert_eq!(&found.file, snapshots[1]);
        assert_eq!(found.expected, format!("LSN 1 to {}", reaches - 1));
        assert_eq!(found.actual, format!("a log that begins at LSN {reaches}"));
        assert_eq!(super::image(&fs), damaged, "a refusal changes nothing");
        refused += 1;
    }
    assert_eq!(refused, image[snapshots[1]].len() * 8);
}

/// A damaged snapshot and no log at all: what it stood for is missing.
#[test]
fn a_damaged_snapshot_and_nothing_else() {
    let (image, _, options) = made(1, 1 << 20);
    let name = ending(&image, SNAP)[0].clone();
    let mut bytes = image[&name].clone();
    bytes[70] ^= 1;
    let fs = disk(&[(name.clone(), bytes)].into());
    let Err(Error::Corrupt(found)) = open(&fs, &options) else { panic!("opened") };
    assert_eq!(found.file, name);
}

/// What a read of the log below a snapshot may meet.
#[derive(Debug, Default)]
struct Below {
    /// A payload is refused, by name.
    refused: u64,
    /// Nobody reads the byte any more: frame headers, entries that were replaced, segment headers.
    unread: u64,
}

/// Every bit of the log below the newest snapshot; with and without a segment of the life that
/// wrote it. Opening reads none of it; the payload that is hit is refused by name, the others are
/// right; and no file goes away that holds a live payload.
fn below(reopened: bool) -> Below {
    let options = options(1 << 20);
    let fs = SimFs::new(Model::Posix);
    let mut store = open(&fs, &options).unwrap();
    store.store(1, b"one").unwrap();
    store.store_batch(&[(2, b"two"), (3, b"replaced")]).unwrap();
    store.store(3, b"three").unwrap();
    if reopened {
        store.close().unwrap();
        store = open(&fs, &options).unwrap();
    }
    store.create_snapshot().unwrap();
    let expected = state(&store);
    drop(store);
    let image = image(&fs);
    let log = ending(&image, ".log")[0];
    let mut below = Below::default();
    for (byte, damaged) in flips(&image, log) {
        let fs = disk(&damaged);
        let mut store = open(&fs, &options).unwrap_or_else(|e| panic!("byte {byte}: {e}"));
        let mut hit = 0;
        for (id, bytes) in &expected {
            match store.retrieve(*id) {
                Ok(found) => assert_eq!(found.as_ref(), Some(bytes), "byte {byte}"),
                Err(Error::Corrupt(found)) => {
                    assert_eq!(&found.file, log);
                    let entry = found.offset..found.offset + 16 + bytes.len() as u64;
                    assert!(entry.contains(&(byte as u64)), "{found}: byte {byte}");
                    hit += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(hit <= 1);
        (below.refused, below.unread) = (below.refused + hit, below.unread + 1 - hit);
        let found = inspect(&fs).unwrap();
        // A mark and padding prove nothing and hold nothing; all else is seen by an inspection.
        let seen = found.files.iter().any(|file| file.tail == FileTail::Corrupt);
        let mark = reopened && byte >= image[log].len() - 32;
        assert_eq!(seen, !mark, "byte {byte}: {found}");
        // Life goes on, snapshots come and go, and no payload is dropped with its segment.
        for round in 0..3 {
            store.store(9, &[round; 9]).unwrap();
            store.create_snapshot().unwrap();
            drop(store);
            store = open(&fs, &options).unwrap();
        }
        let readable = expected.keys().filter(|id| store.retrieve(**id).is_ok()).count() as u64;
        assert_eq!(readable, expected.len() as u64 - hit, "byte {byte}");
    }
    below
}

#[test]
fn every_bit_below_a_snapshot() {
    for reopened in [false, true] {
        let Below { refused, unread } = below(reopened);
        println!("below a snapshot: {refused} refused by name, {unread} unread");
        assert_eq!(refused, (3 * 16 + 3 + 3 + 5) * 8, "three live entries");
        assert!(unread > 0);
    }
}

/// What is above the snapshot is judged as without one: a damaged frame between snapshot and end.
#[test]
fn every_bit_above_a_snapshot() {
    let (image, expected, options) = made(2, 1 << 20);
    let log = ending(&image, ".log")[0];
    let parts = parts(&image);
    let last = parts.iter().map(|part| part.lsn).max().unwrap();
    let mut met = Classes::default();
    for (byte, damaged) in flips(&image, log) {
        let part = parts.iter().find(|part| part.range.contains(&byte)).unwrap();
        if part.lsn + 1 < last || part.what == What::SegmentHeader {
            continue;
        }
        match open(&disk(&damaged), &options) {
            Err(Error::Corrupt(found)) => {
                assert_eq!((&found.file, part.lsn), (log, last - 1), "{found}");
                met.count("corrupt".into());
            }
            Ok(store) => {
                assert_eq!(part.lsn, last, "byte {byte}");
                assert_eq!(store.report().last.0, last - 1);
                assert_ne!(state(&store), expected);
                assert!(matches!(store.report().tail, Tail::Torn { .. }));
                met.count("torn".into());
            }
            Err(error) => panic!("{error}"),
        }
    }
    println!("above a snapshot: {met:?}");
    assert_eq!(met.names(), ["corrupt", "torn"]);
}
