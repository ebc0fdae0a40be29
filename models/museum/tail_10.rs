//! **TAIL-10**: the rolling checksum goes on from a frame that was never committed.
//!
//! Turso (2025). Every frame's checksum is seeded with that of the frame before. After a failure in
//! the middle of a transaction the next life goes on behind the last frame that was committed, but
//! with the checksum of the last frame that was found. The next commit is acknowledged, and the
//! recovery after it drops it: its checksum continues frames that are gone.
//!
//! The missing line: where the writer goes on and what it goes on from are of one frame.

use super::kit::{self, Disk, Latch, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, CallFault, CallKind, Easy, Failure, FaultEffect, Kv};
use highwater_vfs::{File, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "TAIL-10",
    title: "the rolling checksum is seeded from the last frame written, not the last committed",
    source: "https://github.com/tursodatabase/turso/pull/2613",
    needs: Some(Failure::Call(CallFault { call: CallKind::Write, what: FaultEffect::Eio })),
    ops: 4,
    engine: || Easy::new::<Chained<true>>(acts()),
    twin: || Easy::new::<Chained<false>>(acts()),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let batch = Act::Batch(vec![(1, vec![b'a'; 20]), (2, vec![b'b'; 30])]);
    vec![batch, Act::Reopen, Act::Put(3, vec![b'c'; 40])]
}

struct Chained<const BUG: bool> {
    state: State,
    file: Arc<dyn File>,
    end: u64,
    /// The checksum that the next frame's is seeded with.
    sum: u64,
    latch: Latch,
}

fn sum_of(frame: &[u8]) -> u64 {
    u64::from_le_bytes(frame[..8].try_into().expect("eight bytes"))
}

impl<const BUG: bool> Chained<BUG> {
    fn append(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        let mut records = Vec::new();
        for (nth, (key, value)) in items.iter().enumerate() {
            let record = Record { last: nth + 1 == items.len(), ..put(*key, value) };
            let frame = kit::frame(self.sum, &record);
            write_all_at(&*self.file, &frame, self.end)?;
            (self.end, self.sum) = (self.end + frame.len() as u64, sum_of(&frame));
            records.push(record);
        }
        self.file.sync()?;
        kit::apply(&mut self.state, &records);
        Ok(())
    }
}

impl<const BUG: bool> Kv for Chained<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let file = kit::open_or_create(&disk, "wal")?;
        let (mut state, mut group) = (State::new(), Vec::new());
        let (mut at, mut sum) = (0, 0);
        let mut committed = (at, sum);
        while let Some((record, end)) = kit::read_frame(&*file, sum, at)? {
            (at, sum) = (end, sum_of(&kit::frame(sum, &record)));
            group.push(record);
            if group.last().is_some_and(|record| record.last) {
                kit::apply(&mut state, &std::mem::take(&mut group));
                committed = (at, sum);
            }
        }
        kit::cut_tail(&*file, committed.0)?;
        disk.sync_dir(Path::new(""))?;
        let sum = if BUG { sum } else { committed.1 };
        Ok(Chained { state, file, end: committed.0, sum, latch: Latch::default() })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.batch(&[(key, value)])
    }

    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        self.latch.check()?;
        let done = self.append(items);
        self.latch.keep(done)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
