//! Positions: what a reader without a lock may conclude.

use crate::broken::weak;
use crate::engine::Lsn;
use crate::engine::positions::Positions;
use crate::engine::sync::{Arc, AtomicU64, Mutex, Ordering};
use crate::explore::{Bounds, COMPLETE, Seen, explore, explore_shadowed};
use loom::thread::spawn;

const NONE: u64 = 0;

/// Bytes in memory, in the file and on the disk, one number a record. Only positions order them.
struct Bytes([Vec<AtomicU64>; 3]);

impl Bytes {
    fn new(records: usize) -> Bytes {
        Bytes([(); 3].map(|()| (0..records).map(|_| AtomicU64::new(NONE)).collect()))
    }

    fn set(&self, layer: usize, record: u64) {
        self.0[layer][record as usize - 1].store(record, Ordering::Relaxed);
    }

    fn are_there(&self, layer: usize, to: Lsn) {
        for record in 1..=to.0 {
            let found = self.0[layer][record as usize - 1].load(Ordering::Relaxed);
            let what = ["appended", "written", "durable"][layer];
            assert_eq!(found, record, "A2: {what} stands before its bytes");
        }
    }
}

/// Who has appended and written these records, and has the disk's word for them.
fn publish(positions: &Positions, bytes: &Bytes, records: u64) {
    for record in 1..=records {
        bytes.set(0, record);
        positions.publish_appended(Lsn(record), 10 * record);
        bytes.set(1, record);
        positions.publish_written(Lsn(record));
        bytes.set(2, record);
        positions.publish_durable(Lsn(record));
    }
}

/// The smaller one first.
fn look(view: &Positions, bytes: &Bytes) -> (u64, u64, u64) {
    let early = weak("a reader asks for the larger first").then(|| view.appended());
    let durable = view.durable();
    bytes.are_there(2, durable);
    let written = view.written();
    bytes.are_there(1, written);
    let appended = early.unwrap_or_else(|| view.appended());
    bytes.are_there(0, appended);
    assert!(view.growth() >= 10 * appended.0, "A2: growth behind appended");
    assert!(durable <= written && written <= appended, "A1: {durable:?} {written:?} {appended:?}");
    (durable.0, written.0, appended.0)
}

fn watched(name: &str, bounds: Bounds, records: u64, readers: usize) -> Seen<Vec<(u64, u64, u64)>> {
    explore(name, bounds, move || {
        let shared = Arc::new((Positions::default(), Bytes::new(records as usize)));
        let read = |_| {
            let shared = Arc::clone(&shared);
            spawn(move || look(&shared.0, &shared.1))
        };
        let readers: Vec<_> = (0..readers).map(read).collect();
        publish(&shared.0, &shared.1, records);
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    })
}

pub(crate) fn one_reader() {
    let seen = watched("positions, 1 record, 1 reader", COMPLETE, 1, 1);
    seen.are(&[(0, 0, 0), (0, 0, 1), (0, 1, 1), (1, 1, 1)].map(|triple| vec![triple]));
}

#[test]
fn loom_a2_one_record_one_reader() {
    one_reader();
}

#[test]
fn loom_a1_two_records_one_reader() {
    let seen = watched("positions, 2 records, 1 reader", Bounds(Some(3), None), 2, 1);
    seen.reached(&[(0, 0, 2), (0, 1, 2), (1, 1, 2), (1, 2, 2), (2, 2, 2)].map(|t| vec![t]));
}

#[test]
fn loom_a2_two_readers() {
    let seen = watched("positions, 1 record, 2 readers", Bounds(Some(2), Some(4)), 1, 2);
    seen.reached(&[vec![(0, 0, 0), (1, 1, 1)], vec![(1, 1, 1), (0, 1, 1)]]);
}

pub(crate) fn only_grow() {
    let seen = explore("positions, 2 records, asked twice", COMPLETE, || {
        let positions = Positions::default();
        let view = positions.clone();
        let reader = spawn(move || {
            let first = (view.durable().0, view.snapshot().0);
            let second = (view.durable().0, view.snapshot().0);
            assert!(first.0 <= second.0 && first.1 <= second.1, "A1: {first:?} {second:?}");
            assert!(first.1 <= second.0, "A1: a snapshot of what is not durable");
            (first.0, second.0, second.1)
        });
        for record in 1..=2 {
            positions.publish_appended(Lsn(record), 1);
            positions.publish_written(Lsn(record));
            positions.publish_durable(Lsn(record));
        }
        positions.publish_snapshot(Lsn(2), 0);
        reader.join().unwrap()
    });
    seen.reached(&[(0, 0, 0), (0, 1, 0), (1, 2, 2), (0, 2, 2)]);
}

#[test]
fn loom_a1_positions_only_grow() {
    only_grow();
}

/// A3, as the engine does it: two publishers under a lock that has the values.
pub(crate) fn two_publishers() {
    let seen = explore("positions, 2 publishers, 1 reader", Bounds(Some(3), None), || {
        let shared = Arc::new((Mutex::new(0), Positions::default(), Bytes::new(2)));
        let publisher = || {
            let shared = Arc::clone(&shared);
            spawn(move || {
                let mut end = shared.0.lock();
                *end += 1;
                shared.2.set(1, *end);
                shared.1.publish_written(Lsn(*end)); // A3: what the lock has
            })
        };
        let publishers = [publisher(), publisher()];
        let written = shared.1.written();
        shared.2.are_there(1, written);
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        written.0
    });
    seen.are(&[0, 1, 2]);
}

#[test]
fn loom_a3_two_publishers_with_values_from_the_lock() {
    two_publishers();
}

/// The same, but who publishes asks the atomic: correct, and this checker does not see what a
/// reader may see, unless the atomic has a shadow. If the first half fails one day, loom has
/// learned it, and A3 may go.
#[test]
fn loom_a3_a_publisher_that_reads_hides_orders() {
    fn model() -> u64 {
        let shared = Arc::new((Mutex::new(()), AtomicU64::new(0)));
        let publisher = || {
            let shared = Arc::clone(&shared);
            spawn(move || {
                let _guard = shared.0.lock();
                let end = shared.1.load(Ordering::Relaxed) + 1;
                shared.1.store(end, Ordering::Release);
            })
        };
        let publishers = [publisher(), publisher()];
        let seen = shared.1.load(Ordering::Acquire);
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        seen
    }
    explore("a publisher that reads", COMPLETE, model).are(&[0]);
    explore_shadowed("the same with shadows", COMPLETE, model).are(&[0, 1, 2]);
}
