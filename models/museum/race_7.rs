//! **RACE-7**: a log is persisted and dropped while a write that is in it is not in the buffer yet.
//!
//! InfluxDB IOx (2022). A write goes to the log, under one lock, and then to the buffer in memory,
//! under another. When the log is rotated and the buffer persisted between the two, the write is in
//! the log that is dropped and not in the buffer that is kept: after a crash it is nowhere. The
//! review shows that to wait for a notice of the last flush does not help, and that the same gap,
//! met the other way round, applies writes twice.
//!
//! One line too early: the lock of the log is given back before the write is in the buffer.

use super::kit::snapshots::{begin_snapshot, newest_snapshot, write_snapshot};
use super::kit::{self, Disk, Latch, Log, State, locked, put};
use super::piece::Piece;
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::Act;
use highwater_vfs::OpenMode;
use shuttle::sync::Mutex;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "RACE-7",
    title: "rotation and persisting are not atomic with respect to writers",
    source: "https://github.com/influxdata/influxdb_iox/pull/6368",
    ops: 2,
    threads: Some([
        || Scheduled::new::<Buffered<true>>(program()),
        || Scheduled::new::<Buffered<false>>(program()),
    ]),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn program() -> Program {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    Program {
        before: vec![put(1)],
        threads: vec![vec![put(2)], vec![Act::Checkpoint]],
        after: vec![put(3)],
    }
}

struct Buffered<const BUG: bool> {
    disk: Disk,
    log: Mutex<(Log, Latch)>,
    buffer: Mutex<State>,
}

impl<const BUG: bool> Buffered<BUG> {
    /// Goes on in the next log, keeps what the buffer has, and drops the logs before.
    fn persist(&self, log: &mut Log) -> io::Result<()> {
        *log = Log::empty(&self.disk, log.number() + 1)?;
        let state = locked(&self.buffer).clone();
        write_snapshot(&self.disk, log.number(), log.number(), &state)?;
        kit::drop_below(&self.disk, "log", log.number())
    }
}

impl<const BUG: bool> SharedKv for Buffered<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let found = newest_snapshot(&disk)?;
        let (mut state, logs) = (found.state, kit::numbers(&disk, "log")?);
        for number in logs.iter().filter(|number| **number >= found.number) {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            kit::apply(&mut state, &kit::scan(&*file, *number)?.records);
        }
        let snapshots = kit::numbers(&disk, "snapshot")?;
        let number = [logs, snapshots].concat().into_iter().fold(0, u64::max) + 1;
        begin_snapshot(&disk, number, number, &state)?.sync()?;
        let log = Log::empty(&disk, number)?; // both names are durable with this
        Ok(Buffered { disk, log: Mutex::new((log, Latch::default())), buffer: Mutex::new(state) })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        let mut guard = locked(&self.log);
        let (log, latch) = &mut *guard;
        latch.check()?;
        let written = log.write(&[put(key, value)]);
        latch.keep(written)?;
        latch.keep(log.sync())?;
        if BUG {
            drop(guard);
        }
        locked(&self.buffer).insert(key, value.to_vec());
        Ok(None)
    }

    fn checkpoint(&self) -> io::Result<()> {
        let mut guard = locked(&self.log);
        let (log, latch) = &mut *guard;
        latch.check()?;
        latch.keep(self.persist(log))
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(locked(&self.buffer).get(&key).cloned())
    }
}
