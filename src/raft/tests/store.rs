//! The Raft store without a crash: what it refuses, what it keeps, what it says of damage.

use highwater_raft::{Entry, Error, HardState, LogId, Metadata, Options, RaftStore};
use highwater_vfs::{File, OpenMode, OsFs, Vfs, read_exact_at, write_all_at};
use std::cell::Cell;
use std::io;
use std::ops::{Bound, Range, RangeBounds};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

fn disk() -> (TempDir, Arc<dyn Vfs>) {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(OsFs::open(dir.path()).unwrap());
    (dir, disk)
}

/// Small segments, so that a few entries have several.
fn open(disk: &Arc<dyn Vfs>) -> Result<RaftStore, Error> {
    let options = Options { segment_size: 512, snapshots_kept: 1, ..Options::default() };
    let store = RaftStore::open(Arc::clone(disk), options)?;
    store.check_invariants();
    Ok(store)
}

fn id(index: u64, term: u64) -> LogId {
    LogId { index, term }
}

fn entry(index: u64, term: u64) -> Entry {
    Entry { id: id(index, term), payload: format!("{index} in {term}").into_bytes() }
}

fn is_corrupt<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Store(highwater::Error::Corrupt(_))))
}

fn names(disk: &Arc<dyn Vfs>, start: &str) -> Vec<String> {
    let names = disk.list(Path::new("")).unwrap().into_iter();
    names.filter(|name| name.starts_with(start)).collect()
}

#[test]
fn a_term_does_not_go_back() {
    let (_dir, disk) = disk();
    let store = open(&disk).unwrap();
    let hard = HardState { current_term: 3, voted_for: Some(b"b".to_vec()) };
    store.save_hard_state(hard.clone()).unwrap();
    let back = store.save_hard_state(HardState { current_term: 2, voted_for: None });
    assert!(matches!(back, Err(Error::TermBack { saved: 3, asked: 2 })), "{back:?}");
    drop(store);
    assert_eq!(open(&disk).unwrap().hard_state(), hard);
}

/// RL1.
#[test]
fn an_entry_follows_the_last_one() {
    let (_dir, disk) = disk();
    let store = open(&disk).unwrap();
    store.append(&[entry(5, 2), entry(6, 2)]).unwrap(); // a log may begin anywhere
    for (index, term) in [(6, 2), (8, 2), (7, 1)] {
        let refused = store.append(&[entry(index, term)]);
        assert!(matches!(refused, Err(Error::NotNext { .. })), "{index} {term}: {refused:?}");
    }
    let refused = store.append(&[entry(7, 2), entry(9, 2)]);
    assert!(matches!(refused, Err(Error::NotNext { index: 9, last: 7, .. })), "{refused:?}");
    assert_eq!((store.first(), store.last()), (Some(id(5, 2)), Some(id(6, 2))));
    assert_eq!((store.term(6), store.term(7)), (Some(2), None));
}

/// RL2.
#[test]
fn what_was_cut_does_not_come_back() {
    let (_dir, disk) = disk();
    let store = open(&disk).unwrap();
    store.append(&[entry(1, 1), entry(2, 1), entry(3, 1)]).unwrap();
    store.truncate_from(2).unwrap();
    store.truncate_from(9).unwrap(); // there is nothing to cut
    store.append(&[entry(2, 4)]).unwrap();
    drop(store);
    let store = open(&disk).unwrap();
    assert_eq!(store.entries(..).unwrap(), [entry(1, 1), entry(2, 4)]);
    assert_eq!(store.entries(2..2).unwrap(), []);
}

/// RL3: what is left is left, and the journal forgets what nobody needs.
#[test]
fn what_is_purged_is_gone_and_nothing_else() {
    let (_dir, disk) = disk();
    let store = open(&disk).unwrap();
    let entries: Vec<Entry> = (1..=40).map(|index| entry(index, 1)).collect();
    entries.iter().for_each(|entry| store.append(std::slice::from_ref(entry)).unwrap());
    let folder = names(&disk, "log-").remove(0);
    let segments = || disk.list(Path::new(&folder)).unwrap().len();
    let before = segments();
    store.purge_to(id(38, 1)).unwrap();
    store.purge_to(id(7, 1)).unwrap(); // it is purged
    assert!(segments() <= before / 2, "{before} files, then {}", segments());
    let cut = store.truncate_from(38);
    assert!(matches!(cut, Err(Error::Purged { index: 38, purged: 38 })), "{cut:?}");
    for store in [store, open(&disk).unwrap()] {
        assert_eq!(store.entries(..).unwrap(), entries[38..]);
        assert_eq!((store.purged(), store.term(38)), (Some(id(38, 1)), Some(1)));
    }
}

/// RL1, RL4: also where the journal has forgotten the entry that the snapshot contradicts.
#[test]
fn a_snapshot_that_contradicts_the_log_takes_its_place() {
    let old: Vec<Entry> = (1..=9).map(|index| entry(index, 3)).collect();
    let earlier = (5..=9).map(|index| id(index, 1)); // a segment ends at one of them
    for to in [id(2, 5), id(9, 5)].into_iter().chain(earlier) {
        let (_dir, disk) = disk();
        let store = open(&disk).unwrap();
        old.iter().for_each(|entry| store.append(std::slice::from_ref(entry)).unwrap());
        store.purge_to(to).unwrap();
        for store in [store, open(&disk).unwrap()] {
            store.check_invariants();
            assert_eq!((store.first(), store.last()), (None, Some(to)));
        }
        let store = open(&disk).unwrap();
        store.append(&[entry(to.index + 1, 5)]).unwrap();
        store.purge_to(to).unwrap(); // it is purged
        drop(store);
        assert_eq!(open(&disk).unwrap().entries(..).unwrap(), [entry(to.index + 1, 5)]);
    }
}

/// RL1: a log may begin anywhere, but not far behind what was purged, nor in an earlier term.
#[test]
fn what_cannot_follow_a_snapshot_goes() {
    let (agrees, gap, falls) = (id(4, 1), id(2, 1), id(4, 2));
    for (to, left) in [(agrees, vec![entry(5, 1)]), (gap, vec![]), (falls, vec![])] {
        let (_dir, disk) = disk();
        let store = open(&disk).unwrap();
        store.append(&[entry(5, 1)]).unwrap();
        store.purge_to(to).unwrap();
        for store in [store, open(&disk).unwrap()] {
            assert_eq!((store.entries(..).unwrap(), store.purged()), (left.clone(), Some(to)));
        }
    }
}

/// RS1 is about the disk: of what is too large nothing happens, nor of what comes with it.
#[test]
fn an_entry_that_is_too_large_is_refused_and_the_store_goes_on() {
    let (_dir, disk) = disk();
    let store = open(&disk).unwrap();
    let sized = |size: u64| Entry { id: id(2, 1), payload: vec![0; size as usize] };
    let limit = highwater::PAYLOAD_SIZE_MAX - 17; // kind, index, term
    let refused = store.append(&[entry(1, 1), sized(limit + 1)]);
    match refused {
        Err(Error::Store(highwater::Error::TooLarge { size, limit: told, .. })) => {
            assert_eq!((size, told), (limit + 1, limit));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.last(), None);
    store.append(&[entry(1, 1), entry(2, 1)]).unwrap();
    drop(store);
    assert_eq!(open(&disk).unwrap().last(), Some(id(2, 1)));
}

/// A range that counts how often it is asked.
struct Asked<'a>(Range<u64>, &'a Cell<u64>);

impl RangeBounds<u64> for Asked<'_> {
    fn start_bound(&self) -> Bound<&u64> {
        self.0.start_bound()
    }
    fn end_bound(&self) -> Bound<&u64> {
        self.0.end_bound()
    }
    fn contains<U>(&self, item: &U) -> bool
    where
        u64: PartialOrd<U>,
        U: ?Sized + PartialOrd<u64>,
    {
        self.1.set(self.1.get() + 1);
        self.0.contains(item)
    }
}

#[test]
fn a_short_range_of_a_long_log_is_found_at_once() {
    let (_dir, disk) = disk();
    let store = open(&disk).unwrap();
    let entries: Vec<Entry> = (1..=1000).map(|index| entry(index, 1)).collect();
    store.append(&entries).unwrap();
    let asked = Cell::new(0);
    assert_eq!(store.entries(Asked(500..503, &asked)).unwrap(), entries[499..502]);
    assert!(asked.get() <= 4, "asked {} times", asked.get());
    let after = (Bound::Excluded(999), Bound::Unbounded);
    assert_eq!(store.entries(after).unwrap(), entries[999..]);
    assert_eq!(store.entries(..=2).unwrap(), entries[..2]);
    for nothing in [0..1, 1001..u64::MAX, 7..7] {
        assert_eq!(store.entries(nothing).unwrap(), []);
    }
    let behind_all = (Bound::Excluded(u64::MAX), Bound::Unbounded);
    assert_eq!(store.entries(behind_all).unwrap(), []);
}

#[test]
fn a_snapshot_ahead_of_the_log_takes_its_place() {
    let (_dir, disk) = disk();
    let store = open(&disk).unwrap();
    store.append(&[entry(1, 1), entry(2, 1)]).unwrap();
    store.purge_to(id(9, 3)).unwrap();
    for store in [store, open(&disk).unwrap()] {
        assert_eq!((store.first(), store.last()), (None, Some(id(9, 3))));
    }
    open(&disk).unwrap().append(&[entry(10, 3)]).unwrap();
}

fn snapshot(store: &RaftStore, last: LogId, data: &[u8]) -> Result<(), Error> {
    let mut writer = store.begin_snapshot()?;
    data.chunks(3).try_for_each(|piece| writer.write(piece))?;
    writer.finish(last, b"three nodes", 7).map(drop)
}

/// RN1, RN2: one stands, or none.
#[test]
fn a_snapshot_replaces_the_one_before() {
    let (_dir, disk) = disk();
    let store = open(&disk).unwrap();
    drop(store.begin_snapshot().unwrap());
    assert_eq!((store.snapshot(), names(&disk, "snapshot").len()), (None, 0));
    snapshot(&store, id(4, 1), b"first").unwrap();
    let mut reader = store.open_snapshot().unwrap().unwrap();
    let back = snapshot(&store, id(3, 1), b"older");
    assert!(matches!(back, Err(Error::SnapshotBack { saved: 4, asked: 3 })), "{back:?}");
    snapshot(&store, id(4, 1), b"second").unwrap();
    assert_eq!(names(&disk, "snapshot").len(), 1);
    let mut data = [0; 5];
    assert_eq!((reader.read(&mut data).unwrap(), &data), (5, b"first"), "who reads it goes on");
    drop(store);
    disk.open(Path::new("snapshot-00000000000000ff.new"), OpenMode::CreateNew).unwrap();
    let store = open(&disk).unwrap();
    assert_eq!(names(&disk, "snapshot").len(), 1, "what was not finished is gone");
    let meta = store.snapshot().unwrap();
    assert_eq!((meta.last, meta.size, &meta.configuration[..]), (id(4, 1), 6, &b"three nodes"[..]));
    let name = names(&disk, "snapshot").remove(0);
    disk.remove(Path::new(&name)).unwrap();
    assert!(is_corrupt(open(&disk)), "the metadata name it");
}

/// RN3.
#[test]
fn a_damaged_snapshot_is_not_handed_out() {
    let (_dir, disk) = disk();
    let store = open(&disk).unwrap();
    snapshot(&store, id(1, 1), &[7; 100_000]).unwrap();
    assert!(store.open_snapshot().unwrap().is_some());
    let name = names(&disk, "snapshot").remove(0);
    let file = disk.open(Path::new(&name), OpenMode::Write).unwrap();
    write_all_at(&*file, &[6], 99_999).unwrap();
    assert!(is_corrupt(store.open_snapshot()));
}

/// RS2.
#[test]
fn the_log_and_the_metadata_go_together() {
    let (_dir, disk) = disk();
    drop(Metadata::open(&disk).unwrap());
    disk.create_dir(Path::new("log-00000000")).unwrap();
    let store = open(&disk).unwrap();
    store.append(&[entry(1, 1)]).unwrap();
    assert_eq!(disk.list(Path::new("log-00000000")).unwrap().len(), 0, "nobody has named it");
    drop(store);
    let (from, to) = (Path::new("metadata.redb"), Path::new("elsewhere"));
    disk.rename(from, to).unwrap();
    assert!(is_corrupt(open(&disk)), "a log without metadata");
    disk.rename(to, from).unwrap();
    assert_eq!(open(&disk).unwrap().last(), Some(id(1, 1)));
}

/// RM3, RM4: no flipped bit of the metadata takes back a vote.
#[test]
fn damage_to_the_metadata_is_reported() {
    let (dir, disk) = disk();
    let mut metadata = Metadata::open(&disk).unwrap();
    for current_term in 1..=3 {
        let hard = HardState { current_term, voted_for: Some(vec![b'n'; 9]) };
        let known = highwater_raft::Known { hard, ..metadata.known().clone() };
        metadata.save(known).unwrap();
    }
    let known = metadata.known().clone();
    drop(metadata);
    let path = Path::new("metadata.redb");
    let file = disk.open(path, OpenMode::Read).unwrap();
    let mut bytes = vec![0; file.size().unwrap() as usize];
    read_exact_at(&*file, &mut bytes, 0).unwrap();
    // All bits of what says which commit counts; one of a byte elsewhere.
    let head = (0..64).flat_map(|at| (0..8).map(move |bit| (at, bit)));
    let used = (64..bytes.len()).filter(|at| *at < 320 || bytes[*at] != 0 && at % 53 == 0);
    let (mut reported, mut harmless) = (0, 0);
    std::panic::set_hook(Box::new(|_| ())); // redb panics on some of them
    for (at, bit) in head.chain(used.map(|at| (at, at % 8))) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << bit;
        std::fs::write(dir.path().join(path), damaged).unwrap();
        match Metadata::open(&disk) {
            Ok(metadata) => {
                assert_eq!(metadata.known(), &known, "byte {at} bit {bit}");
                harmless += 1;
            }
            result => {
                assert!(is_corrupt(result), "byte {at} bit {bit}");
                reported += 1;
            }
        }
    }
    drop(std::panic::take_hook());
    println!("{reported} reported, {harmless} harmless");
    assert!(reported > 100, "{reported} reported, {harmless} harmless");
}

/// A disk whose syncs fail while somebody wants them to.
#[derive(Debug)]
struct Failing(Arc<dyn Vfs>, Arc<AtomicBool>);

#[derive(Debug)]
struct FailingFile(Arc<dyn File>, Arc<AtomicBool>);

fn fail(wanted: &AtomicBool) -> io::Result<()> {
    if wanted.load(Ordering::Relaxed) { Err(io::Error::other("no sync today")) } else { Ok(()) }
}

impl Vfs for Failing {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(FailingFile(self.0.open(path, mode)?, Arc::clone(&self.1))))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        fail(&self.1)?;
        self.0.sync_dir(dir)
    }
}

impl File for FailingFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buf, offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(buf, offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn sync(&self) -> io::Result<()> {
        fail(&self.1)?;
        self.0.sync()
    }
}

/// RS1, RM1: whichever part it is that fails.
#[test]
fn after_a_failed_sync_nothing_is_acknowledged() {
    type Change = fn(&RaftStore) -> Result<(), Error>;
    let changes: [Change; 5] = [
        |store| store.save_hard_state(HardState { current_term: 9, voted_for: None }),
        |store| store.append(&[entry(2, 1)]),
        |store| store.truncate_from(1),
        |store| store.purge_to(id(1, 1)),
        |store| snapshot(store, id(1, 1), b"data"),
    ];
    for failing in changes {
        let (_dir, real) = disk();
        let wanted = Arc::new(AtomicBool::new(false));
        let disk: Arc<dyn Vfs> = Arc::new(Failing(real, Arc::clone(&wanted)));
        let store = open(&disk).unwrap();
        store.append(&[entry(1, 1)]).unwrap();
        wanted.store(true, Ordering::Relaxed);
        failing(&store).expect_err("the sync fails");
        wanted.store(false, Ordering::Relaxed);
        for change in changes {
            let refused = change(&store);
            let poisoned = matches!(refused, Err(Error::Store(highwater::Error::Poisoned)));
            assert!(poisoned, "{refused:?}");
        }
        assert_eq!(store.last(), Some(id(1, 1)), "what it has it shows");
        drop(store);
        let store = open(&disk).unwrap();
        store.save_hard_state(HardState { current_term: 10, voted_for: None }).unwrap();
    }
}
