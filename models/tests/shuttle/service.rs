//! The service and its store while both are shut down: its own sources too, with the locks of a
//! scheduler. Its thread goes on when somebody calls it, and finds then that time has passed.

use crate::disk::Slow;
use crate::programs::Counts;
use crate::views::{found_after_power_loss, options};
use highwater_shuttle::{Clock, Durability, Error, KvStore, Options, Value};
use highwater_shuttle_service::{Failure, Service, Settings};
use highwater_sim::{Model, SimFs};
use shuttle::thread::{JoinHandle, spawn};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// Operations that callers try, each a key of its own.
const CALLERS: [&[u64]; 2] = [&[1, 2], &[3, 4]];

/// A second passes whenever somebody looks: more than the time between two syncs.
#[derive(Debug, Default)]
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> i64 {
        self.0.fetch_add(1_000_000_000, Ordering::Relaxed)
    }
}

/// The keys that were acknowledged, and how many were refused.
type Answers = Arc<Mutex<(Vec<u64>, u64)>>;

fn callers(store: &Arc<KvStore>, answers: &Answers) -> Vec<JoinHandle<()>> {
    let caller = |keys: &'static [u64]| {
        let (store, answers) = (Arc::clone(store), Arc::clone(answers));
        spawn(move || {
            for &key in keys {
                let done = store.set(key.to_le_bytes(), Value::Int(key as i64), None);
                let mut answers = answers.lock().expect("nobody panics with it");
                match done {
                    Ok(_) => answers.0.push(key),
                    Err(Error::Closed) => answers.1 += 1,
                    Err(other) => panic!("neither done nor refused: {other}"),
                }
            }
        })
    };
    CALLERS.map(caller).into()
}

fn acknowledged(answers: &Answers) -> Vec<u64> {
    answers.lock().expect("nobody panics with it").0.clone()
}

/// What was acknowledged is there, and nothing else.
fn is_there(disk: &SimFs, all: bool, keys: &[u64]) {
    let found = found_after_power_loss(disk);
    for key in CALLERS.concat() {
        let value = found.get(key.to_le_bytes());
        match keys.contains(&key) {
            true => assert!(value.is_some(), "P1: {key} was acknowledged"),
            false => assert!(!all || value.is_none(), "P4: {key} was refused"),
        }
    }
}

fn served(durability: Durability) -> (SimFs, Arc<KvStore>, Service) {
    let disk = SimFs::new(Model::Posix);
    let slow = Arc::new(Slow::new(Arc::new(disk.clone()), None));
    let clock = Arc::new(Ticking::default());
    let options = Options { durability, ..options() };
    let store = KvStore::open_with(slow, options, clock.clone(), 2).expect("a new store");
    let store = Arc::new(store);
    let service = Service::start(store.clone(), Settings::default(), clock);
    (disk, store, service)
}

/// The service is stopped while callers do not wait for the disk: what was acknowledged before is
/// durable after, and the rest when the store is closed. Counts acknowledged before the stop.
pub(crate) fn last_sync(counts: &Counts) {
    let (disk, store, service) = served(Durability::None);
    let answers = Answers::default();
    let callers = callers(&store, &answers);
    service.snapshot().expect("it works");
    let before = acknowledged(&answers);
    service.stop().expect("it works");
    is_there(&disk, false, &before);
    counts[0].fetch_add(u64::from(!before.is_empty()), Ordering::Relaxed);
    store.close().expect("it works");
    callers.into_iter().for_each(|caller| caller.join().expect("it ends"));
    is_there(&disk, true, &acknowledged(&answers));
}

/// Q5: the store is closed under the service while callers wait in the queue, and one of them for a
/// snapshot: everybody is answered, and what was acknowledged is durable. Counts those that were
/// refused, in three ways.
pub(crate) fn closed(counts: &Counts) {
    let (disk, store, service) = served(Durability::Fsync);
    let answers = Answers::default();
    let callers = callers(&store, &answers);
    let closer = {
        let store = Arc::clone(&store);
        spawn(move || store.close().expect("it works"))
    };
    let written = service.snapshot();
    is_there(&disk, false, &acknowledged(&answers));
    let stopped = service.stop();
    callers.into_iter().for_each(|caller| caller.join().expect("it ends"));
    closer.join().expect("it ends");
    is_there(&disk, true, &acknowledged(&answers));
    let refused = answers.lock().expect("nobody panics with it").1;
    let closed =
        |why: &Failure| matches!(why, Failure::Store(why) if matches!(**why, Error::Closed));
    let whys = [refused > 0, written.is_err(), stopped.as_ref().is_err_and(closed)];
    for (count, why) in counts.iter().zip(whys) {
        count.fetch_add(u64::from(why), Ordering::Relaxed);
    }
}
