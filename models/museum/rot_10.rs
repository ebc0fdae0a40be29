//! **ROT-10**: a segment without the record that every segment must begin with.
//!
//! WiredTiger (2017, found by aborting at random some hundred times). To detect holes, a segment
//! begins with a record of what came before it, and recovery insists on it. Whoever dies between
//! the header and that record leaves a segment that stops recovery for good.
//!
//! The missing line: in the newest segment nothing is mandatory.

use super::kit::{self, Disk, Record, State, mark, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "ROT-10",
    title: "a crash between a segment's header and its first record stops recovery",
    source: "https://github.com/wiredtiger/wiredtiger/pull/3213",
    rule: Rule::P5FalseAlarm,
    ops: 1,
    engine: || Easy::new::<Segments<true>>(acts()).stops(),
    twin: || Easy::new::<Segments<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let rotate = Act::Special("rotate", vec![]);
    vec![Act::Put(1, vec![b'a'; 20]), rotate, Act::Put(2, vec![b'b'; 30])]
}

/// A life's first segment stands on a snapshot; every other one begins with what it follows.
struct Segments<const BUG: bool> {
    state: State,
    disk: Disk,
    file: Arc<dyn File>,
    number: u64,
    end: u64,
}

impl<const BUG: bool> Segments<BUG> {
    /// A segment with its header, for good.
    fn begin(disk: Disk, state: State, number: u64) -> io::Result<Self> {
        let file = disk.open(format!("log.{number}").as_ref(), OpenMode::CreateNew)?;
        let header = kit::frame(number, &mark(number));
        write_all_at(&*file, &header, 0)?;
        file.sync()?;
        disk.sync_dir(Path::new(""))?;
        Ok(Segments { state, disk, file, number, end: header.len() as u64 })
    }

    fn append(&mut self, record: &Record) -> io::Result<()> {
        let frame = kit::frame(self.number, record);
        write_all_at(&*self.file, &frame, self.end)?;
        self.file.sync()?;
        self.end += frame.len() as u64;
        Ok(())
    }
}

impl<const BUG: bool> Kv for Segments<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (first, mut state) = kit::load_snapshot(&disk)?;
        let mut segments = kit::numbers(&disk, "log")?;
        segments.retain(|number| *number >= first);
        let next = segments.last().map_or(first, |last| last + 1).max(1);
        for number in segments {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            let records = kit::scan(&*file, number)?.records;
            let newest = number + 1 == next;
            let nothing = newest && (!BUG || records.is_empty());
            let follows = records.get(1).is_some_and(|record| *record == mark(number - 1));
            if number > first && !follows && !(nothing && records.len() < 2) {
                return Err(kit::damaged("a segment does not follow the one before it"));
            }
            kit::apply(&mut state, &records);
        }
        kit::save_snapshot(&disk, next, &state)?;
        kit::drop_below(&disk, "log", next)?;
        Self::begin(disk, state, next)
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(&put(key, value))?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn special(&mut self, _rotate: &str) -> io::Result<()> {
        let (state, previous) = (std::mem::take(&mut self.state), self.number);
        *self = Self::begin(self.disk.clone(), state, previous + 1)?;
        self.append(&mark(previous))
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
