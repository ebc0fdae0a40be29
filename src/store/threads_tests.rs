//! Many threads, one store: who waits for whom, and what is visible meanwhile. A disk that holds up
//! one call makes the interesting moment last; all orders are explored by the models.

use crate::error::Error;
use crate::format::Lsn;
use crate::payload_tests::{get, open, options};
use crate::test_disk::TestDisk;
use crate::{Durability, Options, PayloadStore};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{Scope, ScopedJoinHandle, scope, yield_now};
use std::time::Duration;

fn begun(options: &Options) -> (TestDisk, PayloadStore) {
    let disk = TestDisk::default();
    let store = open(&disk, options);
    store.store(1, b"first").unwrap();
    store.flush().unwrap();
    disk.calls();
    (disk, store)
}

fn fsync() -> (TestDisk, PayloadStore) {
    begun(&options(Durability::Fsync))
}

type Done<'scope> = ScopedJoinHandle<'scope, Result<(), Error>>;

/// Stores on a thread of its own, and waits until that is appended.
fn storing<'s, 'e: 's>(scope: &'s Scope<'s, 'e>, store: &'e PayloadStore, id: u64) -> Done<'s> {
    let (view, before) = (store.positions(), store.positions().appended());
    let done = scope.spawn(move || store.store(id, &[id as u8; 20]).map(drop));
    while view.appended() == before {
        yield_now();
    }
    done
}

/// Q1, Q2, Q4, S1: while one sync is under way the others gather, share the next one, and are seen
/// by nobody before it.
#[test]
fn q2_callers_share_a_sync() {
    let (disk, store) = fsync();
    disk.hold("sync", "");
    scope(|scope| {
        let leader = storing(scope, &store, 2);
        disk.held();
        let others: Vec<_> = (3..8).map(|id| storing(scope, &store, id)).collect();
        assert_eq!((store.ids(), store.positions().durable()), (vec![1], Lsn(1)), "S1");
        assert_eq!(store.positions().appended(), Lsn(7));
        assert_eq!(get(&store, 1).unwrap(), b"first", "a reader waits for nobody");
        disk.release();
        leader.join().unwrap().unwrap();
        others.into_iter().for_each(|other| other.join().unwrap().unwrap());
    });
    assert_eq!(disk.kinds(), "write log, sync log, write log, sync log", "Q1");
    assert_eq!((store.len(), store.positions().durable()), (7, Lsn(7)), "Q2");
    store.check_invariants();
}

/// L6: what is visible can be read: in the buffer, on its way, and in the file.
#[test]
fn l6_a_reader_finds_what_is_not_written() {
    let (disk, store) = begun(&options(Durability::None));
    store.store(2, b"on its way").unwrap();
    disk.hold("write", "");
    scope(|scope| {
        let flush = scope.spawn(|| store.flush());
        disk.held();
        store.store(3, b"in the buffer").unwrap();
        assert_eq!(get(&store, 2).unwrap(), b"on its way", "L6");
        assert_eq!(get(&store, 3).unwrap(), b"in the buffer", "L6");
        assert_eq!(get(&store, 1).unwrap(), b"first");
        store.check_invariants();
        disk.release();
        assert_eq!(flush.join().unwrap().unwrap().lsn, Lsn(2));
    });
    assert_eq!(get(&store, 2).unwrap(), b"on its way");
    assert_eq!(get(&store, 3).unwrap(), b"in the buffer");
    assert_eq!(store.positions().durable(), Lsn(2));
}

#[test]
fn s5_a_change_never_replaces_a_later_one() {
    for delete in [false, true] {
        let (disk, store) = fsync();
        disk.hold("sync", "");
        scope(|scope| {
            let other = match delete {
                false => storing(scope, &store, 1),
                true => scope.spawn(|| store.delete(1).map(drop)),
            };
            disk.held();
            store.store_batch_deferred(&[(1, b"later")]).unwrap();
            disk.release();
            other.join().unwrap().unwrap();
        });
        assert_eq!(get(&store, 1).unwrap(), b"later", "S5");
        store.check_invariants();
    }
}

/// S5: nobody waits in mode `None` but who fills the buffer, and a delete of what that one stores.
#[test]
fn s5_a_delete_is_not_undone_by_a_store_before_it() {
    let (disk, store) = begun(&options(Durability::None));
    disk.hold("write", "");
    scope(|scope| {
        let view = store.positions();
        let large = scope.spawn(|| store.store(2, &[2; 20 << 10]).map(drop));
        disk.held();
        let delete = scope.spawn(|| store.delete(2).map(|ack| assert!(ack.is_some())));
        while view.appended() < Lsn(3) {
            yield_now();
        }
        disk.release();
        large.join().unwrap().unwrap();
        delete.join().unwrap().unwrap();
    });
    assert_eq!(store.ids(), [1], "S5");
    store.check_invariants();
}

/// Of two deletes of one id, one has deleted something; the other is told so when that is durable.
#[test]
fn two_deletes_delete_once() {
    let (disk, store) = fsync();
    disk.hold("sync", "");
    let deleted: Vec<bool> = scope(|scope| {
        let first = scope.spawn(|| store.delete(1));
        disk.held();
        let second = scope.spawn(|| store.delete(1));
        assert!(store.contains(1));
        disk.release();
        [first, second].into_iter().map(|d| d.join().unwrap().unwrap().is_some()).collect()
    });
    assert_eq!((deleted, store.positions().appended()), (vec![true, false], Lsn(2)));
}

/// Q3, P9: everybody that a failed leader stood for is told, and nobody sees what failed.
#[test]
fn q3_a_failed_leader_fails_everybody() {
    let (disk, store) = fsync();
    disk.hold("sync", "");
    scope(|scope| {
        let leader = storing(scope, &store, 2);
        disk.held();
        let others: Vec<_> = (3..6).map(|id| storing(scope, &store, id)).collect();
        disk.refuse("sync", ".log");
        disk.release();
        for waited in others.into_iter().chain([leader]) {
            let failed = waited.join().unwrap();
            assert!(matches!(failed, Err(Error::Io { op: "sync", .. })), "Q3: {failed:?}");
        }
    });
    assert!(matches!(store.store(9, b"x"), Err(Error::Poisoned)));
    assert!(matches!(store.create_snapshot(), Err(Error::Poisoned)));
    assert_eq!(store.ids(), [1]);
    store.check_invariants();
}

/// Who is not patient is told that nothing is known yet; the operation goes on.
#[test]
fn an_impatient_caller_is_not_told_that_it_failed() {
    let patience = Some(Duration::from_millis(2));
    let (disk, store) = begun(&Options { patience, ..options(Durability::Fsync) });
    disk.hold("sync", "");
    scope(|scope| {
        let leader = storing(scope, &store, 2);
        disk.held();
        assert!(matches!(store.store(3, b"three"), Err(Error::TimedOut)));
        assert!(matches!(store.flush(), Err(Error::TimedOut)));
        disk.release();
        leader.join().unwrap().unwrap();
    });
    assert_eq!(store.flush().unwrap().lsn, Lsn(3));
    assert_eq!(store.ids(), [1, 2, 3]);
}

/// S6: a snapshot is of one moment, and nobody waits while it is written.
#[test]
fn s6_writers_go_on_while_a_snapshot_is_written() {
    let small = Options { segment_size: 300, ..options(Durability::Fsync) };
    let (disk, store) = begun(&small);
    disk.hold("write", ".tmp");
    scope(|scope| {
        let snapshot = scope.spawn(|| store.create_snapshot());
        disk.held();
        for id in 2..30 {
            store.store(id, &[7; 30]).unwrap();
        }
        store.delete(1).unwrap();
        disk.release();
        assert_eq!(snapshot.join().unwrap().unwrap(), Lsn(1), "S6");
    });
    let growth = store.positions().growth();
    assert!(growth > 28 * 80, "what came meanwhile counts for the next: {growth}");
    store.check_invariants();
    drop(store);
    let store = open(&disk, &small);
    assert_eq!((store.report().snapshot, store.ids().len()), (Lsn(1), 28));
}

/// S3: what a snapshot points to stays, though it was replaced while the snapshot was written: the
/// change is on no disk yet. The design model found this.
#[test]
fn s3_a_segment_that_the_snapshot_needs_stays() {
    let small = Options { segment_size: 300, snapshots_kept: 1, ..options(Durability::Fsync) };
    let (disk, store) = begun(&small);
    for id in 2..12 {
        store.store(id, &[2; 100]).unwrap(); // two in the first segment, then one in each
    }
    disk.hold("write", ".tmp");
    scope(|scope| {
        let snapshot = scope.spawn(|| store.create_snapshot());
        disk.held();
        store.store_batch_deferred(&[(1, b"later"), (2, b"later")]).unwrap();
        disk.release();
        snapshot.join().unwrap().unwrap();
    });
    drop(store); // S7: what was deferred is durable with the checkpoint
    let store = open(&disk, &small);
    assert_eq!(get(&store, 1).unwrap(), b"later", "S3");
    assert_eq!(store.len(), 11);
}

/// P9: what is on its way when a checkpoint poisons the store is unknown, and said to be.
#[test]
fn what_is_on_its_way_when_something_else_fails_is_unknown() {
    let (disk, store) = begun(&Options { snapshots_kept: 1, ..options(Durability::Fsync) });
    store.create_snapshot().unwrap();
    store.store(2, b"two").unwrap();
    scope(|scope| {
        disk.hold("remove", ".snap");
        let checkpoint = scope.spawn(|| store.create_snapshot());
        disk.held();
        disk.refuse("remove", ".snap");
        disk.hold("sync", ".log");
        let on_its_way = storing(scope, &store, 3);
        disk.held();
        disk.release();
        let failed = checkpoint.join().unwrap();
        assert!(matches!(failed, Err(Error::Io { op: "remove", .. })), "{failed:?}");
        assert!(matches!(store.store(4, b"x"), Err(Error::Poisoned)));
        disk.release();
        let failed = on_its_way.join().unwrap();
        assert!(matches!(failed, Err(Error::Io { op: "remove", .. })), "{failed:?}");
    });
    assert_eq!(store.ids(), [1, 2], "S1");
}

/// P9, V12: a failed sync of the directory may lose what somebody else has changed in it, and the
/// next sync would say `Ok`: so nobody changes it between a checkpoint's rename and the latch.
#[test]
fn s4_nobody_else_syncs_the_directory_before_a_failure_is_known() {
    let small = Options { segment_size: 100, ..options(Durability::Fsync) };
    let (disk, store) = begun(&small);
    disk.hold("sync_dir", "");
    let failed = scope(|scope| {
        let checkpoint = scope.spawn(|| store.create_snapshot());
        disk.held();
        disk.refuse("sync_dir", "");
        let rotates = scope.spawn(|| store.store(2, &[2; 100]));
        std::thread::sleep(Duration::from_millis(50)); // it could go on, if nothing held it
        disk.release();
        (checkpoint.join().unwrap().map(drop), rotates.join().unwrap().map(drop))
    });
    assert!(matches!(failed, (Err(Error::Io { .. }), Err(Error::Poisoned))), "{failed:?}");
    assert!(disk.kinds().ends_with("rename snap, sync_dir"), "S4: and no call behind it");
}

/// However many find a segment full, one begins the next.
#[test]
fn a_crowd_needs_no_more_segments_than_one() {
    let small = Options { segment_size: 2000, ..options(Durability::Fsync) };
    let segments = |threads: u64| {
        let (disk, store) = begun(&small);
        scope(|scope| {
            for thread in 1..=threads {
                let store = &store;
                scope.spawn(move || {
                    for nth in 0..240 / threads {
                        store.store((thread << 32) | nth, &[1; 52]).unwrap();
                    }
                });
            }
        });
        disk.calls().iter().filter(|call| call.starts_with("create")).count()
    };
    let alone = segments(1);
    (0..5).for_each(|_| assert_eq!(segments(8), alone));
}

/// What did not wait may overtake what does: then that is there, and can be deleted.
#[test]
fn a_delete_sees_what_has_overtaken_another_delete() {
    let (disk, store) = fsync();
    disk.hold("sync", "");
    scope(|scope| {
        let first = scope.spawn(|| store.delete(1));
        disk.held();
        store.store_batch_deferred(&[(1, b"later")]).unwrap();
        let second = scope.spawn(|| store.delete(1));
        while store.positions().appended() < Lsn(4) {
            assert!(!second.is_finished(), "there was something to delete");
            yield_now();
        }
        disk.release();
        assert!(first.join().unwrap().unwrap().is_some());
        assert!(second.join().unwrap().unwrap().is_some());
    });
    assert!(store.is_empty());
    store.check_invariants();
}

/// S4: what was acknowledged is not taken back because somebody closes before its checkpoint.
#[test]
fn s4_a_close_takes_no_operation_back() {
    let eager =
        Options { checkpoint_bytes: 1, auto_checkpoint: true, ..options(Durability::Fsync) };
    for _ in 0..100 {
        let (_disk, store) = begun(&eager);
        let done = scope(|scope| {
            let done = scope.spawn(|| store.store(2, b"two"));
            let _ = store.close();
            done.join().unwrap()
        });
        assert!(matches!(done, Ok(_) | Err(Error::Closed)), "S4: {done:?}");
        assert_eq!(done.is_ok(), store.contains(2), "S4");
    }
}

/// Q3: a disk that panics, under whatever lock, strands nobody, and nothing is added behind it.
#[test]
fn q3_after_a_panic_everybody_is_refused() {
    for checkpoint in [false, true] {
        let (disk, store) = fsync();
        store.store_batch_deferred(&[(2, b"two")]).unwrap();
        disk.panic("sync");
        let work = || match checkpoint {
            true => store.create_snapshot().map(drop),
            false => store.flush().map(drop),
        };
        assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
        assert!(matches!(store.store(3, b"x"), Err(Error::Poisoned)));
        assert!(matches!(store.store_batch_deferred(&[(3, b"x")]), Err(Error::Poisoned)));
        assert!(matches!(store.create_snapshot(), Err(Error::Poisoned)));
        assert!(matches!(store.close(), Err(Error::Poisoned)));
        assert_eq!(get(&store, 1).unwrap(), b"first", "reading goes on");
    }
}

/// A shutdown finishes what is under way, and refuses what comes later.
#[test]
fn close_waits_for_those_under_way() {
    let (disk, store) = fsync();
    disk.hold("sync", "");
    scope(|scope| {
        let leader = storing(scope, &store, 2);
        disk.held();
        let other = storing(scope, &store, 3);
        let close = scope.spawn(|| store.close());
        disk.release();
        leader.join().unwrap().unwrap();
        other.join().unwrap().unwrap();
        close.join().unwrap().unwrap();
    });
    assert!(matches!(store.store(4, b"x"), Err(Error::Closed)));
    assert!(matches!(store.flush(), Err(Error::Closed)));
    assert_eq!(get(&store, 3).unwrap().len(), 20, "reading goes on");
    drop(store);
    assert_eq!(open(&disk, &options(Durability::Fsync)).report().copied, 0);
}

/// Q5: whoever wants to be alone with the log is, however many go on adding.
#[test]
fn q5_checkpoints_rotations_and_writers_in_a_crowd() {
    let small = Options { segment_size: 2000, ..options(Durability::Fsync) };
    let (disk, store) = begun(&small);
    scope(|scope| {
        for thread in 0..4u64 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..200 {
                    let id = ((thread + 1) << 32) | (round % 7);
                    store.store(id, &round.to_le_bytes()).unwrap();
                    assert_eq!(get(store, id).unwrap(), round.to_le_bytes(), "its own writes");
                }
            });
        }
        for _ in 0..20 {
            store.create_snapshot().unwrap();
            store.check_invariants();
        }
    });
    assert_eq!((store.len(), store.positions().durable()), (29, Lsn(801)));
    let before: Vec<_> = store.ids().into_iter().map(|id| get(&store, id)).collect();
    drop(store);
    let store = open(&disk, &small);
    let after: Vec<_> = store.ids().into_iter().map(|id| get(&store, id)).collect();
    assert_eq!(before, after);
}
