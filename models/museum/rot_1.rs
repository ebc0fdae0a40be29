//! **ROT-1**: a new segment is begun, and the old one was never synced.
//!
//! YugabyteDB (2020), WiredTiger, RocksDB, fjall. A sync acts on the current segment; after a
//! rollover that is the new one. What the old one had not written yet is lost, and what comes
//! after it is there: a gap between two segments, which no checksum shows.
//!
//! The missing line: `sync` of the old segment at the rollover.

use super::kit::{self, Disk, State, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "ROT-1",
    title: "rollover without a sync of the old segment",
    source: "https://github.com/yugabyte/yugabyte-db/issues/3490",
    rule: Rule::P2Prefix,
    shows: UNORDERED, // in order, the old segment's records go first
    ops: 4,
    engine: || Easy::new::<Segments<true>>(acts()).stops(),
    twin: || Easy::new::<Segments<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let submit = |key, byte| Act::Submit(key, vec![byte; 300]);
    vec![submit(1, b'a'), submit(2, b'b'), Act::Commit]
}

struct Segments<const BUG: bool> {
    state: State,
    /// What is written and not committed.
    pending: State,
    disk: Disk,
    file: Arc<dyn File>,
    number: u64,
    end: u64,
}

/// Segments have this size from the beginning, so that a record never moves their end.
const SEGMENT: u64 = 512;

fn segment(disk: &Disk, number: u64) -> io::Result<Arc<dyn File>> {
    let file = disk.open(format!("log.{number}").as_ref(), OpenMode::CreateNew)?;
    file.set_len(SEGMENT)?;
    file.sync()?;
    disk.sync_dir(Path::new(""))?;
    Ok(file)
}

impl<const BUG: bool> Kv for Segments<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let kit::Recovered { state, next: number, .. } = kit::recover(&disk, |number| number)?;
        kit::save_snapshot(&disk, number, &state)?;
        let file = segment(&disk, number)?;
        Ok(Segments { state, pending: State::new(), disk, file, number, end: 0 })
    }

    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        if self.end + (kit::HEADER + value.len()) as u64 > SEGMENT {
            if !BUG {
                self.file.sync()?;
            }
            self.file = segment(&self.disk, self.number + 1)?;
            (self.number, self.end) = (self.number + 1, 0);
        }
        let frame = kit::frame(self.number, &put(key, value));
        write_all_at(&*self.file, &frame, self.end)?;
        self.end += frame.len() as u64;
        self.pending.insert(key, value.to_vec());
        Ok(())
    }

    fn commit(&mut self) -> io::Result<()> {
        self.file.sync()?;
        self.state.append(&mut self.pending);
        Ok(())
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.submit(key, value)?;
        self.commit()
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
