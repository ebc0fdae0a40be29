//! KeyVal's persistence layer (`raft.PersistenceLayer`): entries go into BoltDB first and into the
//! log behind it, and `RecoverState` reads BoltDB alone.
//!
//! BoltDB is taken at its word here: a file that is replaced whole stands for its transaction.

use super::{Kv, LOG, Wal};
use crate::museum::kit::{Disk, State, frames, put, replace};
use crate::museum::kit::{apply as apply_records, scan};
use crate::seeds::kit::payload;
use highwater_vfs::OpenMode;
use std::io::{self, ErrorKind};

const BOLT: &str = "raft.db";

pub(super) struct Persistence {
    disk: Disk,
    wal: Wal<{ super::LAX }>,
    state: State,
}

impl Kv for Persistence {
    /// `RecoverState`.
    fn open(disk: Disk) -> io::Result<Self> {
        let mut state = State::new();
        match disk.open(BOLT.as_ref(), OpenMode::Read) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            opened => apply_records(&mut state, &scan(&*opened?, 0)?.records),
        }
        let wal = Wal::open(disk.clone())?;
        Ok(Persistence { disk, wal, state })
    }

    /// `PersistLogEntries`.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let mut state = self.state.clone();
        state.insert(key, value.to_vec());
        let records: Vec<_> = state.iter().map(|(key, value)| put(*key, value)).collect();
        replace(&self.disk, BOLT, &frames(0, &records))?;
        self.state = state;
        self.wal.append(LOG, payload(key, Some(value)))?;
        self.wal.commit()
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
