//! **SYNC-1**: a log leaves the list of logs to sync with its last record unsynced.
//!
//! RocksDB (2022). A sync of all logs runs without the lock, and marks them synced when it is done:
//! of those, the ones that are not written any more leave the list. But while it ran, a record was
//! appended to the log and another log begun. The record is in no list now; the next sync does not
//! know of it, and acknowledges it.
//!
//! The wrong condition: a log leaves the list when it was synced up to its end, not when it is
//! inactive.

use super::kit::{self, Change, Disk, Log, Queue, Record, State, locked, poisoned, put};
use super::piece::{Piece, UNORDERED};
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::Act;
use highwater_vfs::OpenMode;
use shuttle::sync::Mutex;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "SYNC-1",
    title: "an inactive log leaves the list of logs to sync with its last append unsynced",
    source: "https://github.com/facebook/rocksdb/pull/10560",
    shows: UNORDERED, // in one order, the sync of the next log takes the record along
    ops: 4,
    threads: Some([
        || Scheduled::new::<Listed<true>>(program()),
        || Scheduled::new::<Listed<false>>(program()),
    ]),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn program() -> Program {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    Program { threads: vec![vec![put(1)], vec![put(2)]], after: vec![put(3)], ..Program::default() }
}

/// Records of a log: when it has them, the next one begins. So what is behind a log with fewer does
/// not count.
const FULL: usize = 2;

struct Listed<const BUG: bool> {
    disk: Disk,
    logs: Mutex<Logs>,
    /// Held by whoever syncs; others append meanwhile.
    syncing: Mutex<()>,
}

struct Logs {
    /// With the log that is written.
    queue: Queue,
    /// The logs before it that may have something to sync.
    inactive: Vec<Log>,
}

/// A life begins with a log that has a copy of the state, ended by a mark; its others have none.
fn recover(disk: &Disk) -> io::Result<(State, u64)> {
    let (mut state, mut goes_on, mut newest) = (State::new(), true, 0);
    for number in kit::numbers(disk, "log")? {
        let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
        let records = kit::scan(&*file, number)?.records;
        let copied = records.iter().position(|record| record.change == Change::Mark);
        if copied.is_some() {
            (state, goes_on) = (State::new(), true);
        }
        if goes_on {
            kit::apply(&mut state, &records);
        }
        goes_on &= records.len() - copied.map_or(0, |at| at + 1) >= FULL;
        newest = number;
    }
    Ok((state, newest + 1))
}

impl Logs {
    fn append(&mut self, disk: &Disk, record: Record) -> io::Result<u64> {
        let queue = &mut self.queue;
        queue.log.write(std::slice::from_ref(&record))?;
        queue.appended += 1;
        let number = queue.appended;
        queue.pending.push((number, vec![record]));
        if number.is_multiple_of(FULL as u64) {
            let next = Log::empty(disk, queue.log.number() + 1)?;
            self.inactive.push(std::mem::replace(&mut queue.log, next));
        }
        Ok(number)
    }

    fn check(&self) -> io::Result<()> {
        if self.queue.failed { Err(poisoned()) } else { Ok(()) }
    }
}

impl<const BUG: bool> Listed<BUG> {
    fn append(&self, record: Record) -> io::Result<u64> {
        let mut logs = locked(&self.logs);
        logs.check()?;
        let appended = logs.append(&self.disk, record);
        logs.queue.failed |= appended.is_err();
        appended
    }

    fn sync(&self, number: u64) -> io::Result<()> {
        let _only = locked(&self.syncing);
        let logs = locked(&self.logs);
        logs.check()?;
        if logs.queue.durable >= number {
            return Ok(());
        }
        let all = logs.queue.appended;
        let known = [&logs.inactive[..], std::slice::from_ref(&logs.queue.log)].concat();
        drop(logs);
        let synced = known.iter().try_for_each(Log::sync);
        let mut logs = locked(&self.logs);
        logs.queue.failed |= synced.is_err();
        synced?;
        // A journal that failed to write a name may have lost what this sync was to cover.
        logs.check()?;
        logs.queue.advance(all);
        let whole = |log: &Log| {
            BUG || known.iter().any(|known| (known.number, known.end) == (log.number, log.end))
        };
        logs.inactive.retain(|log| !whole(log));
        Ok(())
    }
}

impl<const BUG: bool> SharedKv for Listed<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, number) = recover(&disk)?;
        let log = Log::fresh(&disk, number, &state)?;
        let (appended, durable, pending) = (0, 0, Vec::new());
        let queue = Queue { log, appended, durable, leading: false, failed: false, state, pending };
        let logs = Mutex::new(Logs { queue, inactive: Vec::new() });
        Ok(Listed { disk, logs, syncing: Mutex::new(()) })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        let number = self.append(put(key, value))?;
        self.sync(number)?;
        Ok(Some(number))
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(locked(&self.logs).queue.state.get(&key).cloned())
    }
}
