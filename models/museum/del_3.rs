//! **DEL-3**: a tombstone is dropped while there is still something in its grave.
//!
//! Badger (2026, the second cause of the same report). Runs shadow each other, newer over older.
//! Compacting the newest run by itself drops its tombstones as if nothing lay below, and the run
//! that does lie below shows through.
//!
//! The missing line: a tombstone stays as long as there is an older run.

use super::kit::{self, Change, Disk, Record, State, delete, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::{OpenMode, write_all_at};
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "DEL-3",
    title: "compaction drops a tombstone although an older file still holds the value",
    source: "https://github.com/dgraph-io/badger/issues/2143",
    ops: 3,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Delete(1), Act::Checkpoint]
}

struct Store<const BUG: bool> {
    state: State,
    disk: Disk,
    newest: u64,
    /// What the newest run holds.
    run: Vec<Record>,
}

impl<const BUG: bool> Store<BUG> {
    fn write_run(&mut self, run: Vec<Record>) -> io::Result<()> {
        let number = self.newest + 1;
        let file = self.disk.open(format!("run.{number}").as_ref(), OpenMode::CreateNew)?;
        write_all_at(&*file, &kit::frames(number, &run), 0)?;
        file.sync()?;
        self.disk.sync_dir(Path::new(""))?;
        kit::apply(&mut self.state, &run);
        (self.newest, self.run) = (number, run);
        Ok(())
    }
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (mut state, mut newest, mut run) = (State::new(), 0, Vec::new());
        for number in kit::numbers(&disk, "run")? {
            let file = disk.open(format!("run.{number}").as_ref(), OpenMode::Write)?;
            file.sync()?; // what is found here is promised from now on
            run = kit::scan(&*file, number)?.records;
            kit::apply(&mut state, &run);
            newest = number;
        }
        disk.sync_dir(Path::new(""))?;
        Ok(Store { state, disk, newest, run })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.write_run(vec![put(key, value)])
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.write_run(vec![delete(key)])
    }

    /// Compacts the newest run, which is one record here.
    fn checkpoint(&mut self) -> io::Result<()> {
        let (old, mut run) = (self.newest, self.run.clone());
        if BUG {
            run.retain(|record| record.change != Change::Delete);
        }
        if old == 0 {
            return Ok(());
        }
        self.write_run(run)?;
        self.disk.remove(format!("run.{old}").as_ref())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
