//! **ACK-1**: acknowledged now, durable later.
//!
//! NATS JetStream (2025). The write path answers as soon as the bytes are in the page cache; a
//! timer syncs them two minutes later, while the manual promises that what was acknowledged is
//! persisted. The power goes first, and a whole window of acknowledged messages is gone.
//!
//! The missing line: `sync` before `Ok`.

use super::kit::{Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "ACK-1",
    title: "publishes are acknowledged and synced by a timer, two minutes later",
    source: "https://github.com/nats-io/nats-server/issues/7564",
    ops: 1,
    engine: || Easy::new::<Stream<true>>(acts()).stops(),
    twin: || Easy::new::<Stream<false>>(acts()).stops(),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 600]), Act::Put(1, vec![b'c'; 30])]
}

struct Stream<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Stream<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Stream { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        if !BUG {
            self.log.sync()?;
        }
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
