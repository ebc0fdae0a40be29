//! What the other views add to the engine: counters and locks that are decided among threads,
//! snapshots shard by shard beside writers, readers and clean-ups beside an appender.
//!
//! At each answer the power is cut, all that is pending lost: what the answer said must be there.

use crate::disk::Slow;
use crate::programs::Counts;
use highwater_shuttle::{Journal, KvStore, Lsn, Options, TestClock, Value};
use highwater_sim::{Choices, Model, Pattern, SimFs};
use shuttle::thread::spawn;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(60);

pub(crate) fn options() -> Options {
    Options { segment_size: 400, reserve: 0, auto_checkpoint: false, ..Options::default() }
}

/// The same for the ordinary store, which has no scheduling points.
fn plain() -> highwater::Options {
    let segment_size = 400;
    highwater::Options { segment_size, auto_checkpoint: false, ..highwater::Options::default() }
}

fn after_power_loss(disk: &SimFs) -> Arc<SimFs> {
    Arc::new(disk.power_cut(Choices::pattern(Pattern::DropAll)))
}

pub(crate) fn found_after_power_loss(disk: &SimFs) -> highwater::KvStore {
    let clock = Arc::new(highwater::TestClock::new(0));
    highwater::KvStore::open_with(after_power_loss(disk), plain(), clock, 2).expect("P5: it opens")
}

/// K4, K2: counters, a lock, a snapshot. Counts refused locks.
pub(crate) fn counters(counts: &Counts) {
    let disk = SimFs::new(Model::Posix);
    let slow = Arc::new(Slow::new(Arc::new(disk.clone()), None));
    let clock = Arc::new(TestClock::new(0));
    let store = KvStore::open_with(slow, options(), clock, 2).expect("a new store");
    let (store, answers) = (Arc::new(store), Arc::new(Mutex::new(Vec::new())));
    let threads: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            let (store, disk) = (Arc::clone(&store), disk.clone());
            let (answers, seen) = (Arc::clone(&answers), Arc::clone(counts));
            spawn(move || {
                if name == "c" {
                    store.set("before", Value::Null, None).expect("it works");
                    store.create_snapshot().expect("it works");
                }
                let (count, _) = store.incr("count", 1).expect("it works");
                answers.lock().expect("nobody panics with it").push(count);
                let there = found_after_power_loss(&disk).get("count");
                let kept = matches!(there, Some(highwater::Value::Int(kept)) if kept >= count);
                assert!(kept, "P1: counted to {count}, found {there:?}");
                let mine = store.lock("lock", name, LEASE).expect("it works").is_some();
                let owner = found_after_power_loss(&disk).get("lock");
                let is_mine = owner == Some(highwater::Value::from(name));
                assert!(owner.is_some(), "K4: an answer about a lock that nobody has");
                assert_eq!(mine, is_mine, "a lock has one owner: {name}, {owner:?}");
                seen[0].fetch_add(u64::from(!mine), Ordering::Relaxed);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("it ends"));
    let mut answers = answers.lock().expect("nobody panics with it").clone();
    answers.sort_unstable();
    assert_eq!(answers, [1, 2, 3], "each counted once");
    store.check_invariants();
    let found = found_after_power_loss(&disk);
    assert_eq!(found.get("count"), Some(highwater::Value::Int(3)));
    assert_eq!((found.len(), found.get("before").is_some()), (3, true), "K2");
    found.check_invariants();
}

/// J2: a reader beside an appender and clean-ups; what it reads is durable and in order. Counts
/// readers that found something.
pub(crate) fn readers(counts: &Counts) {
    let disk = SimFs::new(Model::Posix);
    let slow = Arc::new(Slow::new(Arc::new(disk.clone()), None));
    let options = Options { snapshots_kept: 1, ..options() };
    let journal = Journal::open(slow, options).expect("a new journal");
    let appender = {
        let journal = journal.clone();
        spawn(move || {
            for n in 0..4u8 {
                journal.append(&[n; 150]).expect("it works");
            }
        })
    };
    let reader = {
        let (journal, disk, seen) = (journal.clone(), disk.clone(), Arc::clone(counts));
        spawn(move || {
            let (mut reader, mut next) = (journal.reader(Lsn(1)), 0u8);
            while let Some((lsn, bytes)) = reader.next_record().expect("it works") {
                assert_eq!(bytes, [next; 150], "J2: no record is left out, none comes twice");
                next += 1;
                let found = highwater::Journal::open(after_power_loss(&disk), plain());
                let there = found.expect("P5: it opens").read(highwater::Lsn(lsn.0));
                assert_eq!(there.expect("it is intact"), Some(bytes), "P10: it was seen");
                journal.set_cursor("reader", reader.position()).expect("it works");
            }
            seen[0].fetch_add(u64::from(next > 0), Ordering::Relaxed);
        })
    };
    let cleaner = {
        let journal = journal.clone();
        spawn(move || {
            for _ in 0..2 {
                journal.clean_up().expect("it works");
            }
        })
    };
    [appender, reader, cleaner].into_iter().for_each(|t| t.join().expect("it ends"));
    journal.check_invariants();
    let found = highwater::Journal::open(after_power_loss(&disk), plain()).expect("it opens");
    assert_eq!(found.last(), highwater::Lsn(journal.last().0));
    let mut reader = found.reader(highwater::Lsn(1));
    let mut last = None;
    while let Some((_, bytes)) = reader.next_record().expect("it is intact") {
        assert!(last.is_none_or(|last| bytes[0] == last + 1), "P2: a hole");
        last = Some(bytes[0]);
    }
    assert_eq!(last, Some(3), "P1");
}
