//! The log as it is written: segments, the order of calls, and what happens when one fails.

use crate::error::Error;
use crate::format::Lsn;
use crate::format::frame::FrameHeader;
use crate::format::name::Name;
use crate::format::segment::SegmentHeader;
use crate::limits::{FRAME_HEADER, SEGMENT_HEADER};
use crate::payload_tests::{get, open, options};
use crate::test_disk::TestDisk;
use crate::{Durability, Options, PayloadStore};
use std::collections::BTreeMap;

const MODES: [Durability; 3] = [Durability::Fsync, Durability::FlushOnly, Durability::None];

fn small(durability: Durability) -> Options {
    Options { segment_size: 300, ..options(durability) }
}

/// L2, L4: a segment is durable to its end before the next is created, and the name of the next
/// before its first byte is written, in every mode.
#[test]
fn l4_rotation_syncs_in_every_mode() {
    for durability in MODES {
        let disk = TestDisk::default();
        let store = open(&disk, &small(durability));
        for id in 1..=12 {
            store.store(id, &[id as u8; 24]).unwrap(); // three to a segment
        }
        assert!(store.positions().durable() >= Lsn(9), "{durability:?}");
        store.flush().unwrap();
        let calls = disk.calls();
        let created: Vec<usize> =
            (0..calls.len()).filter(|&i| calls[i].starts_with("create")).collect();
        assert_eq!(created.len(), 4, "{durability:?}: {calls:?}");
        for &at in &created {
            let name = calls[at].strip_prefix("create ").unwrap();
            assert_eq!(calls[at + 1], "sync_dir ", "L2");
            assert_eq!(calls[at + 2], format!("write {name}"), "L2");
            if at > 0 {
                assert!(calls[at - 1].starts_with("sync 0"), "L4: {calls:?}");
            }
        }
        for (name, bytes) in disk.image() {
            assert!(bytes.len() <= 300, "{name}: {}", bytes.len());
        }
    }
}

#[test]
fn a_record_larger_than_a_segment_has_one_to_itself() {
    let disk = TestDisk::default();
    let store = open(&disk, &small(Durability::Fsync));
    let large = vec![9; 5000];
    store.store(1, b"one").unwrap();
    store.store(2, &large).unwrap();
    store.store(3, b"three").unwrap();
    let sizes: Vec<usize> = disk.image().values().map(Vec::len).collect();
    assert_eq!(sizes, [104, 48 + 32 + 16 + 5000, 104]);
    drop(store);
    let store = open(&disk, &small(Durability::Fsync));
    assert_eq!((get(&store, 2).unwrap(), store.len()), (large, 3));
}

/// L3: what a frame or a header states is what was durable when it was encoded, and no more.
#[test]
fn l3_statements_follow_the_syncs() {
    let disk = TestDisk::default();
    let store = open(&disk, &small(Durability::Fsync));
    store.store(1, b"one").unwrap();
    store.store_batch_deferred(&[(2, b"two")]).unwrap();
    store.store_batch_deferred(&[(3, b"three")]).unwrap();
    store.store(4, b"four").unwrap();
    store.store(5, b"five").unwrap();
    let image = disk.image();
    let mut stated = Vec::new();
    for (text, bytes) in &image {
        let name = Name::parse(text).unwrap();
        let header = SegmentHeader::decode(bytes, name.lsn, name.epoch).unwrap();
        stated.push((0, header.durable.0));
        let mut at = SEGMENT_HEADER;
        while let Some(frame) = FrameHeader::decode(&bytes[at..], name.epoch, at as u64) {
            stated.push((frame.lsn.0, frame.durable.0));
            at += frame.size() as usize;
            if bytes.len() < at + FRAME_HEADER {
                break;
            }
        }
    }
    // The second segment's header was written after the rotation had synced the first.
    assert_eq!(stated, [(0, 0), (1, 0), (2, 1), (3, 1), (4, 1), (0, 4), (5, 4)]);
}

/// L1, R9: a life writes, syncs and creates only files of its own epochs.
#[test]
fn l1_a_life_leaves_the_files_of_others_alone() {
    let disk = TestDisk::default();
    let mut epochs_before = 0;
    for life in 0..6 {
        disk.calls();
        let store = open(&disk, &small(Durability::Fsync));
        store.store(life, b"life").unwrap();
        store.store_batch_deferred(&[(life, b"deferred")]).unwrap();
        if life % 2 == 0 {
            store.create_snapshot().unwrap();
        }
        if life % 3 == 0 {
            store.close().unwrap();
        }
        for call in disk.calls() {
            let (kind, name) = call.split_once(' ').unwrap();
            if matches!(kind, "write" | "sync" | "create") {
                let epoch = Name::parse(name).unwrap().epoch;
                assert!(epoch > epochs_before, "L1: {call} in life {life}");
            }
        }
        let epochs = disk.image().into_keys().map(|name| Name::parse(&name).unwrap().epoch);
        epochs_before = epochs.max().unwrap();
    }
}

type State = BTreeMap<u64, Vec<u8>>;

fn state(store: &PayloadStore) -> State {
    store.ids().into_iter().map(|id| (id, get(store, id).unwrap())).collect()
}

/// One operation of the fixed workload; what it does to the state, and to the store.
fn act(nth: u64, store: &PayloadStore, state: &mut State) -> Result<bool, Error> {
    let value = vec![nth as u8; 10 + nth as usize];
    if nth % 5 == 4 {
        store.create_snapshot()?;
        return Ok(true);
    }
    let mut durable = true;
    match nth % 5 {
        0 | 1 => {
            state.insert(nth % 4, value.clone());
            store.store(nth % 4, &value)?;
        }
        2 => {
            state.extend([(nth, value.clone()), (1, value.clone())]);
            store.store_batch_deferred(&[(nth, &value), (1, &value)])?;
            durable = false;
        }
        _ => {
            state.remove(&1);
            store.delete(1)?;
        }
    }
    Ok(durable)
}

/// Runs the workload until a call fails: the states after each operation, how many of them are
/// acknowledged durable, and the store.
fn run(disk: &TestDisk, options: &Options) -> (Vec<State>, usize, PayloadStore, bool) {
    let store = open(disk, options);
    let (mut states, mut acknowledged, mut last) = (vec![State::new()], 0, State::new());
    for nth in 0..20 {
        let result = act(nth, &store, &mut last);
        states.push(last.clone());
        match result {
            Ok(true) => acknowledged = states.len() - 1,
            Ok(false) => {}
            Err(_) => return (states, acknowledged, store, true),
        }
    }
    (states, acknowledged, store, false)
}

/// Everything but reading answers `Poisoned` (L5).
fn poisoned(store: &PayloadStore) {
    let refused = |result: Result<(), Error>| assert!(matches!(result, Err(Error::Poisoned)));
    refused(store.store(1, b"one").map(drop));
    refused(store.store_batch(&[(1, b"one")]).map(drop));
    refused(store.store_batch(&[]).map(drop));
    refused(store.store_batch_deferred(&[(1, b"one")]).map(drop));
    refused(store.store_batch_deferred(&[]).map(drop));
    refused(store.delete(0).map(drop));
    refused(store.delete(1 << 40).map(drop));
    refused(store.flush().map(drop));
    refused(store.create_snapshot().map(drop));
}

/// P9: each call of a fixed workload fails in turn. The store is poisoned, unless all that failed
/// was a snapshot's temporary file; what it shows stays readable; a new life on the healed disk has
/// everything acknowledged, and a prefix of the rest.
#[test]
fn l5_every_call_fails_in_turn() {
    let options = small(Durability::Fsync);
    let disk = TestDisk::default();
    let (_, _, _, failed) = run(&disk, &options);
    assert!(!failed);
    let calls = disk.calls();
    let (mut kinds, mut spared) = (BTreeMap::<String, u32>::new(), 0);
    for (nth, call) in calls.iter().enumerate() {
        let disk = TestDisk::default();
        disk.fail(nth);
        let (states, acknowledged, store, failed) = run(&disk, &options);
        assert!(failed, "{call}");
        *kinds.entry(call.split(' ').next().unwrap().into()).or_default() += 1;
        let shown = state(&store);
        assert_eq!(shown, states[states.len() - 2], "what failed is not shown: {call}");
        store.check_invariants();
        if call.ends_with(".tmp") {
            disk.heal();
            store.store(7, b"goes on").unwrap();
            assert!(disk.image().keys().all(|name| !name.ends_with(".tmp")), "{call}");
            store.create_snapshot().unwrap();
            spared += 1;
            continue;
        }
        disk.heal();
        disk.calls();
        poisoned(&store);
        assert_eq!(disk.kinds(), "", "L5: {call}");
        assert_eq!(state(&store), shown, "reading goes on");
        assert!(matches!(store.close(), Err(Error::Poisoned)));
        assert_eq!(disk.kinds(), "", "L5: {call}");
        let again = state(&open(&disk, &options));
        let at = states.iter().rposition(|state| *state == again);
        assert!(at.is_some_and(|at| at >= acknowledged), "{call}: {again:?} {states:?}");
        assert_eq!(state(&open(&disk, &options)), again, "and it stays so");
    }
    println!("{kinds:?}, {spared} of a temporary file");
    assert_eq!(kinds.len(), 6, "write, sync, create, rename, remove, sync_dir: {kinds:?}");
    assert!(spared >= 9, "create, write, sync of each of three snapshots or more: {spared}");
}

/// A failed call of the closing mark poisons nothing that anybody still has, and loses nothing.
#[test]
fn close_fails_in_turn() {
    for nth in 0..3 {
        let disk = TestDisk::default();
        let store = open(&disk, &small(Durability::FlushOnly));
        store.store(1, b"one").unwrap();
        disk.fail(nth);
        let closed = store.close(); // sync; write, sync of the mark
        assert!(matches!(closed, Err(Error::Io { .. })), "{nth}: {closed:?}");
        disk.heal();
        assert_eq!(get(&open(&disk, &small(Durability::Fsync)), 1).unwrap(), b"one");
    }
}

/// L7, G4: room is reserved ahead of synced writes, as much again as there is; it is no damage to
/// anybody, and if there is none the store goes on without.
#[test]
fn l7_room_is_reserved_ahead() {
    let options = Options { reserve: 40_000, ..options(Durability::Fsync) };
    for full in [false, true] {
        let disk = TestDisk::default();
        if full {
            disk.refuse("reserve", "");
        }
        let store = open(&disk, &options);
        store.store_batch_deferred(&[(0, &[1; 20_000])]).unwrap();
        assert_eq!(disk.kinds(), "create log, sync_dir, write log", "not for what is not synced");
        let (mut reserved, mut times) = (0, 0);
        for id in 1..=60 {
            store.store(id, &[id as u8; 2000]).unwrap();
            let end = SEGMENT_HEADER as u64 + store.positions().growth();
            if end > reserved {
                (reserved, times) = (end + end.clamp(16 << 10, 40_000), times + 1);
            }
            let length = disk.image().values().next().unwrap().len() as u64;
            assert_eq!(length, if full { end } else { reserved }, "L7: as much again");
        }
        assert!((3..6).contains(&times), "{times}");
        assert_eq!(disk.kinds().matches("reserve").count(), times);
        drop(store);
        let store = open(&disk, &options);
        assert_eq!((store.len(), &store.report().tail), (61, &crate::Tail::Clean), "G4");
        assert_eq!(store.report().replayed, 61);
        store.close().unwrap();
        drop(store);
        let store = open(&disk, &options);
        assert_eq!((store.len(), store.report().copied), (61, 0), "G4: behind the mark too");
        // A bit that is set in the reserved room is no record that was lost.
        let mut image = disk.image();
        if !full {
            *image.values_mut().last().unwrap().last_mut().unwrap() = 1;
            let store = open(&TestDisk::of(&image), &options);
            assert!(matches!(store.report().tail, crate::Tail::Torn { .. }));
            assert_eq!(store.len(), 61);
        }
    }
}

/// L8: what one large sync made durable is proven by a statement behind it, and not copied by the
/// next life.
#[test]
fn l8_a_large_sync_is_followed_by_a_statement() {
    let options = Options { segment_size: 4000, ..options(Durability::None) };
    for (records, stated) in [(3, false), (30, true)] {
        let disk = TestDisk::default();
        let store = open(&disk, &options);
        for id in 0..records {
            store.store(id, &[1; 40]).unwrap();
        }
        store.flush().unwrap();
        let kinds = disk.kinds();
        let tail = "write log, sync log";
        assert_eq!(kinds.ends_with(&format!("{tail}, write log")), stated, "L8: {kinds}");
        drop(store);
        let store = open(&disk, &options);
        assert_eq!((store.len() as u64, store.report().copied == 0), (records, stated), "L8");
        store.store(99, b"goes on").unwrap();
        store.close().unwrap();
    }
}
