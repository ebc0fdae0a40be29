//! **IOE-5**: the rest of a short write comes after the sync.
//!
//! Turso (2025). A write and its sync are linked into a chain. A short write breaks the chain; the
//! rest is submitted again, and may run after the sync has completed. The commit is acknowledged
//! with a part of its record that no sync covers.
//!
//! The line in the wrong place: the sync belongs behind the last of the bytes.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, CallFault, CallKind, Easy, Failure, FaultEffect, Kv};
use highwater_vfs::write_all_at;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "IOE-5",
    title: "the rest of a short write is submitted after the sync",
    source: "https://github.com/tursodatabase/turso/pull/4291",
    needs: Some(Failure::Call(CallFault { call: CallKind::Write, what: FaultEffect::Short(60) })),
    ops: 1,
    engine: || Easy::new::<Linked<true>>(acts()).stops(),
    twin: || Easy::new::<Linked<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 76])]
}

struct Linked<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Linked<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Linked { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(self.log.number, &put(key, value));
        let written = self.log.file.write_at(&frame, self.log.end)?;
        if BUG {
            self.log.sync()?;
        }
        write_all_at(&*self.log.file, &frame[written..], self.log.end + written as u64)?;
        if !BUG {
            self.log.sync()?;
        }
        self.log.end += frame.len() as u64;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
