//! P12: a full disk leaves a readable store and loses nothing acknowledged.

use super::plan;
use crate::damage::{Image, State, image, state};
use highwater::{Durability, Error, Options, PayloadStore};
use highwater_sim::{Choices, FaultFs, Model, Pattern, Rng, SimFs};
use highwater_vfs::Vfs;
use std::sync::Arc;

fn options(durability: Durability) -> Options {
    Options {
        durability,
        segment_size: 700,
        reserve: 0,
        checkpoint_bytes: 600,
        ..Options::default()
    }
}

/// Works until an operation fails: the states after each, and how many are acknowledged.
fn work(store: &PayloadStore, met: &mut Met) -> (Vec<State>, usize) {
    let (mut states, mut acknowledged) = (vec![State::new()], 0);
    for nth in 0..24u64 {
        let mut next = states[nth as usize].clone();
        let bytes = vec![nth as u8; 20 + nth as usize * 3];
        let done = if nth % 7 == 6 {
            next.remove(&(nth % 5));
            store.delete(nth % 5).map(drop)
        } else {
            next.insert(nth % 5, bytes.clone());
            store.store(nth % 5, &bytes).map(drop)
        };
        states.push(next);
        met.kept_on += u32::from(done.is_ok() && store.checkpoint_error().is_some());
        match done {
            Ok(()) => acknowledged = states.len() - 1,
            Err(Error::Io { .. } | Error::Poisoned) => break,
            Err(e) => panic!("{e}"),
        }
    }
    (states, acknowledged)
}

/// How often each way to go was gone.
#[derive(Debug, Default)]
struct Met {
    opened: u32,
    refused: u32,
    kept_on: u32,
}

/// The disk is full and was opened in vain: what a reader sees, how many files there are.
fn opened_in_vain(disk: &SimFs, full: &FaultFs, options: &Options, met: &mut Met) -> State {
    let reader = |what: &str| {
        let store = PayloadStore::open_read_only(Arc::new(full.clone()));
        state(&store.unwrap_or_else(|e| panic!("{what}: {e}")))
    };
    let (shown, before) = (reader("a full disk"), image(disk));
    for nth in 0..5 {
        match PayloadStore::open(Arc::new(full.clone()), options.clone()) {
            Ok(store) => {
                met.opened += 1;
                assert_eq!(state(&store), shown);
                return shown;
            }
            Err(error) => {
                met.refused += 1;
                assert!(error.to_string().contains("Make room"), "{error}");
            }
        }
        let (old, new): (Image, Image) =
            image(disk).into_iter().partition(|(name, _)| before.contains_key(name));
        assert!(new.values().all(Vec::is_empty) && new.len() <= 1, "R11: {:?}", new.keys());
        assert!(old.iter().all(|(name, bytes)| before[name] == *bytes), "try {nth}");
        let gone = before.keys().filter(|name| !old.contains_key(*name));
        assert!(gone.clone().all(|name| name.ends_with(".tmp") || before[name].is_empty()));
        assert_eq!(reader("opened in vain"), shown, "try {nth}");
    }
    shown
}

/// Room of every size: what was acknowledged is there, on the full disk and when there is room
/// again, and no try leaves more files.
#[test]
fn every_size_of_room() {
    let mut met = Met::default();
    for durability in [Durability::Fsync, Durability::FlushOnly] {
        let options = options(durability);
        for room in 0..2600 {
            let disk = SimFs::new(Model::Posix);
            let full = FaultFs::on_sim(&disk, plan(&format!("space:{room}")));
            let store = PayloadStore::open(Arc::new(full.clone()), options.clone()).unwrap();
            let (states, acknowledged) = work(&store, &mut met);
            let flushed = durability == Durability::FlushOnly;
            drop(store);
            // The process dies; or the power goes, and with it what was never synced.
            for pattern in [Pattern::DropAll, Pattern::KeepAll] {
                let power = disk.power_cut(Choices::pattern(pattern));
                let full = FaultFs::on_sim(&power, plan("space:0"));
                let shown = opened_in_vain(&power, &full, &options, &mut met);
                let at = states.iter().rposition(|state| *state == shown).expect("a prefix");
                assert!(at >= acknowledged || flushed, "room {room}: lost");
            }
            let shown = opened_in_vain(&disk, &full, &options, &mut met);
            let at = states.iter().rposition(|state| *state == shown).expect("a prefix");
            assert!(at >= acknowledged, "room {room}: lost");
            let store = PayloadStore::open(Arc::new(disk.clone()), options.clone()).unwrap();
            assert_eq!(state(&store), shown, "room {room}: there is room again");
            store.store(9, b"goes on").unwrap();
            store.create_snapshot().unwrap();
            assert!(image(&disk).values().all(|bytes| !bytes.is_empty()), "R11: room {room}");
        }
    }
    println!("{met:?}");
    assert!(met.opened > 1000 && met.refused > 10_000 && met.kept_on > 50, "{met:?}");
}

/// R10, R11: a copy that was cut short by a full disk, and taken back, is not found again in the
/// file that the next life makes in its place. The sizes are such that the copy of record 3 fits in
/// full, in a sector of its own; and that the next life, if a power cut has taken record 3 away for
/// good, puts another one just there, in a sector that may hold what a removed file had in it.
///
/// How often the old record 3 was lost, the new one kept, and the old one came back.
pub(crate) fn taken_back(recovering: impl Fn(&SimFs) -> Arc<dyn Vfs>) -> (u32, u32, u32) {
    let options = Options { durability: Durability::FlushOnly, reserve: 0, ..Options::default() };
    let open = |disk: &SimFs| PayloadStore::open(Arc::new(disk.clone()), options.clone()).unwrap();
    let first = SimFs::new(Model::Posix);
    let store = open(&first);
    store.store(1, &[1; 16]).unwrap();
    store.flush().unwrap();
    for (id, size) in [(2, 416), (3, 24), (4, 464)] {
        store.store(id, &vec![id as u8; size]).unwrap();
    }
    drop(store);
    let killed = first.kill();
    let full = FaultFs::new(recovering(&killed), plan("space:600"));
    assert!(PayloadStore::open(Arc::new(full), options.clone()).is_err());
    let (mut lost, mut kept, mut back) = (0, 0, 0);
    for seed in 0..4000 {
        let cut = |disk: &SimFs, seed| disk.power_cut(Choices::sample(Rng::new(seed)));
        let second = cut(&killed, seed);
        let store = open(&second);
        let (shown, last) = (state(&store), store.report().last.0);
        if last != 2 {
            continue;
        }
        lost += 1;
        store.store(9, &[9; 24]).unwrap();
        drop(store);
        let after = state(&open(&cut(&second, seed + 10_000)));
        let mut with = shown.clone();
        with.insert(9, vec![9; 24]);
        kept += u32::from(after == with);
        back += u32::from(after != with && after != shown);
    }
    (lost, kept, back)
}

#[test]
fn r11_what_was_taken_back_stays_away() {
    let (lost, kept, back) = taken_back(|disk| Arc::new(disk.clone()));
    assert!(lost > 100 && kept > 20 && back == 0, "R11: {lost} {kept} {back}");
}
