//! ACK: acknowledged before the bytes are durable.

use crate::kit::{Disk, Log, State, delete, put};
use highwater_sim::Kv;
use std::io;

/// **ACK-1**, NATS JetStream, <https://github.com/nats-io/nats-server/issues/7564>.
///
/// The write path acknowledges as soon as the bytes are in the page cache; a timer syncs them
/// later. The power goes first, and a whole window of acknowledged messages is gone.
/// The missing line: `log.sync()` before `Ok`.
pub(crate) struct Acked<const SYNCS: bool> {
    state: State,
    log: Log,
}

impl<const SYNCS: bool> Kv for Acked<SYNCS> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Acked { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        if SYNCS {
            self.log.sync()?;
        }
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}

/// **ACK-6**, kglite, <https://github.com/kkollsga/kglite/pull/68>.
///
/// The sync stands in one entry point of the interface, and the others append through the same
/// helper without it. What they acknowledge waits for the next put.
/// The missing line: `log.sync()` in `delete` too.
pub(crate) struct Entrances<const DELETE_SYNCS: bool> {
    state: State,
    log: Log,
}

impl<const DELETE_SYNCS: bool> Kv for Entrances<DELETE_SYNCS> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Entrances { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.log.write(&[delete(key)])?;
        if DELETE_SYNCS {
            self.log.sync()?;
        }
        self.state.remove(&key);
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
