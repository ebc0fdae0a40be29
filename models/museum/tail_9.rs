//! **TAIL-9**: the segment that is half full is thrown away at every start.
//!
//! dugite (2026). Segments are sealed when they are full; a restart replays those and begins a new
//! one. The active one is dropped, instead of being validated record by record.
//!
//! The missing line: the active segment is replayed like the others, as far as it goes.

use super::kit::{self, Disk, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "TAIL-9",
    title: "the active segment, partly filled, is discarded on restart",
    source: "https://github.com/michaeljfazio/dugite/issues/276",
    ops: 1,
    engine: || Easy::new::<Segments<true>>(acts()).stops(),
    twin: || Easy::new::<Segments<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    vec![put(1), put(2), put(3)]
}

/// Records in a full segment.
const FULL: u64 = 2;

struct Segments<const BUG: bool> {
    state: State,
    disk: Disk,
    file: Arc<dyn File>,
    number: u64,
    count: u64,
    end: u64,
}

fn create(disk: &Disk, number: u64) -> io::Result<Arc<dyn File>> {
    let file = disk.open(format!("segment.{number}").as_ref(), OpenMode::CreateNew)?;
    disk.sync_dir(Path::new(""))?;
    Ok(file)
}

impl<const BUG: bool> Kv for Segments<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let mut state = State::new();
        let numbers = kit::numbers(&disk, "segment")?;
        for number in &numbers {
            let file = disk.open(format!("segment.{number}").as_ref(), OpenMode::Write)?;
            file.sync()?; // what it shows must be durable, not only there
            let records = kit::scan(&*file, *number)?.records;
            let sealed = records.len() as u64 == FULL;
            if sealed || !BUG {
                kit::apply(&mut state, &records);
            }
        }
        let number = numbers.last().unwrap_or(&0) + 1;
        let file = create(&disk, number)?;
        Ok(Segments { state, disk, file, number, count: 0, end: 0 })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        if self.count == FULL {
            self.number += 1;
            self.file = create(&self.disk, self.number)?;
            (self.count, self.end) = (0, 0);
        }
        let frame = kit::frame(self.number, &put(key, value));
        write_all_at(&*self.file, &frame, self.end)?;
        self.file.sync()?;
        self.count += 1;
        self.end += frame.len() as u64;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
