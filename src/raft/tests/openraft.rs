//! openraft's own tests of a storage, on ours.

use highwater_raft::openraft::{App, LogStore, Machine};
use highwater_raft::{LogId, Options, RaftStore};
use highwater_vfs::OsFs;
use openraft::storage::RaftStateMachine;
use openraft::testing::{StoreBuilder, Suite};
use openraft::{CommittedLeaderId, RaftSnapshotBuilder, StorageError, declare_raft_types};
use std::io::Cursor;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tempfile::TempDir;

declare_raft_types!(
    /// Numbers to add up.
    Adding:
        D = u64,
        R = u64,
        Entry = openraft::Entry<Adding>,
        SnapshotData = Cursor<Vec<u8>>,
);

/// Their sum.
#[derive(Default)]
struct Sum(u64);

impl App<Adding> for Sum {
    fn apply(&mut self, entry: &openraft::Entry<Adding>) -> u64 {
        if let openraft::EntryPayload::Normal(number) = entry.payload {
            self.0 += number;
        }
        self.0
    }

    fn save(&self) -> Vec<u8> {
        self.0.to_le_bytes().to_vec()
    }

    fn restore(&mut self, bytes: &[u8]) {
        self.0 = u64::from_le_bytes(bytes.try_into().expect("eight bytes of ours"));
    }
}

/// A store in a folder of its own.
struct Fresh;

type Built = (TempDir, LogStore, Machine<Adding, Sum>);

impl StoreBuilder<Adding, LogStore, Machine<Adding, Sum>, TempDir> for Fresh {
    async fn build(&self) -> Result<Built, StorageError<u64>> {
        let dir = tempfile::tempdir().expect("a folder");
        let disk = Arc::new(OsFs::open(dir.path()).expect("it is there"));
        let store = RaftStore::open(disk, Options::default()).expect("a new store");
        let machine = Machine::new(store.clone(), Sum::default())?;
        Ok((dir, LogStore::new(store), machine))
    }
}

#[test]
fn openraft_finds_nothing_wrong() {
    Suite::test_all(Fresh).expect("its own storage tests");
}

type Meta = openraft::SnapshotMeta<u64, openraft::BasicNode>;

/// A state of which a later snapshot is installed while it is being saved.
struct Overtaken(RaftStore);

impl App<Adding> for Overtaken {
    fn apply(&mut self, _: &openraft::Entry<Adding>) -> u64 {
        0
    }

    fn save(&self) -> Vec<u8> {
        let last = openraft::LogId::new(CommittedLeaderId::new(2, 0), 10);
        let meta = Meta { last_log_id: Some(last), ..Meta::default() };
        let mut writer = self.0.begin_snapshot().unwrap();
        writer.write(b"later").unwrap();
        let words = serde_json::to_vec(&meta).unwrap();
        writer.finish(LogId { index: 10, term: 2 }, &words, 0).unwrap();
        b"earlier".to_vec()
    }

    fn restore(&mut self, _: &[u8]) {}
}

/// Nothing here waits for anything but the disk.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits"),
    }
}

#[test]
fn a_snapshot_that_was_overtaken_is_the_later_one() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(OsFs::open(dir.path()).unwrap());
    let store = RaftStore::open(disk, Options::default()).unwrap();
    let mut machine = Machine::<Adding, _>::new(store.clone(), Overtaken(store.clone())).unwrap();
    let log_id = openraft::LogId::new(CommittedLeaderId::new(1, 0), 5);
    let payload = openraft::EntryPayload::Blank;
    now(machine.apply([openraft::Entry { log_id, payload }])).unwrap();
    let built = now(now(machine.get_snapshot_builder()).build_snapshot()).unwrap();
    assert_eq!(built.meta.last_log_id.map(|id| id.index), Some(10));
    assert_eq!(built.snapshot.get_ref(), b"later");
    // One that is installed behind it changes nothing either.
    let meta = Meta { last_log_id: Some(log_id), ..built.meta };
    now(machine.install_snapshot(&meta, Box::new(Cursor::new(b"earlier".to_vec())))).unwrap();
    assert_eq!(store.snapshot().unwrap().last.index, 10);
}
