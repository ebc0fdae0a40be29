//! The barrier audit of the store: each of its syncs is left out in turn, and something must break.
//!
//! The store has no hook for this. A layer over the disk leaves a sync out, and knows which by the
//! stack of the call: the line that calls the seam, and the function that asked for it.

mod stack;

use crate::faults::full::taken_back;
use highwater::{Error, Options, PayloadStore};
use highwater_models::{Case, PayloadSubject};
use highwater_sim::{
    Campaign, Choices, FailedSync, Finding, Model, Pattern, Settings, SimFs, SyncKind, Verdict,
    WithoutSync, Wrapped,
};
use highwater_vfs::{OpenMode, Vfs, read_exact_at, write_all_at};
use stack::{Site, site};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Small segments, one snapshot kept, mode `Fsync`; what is deferred is not synced at once.
const WORKLOADS: [&str; 8] = [
    "put 1 x16\nput 2 x16\ndelete 1\nbatch 3 x16, 4 x16\n",
    // Rotation with a deferred operation behind it.
    "deferred 1 x100\nput 2 x300\nput 3 x16\n",
    // The first segment is superfluous after the checkpoint, and so is the first snapshot.
    "put 1 x300\nput 1 x300\ncheckpoint\nput 1 x16\ncheckpoint\n",
    "deferred 1 x16\ncheckpoint\n",
    "put 1 x16\nreopen\nput 2 x16\n",
    // A close that has something to sync, in another sector than its mark.
    "put 1 x16\ndeferred 2 x430\nreopen\n",
    "deferred 1 x16\nflush\nput 2 x16\n",
    "put 1 x300\nput 2 x300\nreopen\ndelete 1\ncheckpoint\n",
];
const SETUP: &str = "fsync_512_1";

/// Which call leaves what out: by functions, with the first layer that must find it.
const NEEDED: [(&str, &str); 10] = [
    ("create < make_room", "power loss"),
    ("create < begin_copies", "second crash"),
    ("sync < make_room", "power loss"),
    ("sync < acknowledge", "power loss"),
    ("sync < flush", "power loss"),
    ("sync < create_snapshot", "power loss"),
    ("sync < mark", "power loss"),
    ("sync < copy", "second crash"),
    ("finish < write_body", "power loss"),
    ("publish < create_snapshot", "power loss"),
];

/// No crash needs this one, but decay does: see the test at the end.
const NEEDED_AGAINST_DECAY: &str = "mark < close";

/// Nor this one, in a disk with room; after a copy that was cut short by a full one it is.
const NEEDED_ON_A_FULL_DISK: &str = "take_back < recover";

/// From the simplest disaster to the worst.
fn layers() -> Vec<(String, Settings)> {
    let one = Settings { power: true, kill: true, crashes: 1, ..Settings::default() };
    let mut layers = vec![
        ("power loss".into(), Settings { kill: false, ..one.clone() }),
        ("kill".into(), Settings { power: false, ..one.clone() }),
    ];
    for family in FailedSync::ALL {
        layers.push((family.to_string(), Settings { failed_sync: Some(family), ..one.clone() }));
    }
    layers.push(("second crash".into(), Settings { crashes: 2, ..one }));
    layers
}

fn subject(workload: &str) -> PayloadSubject {
    let (setup, workload) = (SETUP.parse().unwrap(), workload.parse().unwrap());
    PayloadSubject::new(Case { workload, setup })
}

type Met = Arc<Mutex<BTreeMap<Site, (SyncKind, u64)>>>;

/// The full campaign with nothing left out; it fills in which call sites it came by.
fn control(workload: &str, met: &Met) {
    let met = Arc::clone(met);
    let watched = Wrapped::new(subject(workload), move |disk| {
        let met = Arc::clone(&met);
        Arc::new(WithoutSync::when(disk, move |call| {
            met.lock().unwrap().entry(site()).or_insert((call.kind, 0)).1 += 1;
            false
        }))
    });
    let settings = Settings { crashes: 2, threads: 2, ..Settings::default() };
    let report = Campaign { settings, ..Campaign::default() }.run(&watched, &mut |_| ());
    let finding = report.finding.as_ref().map(ToString::to_string).unwrap_or_default();
    assert_eq!(report.verdict, Verdict::Held, "{workload}{finding}");
    assert!(report.exhaustive(), "{workload}");
    assert_eq!(report.control_caught, Some(true), "{workload}");
}

type Lost = Finding<Wrapped<PayloadSubject>>;

/// The counterexample of a store that leaves out `without`, if there is one.
fn leave_out(workload: &str, without: &Site, settings: &Settings) -> Option<Lost> {
    let without = without.clone();
    let subject = Wrapped::new(subject(workload), move |disk| {
        let without = without.clone();
        Arc::new(WithoutSync::when(disk, move |_| site() == without))
    });
    let (settings, failures) = (settings.clone(), Vec::new());
    let report = Campaign { settings, failures, control: false }.run(&subject, &mut |_| ());
    match report.verdict {
        Verdict::Held => None,
        Verdict::Violated => report.finding,
        other => panic!("{other} without {workload}"),
    }
}

/// The calls of the seam's syncs that the source of the store has, as file and line.
fn calls_in_the_source() -> BTreeSet<(String, u32)> {
    fn walk(folder: &Path, root: &Path, found: &mut BTreeSet<(String, u32)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let aside = path.to_str().unwrap().contains("test");
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
    let mut sites: BTreeMap<Site, (SyncKind, Vec<&str>)> = BTreeMap::new();
    for workload in WORKLOADS {
        let met = Met::default();
        control(workload, &met);
        for (site, (kind, _)) in met.lock().unwrap().iter() {
            sites.entry(site.clone()).or_insert((*kind, Vec::new())).1.push(workload);
        }
    }
    let lines = sites.keys().map(|s| (s.call.file.clone(), s.call.line)).collect::<BTreeSet<_>>();
    assert_eq!(lines, calls_in_the_source(), "every call in the source was met");
    let names: BTreeSet<String> = sites.keys().map(Site::functions).collect();
    let expected =
        NEEDED.map(|n| n.0).into_iter().chain([NEEDED_AGAINST_DECAY, NEEDED_ON_A_FULL_DISK]);
    assert_eq!(names, expected.map(String::from).collect(), "every call site is in the table");
    let layers = layers();
    for (site, (kind, workloads)) in &sites {
        let mut row = Vec::new();
        let mut first: Option<(&str, Lost)> = None;
        for (layer, settings) in &layers {
            let found = workloads.iter().find_map(|w| leave_out(w, site, settings));
            row.push(format!("{layer} {}", if found.is_some() { "VIOLATED" } else { "held" }));
            first = first.or(found.map(|found| (&layer[..], found)));
        }
        println!("\nwithout {site}: {}", row.join(", "));
        let needed = NEEDED.iter().find(|n| n.0 == site.functions()).map(|n| n.1);
        assert_eq!(first.as_ref().map(|f| f.0), needed, "{site}");
        if let Some((layer, finding)) = first {
            named(site, *kind, layer, &finding);
        }
    }
}

/// A counterexample is small, walks again, and says which call needed the sync.
fn named(site: &Site, kind: SyncKind, layer: &str, finding: &Lost) {
    let case = finding.subject.subject().case();
    println!("  {layer}, {:?}: {}", case.workload.to_string(), finding.broken.rule);
    finding.missing().iter().for_each(|missing| println!("  {missing}"));
    assert!(finding.reproduced, "{site}: {finding}");
    assert!(case.workload.ops().len() <= 3, "{site}: {finding}");
    let sync = if kind == SyncKind::Dir { "sync_dir" } else { "sync" };
    let names_it = finding.replayed.lost.iter().any(|lost| lost.sync == sync);
    assert!(names_it, "{site}: nothing that a {sync} would have kept is named\n{finding}");
}

/// A store that was closed, on a disk that then forgot all that was not durable, with one bit of
/// its last record rotten.
fn rotten_after_a_clean_stop(disk: Arc<dyn Vfs>, below: &SimFs) -> SimFs {
    let mut store = PayloadStore::open(disk, Options::default()).unwrap();
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
    let skip = |_: &_| site().functions() == NEEDED_AGAINST_DECAY;
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
        let skip = |_: &_| site().functions() == NEEDED_ON_A_FULL_DISK;
        Arc::new(WithoutSync::when(Arc::new(disk.clone()), skip))
    });
    assert!(back > 0, "a record that was lost for good is there again");
}
