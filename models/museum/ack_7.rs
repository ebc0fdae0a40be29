//! **ACK-7**: the log is written and synced, and never read.
//!
//! SparrowDB (2026). A commit syncs its records and then changes the data files; `open` never looks
//! at the log. It has the looks of durability, and every crash between the two steps loses what was
//! acknowledged, although its bytes are on the disk. Here the data file is a snapshot, and a life
//! writes it when it opens.
//!
//! The missing line: the replay.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "ACK-7",
    title: "the log is written and synced but never replayed",
    source: "https://github.com/ryaker/SparrowDB/issues/303",
    ops: 1,
    engine: || Easy::new::<Unread<true>>(acts()).stops(),
    twin: || Easy::new::<Unread<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

struct Unread<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Unread<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (_, snapshot) = kit::load_snapshot(&disk)?;
        let logged = kit::recover(&disk, |number| number)?;
        let state = if BUG { snapshot } else { logged.state };
        kit::save_snapshot(&disk, logged.next, &state)?;
        let log = Log::empty(&disk, logged.next)?;
        Ok(Unread { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
