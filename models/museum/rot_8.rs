//! **ROT-8**: a name says more than the file holds.
//!
//! dqlite (2019, in the field). "load closed segment …470-…655: found 185 entries (expected
//! 186)": when a segment is closed it is renamed to the range of its entries, and the last of them
//! was not durable yet. The name survived, the entry did not, and the node refuses to start.
//!
//! The missing line: `file.sync()` before the rename.

use super::kit::{self, Disk, State, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "ROT-8",
    title: "a segment is renamed to a range that its contents do not have",
    source: "https://github.com/canonical/dqlite/issues/190",
    rule: Rule::P5FalseAlarm,
    shows: UNORDERED, // in one order, a file's bytes and length go before its next name
    ops: 2,
    engine: || Easy::new::<Raft<true>>(acts()).stops(),
    twin: || Easy::new::<Raft<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30]), Act::Put(1, vec![b'c'; 40])]
}

/// Entries of a segment.
const FULL: u64 = 2;

/// Closed segments are `closed.{first}-{last}`, the one that is written is `open.{first}`.
struct Raft<const BUG: bool> {
    state: State,
    disk: Disk,
    file: Arc<dyn File>,
    first: u64,
    count: u64,
    end: u64,
}

/// The ranges of the closed segments, in order.
fn closed(disk: &Disk) -> io::Result<Vec<(u64, u64)>> {
    let names = disk.list(Path::new(""))?;
    let range = |name: &String| {
        let (first, last) = name.strip_prefix("closed.")?.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    let mut ranges: Vec<(u64, u64)> = names.iter().filter_map(range).collect();
    ranges.sort_unstable();
    Ok(ranges)
}

fn begin(disk: &Disk, first: u64) -> io::Result<Arc<dyn File>> {
    let file = disk.open(format!("open.{first}").as_ref(), OpenMode::CreateNew)?;
    disk.sync_dir(Path::new(""))?;
    Ok(file)
}

impl<const BUG: bool> Kv for Raft<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (mut state, mut used) = (State::new(), 0);
        for (first, last) in closed(&disk)? {
            let file = disk.open(format!("closed.{first}-{last}").as_ref(), OpenMode::Read)?;
            let records = kit::scan(&*file, first)?.records;
            let (found, expected) = (records.len() as u64, last - first + 1);
            if found != expected {
                return Err(kit::damaged(&format!("found {found} (expected {expected})")));
            }
            kit::apply(&mut state, &records);
            used = last;
        }
        let mut open = kit::numbers(&disk, "open")?;
        open.retain(|first| *first > used);
        for first in open {
            let file = disk.open(format!("open.{first}").as_ref(), OpenMode::Read)?;
            let records = kit::scan(&*file, first)?.records;
            used = first; // and never again, even if nothing is in it
            if !records.is_empty() {
                used += records.len() as u64 - 1;
                let name = format!("closed.{first}-{used}");
                kit::replace(&disk, &name, &kit::frames(first, &records))?;
                kit::apply(&mut state, &records);
            }
        }
        let first = used + 1;
        let file = begin(&disk, first)?;
        kit::drop_below(&disk, "open", first)?;
        Ok(Raft { state, disk, file, first, count: 0, end: 0 })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(self.first, &put(key, value));
        write_all_at(&*self.file, &frame, self.end)?;
        (self.end, self.count) = (self.end + frame.len() as u64, self.count + 1);
        if !BUG || self.count < FULL {
            self.file.sync()?;
        }
        if self.count == FULL {
            let last = self.first + FULL - 1;
            let (from, to) =
                (format!("open.{}", self.first), format!("closed.{}-{last}", self.first));
            self.disk.rename(from.as_ref(), to.as_ref())?;
            if BUG {
                self.file.sync()?;
            }
            self.disk.sync_dir(Path::new(""))?;
            self.file = begin(&self.disk, last + 1)?;
            (self.first, self.count, self.end) = (last + 1, 0, 0);
        }
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
