//! The service on the real disk.

use highwater::{Clock, Durability, Error, KvStore, Options, Positions, TestClock, Value};
use highwater_service::{Failure, Served, Service, Settings};
use highwater_vfs::OsFs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
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
    let is_closed = |failure: Failure| match failure {
        Failure::Store(error) => matches!(*error, Error::Closed),
        _ => false,
    };
    assert!(service.snapshot().is_err_and(is_closed));
    assert!(service.error().is_some_and(is_closed));
    assert!(store.set("b", Value::Null, None).is_err());
    assert!(service.stop().is_err_and(is_closed));
}

/// A store on a disk that others keep busy: so many calls time out.
#[derive(Debug)]
struct Busy(Arc<KvStore>, AtomicUsize);

impl Busy {
    fn in_time(&self) -> Result<(), Error> {
        let left = self.1.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        left.map_or(Ok(()), |_| Err(Error::TimedOut))
    }
}

impl Served for Busy {
    fn positions(&self) -> Positions {
        self.0.positions()
    }
    fn sync(&self) -> Result<(), Error> {
        self.in_time().and_then(|()| Served::sync(&*self.0))
    }
    fn snapshot(&self) -> Result<(), Error> {
        self.in_time().and_then(|()| Served::snapshot(&*self.0))
    }
    fn purge(&self, most: usize) -> Result<(), Error> {
        self.in_time().and_then(|()| Served::purge(&*self.0, most))
    }
}

/// B3.
#[test]
fn a_store_that_times_out_is_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock::new(0));
    let store = open(dir.path(), &clock);
    let busy = Arc::new(Busy(store.clone(), AtomicUsize::new(5)));
    let service = Service::start(busy.clone(), settings(), clock.clone());
    let ack = store.set("a", Value::Null, None).unwrap();
    eventually("durable", || {
        clock.set(clock.now() + 1_000_000);
        assert!(service.error().is_none(), "{:?}", service.error());
        store.positions().durable() >= ack.lsn
    });
    // The clock stands still from here on: nothing else is due.
    busy.1.store(3, Ordering::SeqCst);
    service.snapshot().unwrap();
    assert!(store.positions().snapshot() >= ack.lsn, "it waits for the snapshot");
    let last = store.set("last", Value::Null, None).unwrap();
    busy.1.store(3, Ordering::SeqCst);
    service.stop().unwrap();
    assert!(store.positions().durable() >= last.lsn, "a last sync, however late");
}

/// A store with a defect.
#[derive(Debug)]
struct Broken(Positions);

impl Served for Broken {
    fn positions(&self) -> Positions {
        self.0.clone()
    }
    fn sync(&self) -> Result<(), Error> {
        Ok(())
    }
    fn snapshot(&self) -> Result<(), Error> {
        panic!("a defect of the {}", "store")
    }
}

/// B4.
#[test]
fn a_panic_is_told_to_whoever_waits() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(TestClock::new(0));
    let broken = Broken(open(dir.path(), &clock).positions());
    let service = Arc::new(Service::start(Arc::new(broken), settings(), clock));
    let (told, answers) = mpsc::channel();
    for _ in 0..3 {
        let (service, told) = (Arc::clone(&service), told.clone());
        std::thread::spawn(move || drop(told.send(service.snapshot().unwrap_err())));
    }
    let is_told = |failure: &Failure| failure.to_string().contains("a defect of the store");
    for _ in 0..3 {
        let failure = answers.recv_timeout(Duration::from_secs(60)).expect("no answer");
        assert!(is_told(&failure), "{failure}");
    }
    assert!(service.error().as_ref().is_some_and(is_told));
    eventually("ours alone", || Arc::strong_count(&service) == 1);
    let service = Arc::into_inner(service).unwrap();
    assert!(service.stop().as_ref().is_err_and(is_told));
}
