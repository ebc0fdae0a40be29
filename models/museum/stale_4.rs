//! **STALE-4**: the tail that recovery cut off is back, behind what was written since.
//!
//! commonware (2026). A journal is shortened and written on from there, and nothing says that the
//! new length is durable before the new records are. A crash keeps those and loses the cut: behind
//! the new records stand the ones that were thrown away, at positions where nobody ever put them.
//! Their checksums are right.
//!
//! The missing line: `sync` between cutting a tail and writing in its place.

use super::kit::{self, Disk, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Model, Rule};
use highwater_vfs::{File, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "STALE-4",
    title: "a resize that was not synced is lost, and the discarded records join the new ones",
    source: "https://github.com/commonwarexyz/monorepo/pull/4785",
    rule: Rule::P4Invention,
    shows: SHOWS,
    ops: 2,
    engine: || Easy::new::<Journal<true>>(acts()).between(later()).stops(),
    twin: || Easy::new::<Journal<false>>(acts()).between(later()).stops(),
    ..Piece::PLAIN
};

/// Where a file may have a sector, and not the one before it: elsewhere a crash leaves nothing to
/// throw away.
const SHOWS: &[Model] = &[Model::Posix, Model::Ext4Writeback];

/// A record fills a sector.
fn acts() -> Vec<Act> {
    vec![Act::Submit(1, vec![b'a'; 488]), Act::Submit(2, vec![b'b'; 488]), Act::Commit]
}

fn later() -> Vec<Act> {
    vec![Act::Put(3, vec![b'c'; 488])]
}

struct Journal<const BUG: bool> {
    state: State,
    file: Arc<dyn File>,
    end: u64,
    /// Of the file.
    size: u64,
    /// What is in the file and not committed.
    pending: Vec<Record>,
}

impl<const BUG: bool> Kv for Journal<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let file = kit::open_or_create(&disk, "journal")?;
        file.sync()?; // what is found here is promised from now on
        disk.sync_dir(Path::new(""))?;
        let scan = kit::scan(&*file, 0)?;
        kit::cut_tail(&*file, scan.size)?; // what a crash may have left behind the end of the file
        let mut state = State::new();
        kit::apply(&mut state, &scan.records);
        Ok(Journal { state, file, end: scan.end, size: scan.size, pending: Vec::new() })
    }

    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        if self.end < self.size {
            self.file.set_len(self.end)?; // bad records that this life found
            if !BUG {
                self.file.sync()?;
            }
        }
        let frame = kit::frame(0, &put(key, value));
        write_all_at(&*self.file, &frame, self.end)?;
        self.end += frame.len() as u64;
        self.size = self.end;
        self.pending.push(put(key, value));
        Ok(())
    }

    fn commit(&mut self) -> io::Result<()> {
        self.file.sync()?;
        kit::apply(&mut self.state, &std::mem::take(&mut self.pending));
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
