//! ATOM: a batch is whole or absent.

use crate::kit::{self, Disk, Log, Record, State, put};
use highwater_sim::Kv;
use std::io;

/// **ATOM-2**, Turso, <https://github.com/tursodatabase/turso/issues/1889>.
///
/// The last frame of a transaction carries the commit mark; here every frame does. A crash between
/// two of its frames commits the first half.
/// The missing line: `last` only on the last.
pub(crate) struct Batched<const MARKS_THE_LAST: bool> {
    state: State,
    log: Log,
}

impl<const MARKS_THE_LAST: bool> Kv for Batched<MARKS_THE_LAST> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Batched { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.batch(&[(key, value)])
    }

    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        for (nth, (key, value)) in items.iter().enumerate() {
            let last = !MARKS_THE_LAST || nth + 1 == items.len();
            let record = Record { last, ..put(*key, value) };
            self.log.write(std::slice::from_ref(&record))?;
            kit::apply(&mut self.state, &[record]);
        }
        self.log.sync()
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
