//! The key-value store: what its operations come to, time, and snapshots beside writers.

use crate::error::Error;
use crate::format::Lsn;
use crate::payload_tests::options;
use crate::test_disk::TestDisk;
use crate::{Durability, KvEntry, KvMetrics, KvStore, Options, TestClock, Value};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;
const LEASE: Option<Duration> = Some(Duration::from_secs(10));

fn open_at(disk: &TestDisk, now: i64) -> (KvStore, Arc<TestClock>) {
    let clock = Arc::new(TestClock::new(now));
    let options = Options { snapshots_kept: 1, ..options(Durability::Fsync) };
    let store = KvStore::open_with(disk.vfs(), options, clock.clone(), 4).unwrap();
    store.check_invariants();
    (store, clock)
}

fn text(text: &str) -> Value {
    Value::from(text)
}

#[test]
fn operations_answer_as_their_names_say_and_replay_the_same() {
    let disk = TestDisk::default();
    let (store, _) = open_at(&disk, SECOND);
    assert_eq!(store.set("a", text("1"), None).unwrap().lsn, Lsn(1));
    assert_eq!(store.set_nx("a", text("2"), None).unwrap(), None);
    assert!(store.set_nx("b", text("2"), None).unwrap().is_some());
    assert_eq!(store.incr("n", 5).unwrap().0, 5);
    assert_eq!(store.decr("n", i64::MIN).unwrap().0, i64::MAX, "saturated");
    assert_eq!(store.decr("n", 1).unwrap().0, i64::MAX - 1);
    assert!(matches!(store.incr("a", 1), Err(Error::NoNumber { .. })));
    let values = [("m", Value::Null), ("f", Value::Float(0.5)), ("m", Value::List(vec![]))];
    let batch = store.mset(&values, None).unwrap().lsn;
    assert_eq!(store.compare_and_set("a", Some(&text("x")), text("y"), None).unwrap(), None);
    assert!(store.compare_and_set("a", Some(&text("1")), text("y"), None).unwrap().is_some());
    assert!(store.compare_and_set("c", None, text("new"), None).unwrap().is_some());
    assert_eq!(store.delete("nobody").unwrap(), None);
    assert_eq!(store.mdel(&["b", "b", "nobody"]).unwrap().0, 1);
    assert_eq!(store.entry("a").unwrap().version, 2);
    let state = |store: &KvStore| -> Vec<_> {
        store.keys().iter().map(|key| (key.clone(), store.entry(key).unwrap())).collect()
    };
    let keys: Vec<_> = ["a", "c", "f", "m", "n"].map(|key| key.as_bytes().to_vec()).into();
    assert_eq!((store.keys(), store.get("m")), (keys, Some(Value::List(vec![]))));
    assert!(batch < store.positions().durable());
    let before = state(&store);
    drop(store);
    let (store, _) = open_at(&disk, SECOND);
    assert_eq!(state(&store), before);
    store.create_snapshot().unwrap();
    drop(store);
    let clock = Arc::new(TestClock::new(0));
    let store = KvStore::open_with(disk.vfs(), options(Durability::Fsync), clock, 9).unwrap();
    assert_eq!(state(&store), before, "from a snapshot, into another number of shards");
    assert!(store.stats().snapshot_loaded && store.stats().replayed == 0);
    store.check_invariants(); // K1
}

#[test]
fn keys_and_values_have_limits() {
    let disk = TestDisk::default();
    let (store, _) = open_at(&disk, 0);
    assert!(matches!(store.set("", Value::Null, None), Err(Error::NoKey)));
    let long = store.set("x".repeat(257), Value::Null, None);
    assert!(matches!(long, Err(Error::TooLarge { size: 257, limit: 256, .. })));
    let deep = (0..129).fold(Value::Null, |value, _| Value::List(vec![value]));
    assert!(matches!(
        store.set("deep", deep, None),
        Err(Error::TooDeep { depth: 129, limit: 128 })
    ));
    assert!(store.is_empty() && disk.image().is_empty(), "nothing happened");
}

#[test]
fn locks_are_had_by_one_owner_until_they_expire() {
    let disk = TestDisk::default();
    let (store, clock) = open_at(&disk, SECOND);
    let lease = Duration::from_secs(10);
    assert!(store.lock("job", "a", lease).unwrap().is_some());
    assert!(store.lock("job", "a", lease).unwrap().is_none(), "also for its owner");
    assert!(store.unlock("job", "b").unwrap().is_none());
    clock.set(10 * SECOND);
    assert!(store.extend_lock("job", "a", lease).unwrap().is_some(), "a second before the end");
    clock.set(19 * SECOND);
    assert!(store.lock("job", "b", lease).unwrap().is_none());
    clock.set(20 * SECOND);
    assert_eq!(store.get("job"), None);
    assert!(store.extend_lock("job", "a", lease).unwrap().is_none());
    assert!(store.lock("job", "b", lease).unwrap().is_some());
    // Whatever the clock says when it is opened again, b has it.
    drop(store);
    for now in [0, 20 * SECOND, 29 * SECOND] {
        let (store, _) = open_at(&disk, now);
        assert_eq!(store.get("job"), Some(text("b")), "{now}");
    }
    let (store, _) = open_at(&disk, 30 * SECOND);
    assert_eq!((store.get("job"), store.len()), (None, 1));
    assert_eq!((store.purge(10).unwrap(), store.len(), store.purge(10).unwrap()), (1, 0, 0));
}

#[test]
fn k5_time_never_goes_back() {
    let disk = TestDisk::default();
    let (store, clock) = open_at(&disk, 100 * SECOND);
    store.set("short", text("x"), LEASE).unwrap();
    clock.set(200 * SECOND);
    assert_eq!(store.get("short"), None, "expired");
    clock.set(100 * SECOND);
    assert_eq!((store.get("short"), store.now()), (None, 200 * SECOND), "K5: and stays so");
    store.set("new", text("y"), LEASE).unwrap();
    assert_eq!(store.entry("new").unwrap().expires, Some(210 * SECOND));
    drop(store);
    let (store, _) = open_at(&disk, 0);
    assert_eq!((store.get("short"), store.now()), (None, 200 * SECOND), "K5: over a restart");
}

#[test]
fn k4_an_answer_that_rests_on_a_pending_change_waits_for_it() {
    let disk = TestDisk::default();
    let (store, _) = open_at(&disk, 0);
    store.set("other", Value::Null, None).unwrap();
    disk.hold("sync", ".log");
    thread::scope(|scope| {
        let first = scope.spawn(|| store.set_nx("key", text("first"), None).unwrap());
        disk.held();
        let second = scope.spawn(|| store.set_nx("key", text("second"), None).unwrap());
        let sum = scope.spawn(|| store.incr("count", 1).unwrap().0);
        let none = scope.spawn(|| store.incr("key", 1));
        thread::sleep(Duration::from_millis(50));
        assert!(!second.is_finished() && !sum.is_finished(), "K4: that it is there is not durable");
        assert!(!none.is_finished(), "K4: nor is it that it is no number");
        assert_eq!(store.get("key"), None, "a reader does not wait, and does not see it");
        disk.release();
        assert!(first.join().unwrap().is_some());
        assert_eq!((second.join().unwrap(), sum.join().unwrap()), (None, 1));
        assert!(matches!(none.join().unwrap(), Err(Error::NoNumber { .. })));
    });
    assert_eq!(store.get("key"), Some(text("first")));
}

/// What a snapshot holds by itself: the log behind it is cut off.
fn from_snapshot(disk: &TestDisk, log_size: usize) -> Vec<(Vec<u8>, Value)> {
    let mut image = disk.image();
    assert!(image.keys().any(|name| name.ends_with(".snap")));
    let log = image.iter_mut().find(|(name, _)| name.ends_with(".log")).unwrap().1;
    log.truncate(log_size);
    let (store, _) = open_at(&TestDisk::of(&image), 0);
    assert_eq!(store.stats().replayed, 0);
    store.keys().into_iter().map(|key| (key.clone(), store.get(&key).unwrap())).collect()
}

#[test]
fn k2_k3_a_snapshot_is_the_state_at_its_cut_whatever_is_written_meanwhile() {
    // Where the snapshot is held up: before there is a file (K3), and before its end is written.
    for kind in ["create", "write"] {
        let disk = TestDisk::default();
        let (store, _) = open_at(&disk, 0);
        for n in 0..40 {
            store.set(format!("key {n}"), Value::Int(n), None).unwrap();
        }
        let size = disk.image().values().next().unwrap().len();
        let keys = store.keys();
        disk.hold(kind, ".tmp");
        thread::scope(|scope| {
            let snapshot = scope.spawn(|| store.create_snapshot().unwrap());
            disk.held();
            for n in 0..20 {
                store.incr(format!("key {n}"), 1000).unwrap();
                store.delete(format!("key {}", n + 20)).unwrap();
                store.set(format!("new {n}"), Value::Null, None).unwrap();
            }
            disk.release();
            assert_eq!(snapshot.join().unwrap(), Lsn(40));
        });
        let found = from_snapshot(&disk, size);
        let expected = |key: &Vec<u8>| {
            let text = String::from_utf8(key.clone()).unwrap();
            (key.clone(), Value::Int(text[4..].parse().unwrap()))
        };
        assert_eq!(found, keys.iter().map(expected).collect::<Vec<_>>(), "K2: {kind}");
        store.check_invariants();
        drop(store);
        let (store, _) = open_at(&disk, 0);
        assert_eq!((store.len(), store.get("key 7")), (40, Some(Value::Int(1007))));
    }
}

#[test]
fn a_snapshot_that_fails_is_forgotten_and_the_store_goes_on() {
    let disk = TestDisk::default();
    let (store, _) = open_at(&disk, 0);
    store.set("a", Value::Int(1), None).unwrap();
    disk.refuse("create", ".tmp");
    assert!(matches!(store.create_snapshot(), Err(Error::Io { .. })));
    disk.heal();
    store.set("a", Value::Int(2), None).unwrap();
    assert_eq!(store.create_snapshot().unwrap(), Lsn(2));
    drop(store);
    assert_eq!(open_at(&disk, 0).0.get("a"), Some(Value::Int(2)));
}

/// What another store had, its version included; and a version has an end.
#[test]
fn a_key_is_restored_as_it_was() {
    let disk = TestDisk::default();
    let (store, clock) = open_at(&disk, 5);
    let entry = KvEntry { value: text("me"), expires: Some(9), version: u64::MAX };
    store.restore("lock", &entry).unwrap();
    drop(store);
    let (store, _) = open_at(&disk, 5);
    assert_eq!(store.entry("lock"), Some(entry));
    assert!(store.extend_lock("lock", "me", Duration::from_nanos(9)).unwrap().is_some());
    assert_eq!(store.entry("lock").map(|entry| entry.version), Some(u64::MAX));
    clock.set(9);
    let (store, _) = (drop(store), open_at(&disk, 20)).1;
    assert_eq!(store.entry("lock"), None);
}

#[test]
fn metrics_say_what_was_done() {
    let disk = TestDisk::default();
    let clock = Arc::new(TestClock::new(SECOND));
    let small = Options { segment_size: 512, snapshots_kept: 1, ..options(Durability::Fsync) };
    let store = KvStore::open_with(disk.vfs(), small, clock.clone(), 4).unwrap();
    assert_eq!(store.metrics(), KvMetrics::default());
    store.mset(&[("a", text("1")), ("b", text("2"))], None).unwrap();
    store.lock("l", "me", LEASE.unwrap()).unwrap();
    store.lock("l", "you", LEASE.unwrap()).unwrap();
    store.delete("nobody").unwrap();
    store.set("", text("x"), None).unwrap_err();
    let met = store.metrics();
    assert_eq!((met.changed, met.unchanged, met.failed, met.keys), (2, 2, 0, 3));
    assert_eq!((met.log_syncs, met.snapshots, met.segments_removed), (2, 0, 0));
    let logs = |disk: &TestDisk| -> Vec<usize> {
        let image = disk.image();
        image.iter().filter(|(name, _)| name.ends_with(".log")).map(|(_, b)| b.len()).collect()
    };
    assert_eq!(vec![met.log_bytes as usize], logs(&disk));
    clock.set(100 * SECOND);
    assert_eq!((store.purge(10).unwrap(), store.purge(10).unwrap()), (1, 0));
    for n in 0..20 {
        store.set("a", text(&format!("{n:50}")), None).unwrap();
    }
    let segments = logs(&disk).len() as u64;
    store.create_snapshot().unwrap();
    let met = store.metrics();
    assert_eq!((met.changed, met.unchanged, met.purged, met.keys), (22, 2, 1, 2));
    assert_eq!((met.log_syncs, met.snapshots, met.segments_removed), (23, 1, segments - 1));
    disk.refuse("sync", ".log");
    store.set("a", text("2"), None).unwrap_err();
    assert_eq!((store.metrics().failed, store.metrics().log_syncs), (1, 23));
}

#[test]
fn a_purge_looks_at_a_few_thousand_items_at_a_time() {
    let disk = TestDisk::default();
    let clock = Arc::new(TestClock::new(SECOND));
    let store =
        KvStore::open_with(disk.vfs(), options(Durability::None), clock.clone(), 16).unwrap();
    let keys: Vec<(String, Value)> = (0..20_000).map(|n| (n.to_string(), Value::Null)).collect();
    store.mset(&keys, LEASE).unwrap();
    store.set("stays", Value::Null, None).unwrap();
    clock.set(100 * SECOND);
    assert_eq!((store.purge(0).unwrap(), store.purge(7).unwrap(), store.len()), (0, 7, 19_994));
    assert_eq!((store.purge(usize::MAX).unwrap(), store.len()), (19_993, 1));
}
