//! openraft's own tests of a storage, on ours.

use highwater_raft::openraft::{App, LogStore, Machine};
use highwater_raft::{Options, RaftStore};
use highwater_vfs::OsFs;
use openraft::testing::{StoreBuilder, Suite};
use openraft::{StorageError, declare_raft_types};
use std::io::Cursor;
use std::sync::Arc;
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
