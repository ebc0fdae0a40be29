//! The journal: records by position, readers beside writers, cursors and clean-ups.

use crate::error::Error;
use crate::payload_tests::options;
use crate::test_disk::TestDisk;
use crate::{Durability, Journal, KvStore, Lsn, Options, PayloadStore, TestClock};
use sha2::{Digest, Sha256};
use std::sync::Arc;

fn small() -> Options {
    Options { segment_size: 512, snapshots_kept: 1, ..options(Durability::Fsync) }
}

fn open(disk: &TestDisk) -> Journal {
    let journal = Journal::open(disk.vfs(), small()).unwrap();
    journal.check_invariants();
    journal
}

fn record(n: u64) -> Vec<u8> {
    format!("record {n} {}", "x".repeat(80)).into_bytes()
}

fn filled(disk: &TestDisk, count: u64) -> Journal {
    let journal = open(disk);
    for n in 1..=count {
        assert_eq!(journal.append(&record(n)).unwrap().lsn, Lsn(n));
    }
    journal
}

fn all(journal: &Journal) -> Vec<(u64, Vec<u8>)> {
    let mut reader = journal.reader(Lsn(1));
    std::iter::from_fn(|| reader.next_record().unwrap()).map(|(lsn, b)| (lsn.0, b)).collect()
}

fn segments(disk: &TestDisk) -> usize {
    disk.image().keys().filter(|name| name.ends_with(".log")).count()
}

#[test]
fn records_are_read_by_position_and_in_order_over_many_segments_and_lives() {
    let disk = TestDisk::default();
    let journal = filled(&disk, 20);
    assert!(segments(&disk) > 4);
    let expected: Vec<(u64, Vec<u8>)> = (1..=20).map(|n| (n, record(n))).collect();
    assert_eq!(all(&journal), expected);
    for n in (1..=20).rev() {
        assert_eq!(journal.read(Lsn(n)).unwrap(), Some(record(n)));
    }
    assert_eq!((journal.read(Lsn(21)).unwrap(), journal.read(Lsn(0)).unwrap()), (None, None));
    drop(journal);
    // J1: the last record is copied, and moves to a segment of the new life.
    let journal = open(&disk);
    assert_eq!((journal.report().copied, all(&journal)), (1, expected));
    assert_eq!(journal.read(Lsn(20)).unwrap(), Some(record(20)));
    assert_eq!((journal.first(), journal.last()), (Lsn(1), Lsn(20)));
}

#[test]
fn a_reader_meets_what_is_appended_after_it_was_made() {
    let disk = TestDisk::default();
    let journal = open(&disk);
    let mut reader = journal.reader(Lsn(1));
    for n in 1..=20 {
        assert_eq!(reader.next_record().unwrap(), None, "nothing yet");
        journal.append(&record(n)).unwrap();
        assert_eq!(reader.next_record().unwrap(), Some((Lsn(n), record(n))));
        assert_eq!(reader.position(), Lsn(n + 1));
    }
}

#[test]
fn j2_a_clean_up_removes_what_every_cursor_has_passed_and_no_more() {
    let disk = TestDisk::default();
    let journal = filled(&disk, 20);
    let before = segments(&disk);
    journal.clean_up().unwrap();
    assert_eq!((segments(&disk), all(&journal).len()), (before, 20), "nobody said what was read");
    journal.set_cursor("slow", Lsn(9)).unwrap();
    journal.set_cursor("fast", Lsn(19)).unwrap();
    journal.clean_up().unwrap();
    let first = journal.first();
    assert!(first > Lsn(1) && first <= Lsn(9), "J2: {first}");
    assert!(segments(&disk) < before);
    let kept: Vec<u64> = all(&journal).into_iter().map(|(lsn, _)| lsn).collect();
    assert_eq!(kept, (first.0..=20).collect::<Vec<u64>>(), "the reader goes on with the first");
    assert_eq!(journal.read(Lsn(1)).unwrap(), None);
    drop(journal);
    let journal = open(&disk);
    assert_eq!(journal.cursors(), [("fast".into(), Lsn(19)), ("slow".into(), Lsn(9))].into());
    assert_eq!((journal.first(), all(&journal).len() as u64), (first, 21 - first.0));
    journal.remove_cursor("slow").unwrap();
    journal.clean_up().unwrap();
    assert!(journal.first() > Lsn(9) && journal.first() <= Lsn(19), "{}", journal.first());
    journal.check_invariants();
}

#[test]
fn records_are_found_by_marks_in_large_segments() {
    let disk = TestDisk::default();
    let journal = Journal::open(disk.vfs(), options(Durability::None)).unwrap().hashing();
    for n in 1..=2000 {
        journal.append(&record(n)).unwrap();
    }
    assert_eq!(journal.read(Lsn(2000)).unwrap(), Some(record(2000)), "from the buffer");
    journal.flush().unwrap();
    journal.clean_up().unwrap();
    drop(journal);
    let journal = Journal::open(disk.vfs(), options(Durability::None)).unwrap();
    disk.reads();
    for n in [1, 777, 1500, 2000] {
        assert_eq!(journal.read(Lsn(n)).unwrap(), Some(record(n)));
    }
    let reads = disk.reads();
    assert!(reads < 40, "16 KiB are scanned at most, not 200: {reads}");
}

#[test]
fn each_directory_is_opened_as_what_it_is() {
    let disk = TestDisk::default();
    filled(&disk, 1);
    let image = disk.image();
    let payload = PayloadStore::open(disk.vfs(), small()).unwrap_err();
    let clock = Arc::new(TestClock::new(0));
    let kv = KvStore::open(disk.vfs(), small(), clock).unwrap_err();
    for (error, wanted) in [(payload, "a payload store"), (kv, "a key-value store")] {
        let Error::OtherView { expected, actual, .. } = error else { panic!("{error}") };
        assert_eq!((expected, actual), (wanted, "a journal"));
    }
    assert_eq!(disk.image(), image, "nothing was changed");
    let long = open(&disk).set_cursor(&"x".repeat(257), Lsn(1)).unwrap_err();
    assert!(matches!(long, Error::TooLarge { size: 257, limit: 256, .. }), "{long}");
}

#[test]
fn j1_segments_of_cursors_alone_leave_no_hole() {
    let disk = TestDisk::default();
    let journal = filled(&disk, 6);
    for _ in 0..40 {
        journal.set_cursor("reader", Lsn(2)).unwrap();
    }
    for n in 0..6 {
        journal.append(&record(n)).unwrap();
    }
    let before = all(&journal);
    journal.clean_up().unwrap();
    journal.clean_up().unwrap();
    assert_eq!(all(&journal), before, "J1");
    journal.close().unwrap();
    drop(journal);
    assert_eq!(all(&open(&disk)), before, "J1: and opened again");
}

/// J2: a cursor alone lets nothing go, in this life or the next.
#[test]
fn j2_only_a_clean_up_lets_go() {
    let disk = TestDisk::default();
    let journal = filled(&disk, 20);
    journal.set_cursor("c", Lsn(18)).unwrap();
    drop(journal);
    for at in [1, 18] {
        let journal = open(&disk);
        assert_eq!(all(&journal).len(), 20, "{at}");
        journal.set_cursor("c", Lsn(at)).unwrap();
    }
    disk.refuse("create", ".tmp");
    let journal = open(&disk);
    assert!(journal.clean_up().is_err());
    disk.heal();
    let left = all(&journal);
    assert!(left.len() < 20 && segments(&disk) > 4, "it stands in the log, the files are there");
    journal.set_cursor("c", Lsn(1)).unwrap();
    drop(journal);
    let journal = open(&disk);
    assert_eq!(all(&journal), left, "what was let go does not come back");
    journal.clean_up().unwrap();
    assert_eq!(all(&journal), left);
}

/// J2: the older snapshot knows segments that the clean-up behind it has removed, for a cursor that
/// is gone by now.
#[test]
fn j2_an_older_snapshot_comes_to_the_same() {
    let disk = TestDisk::default();
    let two = || Options { snapshots_kept: 2, ..small() };
    let journal = Journal::open(disk.vfs(), two()).unwrap();
    (1..=20).for_each(|n| journal.append(&record(n)).map(drop).unwrap());
    journal.clean_up().unwrap();
    journal.append(&record(21)).unwrap();
    journal.set_cursor("c", Lsn(18)).unwrap();
    journal.clean_up().unwrap();
    let before = segments(&disk);
    journal.append(&record(22)).unwrap();
    journal.clean_up().unwrap();
    journal.remove_cursor("c").unwrap();
    let left = all(&journal);
    drop(journal);
    assert!(segments(&disk) <= before && left.len() < 20);
    let mut image = disk.image();
    let newest = image.keys().rfind(|name| name.ends_with(".snap")).unwrap().clone();
    image.get_mut(&newest).unwrap()[70] ^= 1;
    let journal = Journal::open(TestDisk::of(&image).vfs(), two()).unwrap();
    assert_eq!(journal.report().damaged_snapshots, [newest]);
    assert_eq!(all(&journal), left);
}

/// P6: a segment that a cursor needs is gone.
#[test]
fn j2_a_lost_segment_is_refused_whatever_the_cursors_say() {
    for cursor in [None, Some(Lsn(1)), Some(Lsn(40))] {
        let disk = TestDisk::default();
        let journal = filled(&disk, 40);
        cursor.map(|_| journal.set_cursor("c", Lsn(1)).unwrap());
        journal.clean_up().unwrap();
        cursor.map(|at| journal.set_cursor("c", at).unwrap());
        drop(journal);
        let mut image = disk.image();
        let victim = image.keys().filter(|name| name.ends_with(".log")).nth(3).unwrap().clone();
        image.remove(&victim);
        match Journal::open(TestDisk::of(&image).vfs(), small()) {
            Err(Error::Corrupt(damage)) => assert_eq!(damage.file, victim),
            opened => panic!("{cursor:?}: {opened:?}"),
        }
    }
}

/// P12: a failed write takes nothing from what is in the file.
#[test]
fn a_poisoned_journal_is_read_as_far_as_it_was_written() {
    for (durability, deferred) in [(Durability::None, false), (Durability::Fsync, true)] {
        let disk = TestDisk::default();
        let options = Options { durability, ..small() };
        let journal = Journal::open(disk.vfs(), options).unwrap();
        journal.append(b"one").unwrap();
        journal.flush().unwrap();
        if deferred { journal.append_deferred(b"two") } else { journal.append(b"two") }.unwrap();
        disk.refuse("write", ".log");
        assert!(journal.append(b"three").and_then(|_| journal.flush()).is_err());
        assert_eq!(journal.read(Lsn(1)).unwrap().as_deref(), Some(&b"one"[..]));
        assert!(matches!(journal.read(Lsn(2)), Err(Error::Poisoned | Error::Io { .. })));
    }
}

/// P11: its hash is right, and somebody has made it up.
#[test]
fn a_snapshot_is_not_believed_for_its_hash() {
    let disk = TestDisk::default();
    let journal = filled(&disk, 2);
    journal.clean_up().unwrap();
    journal.append(&record(3)).unwrap();
    drop(journal);
    for range in [64 + 8..64 + 16, 64 + 48 + 20..64 + 48 + 24] {
        let mut image = disk.image();
        let snapshot = image.iter_mut().find(|(name, _)| name.ends_with(".snap")).unwrap().1;
        let body = snapshot.len() - 32;
        snapshot[range].fill(0xff);
        let digest = Sha256::digest(&snapshot[..body]);
        snapshot[body..].copy_from_slice(&digest);
        match Journal::open(TestDisk::of(&image).vfs(), small()) {
            Ok(journal) => match journal.read(Lsn(1)) {
                Ok(read) => assert_eq!(read, Some(record(1))),
                Err(e) => assert!(matches!(e, Error::Corrupt(_)), "{e}"),
            },
            Err(e) => assert!(matches!(e, Error::Corrupt(_)), "{e}"),
        }
    }
}
