//! The barrier audit of the store: each of its syncs is left out in turn, and something must break.
//!
//! The store has no hook for this. A layer over the disk leaves a sync out, and knows which by the
//! stack of the call: the line that calls the seam, and the function that asked for it.

use crate::faults::full::taken_back;
use highwater::{Error, Options, PayloadStore};
use highwater_models::audit::{BARRIERS, barrier_setup};
use highwater_models::stack::site_of;
use highwater_models::{Barrier, Case, PayloadSubject, Workload, engine};
use highwater_sim::{
    Campaign, Choices, Model, Pattern, Settings, SimFs, SyncKind, Verdict, WithoutSync,
};
use highwater_vfs::{OpenMode, Vfs, read_exact_at, write_all_at};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// Which call leaves what out: by functions, with the first layer that must find it.
const NEEDED: [(&str, &str); 11] = [
    ("create < rotate", "power loss"),
    ("create < begin_copies", "second crash"),
    ("write_and_sync < make_room", "power loss"),
    ("write_and_sync < commit", "power loss"),
    ("write_and_sync < delete", "power loss"),
    ("write_and_sync < ask", "power loss"),
    ("write_and_sync < checkpoint", "power loss"),
    ("write_and_sync < close", "power loss"),
    ("write_and_sync < copy", "second crash"),
    ("sync < checkpoint", "power loss"),
    ("publish < checkpoint", "power loss"),
];

/// No crash needs this one, but decay does: see the test at the end.
const NEEDED_AGAINST_DECAY: &str = "write_and_sync < force";

/// Nor this one, in a disk with room; after a copy that was cut short by a full one it is.
const NEEDED_ON_A_FULL_DISK: &str = "take_back < recover";

/// A damaged store that is accepted: its own test cuts the power after every call.
const NOT_IN_THE_WORKLOADS: &str = "recovery/quarantine.rs";

/// The calls of the seam's syncs that the source of the store has, as file and line.
fn calls_in_the_source() -> BTreeSet<(String, u32)> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeSet<(String, u32)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let aside = |name| path.to_str().unwrap().contains(name);
            let aside = aside("test") || aside(NOT_IN_THE_WORKLOADS);
            if path.is_dir() {
                walk(&path, root, found);
            } else if path.extension().is_some_and(|e| e == "rs") && !aside {
                let file = path.strip_prefix(root).unwrap().to_str().unwrap().to_string();
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                let calls =
                    |line: &str| line.contains("file.sync()") || line.contains(".sync_dir(");
                let lines = code.lines().zip(1..).filter(|(line, _)| calls(line));
                found.extend(lines.map(|(_, number)| (file.clone(), number)));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("src/store");
    let mut found = BTreeSet::new();
    walk(&root, &root, &mut found);
    found
}

#[test]
fn every_sync_of_the_store_is_needed() {
    let workload = |text: &str| Workload::from_file_text(text).unwrap();
    for text in BARRIERS {
        let case = Case { workload: workload(text), setup: barrier_setup() };
        let settings = Settings { threads: 2, ..Settings::default() };
        let campaign = Campaign { settings, ..Campaign::default() };
        let report = campaign.run(&PayloadSubject::new(case), &mut |_| ());
        let why = report.finding.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(report.verdict, Verdict::Held, "{text}{why}");
        assert!(report.exhaustive(), "{text}");
    }
    let store = engine("payload").unwrap();
    let barriers = store.audit(&[], &Settings { threads: 2, ..Settings::default() }, &mut |_| ());
    let place = |b: &Barrier| {
        let (_, at) = b.site.rsplit_once(" at ").unwrap();
        let (file, line) = at.split_once(':').unwrap();
        (file.to_string(), line.parse().unwrap())
    };
    let met: BTreeSet<(String, u32)> = barriers.iter().map(place).collect();
    assert_eq!(met, calls_in_the_source(), "every call in the source was met");
    let mut rows = BTreeMap::new();
    for barrier in &barriers {
        let (functions, _) = barrier.site.rsplit_once(" at ").unwrap();
        let disaster = barrier.needed.as_ref().map(|needed| needed.0.clone());
        println!("{}: {:?}", barrier.site, barrier.needed);
        assert!(barrier.needed.is_some() || barrier.reason.is_some(), "{}", barrier.site);
        assert!(barrier.states.is_some_and(|states| states > 0), "{}", barrier.site);
        if let Some((_, _, missing)) = &barrier.needed {
            let sync = if barrier.sync == SyncKind::Dir { "no sync_dir" } else { "no sync " };
            assert!(missing.iter().any(|m| m.contains(sync)), "{}: {missing:?}", barrier.site);
        }
        rows.insert(functions.to_string(), disaster);
    }
    let needed = NEEDED.map(|(site, disaster)| (site.to_string(), Some(disaster.to_string())));
    let others = [NEEDED_AGAINST_DECAY, NEEDED_ON_A_FULL_DISK].map(|site| (site.to_string(), None));
    assert_eq!(rows, needed.into_iter().chain(others).collect());
}

/// A store that was closed, on a disk that then forgot all that was not durable, with one bit of
/// its last record rotten.
fn rotten_after_a_clean_stop(disk: Arc<dyn Vfs>, below: &SimFs) -> SimFs {
    let store = PayloadStore::open(disk, Options::default()).unwrap();
    store.store(1, b"first").unwrap();
    store.store(2, b"second").unwrap();
    store.close().unwrap();
    let left = below.power_cut(Choices::pattern(Pattern::DropAll));
    let name = left.list(Path::new("")).unwrap().pop().unwrap();
    let file = left.open(name.as_ref(), OpenMode::Write).unwrap();
    let mut bytes = vec![0; file.size().unwrap() as usize];
    read_exact_at(&*file, &mut bytes, 0).unwrap();
    let at = bytes.windows(6).position(|w| w == b"second").unwrap();
    write_all_at(&*file, &[bytes[at] ^ 1], at as u64).unwrap();
    left
}

/// The mark's own sync: not for any crash, for nothing but the proof in the mark depends on it. But
/// that proof is all that tells rot in the last record from a write that a crash tore (P6).
#[test]
fn the_sync_of_the_mark_is_what_tells_rot_from_a_torn_tail() {
    let below = SimFs::new(Model::Posix);
    let left = rotten_after_a_clean_stop(Arc::new(below.clone()), &below);
    let opened = PayloadStore::open(Arc::new(left), Options::default());
    assert!(matches!(opened, Err(Error::Corrupt(_))), "{opened:?}");

    let below = SimFs::new(Model::Posix);
    let skip = |call: &_| site_of(call) == NEEDED_AGAINST_DECAY;
    let without = WithoutSync::when(Arc::new(below.clone()), skip);
    let left = rotten_after_a_clean_stop(Arc::new(without.clone()), &below);
    assert_eq!(without.skipped().len(), 1);
    let store = PayloadStore::open(Arc::new(left), Options::default()).unwrap();
    assert_eq!(store.ids(), [1], "an acknowledged record is lost in silence");
}

/// The sync of the name that guards an epoch: without it a power cut may take that name, and leave
/// the epoch to a file that has the bytes of the old one.
#[test]
fn the_sync_of_a_guard_keeps_old_copies_away() {
    let (_, _, back) = taken_back(|disk| {
        let skip = |call: &_| site_of(call) == NEEDED_ON_A_FULL_DISK;
        Arc::new(WithoutSync::when(Arc::new(disk.clone()), skip))
    });
    assert!(back > 0, "a record that was lost for good is there again");
}
