//! **IOE-1**: appending goes on behind a record that was written in part.
//!
//! RocksDB (2020). An append to the manifest failed for lack of space, half done; space came back,
//! and later records were appended to the same file behind the partial one. A reader stops there,
//! and everything behind it is lost.
//!
//! The missing line: after a failed append the next one begins a new file.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, CallFault, CallKind, Easy, Failure, FaultEffect, Kv};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "IOE-1",
    title: "appending goes on behind a partial record",
    source: "https://github.com/facebook/rocksdb/pull/6331",
    needs: Some(Failure::Call(CallFault {
        call: CallKind::Write,
        what: FaultEffect::EioAfter(20),
    })),
    ops: 3,
    engine: || Easy::new::<Manifest<true>>(acts()),
    twin: || Easy::new::<Manifest<false>>(acts()),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

struct Manifest<const BUG: bool> {
    disk: Disk,
    state: State,
    log: Log,
    /// The last append failed.
    torn: bool,
}

impl<const BUG: bool> Kv for Manifest<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Manifest { disk, state, log, torn: false })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        if self.torn && BUG {
            self.log.end = self.log.file.size()?;
        } else if self.torn {
            self.log = Log::fresh(&self.disk, self.log.number + 1, &self.state)?;
        }
        self.torn = true;
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.torn = false;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
