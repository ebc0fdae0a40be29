//! Compaction of the payload store.

use crate::payload_tests::{get, open, options};
use crate::test_disk::TestDisk;
use crate::{Compaction, Durability, Options, PayloadStore};
use std::thread;

fn small() -> Options {
    Options { segment_size: 1024, snapshots_kept: 1, ..options(Durability::Fsync) }
}

/// Sixty ids, of which all but every sixth have been written again.
fn sparse(disk: &TestDisk) -> PayloadStore {
    let store = open(disk, &small());
    for id in 0..60 {
        store.store(id, &[id as u8; 100]).unwrap();
    }
    for id in (0..60).filter(|id| id % 6 > 0) {
        store.store(id, b"short").unwrap();
    }
    store
}

fn log_bytes(disk: &TestDisk) -> usize {
    let image = disk.image();
    image.iter().filter(|(name, _)| name.ends_with(".log")).map(|(_, bytes)| bytes.len()).sum()
}

fn state(store: &PayloadStore) -> Vec<(u64, Vec<u8>)> {
    store.ids().into_iter().map(|id| (id, get(store, id).unwrap())).collect()
}

#[test]
fn sparse_segments_go_and_nothing_is_lost() {
    let disk = TestDisk::default();
    let store = sparse(&disk);
    let (before, size) = (state(&store), log_bytes(&disk));
    store.create_snapshot().unwrap();
    assert_eq!(log_bytes(&disk), size, "something is alive in each");
    let done = store.compact(50).unwrap();
    assert!(done.segments > 5, "{done:?}");
    assert!((10..15).contains(&done.payloads), "the ten, and few beside them: {done:?}");
    assert!(log_bytes(&disk) < size / 2, "{size} to {}", log_bytes(&disk));
    assert_eq!(state(&store), before);
    store.check_invariants();
    assert_eq!(store.compact(50).unwrap().payloads, 0, "nothing is sparse any more");
    drop(store);
    let store = open(&disk, &small());
    assert_eq!(state(&store), before);
    assert_eq!(store.compact(0).unwrap(), Compaction::default(), "nothing is below nothing");
}

#[test]
fn c1_what_is_written_meanwhile_is_newer() {
    let disk = TestDisk::default();
    let store = sparse(&disk);
    disk.hold("create", ".tmp"); // after what is alive was appended again
    thread::scope(|scope| {
        let compaction = scope.spawn(|| store.compact(50).unwrap());
        disk.held();
        store.store(0, b"newer").unwrap();
        store.delete(6).unwrap();
        disk.release();
        assert!(compaction.join().unwrap().payloads >= 10);
    });
    assert_eq!((get(&store, 0), get(&store, 6)), (Some(b"newer".to_vec()), None), "CP1");
    // A change that is pending when its turn comes is left alone.
    let disk = TestDisk::default();
    let store = sparse(&disk);
    disk.hold("sync", ".log");
    thread::scope(|scope| {
        let writer = scope.spawn(|| store.store(0, b"pending").unwrap());
        disk.held();
        let compaction = scope.spawn(|| store.compact(50).unwrap());
        thread::sleep(std::time::Duration::from_millis(50));
        disk.release();
        writer.join().unwrap();
        compaction.join().unwrap();
    });
    assert_eq!(get(&store, 0).unwrap(), b"pending", "CP1");
    drop(store);
    assert_eq!(get(&open(&disk, &small()), 0).unwrap(), b"pending", "CP1: and after a crash");
}
