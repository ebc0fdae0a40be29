//! **ERR-1**: a failed sync is tried again, and says `Ok`: fsyncgate.
//!
//! PostgreSQL (2018). A checkpoint writes the changed pages and syncs them; the sync fails, the
//! checkpoint is given up and tried again. The kernel has reported the error once and marked the
//! pages clean, so the second sync has nothing to write and says `Ok`. The checkpoint is complete,
//! and the log that holds the only copy is dropped.
//!
//! The missing line: `PANIC`. After a failed sync nothing in the cache can be trusted; only a
//! recovery from the log writes the pages again.

use super::kit::{self, Disk, Latch, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, FailedSync, Failure, Kv};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "ERR-1",
    title: "fsyncgate: a checkpoint whose sync failed is tried again, and the log dropped",
    source: "https://wiki.postgresql.org/wiki/Fsync_Errors",
    needs: Some(Failure::Sync(FailedSync::KeepNew)),
    ops: 3,
    engine: || Easy::new::<Pages<true>>(acts()).between(between()),
    twin: || Easy::new::<Pages<false>>(acts()).between(between()),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Checkpoint]
}

fn between() -> Vec<Act> {
    vec![Act::Put(2, vec![b'b'; 30])]
}

/// A key has a page of its own.
const PAGE: u64 = 512;

struct Pages<const BUG: bool> {
    disk: Disk,
    data: Arc<dyn File>,
    log: Log,
    state: State,
    dirty: BTreeSet<u64>,
    latch: Latch,
}

impl<const BUG: bool> Pages<BUG> {
    fn append(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        self.dirty.insert(key);
        Ok(())
    }

    fn write_pages(&mut self) -> io::Result<()> {
        for key in std::mem::take(&mut self.dirty) {
            let page = kit::frame(0, &put(key, &self.state[&key]));
            write_all_at(&*self.data, &page, key * PAGE)?;
        }
        self.data.sync()
    }

    /// The pages are durable: the log may go.
    fn next_log(&mut self) -> io::Result<()> {
        let next = Log::empty(&self.disk, self.log.number + 1)?;
        let old = std::mem::replace(&mut self.log, next);
        self.disk.remove(format!("log.{}", old.number).as_ref())?;
        self.disk.sync_dir(Path::new(""))
    }
}

impl<const BUG: bool> Kv for Pages<BUG> {
    /// Recovers from the pages and the logs, and writes all pages anew, to a file of this life:
    /// what it found may be in the cache only.
    fn open(disk: Disk) -> io::Result<Self> {
        let mut state = State::new();
        let old = [kit::numbers(&disk, "data")?, kit::numbers(&disk, "log")?];
        for number in &old[0] {
            let file = disk.open(format!("data.{number}").as_ref(), OpenMode::Read)?;
            for page in 0..file.size()?.div_ceil(PAGE) {
                let read = kit::read_frame(&*file, 0, page * PAGE)?;
                kit::apply(&mut state, read.map(|(record, _)| record).as_slice());
            }
        }
        for number in &old[1] {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            kit::apply(&mut state, &kit::scan(&*file, *number)?.records);
        }
        let name = format!("data.{}", old[0].last().unwrap_or(&0) + 1);
        let data = disk.open(name.as_ref(), OpenMode::CreateNew)?;
        let log = Log::empty(&disk, old[1].last().unwrap_or(&0) + 1)?;
        let dirty = state.keys().copied().collect();
        let mut engine = Pages { disk, data, log, state, dirty, latch: Latch::default() };
        engine.write_pages()?;
        for (prefix, numbers) in ["data", "log"].iter().zip(&old) {
            for number in numbers {
                engine.disk.remove(format!("{prefix}.{number}").as_ref())?;
            }
        }
        engine.disk.sync_dir(Path::new(""))?;
        Ok(engine)
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.latch.check()?;
        let done = self.append(key, value);
        self.latch.keep(done)
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.latch.check()?;
        let synced = self.write_pages();
        if BUG {
            synced?
        } else {
            self.latch.keep(synced)?
        }
        let dropped = self.next_log();
        self.latch.keep(dropped)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
