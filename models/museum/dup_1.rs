//! **DUP-1**: the snapshot is there, and so is the log that it covers.
//!
//! fsdb (2026). A new snapshot takes its name, and then the log is cut. A crash in between leaves
//! both; recovery loads the snapshot and replays all of the log on top: every row twice. Another
//! path of the same program had it right.
//!
//! The missing line: the snapshot says which part of the log it covers.

use super::kit::{self, Disk, Log, Record, State, add, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "DUP-1",
    title: "a crash between the snapshot and cutting the log applies the log twice",
    source: "https://github.com/HelgeSverre/fsdb/issues/23",
    rule: Rule::P4Invention,
    ops: 2,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Add(1, 5), Act::Checkpoint, Act::Add(1, 3)]
}

struct Store<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
}

impl<const BUG: bool> Store<BUG> {
    fn append(&mut self, record: Record) -> io::Result<()> {
        self.log.write(std::slice::from_ref(&record))?;
        self.log.sync()?;
        kit::apply(&mut self.state, &[record]);
        Ok(())
    }
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (first, mut state) = kit::load_snapshot(&disk)?;
        let mut number = first;
        for log in kit::numbers(&disk, "log")? {
            if BUG || log >= first {
                let file = kit::found(&disk, log)?;
                kit::apply(&mut state, &kit::scan(&*file, log)?.records);
            }
            number = number.max(log);
        }
        disk.sync_dir(Path::new(""))?;
        let log = Log::empty(&disk, number + 1)?;
        Ok(Store { state, disk, log })
    }

    fn add(&mut self, key: u64, by: u64) -> io::Result<()> {
        self.append(add(key, by))
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(put(key, value))
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let first = self.log.number + 1;
        kit::save_snapshot(&self.disk, first, &self.state)?;
        for covered in kit::numbers(&self.disk, "log")? {
            self.disk.remove(format!("log.{covered}").as_ref())?;
        }
        self.log = Log::empty(&self.disk, first)?; // syncs the directory
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
