//! The log behind the queue: rotation, snapshots, shutdown, and readers who follow.

use crate::broken::weak;
use crate::engine::Lsn;
use crate::engine::sync::{Arc, AtomicU64, Ordering};
use crate::explore::{Bounds, explore, explore_shadowed};
use crate::toy::{Error, Queue, Segment, Toy};
use loom::sync::atomic::AtomicBool;
use loom::thread::spawn;

fn commit(queue: &Queue) -> Result<u64, Error> {
    let lsn = queue.commit(None, |log| log.append())?;
    let durable = queue.with(|log| Arc::clone(&log.disk)).durable();
    assert!(durable >= lsn, "Q2: {lsn} was acknowledged, {durable} is durable");
    Ok(lsn)
}

/// L4: a segment ends when all of it is durable, however many commit.
pub(crate) fn rotation() {
    let seen = explore("rotation, 3 callers, 1 record a segment", Bounds(Some(2), Some(4)), || {
        let queue = Toy::new(0, 1).queue();
        let other = || {
            let queue = Arc::clone(&queue);
            spawn(move || commit(&queue))
        };
        let others = [other(), other()];
        let mut told = vec![commit(&queue)];
        others.into_iter().for_each(|other| told.push(other.join().unwrap()));
        told.sort();
        assert_eq!(told, [Ok(1), Ok(2), Ok(3)]);
        queue.with(|log| {
            let firsts: Vec<_> = log.segments.read().unwrap().iter().map(|s| s.first).collect();
            assert_eq!((firsts, log.disk.durable()), (vec![1, 2, 3], 3));
            log.disk.syncs()
        })
    });
    seen.are(&[3]);
}

#[test]
fn loom_q5_rotation_against_committers() {
    rotation();
}

/// L6, A2: position, then the list of segments, then the bytes; what is not written is in memory.
pub(crate) fn reader() {
    let seen = explore("rotation, 1 caller twice, 1 reader", Bounds(Some(3), Some(6)), || {
        let queue = Toy::new(0, 1).queue();
        let reading = Arc::clone(&queue);
        let (view, segments) = queue.with(|log| (log.positions.clone(), Arc::clone(&log.segments)));
        let reader = spawn(move || {
            let listed: Option<Vec<Arc<Segment>>> =
                weak("segments before the position").then(|| segments.read().unwrap().clone());
            let record = view.appended().0;
            if record == 0 {
                return (0, false);
            }
            let written = view.written().0 >= record;
            if !written && reading.with(|log| log.in_memory(record)) {
                return (record, true);
            }
            let listed = listed.unwrap_or_else(|| segments.read().unwrap().clone());
            let found = listed.iter().find_map(|segment| segment.read(record));
            assert_eq!(found, Some(record), "L6: neither in memory nor in its segment");
            (record, false)
        });
        assert_eq!([commit(&queue), commit(&queue)], [Ok(1), Ok(2)]);
        reader.join().unwrap()
    });
    seen.are(&[(0, false), (1, false), (1, true), (2, false), (2, true)]);
}

#[test]
fn loom_l6_rotation_against_a_reader() {
    reader();
}

/// A reader that keeps a list of segments, and asks again when it misses one.
pub(crate) fn refresh() {
    let seen =
        explore_shadowed("refresh, 1 caller twice, 1 reader", Bounds(Some(3), Some(6)), || {
            let queue = Toy::new(0, 1).queue();
            let (view, segments) =
                queue.with(|log| (log.positions.clone(), Arc::clone(&log.segments)));
            let reader = spawn(move || {
                let mut kept: Vec<Arc<Segment>> = segments.read().unwrap().clone();
                let written = view.written().0;
                let mut refreshed = false;
                for record in 1..=written {
                    let mut found = kept.iter().find_map(|segment| segment.read(record));
                    if found.is_none() && !weak("a miss is not looked up again") {
                        (kept, refreshed) = (segments.read().unwrap().clone(), true);
                        found = kept.iter().find_map(|segment| segment.read(record));
                    }
                    assert_eq!(found, Some(record), "A2: a position ahead of the segments");
                }
                (written, refreshed)
            });
            assert_eq!([commit(&queue), commit(&queue)], [Ok(1), Ok(2)]);
            reader.join().unwrap()
        });
    seen.are(&[(0, false), (1, false), (2, false), (2, true)]);
}

#[test]
fn loom_a2_a_reader_that_refreshes() {
    refresh();
}

/// S6: a snapshot is of one moment: all that was acknowledged before it, nothing by halves.
pub(crate) fn snapshot() {
    let seen = explore("snapshot, 2 callers", Bounds(Some(2), Some(4)), || {
        let queue = Toy::new(0, 9).queue();
        let told = Arc::new(AtomicU64::new(0));
        let other = |tells: bool| {
            let (queue, told) = (Arc::clone(&queue), Arc::clone(&told));
            spawn(move || {
                let lsn = commit(&queue).unwrap();
                if tells {
                    told.store(lsn, Ordering::Release);
                }
            })
        };
        let others = [other(true), other(false)];
        let before = told.load(Ordering::Acquire);
        let cut = |log: &mut Toy| (log.appended, log.visible, log.disk.durable());
        let (lsn, visible, durable) = match weak("a snapshot waits for nobody") {
            false => queue.alone(|log| Ok(cut(log))).unwrap(),
            true => queue.with(cut),
        };
        assert_eq!(lsn, visible, "S6: not the state at {lsn}");
        assert!(before <= lsn && lsn <= durable, "S6: {before} acknowledged, {durable} durable");
        others.into_iter().for_each(|other| other.join().unwrap());
        (before, lsn)
    });
    seen.reached(&[(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)]);
}

#[test]
fn loom_s6_snapshot_against_append() {
    snapshot();
}

/// Every commit is acknowledged and durable, or refused; nothing is written behind the mark.
pub(crate) fn shutdown() {
    let seen = explore("shutdown, 2 callers", Bounds(Some(2), Some(4)), || {
        let queue = Toy::new(0, 9).queue();
        let other = || {
            let queue = Arc::clone(&queue);
            spawn(move || commit(&queue))
        };
        let others = [other(), other()];
        match weak("a shutdown waits for nobody") {
            false => queue
                .alone(|log| {
                    log.close();
                    Ok(())
                })
                .unwrap(),
            true => queue.with(Toy::close),
        }
        let told = others.map(|other| other.join().unwrap());
        let acknowledged = told.iter().flatten().count() as u64;
        let refused = told.iter().filter(|told| **told == Err(Error::Closed)).count() as u64;
        assert_eq!(acknowledged + refused, 2, "neither acknowledged nor refused: {told:?}");
        queue.with(|log| assert_eq!(log.appended, acknowledged, "refused and there"));
        acknowledged
    });
    seen.are(&[0, 1, 2]);
}

#[test]
fn loom_q5_shutdown_against_commit() {
    shutdown();
}

/// The growth that makes a snapshot due, without a lock, while others append: it forgets nothing
/// that came while the snapshot was written.
pub(crate) fn growth() {
    let seen = explore_shadowed(
        "growth, 2 callers, checkpoint when due",
        Bounds(Some(3), Some(5)),
        || {
            let queue = Toy::new(0, 9).queue();
            let checkpoints = Arc::new(AtomicBool::new(false));
            let act = |queue: Queue, checkpoints: Arc<AtomicBool>| {
                commit(&queue).unwrap();
                let view = queue.with(|log| log.positions.clone());
                if view.growth() < 1 {
                    return false; // Not due: somebody else has just made one.
                }
                if checkpoints.swap(true, Ordering::AcqRel) {
                    return false; // Somebody else makes one.
                }
                let (lsn, grown) = queue.alone(|log| Ok((log.appended, log.growth))).unwrap();
                queue.with(|log| {
                    let forgotten =
                        if weak("growth begins at nothing") { log.growth } else { grown };
                    log.growth -= forgotten;
                    log.positions.publish_snapshot(Lsn(lsn), log.growth);
                });
                checkpoints.store(false, Ordering::Release);
                true
            };
            let (other, theirs) = (Arc::clone(&queue), Arc::clone(&checkpoints));
            let other = spawn(move || act(other, theirs));
            let mine = act(Arc::clone(&queue), checkpoints);
            let made = u64::from(mine) + u64::from(other.join().unwrap());
            queue.with(|log| {
                let (snapshot, growth) = (log.positions.snapshot().0, log.positions.growth());
                assert_eq!(
                    growth,
                    log.appended - snapshot,
                    "growth since the snapshot of {snapshot}"
                );
                (made, snapshot, growth)
            })
        },
    );
    seen.reached(&[(1, 2, 0), (2, 2, 0), (1, 1, 1)]);
}

#[test]
fn loom_s6_growth_against_append_and_checkpoint() {
    growth();
}
