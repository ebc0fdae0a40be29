//! **CKPT-7**: a boundary that is ahead of what was flushed.
//!
//! SlateDB (2026, found by deterministic simulation). When replay meets the next log, it flushes
//! what it has, and writes down from where the next replay starts: behind the newest log that it
//! has *seen*, not behind the last that it has *applied*. A crash before the rest is flushed
//! leaves logs that nobody will read again.
//!
//! The wrong line: the boundary is the log that was just applied.

use super::kit::{self, Disk, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::{OpenMode, write_all_at};
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "CKPT-7",
    title: "a partial flush moves the replay boundary to the highest log seen",
    source: "https://github.com/slatedb/slatedb/pull/1625",
    ops: 2,
    engine: || Easy::new::<Replayer<true>>(acts()).stops(),
    twin: || Easy::new::<Replayer<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

/// Every write is a log of its own, as it is on object storage.
struct Replayer<const BUG: bool> {
    state: State,
    disk: Disk,
    next: u64,
}

impl<const BUG: bool> Kv for Replayer<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (replayed, mut state) = kit::load_snapshot(&disk)?;
        disk.sync_dir(Path::new(""))?; // the snapshot's name may be in the cache only
        let mut logs = kit::numbers(&disk, "log")?;
        logs.retain(|number| *number > replayed);
        let newest = logs.last().copied().unwrap_or(replayed);
        for number in logs {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            kit::apply(&mut state, &kit::scan(&*file, number)?.records);
            let boundary = if BUG { newest } else { number };
            kit::save_snapshot(&disk, boundary, &state)?;
        }
        Ok(Replayer { state, disk, next: newest + 1 })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let file = self.disk.open(format!("log.{}", self.next).as_ref(), OpenMode::CreateNew)?;
        write_all_at(&*file, &kit::frame(self.next, &put(key, value)), 0)?;
        file.sync()?;
        self.disk.sync_dir(Path::new(""))?;
        self.next += 1;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
