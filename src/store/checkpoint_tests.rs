//! Snapshots: in which order they come to be, what they let go of, and what stands in for one that
//! is damaged.

use crate::error::Error;
use crate::format::Lsn;
use crate::format::name::{Kind, Name};
use crate::payload_tests::{get, open, options};
use crate::test_disk::{Image, TestDisk};
use crate::{Durability, Level, Options, PayloadStore};

fn small() -> Options {
    Options { segment_size: 300, ..options(Durability::Fsync) }
}

fn names(image: &Image, kind: Kind) -> Vec<Name> {
    let names = image.keys().filter_map(|name| Name::parse(name));
    names.filter(|name| name.kind == kind).collect()
}

fn snapshots(disk: &TestDisk) -> Vec<u64> {
    names(&disk.image(), Kind::Snapshot).iter().map(|name| name.lsn.0).collect()
}

/// Overwrites ids 1 to 3, one segment a round.
fn round(store: &PayloadStore, byte: u8) {
    for id in 1..=3 {
        store.store(id, &[byte; 24]).unwrap();
    }
}

fn right(store: &PayloadStore, byte: u8) {
    store.check_invariants();
    assert!((1..=3).all(|id| get(store, id) == Some(vec![byte; 24])), "{:?}", store.report());
}

/// N1: written and synced under a temporary name, renamed, the directory synced; only then is
/// anything removed.
#[test]
fn n1_the_order_of_a_checkpoint() {
    let disk = TestDisk::default();
    let store = open(&disk, &small());
    round(&store, 1);
    store.store_batch_deferred(&[(4, b"deferred")]).unwrap();
    disk.calls();
    assert_eq!(store.create_snapshot().unwrap(), Lsn(4));
    let first = "write log, sync log, create tmp, write tmp, sync tmp, rename snap, sync_dir";
    assert_eq!(disk.kinds(), first);
    assert_eq!(store.create_snapshot().unwrap(), Lsn(4));
    assert_eq!(disk.kinds(), "", "nothing was appended since");
    // The second one covers the first segment, and so does the older that is kept; the third one
    // replaces the older.
    for (byte, removed) in [(2, "remove log"), (3, "remove snap")] {
        round(&store, byte);
        disk.calls();
        store.create_snapshot().unwrap();
        let order = "create tmp, write tmp, sync tmp, rename snap, sync_dir, ";
        assert_eq!(disk.kinds(), [order, removed].concat());
    }
}

/// N2: the bytes depend on the state, not on the way to it nor on any order of a map.
#[test]
fn n2_a_snapshot_is_the_same_for_the_same_state() {
    let snapshot = |ids: &[u64], deleted: &[u64]| {
        let disk = TestDisk::default();
        let store = open(&disk, &options(Durability::Fsync));
        let items: Vec<(u64, &[u8])> = (0..200).map(|id| (id * 7919 % 1000, &b"x"[..])).collect();
        store.store_batch(&items).unwrap();
        // Nothing is there to delete: nothing is logged.
        for id in deleted {
            store.delete(*id).unwrap();
        }
        for id in ids {
            store.store(*id, b"again").unwrap();
        }
        store.create_snapshot().unwrap();
        disk.image().into_iter().find(|(name, _)| name.ends_with(".snap")).unwrap().1
    };
    assert_eq!(snapshot(&[5, 6, 7], &[]), snapshot(&[5, 6, 7], &[]), "N2");
    assert_eq!(snapshot(&[5, 6, 7], &[999_999]), snapshot(&[5, 6, 7], &[]), "N2");
    assert_ne!(snapshot(&[5, 6, 7], &[]), snapshot(&[7, 6, 5], &[]), "positions differ");
    let bytes = snapshot(&[], &[]);
    let ids: Vec<u64> = bytes[80..bytes.len() - 32]
        .chunks_exact(32)
        .map(|entry| u64::from_le_bytes(entry[..8].try_into().unwrap()))
        .collect();
    assert!(ids.is_sorted() && ids.len() == 200, "N2");
}

/// S3: nothing goes before as many snapshots as are kept cover it, nor while a live payload is in
/// it.
#[test]
fn s3_segments_go_when_every_kept_snapshot_covers_them() {
    for keep in [1, 2, 3] {
        let disk = TestDisk::default();
        let store = open(&disk, &Options { snapshots_kept: keep, ..small() });
        for byte in 1..=6u8 {
            round(&store, byte);
            store.create_snapshot().unwrap();
            let rounds = u64::from(byte);
            let first = rounds.saturating_sub(keep as u64);
            let kept: Vec<u64> = (first + 1..=rounds).map(|round| round * 3).collect();
            assert_eq!(snapshots(&disk), kept, "keep {keep}");
            let oldest = if kept.len() == keep { kept[0] } else { 0 };
            let segments = names(&disk.image(), Kind::Segment);
            let covered = segments.iter().filter(|s| s.lsn.0 + 2 <= oldest).count();
            // The one that is being written stays; with one snapshot kept it is covered.
            assert_eq!(covered, usize::from(keep == 1), "keep {keep}: {segments:?}");
            assert!(segments.iter().any(|s| s.lsn.0 <= oldest + 1), "S3: no gap behind the oldest");
        }
        right(&store, 6);
        drop(store);
        right(&open(&disk, &small()), 6);
    }
}

#[test]
fn s3_a_segment_with_a_live_payload_stays() {
    let disk = TestDisk::default();
    let mut store = open(&disk, &small());
    store.store(9, b"never replaced").unwrap();
    for byte in 1..=8 {
        round(&store, byte);
        store.create_snapshot().unwrap();
        if byte % 3 == 0 {
            drop(store);
            store = open(&disk, &small());
        }
    }
    let segments = names(&disk.image(), Kind::Segment);
    assert_eq!(segments[0], Name::segment(Lsn(1), 1), "S3");
    assert!(segments.len() <= 5, "{segments:?}");
    assert_eq!(get(&store, 9).unwrap(), b"never replaced");
    store.delete(9).unwrap();
    store.create_snapshot().unwrap();
    round(&store, 9);
    store.create_snapshot().unwrap();
    assert!(names(&disk.image(), Kind::Segment)[0].lsn > Lsn(1), "and goes with it");
    right(&store, 9);
}

/// Zeroes a byte in the middle of the `nth` newest snapshot.
fn damage(image: &mut Image, nth: usize) -> String {
    let name = names(image, Kind::Snapshot)[..].iter().rev().nth(nth).unwrap().text();
    let bytes = image.get_mut(&name).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    name
}

#[test]
fn a_damaged_snapshot_falls_back_to_the_older_one_and_then_to_the_log() {
    let disk = TestDisk::default();
    let store = open(&disk, &Options { snapshots_kept: 3, ..small() });
    for byte in 1..=2 {
        round(&store, byte);
        store.create_snapshot().unwrap();
    }
    round(&store, 3);
    drop(store);
    let mut image = disk.image();
    for (damaged, begins) in [(0, 6), (1, 3), (2, 0)] {
        let spoiled: Vec<String> =
            (0..damaged).map(|nth| damage(&mut image.clone(), nth)).collect();
        let mut image = image.clone();
        (0..damaged).for_each(|nth| drop(damage(&mut image, nth)));
        let disk = TestDisk::of(&image);
        let store = open(&disk, &Options { snapshots_kept: 3, ..small() });
        right(&store, 3);
        assert_eq!(store.report().snapshot, Lsn(begins));
        assert_eq!(store.report().replayed, 9 - begins);
        assert_eq!(store.report().damaged_snapshots, spoiled);
        // And the damaged ones are in nobody's way.
        round(&store, 4);
        assert_eq!(store.create_snapshot().unwrap(), Lsn(12));
        drop(store);
        right(&open(&disk, &small()), 4);
    }
    damage(&mut image, 0);
}

/// A gap between the snapshot and the log is refused, with the LSNs that are missing, and so is one
/// in the middle of the log.
#[test]
fn a_gap_is_named() {
    let disk = TestDisk::default();
    let store = open(&disk, &small());
    for byte in 1..=4 {
        round(&store, byte);
        if byte == 2 {
            store.create_snapshot().unwrap();
        }
    }
    drop(store);
    let image = disk.image();
    let segments = names(&image, Kind::Segment);
    assert_eq!(segments.iter().map(|s| s.lsn.0).collect::<Vec<_>>(), [1, 4, 7, 10]);
    let without = |gone: &[Name]| {
        let mut image = image.clone();
        gone.iter().for_each(|name| drop(image.remove(&name.text()).unwrap()));
        let disk = TestDisk::of(&image);
        let result = PayloadStore::open(disk.vfs(), small());
        assert_eq!((disk.image(), disk.kinds().as_str()), (image, ""), "nothing was changed");
        match result {
            Err(Error::Corrupt(found)) => {
                format!("{}: {}: {}", found.file, found.expected, found.actual)
            }
            other => panic!("{other:?}"),
        }
    };
    let snapshot = names(&image, Kind::Snapshot)[0];
    let hole = |first: u64, before: Name, after: Name| {
        let (before, next, after) = (before.text(), after.lsn, after.text());
        let end = image[&before].len();
        format!(
            "{after}: LSN {first} (LSN 11 was durable): LSN {next}: a segment that begins with LSN \
             {first} is missing between {before} and {after}, or the first was cut off at offset \
             {end}"
        )
    };
    assert_eq!(without(&segments[2..3]), hole(7, segments[1], segments[3]));
    assert_eq!(without(&[segments[1], snapshot]), hole(4, segments[0], segments[2]));
    assert_eq!(
        without(&[segments[0], snapshot]),
        "the log: LSN 1 to 3: a log that begins at LSN 4: a segment before it is missing, or a \
         snapshot"
    );
}

/// A snapshot that cannot be written leaves the store as it was; P12: nor does a disk that is full.
#[test]
fn a_failed_temporary_file_poisons_nothing() {
    for kind in ["create", "write", "sync"] {
        let disk = TestDisk::default();
        let store = open(&disk, &small());
        round(&store, 1);
        let before = disk.image();
        disk.refuse(kind, ".tmp");
        let failed = store.create_snapshot();
        assert!(matches!(failed, Err(Error::Io { .. })), "{kind}: {failed:?}");
        assert_eq!(disk.image(), before, "{kind}: no leftovers");
        round(&store, 2);
        right(&store, 2);
        disk.heal();
        assert_eq!(store.create_snapshot().unwrap(), Lsn(6), "{kind}");
        drop(store);
        right(&open(&disk, &small()), 2);
    }
}

/// S4: an automatic checkpoint that fails in a file of its own takes nothing back of what was
/// acknowledged, can be heard of, and is tried again when the log has grown.
#[test]
fn s4_a_failed_automatic_checkpoint_keeps_the_record() {
    for kind in ["create", "write", "sync"] {
        let disk = TestDisk::default();
        let options = Options { checkpoint_bytes: 100, auto_checkpoint: true, ..small() };
        let store = open(&disk, &options);
        disk.refuse(kind, ".tmp");
        for id in 1..=6 {
            let told = store.store(id, b"one").unwrap(); // a frame of 56 bytes
            assert_eq!((told.lsn, told.level), (Lsn(id), Level::Durable), "{kind}");
            assert_eq!(get(&store, id).unwrap(), b"one");
            assert_eq!(store.checkpoint_error().is_some(), id >= 2, "{kind}, {id}");
        }
        let tries = disk
            .calls()
            .iter()
            .filter(|call| call.starts_with("create") && call.ends_with("tmp"))
            .count();
        assert_eq!(tries, 3, "{kind}: not with every operation");
        let text = store.checkpoint_error().unwrap().to_string();
        assert!(text.contains(kind) && text.contains(".snap.tmp"), "{text}");
        assert!(matches!(store.create_snapshot(), Err(Error::Io { .. })), "and asked, it says so");
        assert!(store.should_create_snapshot());
        disk.heal();
        store.store(7, b"seven").unwrap();
        store.store(8, b"eight").unwrap();
        assert_eq!((snapshots(&disk), store.checkpoint_error().is_none()), (vec![8], true));
        drop(store);
        assert_eq!(open(&disk, &options).len(), 8);
    }
}

/// S4, P9: if it is the directory or the log that fails, the store is poisoned, and the operation
/// under way is not acknowledged any more; what is durable is there afterwards.
#[test]
fn s4_a_checkpoint_that_poisons_acknowledges_nothing() {
    for (kind, ending, durability) in [
        ("rename", ".snap", Durability::Fsync),
        ("sync_dir", "", Durability::Fsync),
        ("remove", ".snap", Durability::Fsync),
        ("sync", ".log", Durability::FlushOnly),
        ("write", ".log", Durability::None),
    ] {
        let disk = TestDisk::default();
        let options = Options {
            snapshots_kept: 1,
            checkpoint_bytes: 1,
            auto_checkpoint: true,
            ..options(durability)
        };
        let store = open(&disk, &options);
        store.store(1, b"one").unwrap();
        assert_eq!(snapshots(&disk), [1]);
        disk.refuse(kind, ending);
        let failed = store.store(2, &[2; 400]); // more than the first snapshot
        assert!(matches!(failed, Err(Error::Io { .. })), "{kind}: {failed:?}");
        assert!(store.checkpoint_error().is_none(), "the operation itself has told it");
        assert!(matches!(store.store(3, b"x"), Err(Error::Poisoned)), "{kind}");
        assert!(matches!(store.create_snapshot(), Err(Error::Poisoned)), "{kind}");
        disk.heal();
        drop(store);
        let store = open(&disk, &options);
        assert_eq!(get(&store, 1).unwrap(), b"one", "{kind}");
        assert_eq!(get(&store, 2).is_some(), durability != Durability::None, "{kind}");
    }
}

/// All snapshots together cost no more than the log, in many lives too.
#[test]
fn a_large_snapshot_is_not_written_again_for_a_little_log() {
    let disk = TestDisk::default();
    let options = Options { checkpoint_bytes: 500, auto_checkpoint: true, ..small() };
    let store = open(&disk, &options);
    (0..300).for_each(|id| store.store(id, &[7; 24]).map(drop).unwrap());
    store.create_snapshot().unwrap();
    drop(store);
    let size = |disk: &TestDisk| {
        let snapshots = disk.image().into_iter().filter(|(name, _)| name.ends_with(".snap"));
        snapshots.map(|(_, bytes)| bytes.len() as u64).max().unwrap()
    };
    let (largest, mut written, mut grown) = (size(&disk), 0, 0);
    disk.calls();
    for life in 0..300 {
        let store = open(&disk, &options);
        store.store(life, &[7; 24]).unwrap(); // a frame of 72 bytes
        grown += 72;
        let renamed = disk.calls().iter().filter(|call| call.starts_with("rename")).count();
        written += size(&disk) * renamed as u64;
    }
    assert!(written > 0 && written <= grown + largest, "{written} for {grown}");
}

/// P12: lives too short to make a snapshot due on their own add up.
#[test]
fn short_lives_make_a_snapshot_due_together() {
    let disk = TestDisk::default();
    let options = Options { checkpoint_bytes: 1000, auto_checkpoint: true, ..small() };
    for life in 0..60u8 {
        let store = open(&disk, &options);
        store.store(u64::from(life % 4), &[life; 100]).unwrap();
    }
    assert!(!snapshots(&disk).is_empty());
    assert!(disk.image().len() < 20, "{:?}", disk.image().keys());
}
