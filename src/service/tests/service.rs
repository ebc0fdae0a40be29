//! The service on the real disk.

use highwater::{Clock, Durability, KvStore, Options, TestClock, Value};
use highwater_service::{Service, Settings};
use highwater_vfs::OsFs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn open(dir: &Path, clock: &Arc<TestClock>) -> Arc<KvStore> {
    let disk = Arc::new(OsFs::open(dir).unwrap());
    let options = Options { durability: Durability::None, ..Options::default() };
    let clock: Arc<dyn Clock> = clock.clone();
    Arc::new(KvStore::open(disk, options, clock).unwrap())
}

fn settings() -> Settings {
    Settings { sync_every: Duration::from_millis(1), ..Settings::default() }
}

/// Waits until it is so; a minute is for ever.
fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_was_acknowledged_is_synced_when_the_clock_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock::new(0));
    let store = open(dir.path(), &clock);
    let service = Service::start(store.clone(), settings(), clock.clone());
    let ack = store.set("a", Value::Null, None).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert!(store.positions().durable() < ack.lsn, "the clock stands still");
    eventually("durable", || {
        clock.set(clock.now() + 1_000_000);
        store.positions().durable() >= ack.lsn
    });
    let lease = Some(Duration::from_millis(5));
    store.set("gone", Value::Null, lease).unwrap();
    eventually("purged", || {
        clock.set(clock.now() + 1_000_000);
        store.len() == 1
    });
    service.snapshot().unwrap();
    assert!(store.positions().snapshot() > ack.lsn);
    let last = store.set("last", Value::Null, None).unwrap();
    service.stop().unwrap();
    assert!(store.positions().durable() >= last.lsn, "a last sync");
}

#[test]
fn snapshots_come_after_so_many_operations() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock::new(0));
    let store = open(dir.path(), &clock);
    let settings = Settings { snapshot_operations: 10, ..settings() };
    let service = Service::start(store.clone(), settings, clock);
    for n in 0..10 {
        store.incr("n", n).unwrap();
    }
    eventually("a snapshot", || store.positions().snapshot().0 > 0);
    drop(service);
    assert_eq!(store.get("n"), Some(Value::Int(45)));
}

#[test]
fn an_error_is_told_to_whoever_asks() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock::new(0));
    let store = open(dir.path(), &clock);
    let service = Service::start(store.clone(), settings(), clock.clone());
    store.set("a", Value::Null, None).unwrap();
    store.close().unwrap();
    assert!(service.snapshot().is_err(), "closed");
    assert!(service.error().is_some());
    assert!(store.set("b", Value::Null, None).is_err());
    assert!(service.stop().is_err());
}
