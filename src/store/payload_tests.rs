//! The view: what `Ok` means, what is visible when, what the disk is asked for.

use crate::error::Error;
use crate::format::Lsn;
use crate::limits::PAYLOAD_SIZE_MAX;
use crate::test_disk::TestDisk;
use crate::{Ack, Durability, Level, Options, PayloadStore};

pub(crate) fn options(durability: Durability) -> Options {
    Options { durability, reserve: 0, auto_checkpoint: false, ..Options::default() }
}

pub(crate) fn open(disk: &TestDisk, options: &Options) -> PayloadStore {
    let store = PayloadStore::open(disk.vfs(), options.clone()).unwrap();
    store.check_invariants();
    store
}

pub(crate) fn get(store: &PayloadStore, id: u64) -> Option<Vec<u8>> {
    store.retrieve(id).unwrap()
}

fn ack(lsn: u64, level: Level) -> Ack {
    Ack { lsn: Lsn(lsn), level }
}

/// A store that has its first segment already, and the disk's calls forgotten.
fn begun(durability: Durability) -> (TestDisk, PayloadStore) {
    let disk = TestDisk::default();
    let store = open(&disk, &options(durability));
    store.store(1, b"first").unwrap();
    store.flush().unwrap();
    disk.calls();
    (disk, store)
}

#[test]
fn fsync_is_one_write_and_one_sync_an_operation() {
    let (disk, store) = begun(Durability::Fsync);
    assert_eq!(store.store(2, b"two").unwrap(), ack(2, Level::Durable));
    assert_eq!(disk.kinds(), "write log, sync log");
    let items: Vec<(u64, &[u8])> = (10..110).map(|id| (id, &b"of a batch"[..])).collect();
    assert_eq!(store.store_batch(&items).unwrap(), ack(3, Level::Durable));
    assert_eq!(disk.kinds(), "write log, sync log", "also for a hundred");
    assert_eq!(store.delete(2).unwrap(), Some(ack(4, Level::Durable)));
    assert_eq!(disk.kinds(), "write log, sync log");
    assert_eq!(store.flush().unwrap(), ack(4, Level::Durable));
    assert_eq!(store.store_batch(&[]).unwrap(), ack(4, Level::Durable));
    assert_eq!(disk.kinds(), "", "nothing is pending");
}

#[test]
fn flush_only_writes_and_does_not_sync() {
    let (disk, store) = begun(Durability::FlushOnly);
    assert_eq!(store.store(2, b"two").unwrap(), ack(2, Level::Flushed));
    assert_eq!(store.delete(2).unwrap(), Some(ack(3, Level::Flushed)));
    assert_eq!(disk.kinds(), "write log, write log");
    let positions = store.positions();
    assert_eq!((positions.appended(), positions.durable()), (Lsn(3), Lsn(1)));
    assert_eq!(store.flush().unwrap(), ack(3, Level::Durable));
    assert_eq!((disk.kinds().as_str(), positions.durable()), ("sync log", Lsn(3)));
}

#[test]
fn none_stays_in_the_buffer_until_that_is_full() {
    let (disk, store) = begun(Durability::None);
    assert_eq!(store.store(2, b"two").unwrap(), ack(2, Level::Buffered));
    assert_eq!(disk.kinds(), "");
    for id in 3..20 {
        store.store(id, &[7; 1000]).unwrap();
    }
    assert_eq!(disk.kinds(), "write log", "sixteen KiB");
    assert_eq!((2..20).filter(|id| get(&store, *id).is_some()).count(), 18);
    assert_eq!(store.flush().unwrap(), ack(19, Level::Durable));
    assert_eq!(disk.kinds(), "write log, sync log");
}

#[test]
fn the_first_record_opens_a_segment_and_opening_a_store_opens_none() {
    let disk = TestDisk::default();
    let store = open(&disk, &options(Durability::Fsync));
    assert_eq!(disk.kinds(), "");
    assert_eq!(store.flush().unwrap(), ack(0, Level::Durable));
    assert_eq!(store.create_snapshot().unwrap(), Lsn(0));
    assert_eq!(disk.kinds(), "", "nothing to keep");
    store.store(1, b"one").unwrap();
    assert_eq!(disk.kinds(), "create log, sync_dir, write log, sync log");
}

#[test]
fn deferred_records_are_visible_at_once_and_read_from_the_buffer() {
    for durability in [Durability::Fsync, Durability::FlushOnly, Durability::None] {
        let (disk, store) = begun(durability);
        let told = store.store_batch_deferred(&[(2, b"two"), (1, b"uno")]).unwrap();
        assert_eq!((told, disk.kinds().as_str()), (ack(2, Level::Buffered), ""));
        disk.reads();
        assert_eq!(get(&store, 2).unwrap(), b"two");
        assert_eq!(get(&store, 1).unwrap(), b"uno");
        assert_eq!(disk.reads(), 0, "the file has none of it yet");
        assert_eq!((store.ids(), store.len()), (vec![1, 2], 2));
        store.flush().unwrap();
        assert_eq!(get(&store, 1).unwrap(), b"uno");
        assert_eq!(disk.reads(), 1, "one read a payload");
        store.check_invariants();
    }
}

#[test]
fn deferred_records_become_durable_with_the_next_that_is() {
    let (disk, store) = begun(Durability::Fsync);
    store.store_batch_deferred(&[(2, b"two")]).unwrap();
    store.store_batch_deferred(&[(3, b"three")]).unwrap();
    assert_eq!(store.store(4, b"four").unwrap(), ack(4, Level::Durable));
    assert_eq!(disk.kinds(), "write log, sync log");
    assert_eq!(store.positions().durable(), Lsn(4));
}

#[test]
fn in_a_batch_the_later_of_two_counts() {
    let (disk, store) = begun(Durability::Fsync);
    store.store_batch(&[(2, b"old"), (3, b""), (2, b"new")]).unwrap();
    let check = |store: &PayloadStore| {
        assert_eq!(get(store, 2).unwrap(), b"new");
        assert_eq!(get(store, 3).unwrap(), b"", "an empty payload is one");
        assert!(store.contains(3) && !store.contains(4));
        store.check_invariants();
    };
    check(&store);
    drop(store);
    check(&open(&disk, &options(Durability::Fsync)));
}

#[test]
fn delete_of_a_missing_id_logs_nothing() {
    let (disk, store) = begun(Durability::Fsync);
    assert_eq!(store.delete(2).unwrap(), None);
    assert_eq!((disk.kinds().as_str(), store.positions().appended()), ("", Lsn(1)));
    store.delete(1).unwrap().unwrap();
    assert_eq!(store.delete(1).unwrap(), None);
    assert_eq!((get(&store, 1), store.is_empty()), (None, true));
    drop(store);
    assert!(open(&disk, &options(Durability::Fsync)).is_empty());
}

#[test]
fn what_is_too_large_changes_nothing() {
    let (disk, store) = begun(Durability::Fsync);
    let before = disk.image();
    let huge = vec![0; PAYLOAD_SIZE_MAX as usize + 1];
    let largest = &huge[1..];
    let too_large = |result: Result<Ack, Error>| match result {
        Err(Error::TooLarge { what, size, limit }) => {
            assert!(size > limit, "{size} {limit}");
            what
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(too_large(store.store(1, &huge)), "the payload");
    assert_eq!(too_large(store.store_batch(&[(2, b"two"), (3, &huge)])), "the payload");
    let five = [(2, largest), (3, largest), (4, largest), (5, largest), (6, largest)];
    assert_eq!(too_large(store.store_batch(&five)), "the batch");
    // One that fits a segment, but not with the headers of the segment and the frame.
    let last = &largest[..largest.len() - 64];
    let exact = [(2, largest), (3, largest), (4, largest), (5, last)];
    assert_eq!(too_large(store.store_batch_deferred(&exact)), "the batch");
    assert_eq!((disk.image(), disk.kinds().as_str()), (before, ""));
    assert_eq!((store.ids(), get(&store, 1).unwrap()), (vec![1], b"first".to_vec()));
    assert_eq!(store.store(2, b"two").unwrap(), ack(2, Level::Durable));
}

/// S1, P10: what was not made durable is not shown, in mode `Fsync`; what was deferred is.
#[test]
fn s1_a_record_that_failed_is_not_visible() {
    for kind in ["write", "sync"] {
        let (disk, store) = begun(Durability::Fsync);
        store.store_batch_deferred(&[(2, b"deferred")]).unwrap();
        disk.refuse(kind, ".log");
        assert!(matches!(store.store_batch(&[(1, b"uno"), (3, b"x")]), Err(Error::Io { .. })));
        assert_eq!((get(&store, 1).unwrap(), get(&store, 3)), (b"first".to_vec(), None), "S1");
        assert_eq!(get(&store, 2).unwrap(), b"deferred", "S1");
        store.check_invariants();
        assert_eq!(store.positions().durable(), Lsn(1));
    }
}

#[test]
fn s2_a_payload_is_verified_whenever_it_is_read() {
    let (disk, store) = begun(Durability::Fsync);
    store.store(2, b"two").unwrap();
    let name = disk.image().keys().next().unwrap().clone();
    let file = highwater_vfs::Vfs::open(&disk, name.as_ref(), highwater_vfs::OpenMode::Write);
    let at = disk.image()[&name].len() as u64 - 8;
    file.unwrap().write_at(b"T", at).unwrap();
    let Err(Error::Corrupt(found)) = store.retrieve(2) else { panic!("served") };
    assert_eq!((&found.file, found.offset), (&name, at - 16), "S2");
    let mut buffer = b"what was there".to_vec();
    assert!(store.retrieve_into(2, &mut buffer).is_err());
    assert!(buffer.is_empty(), "nothing of it is handed out");
    assert!(store.retrieve_into(1, &mut buffer).unwrap());
    assert_eq!(buffer, b"first");
    assert!(!store.retrieve_into(3, &mut buffer).unwrap());
    assert!(buffer.is_empty());
}

#[test]
fn growth_asks_for_a_checkpoint_and_writes_it() {
    let disk = TestDisk::default();
    let durability = Durability::Fsync;
    let mut by_hand = Options { checkpoint_bytes: 200, ..options(durability) };
    let store = open(&disk, &by_hand);
    let positions = store.positions();
    for (id, due) in [(1, false), (2, false), (3, true), (4, true)] {
        store.store(id, &[1; 24]).unwrap(); // a frame of 72 bytes
        assert_eq!((store.should_create_snapshot(), positions.growth()), (due, id * 72));
    }
    assert_eq!(store.create_snapshot().unwrap(), Lsn(4));
    assert!(!store.should_create_snapshot());
    assert_eq!((positions.snapshot(), positions.growth()), (Lsn(4), 0));
    drop(store);
    by_hand.auto_checkpoint = true;
    let store = open(&disk, &by_hand);
    disk.calls();
    let snapshots =
        |disk: &TestDisk| disk.calls().iter().filter(|c| c.starts_with("rename")).count();
    let mut id = 4;
    for _ in 0..2 {
        // When the log has grown by the length of the last one, too.
        let (_, newest) =
            disk.image().into_iter().rfind(|(name, _)| name.ends_with(".snap")).unwrap();
        assert!(newest.len() > 200, "{}", newest.len());
        for behind in 1..=newest.len().div_ceil(72) {
            assert_eq!((store.should_create_snapshot(), snapshots(&disk)), (behind > 3, 0), "{id}");
            id += 1;
            store.store(id, &[1; 24]).unwrap();
        }
        assert_eq!((store.positions().snapshot(), snapshots(&disk)), (Lsn(id), 1));
    }
}
