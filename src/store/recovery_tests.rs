//! Opening again: what is copied, what is removed, what stays, and that it all comes to an end.

use crate::error::Error;
use crate::format::Lsn;
use crate::format::frame::{FrameHeader, FrameKind};
use crate::format::name::Name;
use crate::format::segment::SegmentHeader;
use crate::limits::FRAME_HEADER;
use crate::payload_tests::{get, open, options};
use crate::test_disk::{Image, TestDisk};
use crate::{Durability, Options, PayloadStore, Tail};

pub(crate) fn fsync() -> Options {
    options(Durability::Fsync)
}

fn of(image: &Image) -> (TestDisk, PayloadStore) {
    let disk = TestDisk::of(image);
    let store = open(&disk, &fsync());
    (disk, store)
}

/// A log of `count` records that was not closed.
pub(crate) fn unclosed(count: u64) -> Image {
    let disk = TestDisk::default();
    let store = open(&disk, &fsync());
    (1..=count).for_each(|id| store.store(id, &[id as u8; 8]).map(drop).unwrap());
    drop(store);
    disk.image()
}

pub(crate) fn only(image: &Image) -> (&String, &Vec<u8>) {
    assert_eq!(image.len(), 1, "{:?}", image.keys());
    image.iter().next().unwrap()
}

#[test]
fn after_a_clean_close_nothing_is_copied() {
    let disk = TestDisk::default();
    let store = open(&disk, &fsync());
    store.store(1, b"one").unwrap();
    disk.calls();
    store.close().unwrap();
    assert_eq!(disk.kinds(), "write log, sync log", "the mark");
    let image = disk.image();
    for _ in 0..3 {
        let store = open(&disk, &fsync());
        assert_eq!((store.report().copied, &store.report().rows[..]), (0, &["R2 clean"][..]));
        store.close().unwrap();
        assert_eq!((disk.kinds().as_str(), disk.image() == image), ("", true));
    }
}

/// R9: what no statement proves durable is copied into a fresh segment, and synced, before it is
/// shown; the old files are not touched.
#[test]
fn r9_what_nothing_proves_is_copied() {
    let image = unclosed(4);
    let (disk, store) = of(&image);
    assert_eq!(disk.kinds(), "create log, sync_dir, write log, sync log");
    assert_eq!((store.report().copied, store.report().last), (1, Lsn(4)));
    assert_eq!(store.positions().durable(), Lsn(4), "all that is shown is durable");
    let (old, bytes) = only(&image);
    let after = disk.image();
    assert_eq!((&after[old], after.len()), (bytes, 2));
    let fresh = Name::parse(after.keys().next_back().unwrap()).unwrap();
    assert_eq!(fresh, Name::segment(Lsn(4), 2));
    let header = SegmentHeader::decode(&after[&fresh.text()], Lsn(4), 2).unwrap();
    assert_eq!((header.copied_through, header.durable), (Lsn(4), Lsn(3)));
    assert_eq!((1..=4).map(|id| get(&store, id).unwrap()[0]).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

/// R8: where two segments have the same LSN, the later epoch counts, and each LSN counts once.
#[test]
fn r8_a_later_epoch_overrides() {
    let image = unclosed(3);
    let (old, bytes) = only(&image);
    let mut torn = image.clone();
    torn.get_mut(old).unwrap().truncate(bytes.len() - 1);
    let (disk, store) = of(&torn);
    assert_eq!(store.report().last, Lsn(2));
    store.store(3, b"the new LSN 3").unwrap();
    drop(store);
    // The medium brings the old bytes of LSN 3 back.
    let mut back = disk.image();
    back.insert(old.clone(), bytes.clone());
    let (_, store) = of(&back);
    assert_eq!(
        (get(&store, 3).unwrap(), store.report().replayed),
        (b"the new LSN 3".into(), 3),
        "R8"
    );
    assert_eq!((store.report().last, &store.report().tail), (Lsn(3), &Tail::Clean));
}

/// R10: a segment that was never finished is not removed while its epoch is the newest: the name
/// guards it. With the next segment it goes.
#[test]
fn r10_the_newest_epoch_stays_in_a_name() {
    let mut image = unclosed(2);
    let unfinished = Name::segment(Lsn(3), 2).text();
    image.insert(unfinished.clone(), vec![0; 20]);
    for _ in 0..3 {
        let (disk, store) = of(&image);
        // LSN 2 is copied into epoch 3, and so the unfinished segment may go.
        assert_eq!(store.report().removed, std::slice::from_ref(&unfinished));
        drop(store);
        let mut closed = disk.image();
        closed.insert(Name::segment(Lsn(3), 9).text(), Vec::new());
        let disk = TestDisk::of(&closed);
        let store = open(&disk, &fsync());
        assert_eq!((store.report().copied, store.report().removed.len()), (1, 2));
        assert!(disk.image().keys().all(|name| Name::parse(name).unwrap().epoch != 9));
    }
    let disk = TestDisk::default();
    let store = open(&disk, &fsync());
    store.store(1, b"one").unwrap();
    store.close().unwrap();
    let mut image = disk.image();
    image.insert(unfinished.clone(), Vec::new());
    let (disk, store) = of(&image);
    assert_eq!(store.report().removed, Vec::<String>::new(), "R10");
    assert_eq!(disk.image(), image);
    store.store(2, b"two").unwrap();
    store.create_snapshot().unwrap();
    assert!(!disk.image().contains_key(&unfinished), "R10: now it is not the newest");
}

#[test]
fn g2_a_frame_out_of_order_ends_the_log() {
    // Two frames of one size change places: each is made for where it stands now (G3), and neither
    // is due there.
    let mut image = unclosed(4);
    let name = only(&image).0.clone();
    let bytes = image.get_mut(&name).unwrap();
    let frame = 32 + 16 + 8;
    let (second, third) = (48 + frame, 48 + 2 * frame);
    let header = |at: usize| FrameHeader::decode(&bytes[at..], 1, at as u64).unwrap();
    let (two, three) = (header(second), header(third));
    for i in 0..frame {
        bytes.swap(second + i, third + i);
    }
    for (at, header) in [(second, three), (third, two)] {
        bytes[at..at + FRAME_HEADER].copy_from_slice(&header.encode(1, at as u64));
    }
    let disk = TestDisk::of(&image);
    let Err(Error::Corrupt(found)) = PayloadStore::open(disk.vfs(), fsync()) else { panic!("G2") };
    assert_eq!((found.offset, &found.actual[..]), (second as u64, "LSN 3"), "G2: {found}");
}

/// G1: the largest read, and with it the largest allocation, is no larger than the file.
#[test]
fn g1_a_length_is_held_against_the_file() {
    use crate::log::scan::{Bad, Scan};
    use highwater_vfs::{OpenMode, Vfs};
    let mut image = unclosed(2);
    let name = only(&image).0.clone();
    let bytes = image.get_mut(&name).unwrap();
    let header = FrameHeader {
        kind: FrameKind::Record,
        lsn: Lsn(1),
        durable: Lsn(0),
        length: u32::MAX,
        payload_crc: 0,
    };
    bytes[48..80].copy_from_slice(&header.encode(1, 48));
    let disk = TestDisk::of(&image);
    let file = disk.open(name.as_ref(), OpenMode::Read).unwrap();
    let mut scan = Scan::begin(file, Lsn(1), 1).unwrap();
    assert!(scan.frame(Lsn(9)).unwrap().is_none());
    assert_eq!((scan.bad, scan.offset), (Some(Bad::Cut), 48), "G1");
    for want in [1, 1000, usize::MAX / 2] {
        let size = scan.reader.size;
        assert_eq!(scan.reader.bytes(0, want).unwrap().len() as u64, size.min(want as u64), "G1");
        assert!(scan.reader.bytes(size, want).unwrap().is_empty());
        assert!(scan.reader.bytes(u64::MAX, want).unwrap().is_empty());
    }
}

#[test]
fn temporary_files_go_and_foreign_ones_stay() {
    let mut image = unclosed(1);
    let temporary = "0000000000000001-00000001.snap.tmp";
    image.insert(temporary.into(), vec![1, 2, 3]);
    image.insert("notes.txt".into(), b"mine".to_vec());
    let (disk, store) = of(&image);
    assert!(store.report().removed.contains(&temporary.to_string()));
    assert_eq!(store.report().foreign, ["notes.txt"]);
    let after = disk.image();
    assert!(!after.contains_key(temporary) && after["notes.txt"] == b"mine");
}

/// P7: opening again and again changes neither what is shown nor, after the first time, what was
/// decided.
/// The name of a file that is aside counts as an epoch, if there can be a later one.
#[test]
fn the_last_epoch_in_a_foreign_name_does_not_close_the_store() {
    let image = [("0000000000000001-7fffffff.log.quarantined".to_string(), vec![1])].into();
    let disk = TestDisk::of(&image);
    open(&disk, &options(Durability::Fsync)).store(1, b"one").unwrap();
    assert_eq!(get(&open(&disk, &options(Durability::Fsync)), 1).unwrap(), b"one");
}

#[test]
fn reopening_is_idempotent() {
    for cut in 0..120 {
        let mut image = unclosed(4);
        let name = only(&image).0.clone();
        let bytes = image.get_mut(&name).unwrap();
        bytes.truncate(bytes.len() - cut);
        let (disk, store) = of(&image);
        let (ids, last) = (store.ids(), store.report().last);
        assert_eq!(ids, (1..=last.0).collect::<Vec<_>>());
        // Recovery of the same disk says the same.
        assert_eq!(of(&image).1.report(), store.report());
        drop(store);
        for _ in 0..3 {
            let store = open(&disk, &fsync());
            assert_eq!((store.ids(), store.report().last), (ids.clone(), last), "cut {cut}");
        }
    }
}

/// P12: the number of files is bounded, without work and with it.
#[test]
fn the_number_of_files_is_bounded() {
    for (work, snapshot, close) in [
        (false, false, false),
        (false, true, false),
        (false, true, true),
        (true, true, false),
        (true, true, true),
    ] {
        let disk = TestDisk::of(&unclosed(3));
        let mut most = 0;
        for life in 0..200u64 {
            let store = open(&disk, &fsync());
            if work {
                store.store(1 + life % 3, &life.to_le_bytes()).unwrap();
            }
            if snapshot {
                store.create_snapshot().unwrap();
            }
            if close {
                store.close().unwrap();
            }
            most = most.max(disk.image().len());
        }
        // Two snapshots, and the segments behind the older one or with a live payload.
        let bound = if work { 8 } else { 5 };
        assert!(most <= bound, "work {work}, snapshot {snapshot}, close {close}: {most} files");
    }
}

/// R11, P12: an open that fails for want of room leaves nothing, or one empty file, as often as it
/// is tried; nothing else has changed, and once there is room all is there and the file goes.
#[test]
fn r11_an_open_that_fails_again_and_again_leaves_no_files() {
    let mut image = unclosed(4);
    let temporary = "0000000000000002-00000001.snap.tmp";
    for (kind, left) in [("create", 0), ("sync_dir", 0), ("write", 1), ("sync", 1)] {
        image.insert(temporary.into(), vec![7; 9]);
        let disk = TestDisk::of(&image);
        image.remove(temporary);
        disk.refuse(kind, if kind == "sync_dir" { "" } else { ".log" });
        for nth in 0..50 {
            assert!(PayloadStore::open(disk.vfs(), fsync()).is_err(), "{kind}");
            let mut after = disk.image();
            let made = after.extract_if(.., |name, _| !image.contains_key(name));
            let made: Vec<usize> = made.map(|(_, bytes)| bytes.len()).collect();
            assert_eq!(made, vec![0; left], "R11: {kind}, try {nth}");
            assert_eq!(after, image, "R11: {kind}, try {nth}");
        }
        disk.heal();
        let store = open(&disk, &fsync());
        assert_eq!((store.ids(), store.report().copied), (vec![1, 2, 3, 4], 1), "{kind}");
        assert_eq!(disk.image().len(), 2, "R11: {kind}, the old segment and the copies");
    }
}

/// A recovery that fails in the middle, at each of its calls, is taken up by the next.
#[test]
fn recovery_fails_in_turn() {
    let mut image = unclosed(4);
    let name = only(&image).0.clone();
    image.get_mut(&name).unwrap().truncate(48 + 3 * 56 + 20);
    image.insert("0000000000000002-00000001.snap.tmp".into(), vec![7; 9]);
    let calls = {
        let (disk, _) = of(&image);
        disk.calls()
    };
    assert!(calls.len() >= 5, "{calls:?}");
    for (nth, call) in calls.iter().enumerate() {
        let disk = TestDisk::of(&image);
        disk.fail(nth);
        let error = PayloadStore::open(disk.vfs(), fsync()).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{call}: {error}");
        disk.heal();
        let store = open(&disk, &fsync());
        assert_eq!((store.ids(), store.report().last), (vec![1, 2, 3], Lsn(3)), "{call}");
        assert!((1..=3).all(|id| get(&store, id) == Some(vec![id as u8; 8])), "{call}");
    }
}
