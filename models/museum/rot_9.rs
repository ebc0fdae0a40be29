//! **ROT-9**: a chain of checksums whose beginning was purged.
//!
//! etcd (2020). Every record's checksum goes on from that of the record before, across segments;
//! each segment begins with the sum so far. One of the readers ignores that record: as long as the
//! first segment is there it comes out right, and once it is purged nothing fits any more.
//!
//! The missing line: the chain goes on from what the segment says.

use super::kit::{self, Disk, State, mark, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "ROT-9",
    title: "purging the first segments breaks the checksum chain across them",
    source: "https://github.com/etcd-io/etcd/pull/11924",
    rule: Rule::P5FalseAlarm,
    ops: 3,
    engine: || Easy::new::<Chained<true>>(acts()).stops(),
    twin: || Easy::new::<Chained<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Put(2, vec![b'b'; 30])]
}

struct Chained<const BUG: bool> {
    state: State,
    disk: Disk,
    file: Arc<dyn File>,
    number: u64,
    chain: u64,
    end: u64,
}

/// A frame begins with its checksum: the seed of the next.
fn link(frame: &[u8]) -> u64 {
    u64::from_le_bytes(frame[..8].try_into().expect("eight bytes"))
}

/// Begins a segment with the sum so far; its end.
fn begin(disk: &Disk, number: u64, chain: u64) -> io::Result<(Arc<dyn File>, u64)> {
    let file = disk.open(format!("log.{number}").as_ref(), OpenMode::CreateNew)?;
    let first = kit::frame(number, &mark(chain));
    write_all_at(&*file, &first, 0)?;
    file.sync()?;
    disk.sync_dir(Path::new(""))?;
    Ok((file, first.len() as u64))
}

impl<const BUG: bool> Kv for Chained<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (first, mut state) = kit::load_snapshot(&disk)?;
        let mut segments = kit::numbers(&disk, "log")?;
        segments.retain(|number| *number >= first);
        let mut chain = 0;
        for number in &segments {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            let mut at = 0;
            if let Some((sum, end)) = kit::read_frame(&*file, *number, 0)? {
                at = end;
                if !BUG {
                    chain = sum.key;
                }
            }
            while let Some((record, end)) = kit::read_frame(&*file, chain, at)? {
                (chain, at) = (link(&kit::frame(chain, &record)), end);
                kit::apply(&mut state, &[record]);
            }
            if at < file.size()? && Some(number) != segments.last() {
                return Err(kit::damaged("crc mismatch"));
            }
        }
        let number = segments.last().map_or(first, |last| last + 1).max(1);
        kit::save_snapshot(&disk, number, &state)?;
        kit::drop_below(&disk, "log", number)?;
        let (file, end) = begin(&disk, number, 0)?; // every life begins a chain of its own
        Ok(Chained { state, disk, file, number, chain: 0, end })
    }

    /// A segment is full with one record.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(self.chain, &put(key, value));
        write_all_at(&*self.file, &frame, self.end)?;
        self.file.sync()?;
        (self.chain, self.number) = (link(&frame), self.number + 1);
        (self.file, self.end) = begin(&self.disk, self.number, self.chain)?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        kit::save_snapshot(&self.disk, self.number, &self.state)?;
        kit::drop_below(&self.disk, "log", self.number)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
