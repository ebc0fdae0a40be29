//! What all views have from their engine.

use crate::payload_tests::{open, options};
use crate::test_disk::TestDisk;
use crate::{Durability, Level, Lsn, Options};
use std::time::Duration;

#[test]
fn a_tick_that_is_due_makes_durable() {
    let disk = TestDisk::default();
    let store = open(&disk, &options(Durability::Interval(Duration::from_millis(100))));
    assert_eq!(store.store(1, b"one").unwrap().level, Level::Buffered);
    disk.calls();
    let tick = |millis| store.tick(Duration::from_millis(millis)).unwrap().map(|ack| ack.lsn);
    assert_eq!((tick(1000), tick(1099), disk.kinds().as_str()), (None, None, ""));
    assert_eq!((tick(1100), store.positions().durable()), (Some(Lsn(1)), Lsn(1)));
    assert_eq!(disk.kinds(), "write log, sync log");
    assert_eq!((tick(1199), tick(1200), disk.kinds().as_str()), (None, Some(Lsn(1)), ""));
    store.store(2, b"two").unwrap();
    assert_eq!((tick(500), tick(599), tick(600)), (None, None, Some(Lsn(2))), "set back");
    let other = open(&TestDisk::default(), &options(Durability::None));
    other.store(1, b"one").unwrap();
    assert_eq!(other.tick(Duration::MAX).unwrap(), None, "in another mode");
    assert_eq!(other.positions().durable(), Lsn(0));
}

#[test]
fn a_full_buffer_is_written_by_whoever_fills_it() {
    let disk = TestDisk::default();
    let store = open(&disk, &options(Durability::Interval(Duration::MAX)));
    for id in 0..100 {
        store.store(id, &[7; 1000]).unwrap();
    }
    let behind = store.positions().appended().0 - store.positions().written().0;
    assert!(behind < 20, "at most 16 KiB and what fills them are in memory: {behind} records");
}

/// S8: in every mode, whoever makes them too many waits for a sync; a tick comes earlier.
#[test]
fn s8_records_that_wait_for_a_sync_are_counted() {
    for durability in
        [Durability::FlushOnly, Durability::None, Durability::Interval(Duration::ZERO)]
    {
        let disk = TestDisk::default();
        let store = open(&disk, &Options { sync_after: Some(3), ..options(durability) });
        for n in 1..=10 {
            store.store(n, b"x").unwrap();
            assert_eq!(store.positions().durable(), Lsn(n / 3 * 3), "S8: {durability:?}");
        }
        disk.calls();
        store.flush().unwrap();
        store.store(11, b"x").unwrap();
        store.delete(11).unwrap();
        assert_eq!(store.positions().durable(), Lsn(10), "counted anew");
        store.store_batch(&[(12, b"x"), (13, b"y")]).unwrap();
        assert_eq!(store.positions().durable(), Lsn(13), "S8: a batch is one");
        assert_eq!(disk.kinds().matches("sync log").count(), 2);
    }
    let deferred = Options { sync_after: Some(3), ..options(Durability::Fsync) };
    let store = open(&TestDisk::default(), &deferred);
    for n in 1..=4 {
        let ack = store.store_batch_deferred(&[(n, b"x")]).unwrap();
        assert_eq!((ack.level, store.positions().durable()), (Level::Buffered, Lsn(n / 3 * 3)));
    }
}
