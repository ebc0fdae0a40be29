//! **ROT-10**: a segment without the record that every segment must begin with.
//!
//! WiredTiger (2017, found by aborting at random some hundred times). To detect holes, a segment
//! begins with a record of what came before it, and recovery insists on it. Whoever dies between
//! the header and that record leaves a segment that stops recovery for good.
//!
//! The missing line: in the newest segment nothing is mandatory.

use super::kit::{self, Disk, State, mark, put};
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

struct Segments<const BUG: bool> {
    state: State,
    disk: Disk,
    file: Arc<dyn File>,
    number: u64,
    end: u64,
}

impl<const BUG: bool> Segments<BUG> {
    /// The header, which is written and synced first, and the record that names the one before.
    fn begin(disk: Disk, state: State, number: u64) -> io::Result<Self> {
        let file = disk.open(format!("log.{number}").as_ref(), OpenMode::CreateNew)?;
        write_all_at(&*file, &kit::frame(number, &mark(number)), 0)?;
        file.sync()?;
        disk.sync_dir(Path::new(""))?;
        let previous = kit::frame(number, &mark(number - 1));
        write_all_at(&*file, &previous, previous.len() as u64)?;
        file.sync()?;
        let end = 2 * previous.len() as u64;
        Ok(Segments { state, disk, file, number, end })
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
            match records.get(1) {
                None if newest && (!BUG || records.is_empty()) => continue,
                Some(previous) if previous.key == number - 1 => {}
                _ => return Err(kit::damaged("a segment does not follow the one before it")),
            }
            kit::apply(&mut state, &records);
        }
        kit::save_snapshot(&disk, next, &state)?;
        kit::drop_below(&disk, "log", next)?;
        Self::begin(disk, state, next)
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(self.number, &put(key, value));
        write_all_at(&*self.file, &frame, self.end)?;
        self.file.sync()?;
        self.end += frame.len() as u64;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn special(&mut self, _rotate: &str) -> io::Result<()> {
        let state = std::mem::take(&mut self.state);
        *self = Self::begin(self.disk.clone(), state, self.number + 1)?;
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
