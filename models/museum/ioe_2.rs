//! **IOE-2**: a failed append is in the file and not in the counters.
//!
//! mqlens-mongodb (2026). An append advances the sequence number only after the sync. When the sync
//! fails the bytes are in the file, and the next append writes behind them, at the end of the file,
//! with the same number again. Recovery takes the first record of that number, and drops the second
//! and all behind it: what failed shadows what was acknowledged.
//!
//! The missing line: after a failed append the writer ends, until recovery has looked at the file.

use super::kit::{self, Disk, Latch, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, FailedSync, Failure, Kv};
use highwater_vfs::{OpenMode, write_all_at};
use std::io::{self, ErrorKind};

pub(crate) const PIECE: Piece = Piece {
    bug: "IOE-2",
    title: "a failed append leaves its bytes in the file and its number to the next",
    source: "https://github.com/mqlens/mqlens-mongodb/pull/306",
    // The kindest failed sync will do: the bytes stay, and the next sync takes them along.
    needs: Some(Failure::Sync(FailedSync::KeepDirty)),
    ops: 2,
    engine: || Easy::new::<Counted<true>>(acts()),
    twin: || Easy::new::<Counted<false>>(acts()),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

struct Counted<const BUG: bool> {
    state: State,
    log: Log,
    /// The number of the next record.
    lsn: u64,
    latch: Latch,
}

/// A record's number is in its checksum: one with another number is not the next one.
fn seed(log: u64, lsn: u64) -> u64 {
    log << 32 | lsn
}

fn replay(disk: &Disk, log: u64, state: &mut State) -> io::Result<()> {
    let file = match disk.open(format!("log.{log}").as_ref(), OpenMode::Read) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let (mut at, mut lsn) = (0, 1);
    while let Some((record, end)) = kit::read_frame(&*file, seed(log, lsn), at)? {
        kit::apply(state, &[record]);
        (at, lsn) = (end, lsn + 1);
    }
    Ok(())
}

impl<const BUG: bool> Counted<BUG> {
    fn append(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(seed(self.log.number, self.lsn), &put(key, value));
        write_all_at(&*self.log.file, &frame, self.log.file.size()?)?;
        self.log.sync()?;
        self.lsn += 1;
        self.state.insert(key, value.to_vec());
        Ok(())
    }
}

impl<const BUG: bool> Kv for Counted<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (number, mut state) = kit::load_snapshot(&disk)?;
        replay(&disk, number, &mut state)?;
        kit::save_snapshot(&disk, number + 1, &state)?;
        let log = Log::empty(&disk, number + 1)?;
        Ok(Counted { state, log, lsn: 1, latch: Latch::default() })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.latch.check()?;
        let done = self.append(key, value);
        if BUG { done } else { self.latch.keep(done) }
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
