//! **RACE-9**: an I/O buffer is used again before the write that reads it has run.
//!
//! Turso (2025). A write to io_uring is submitted as an address, and runs later. The buffer behind
//! the address was given back at once; when the kernel came to it, it held something else, and that
//! is what the header on the disk was. Every call had said `Ok`.
//!
//! The missing line: a buffer belongs to its write until the write has completed.

use super::kit::{self, Disk, Latch, Log, Record, State, locked, put};
use super::piece::Piece;
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::Act;
use highwater_vfs::write_all_at;
use shuttle::sync::Mutex;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "RACE-9",
    title: "an I/O buffer is reused before the asynchronous write completes",
    source: "https://github.com/tursodatabase/turso/pull/1143",
    ops: 2,
    threads: Some([
        || Scheduled::new::<Ring<true>>(program()),
        || Scheduled::new::<Ring<false>>(program()),
    ]),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn program() -> Program {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    Program { threads: vec![vec![put(1)], vec![put(2)]], after: vec![put(3)], ..Program::default() }
}

/// A write as it is submitted: not the bytes, but where they will be found.
struct Submitted {
    buffer: usize,
    size: usize,
    offset: u64,
    record: Record,
}

struct Queue {
    log: Log,
    latch: Latch,
    buffers: Vec<Vec<u8>>,
    submitted: Vec<Submitted>,
    /// Of all that has completed.
    state: State,
}

struct Ring<const BUG: bool> {
    queue: Mutex<Queue>,
}

impl<const BUG: bool> Ring<BUG> {
    fn submit(&self, record: Record) -> io::Result<()> {
        let mut queue = locked(&self.queue);
        queue.latch.check()?;
        let bytes = kit::frames(queue.log.number, std::slice::from_ref(&record));
        let (size, offset) = (bytes.len(), queue.log.end);
        // Those before it are in use, one for each write.
        let buffer = if BUG { 0 } else { queue.submitted.len() };
        if buffer == queue.buffers.len() {
            queue.buffers.push(Vec::new());
        }
        queue.buffers[buffer] = bytes;
        queue.log.end += size as u64;
        queue.submitted.push(Submitted { buffer, size, offset, record });
        Ok(())
    }

    /// Runs what is submitted, by whomever; it is durable when this returns.
    fn complete(&self) -> io::Result<()> {
        let mut guard = locked(&self.queue);
        let queue = &mut *guard;
        queue.latch.check()?;
        let submitted = std::mem::take(&mut queue.submitted);
        for write in &submitted {
            let mut bytes = queue.buffers[write.buffer].clone();
            bytes.resize(write.size, 0);
            queue.latch.keep(write_all_at(&*queue.log.file, &bytes, write.offset))?;
        }
        if !submitted.is_empty() {
            queue.latch.keep(queue.log.sync())?;
        }
        submitted.into_iter().for_each(|write| kit::apply(&mut queue.state, &[write.record]));
        Ok(())
    }
}

impl<const BUG: bool> SharedKv for Ring<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        let (latch, buffers, submitted) = (Latch::default(), Vec::new(), Vec::new());
        Ok(Ring { queue: Mutex::new(Queue { log, latch, buffers, submitted, state }) })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        self.submit(put(key, value))?;
        self.complete()?;
        Ok(None)
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(locked(&self.queue).state.get(&key).cloned())
    }
}
