//! **CKPT-10**: the manifest says that more of the log was synced than was.
//!
//! RocksDB (2022). A sync of the log records in the manifest how long the synced log is, and asks
//! the file for that when the sync is done. By then others have appended. After a power cut the log
//! is shorter than the manifest says: "size mismatch", and a store that has lost nothing refuses to
//! open.
//!
//! The lines in the wrong order: the size is taken before the sync, under the lock of the appends.

use super::kit::{self, Disk, Group, Log, damaged, locked, mark, poisoned, put};
use super::piece::{Piece, UNORDERED};
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::{Act, Rule};
use highwater_vfs::OpenMode;
use shuttle::sync::Mutex;
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "CKPT-10",
    title: "a manifest records a synced size larger than what was synced",
    source: "https://github.com/facebook/rocksdb/pull/10185",
    rule: Rule::P5FalseAlarm,
    shows: UNORDERED, // in one order, the sync of the manifest takes the log's length along
    ops: 2,
    threads: Some([
        || Scheduled::new::<Tracking<true>>(program()),
        || Scheduled::new::<Tracking<false>>(program()),
    ]),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn program() -> Program {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    Program { threads: vec![vec![put(1)], vec![put(2)]], ..Program::default() }
}

struct Tracking<const BUG: bool> {
    group: Group,
    /// A log of its own: how much of the other one must be there. Whoever syncs holds it; others
    /// append meanwhile.
    manifest: Mutex<Log>,
}

fn name(number: u64) -> String {
    format!("manifest.{number}")
}

fn check_manifests(disk: &Disk) -> io::Result<()> {
    for number in kit::numbers(disk, "manifest")? {
        let manifest = disk.open(name(number).as_ref(), OpenMode::Read)?;
        let Some(synced) = kit::scan(&*manifest, number)?.records.pop() else { continue };
        let log = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
        if log.size()? < synced.key {
            return Err(damaged("size mismatch: less log on the disk than in the manifest"));
        }
    }
    Ok(())
}

impl<const BUG: bool> Tracking<BUG> {
    /// Syncs what has been appended, and leaves word of it.
    fn sync(&self, number: u64) -> io::Result<()> {
        let mut manifest = locked(&self.manifest);
        let queue = self.group.lock();
        if queue.failed {
            return Err(poisoned());
        }
        if queue.durable >= number {
            return Ok(());
        }
        let (log, all) = (queue.log.clone(), queue.appended);
        drop(queue);
        let synced = log.sync().and_then(|()| {
            let size = if BUG { log.file.size()? } else { log.end() };
            manifest.write(&[mark(size)])?;
            manifest.sync()
        });
        let mut queue = self.group.lock();
        match synced {
            Ok(()) => queue.advance(all),
            Err(_) => queue.fail(number),
        }
        synced
    }
}

impl<const BUG: bool> SharedKv for Tracking<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        check_manifests(&disk)?;
        let group = Group::open(&disk)?;
        let number = group.lock().log.number();
        let file = disk.open(name(number).as_ref(), OpenMode::CreateNew)?;
        disk.sync_dir(Path::new(""))?;
        Ok(Tracking { group, manifest: Mutex::new(Log { file, number, end: 0 }) })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        let number = self.group.append(&[put(key, value)])?;
        self.sync(number)?;
        Ok(Some(number))
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.group.lock().state.get(&key).cloned())
    }
}
