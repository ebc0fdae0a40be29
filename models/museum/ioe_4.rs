//! **IOE-4**: the loop that goes round again after `EINTR` adds -1 to the offset.
//!
//! QuestDB (2022). A write that a signal interrupts returns -1. The loop tries again, as it should,
//! but first does what it does after every write: `offset += written`. The record lands one byte
//! off, its last byte is missing from where readers look, and its first stands on the last byte of
//! the record before.
//!
//! The missing line: what was interrupted has written nothing.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, CallFault, CallKind, Easy, Failure, FaultEffect, Kv};
use highwater_vfs::File;
use std::io::{self, ErrorKind};

pub(crate) const PIECE: Piece = Piece {
    bug: "IOE-4",
    title: "after EINTR the loop adds -1 to the offset",
    source: "https://github.com/questdb/questdb/pull/2739",
    needs: Some(Failure::Call(CallFault { call: CallKind::Write, what: FaultEffect::Eintr })),
    ops: 1,
    engine: || Easy::new::<Interrupted<true>>(acts()).stops(),
    twin: || Easy::new::<Interrupted<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

fn write_all<const BUG: bool>(file: &dyn File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = match file.write_at(bytes, at) {
            Err(e) if e.kind() == ErrorKind::Interrupted => {
                if BUG { -1 } else { 0 } // the system call says -1
            }
            done => done? as i64,
        };
        bytes = &bytes[written.max(0) as usize..];
        at = at.wrapping_add_signed(written);
    }
    Ok(())
}

struct Interrupted<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Interrupted<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Interrupted { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(self.log.number, &put(key, value));
        write_all::<BUG>(&*self.log.file, &frame, self.log.end)?;
        self.log.sync()?;
        self.log.end += frame.len() as u64;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
