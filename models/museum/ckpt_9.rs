//! **CKPT-9**: the log goes on from a snapshot that nobody synced.
//!
//! ZooKeeper (2015). A follower whose log ends at 20 is sent the whole state up to 30, writes it
//! down without a sync, and then logs and syncs record 31. After a crash the snapshot is empty: it
//! loads the one before, replays up to 20, and then 31. What lay between is missing, and as the
//! last number is the expected one, nobody notices.
//!
//! The missing line: `file.sync()` of the snapshot before the log goes on from it.

use super::kit::snapshots::{begin_snapshot, newest_snapshot, write_snapshot};
use super::kit::{self, Disk, Log, Record, State, mark, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::OpenMode;
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "CKPT-9",
    title: "an installed snapshot is not synced, the log goes on from it",
    source: "https://issues.apache.org/jira/browse/ZOOKEEPER-2310",
    rule: Rule::P2Prefix,
    shows: UNORDERED, // in one order, the sync of the log takes the snapshot along
    ops: 3,
    engine: || Easy::new::<Follower<true>>(acts()).stops(),
    twin: || Easy::new::<Follower<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

/// What the leader did meanwhile arrives with the submit: a whole state. The follower stands for it
/// when it acknowledges the next record.
fn acts() -> Vec<Act> {
    let put = |key, byte| Act::Put(key, vec![byte; 20]);
    vec![put(1, b'a'), Act::Submit(2, vec![b'b'; 30]), put(3, b'c')]
}

/// Every record in its log has a number, and the snapshot that of the last one that it covers.
struct Follower<const BUG: bool> {
    state: State,
    disk: Disk,
    last: u64,
    log: Log,
}

fn next_file(disk: &Disk) -> io::Result<u64> {
    let both = [kit::numbers(disk, "snapshot")?, kit::numbers(disk, "log")?].concat();
    Ok(both.into_iter().max().unwrap_or(0) + 1)
}

impl<const BUG: bool> Kv for Follower<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let found = newest_snapshot(&disk)?;
        let (mut state, mut last) = (found.state, found.mark);
        for number in kit::numbers(&disk, "log")? {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            for entry in kit::scan(&*file, number)?.records.chunks(2) {
                if entry[0].key > last {
                    last = entry[0].key;
                    kit::apply(&mut state, entry);
                }
            }
        }
        let number = next_file(&disk)?;
        write_snapshot(&disk, number, last, &state)?;
        let log = Log::empty(&disk, number)?;
        Ok(Follower { state, disk, last, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.last += 1;
        self.log.write(&[Record { last: false, ..mark(self.last) }, put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    /// Installs a snapshot.
    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.last += 10;
        self.state.insert(key, value.to_vec());
        let number = next_file(&self.disk)?;
        let file = begin_snapshot(&self.disk, number, self.last, &self.state)?;
        if !BUG {
            file.sync()?;
        }
        self.disk.sync_dir(Path::new(""))
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
