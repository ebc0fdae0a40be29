//! Snapshots beside what is not ours, and beside one another.

use highwater_raft::{LogId, Options, RaftStore};
use highwater_vfs::{File, OpenMode, OsFs, Vfs};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fmt, io};

fn open(disk: &Arc<dyn Vfs>) -> RaftStore {
    RaftStore::open(Arc::clone(disk), Options::default()).unwrap()
}

fn take(store: &RaftStore, index: u64) -> u64 {
    let mut writer = store.begin_snapshot().unwrap();
    writer.write(&index.to_le_bytes()).unwrap();
    writer.finish(LogId { index, term: 1 }, b"", 0).unwrap().serial
}

/// Neither a number that is written otherwise nor the last of all is a trap.
#[test]
fn only_names_that_are_given_here_are_ours() {
    let dir = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Vfs> = Arc::new(OsFs::open(dir.path()).unwrap());
    assert_eq!(take(&open(&disk), 1), 0);
    let foreign = ["snapshot-1.snap", "snapshot-+5.new", "snapshot-00000000000000AB.snap"];
    let ours = ["snapshot-ffffffffffffffff.new", "snapshot-0000000000000004.snap"];
    for name in foreign.iter().chain(&ours) {
        disk.open(Path::new(name), OpenMode::CreateNew).unwrap();
    }
    let store = open(&disk);
    let names = disk.list(Path::new("")).unwrap();
    assert!(foreign.iter().all(|name| names.iter().any(|there| there == name)), "{names:?}");
    assert!(!ours.iter().any(|name| names.iter().any(|there| there == name)), "{names:?}");
    assert_eq!(take(&store, 2), 5, "a number that nobody has had");
    disk.open(Path::new("snapshot-fffffffffffffffe.new"), OpenMode::CreateNew).unwrap();
    drop(store);
    for index in 3..6 {
        take(&open(&disk), index); // the numbers begin again, and nothing stops
        assert_eq!(open(&disk).snapshot().unwrap().last.index, index);
    }
}

/// A disk on which another snapshot is finished right before each of the next files is opened.
struct Racing {
    inner: Arc<dyn Vfs>,
    other: parking_lot::Mutex<Option<RaftStore>>,
    rounds: AtomicU64,
}

impl fmt::Debug for Racing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Racing")
    }
}

impl Vfs for Racing {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let other = self.other.lock().clone();
        let round = (mode == OpenMode::Read).then(|| {
            let down = |n: u64| n.checked_sub(1);
            self.rounds.fetch_update(Ordering::SeqCst, Ordering::SeqCst, down).ok()
        });
        if let (Some(other), Some(Some(round))) = (other, round) {
            take(&other, 100 - round);
        }
        self.inner.open(path, mode)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }
}

#[test]
fn a_snapshot_is_opened_while_others_replace_it() {
    let dir = tempfile::tempdir().unwrap();
    let inner: Arc<dyn Vfs> = Arc::new(OsFs::open(dir.path()).unwrap());
    let (other, rounds) = (parking_lot::Mutex::new(None), AtomicU64::new(0));
    let racing = Arc::new(Racing { inner, other, rounds });
    let disk: Arc<dyn Vfs> = racing.clone();
    let store = open(&disk);
    take(&store, 1);
    *racing.other.lock() = Some(store.clone());
    racing.rounds.store(3, Ordering::SeqCst);
    let reader = store.open_snapshot().unwrap().unwrap();
    assert_eq!(reader.meta().last.index, 99, "the last of the three");
    *racing.other.lock() = None; // it holds the disk
}
