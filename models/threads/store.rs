//! The payload store itself, compiled with shuttle's primitives, under schedules.

use super::{Program, Scheduled, SharedKv};
use highwater_shuttle::{Ack, Error, Options, PayloadStore, Result};
use highwater_sim::Act;
use highwater_vfs::Vfs;
use std::io;
use std::sync::Arc;

struct Store(PayloadStore);

/// Segments of two or three records, so that threads meet at rotations, and the room reserved ahead
/// of them is too.
pub(super) fn options() -> Options {
    Options {
        segment_size: 512,
        reserve: 256,
        snapshots_kept: 1,
        auto_checkpoint: false,
        ..Options::default()
    }
}

pub(super) fn answer(done: Result<Ack>) -> io::Result<Option<u64>> {
    done.map(|ack| Some(ack.lsn.0)).map_err(other)
}

pub(super) fn other(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}

impl SharedKv for Store {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        PayloadStore::open(disk, options()).map(Store).map_err(other)
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        answer(self.0.store(key, value))
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        self.0.retrieve(key).map_err(other)
    }

    fn delete(&self, key: u64) -> io::Result<Option<u64>> {
        self.0.delete(key).map(|ack| ack.map(|ack| ack.lsn.0)).map_err(other)
    }

    fn batch(&self, items: &[(u64, &[u8])]) -> io::Result<Option<u64>> {
        answer(self.0.store_batch(items))
    }

    fn submit(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        answer(self.0.store_batch_deferred(&[(key, value)]))
    }

    fn commit(&self) -> io::Result<()> {
        self.0.flush().map(drop).map_err(other)
    }

    fn checkpoint(&self) -> io::Result<()> {
        self.0.create_snapshot().map(drop).map_err(other)
    }
}

/// The store with a program of your own.
pub fn running(program: Program) -> Scheduled {
    Scheduled::new::<Store>(program)
}

/// Two writers that meet in one sync and at a rotation, a reader, and a checkpoint between them.
pub fn store() -> Scheduled {
    let put = |key: u64, size: usize| Act::Put(key, vec![b'a' + key as u8; size]);
    running(Program {
        before: vec![put(1, 40)],
        threads: vec![vec![put(2, 150)], vec![put(3, 150), Act::Get(2)], vec![Act::Checkpoint]],
        after: Vec::new(),
    })
}
