//! **CKPT-5**: temporary file, rename, and not one sync.
//!
//! ferrosa (2026, in the field). A flushed table was written under a temporary name, renamed into
//! place, and the log was discarded: temp and rename were thought to be crash-safe. The name
//! survived, the bytes did not; the truncated table was loaded without a word, and the copy of its
//! records in the log was gone.
//!
//! The missing line: `file.sync()` before the rename.

use super::kit::{self, Disk, Log, State, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::{OpenMode, write_all_at};
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "CKPT-5",
    title: "a table is published by rename without a sync, and the log is discarded",
    source: "https://github.com/ferrosadb/ferrosa/pull/87",
    shows: UNORDERED, // in one order, a new file's bytes and length go before its name
    ops: 2,
    engine: || Easy::new::<Tables<true>>(acts()).stops(),
    twin: || Easy::new::<Tables<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Put(2, vec![b'b'; 30])]
}

struct Tables<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
}

impl<const BUG: bool> Kv for Tables<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let mut state = State::new();
        for number in kit::numbers(&disk, "table")? {
            let file = disk.open(format!("table.{number}").as_ref(), OpenMode::Read)?;
            kit::apply(&mut state, &kit::scan(&*file, number)?.records);
        }
        let (mut logged, log) = Log::open(&disk)?;
        state.append(&mut logged);
        Ok(Tables { state, disk, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let number = kit::numbers(&self.disk, "table")?.last().unwrap_or(&0) + 1;
        kit::remove_if_there(&self.disk, "tmp")?;
        let file = self.disk.open(Path::new("tmp"), OpenMode::CreateNew)?;
        write_all_at(&*file, &kit::frames(number, &kit::base(number, &self.state)), 0)?;
        if !BUG {
            file.sync()?;
        }
        self.disk.rename(Path::new("tmp"), format!("table.{number}").as_ref())?;
        self.disk.sync_dir(Path::new(""))?;
        self.log.discard(&self.disk)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
