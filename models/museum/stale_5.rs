//! **STALE-5**: of two files that belong together, one has been wound back and the other has not.
//!
//! commonware (2026). Records lie in a journal, their number in another file. Taking the last
//! record back lowers the number; the journal keeps its bytes until they are overwritten. The next
//! record raises the number again, and that is durable before the record is. A crash in between
//! leaves a number and a journal that fit each other, as far as lengths can tell: the record that
//! was taken back is there again.
//!
//! The missing line: sync the records before the number that covers them.

use super::kit::{self, Disk, Record, State, mark, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::{File, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "STALE-5",
    title: "a count is durable before the record it counts, and an old record is in its place",
    source: "https://github.com/commonwarexyz/monorepo/pull/4687",
    shows: UNORDERED, // in order, the record is there before the count
    ops: 3,
    engine: || Easy::new::<Paired<true>>(acts()).stops(),
    twin: || Easy::new::<Paired<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Delete(1), Act::Put(2, vec![b'b'; 20])]
}

/// Of a record in the journal.
const SLOT: u64 = 64;

struct Paired<const BUG: bool> {
    disk: Disk,
    journal: Arc<dyn File>,
    records: Vec<Record>,
}

impl<const BUG: bool> Paired<BUG> {
    fn save_count(&self) -> io::Result<()> {
        kit::replace(&self.disk, "count", &kit::frame(0, &mark(self.records.len() as u64)))
    }
}

impl<const BUG: bool> Kv for Paired<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let journal = kit::open_or_create(&disk, "journal")?;
        let counts = kit::open_or_create(&disk, "count")?;
        journal.sync()?;
        disk.sync_dir(Path::new(""))?;
        let count = kit::read_frame(&*counts, 0, 0)?.map_or(0, |(mark, _)| mark.key);
        let mut records = Vec::new();
        for slot in 0..count {
            // A journal that is too short has lost what nobody was told of.
            let Some((record, _)) = kit::read_frame(&*journal, 0, slot * SLOT)? else { break };
            records.push(record);
        }
        let paired = Paired { disk, journal, records };
        paired.save_count()?;
        kit::cut_tail(&*paired.journal, paired.records.len() as u64 * SLOT)?;
        Ok(paired)
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let slot = self.records.len() as u64;
        self.records.push(put(key, value));
        write_all_at(&*self.journal, &kit::frame(0, &put(key, value)), slot * SLOT)?;
        if BUG {
            self.save_count()?;
            self.journal.sync()
        } else {
            self.journal.sync()?;
            self.save_count()
        }
    }

    /// Winds back: takes the last record back if it is the one of `key`.
    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.records.pop_if(|last| last.key == key);
        self.save_count()
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let mut state = State::new();
        kit::apply(&mut state, &self.records);
        Ok(state.remove(&key))
    }
}
