//! **KEEP-6**: obsolete files that are still there break the next recovery.
//!
//! raft-engine (2021; only the symptom is known: "unremoved obsolete files might crash recovery").
//! The segments before the snapshot are removed one by one, in whatever order, and a crash leaves
//! some of them. Recovery replays what it finds in the directory: it misses a segment that nobody
//! needs any more.
//!
//! The missing line: recovery reads what the snapshot says is live, not what is lying around.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::OpenMode;
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "KEEP-6",
    title: "obsolete segments that are not yet removed stop the recovery",
    source: "https://github.com/tikv/raft-engine/pull/156",
    rule: Rule::P5FalseAlarm,
    ops: 3,
    engine: || Easy::new::<Segments<true>>(acts()).stops(),
    twin: || Easy::new::<Segments<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30]), Act::Checkpoint]
}

struct Segments<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
}

/// Begins segment `number` on a snapshot, and removes the obsolete ones, newest first.
fn begin(disk: &Disk, number: u64, state: &State) -> io::Result<Log> {
    kit::save_snapshot(disk, number, state)?;
    let log = Log::empty(disk, number)?;
    for old in kit::numbers(disk, "log")?.into_iter().rev().filter(|old| *old < number) {
        disk.remove(format!("log.{old}").as_ref())?;
    }
    disk.sync_dir(Path::new(""))?;
    Ok(log)
}

impl<const BUG: bool> Kv for Segments<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (first, mut state) = kit::load_snapshot(&disk)?;
        let mut live = kit::numbers(&disk, "log")?;
        if !BUG {
            live.retain(|number| *number >= first);
        }
        if live.windows(2).any(|two| two[1] != two[0] + 1) {
            return Err(kit::damaged("a segment is missing"));
        }
        for number in &live {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            kit::apply(&mut state, &kit::scan(&*file, *number)?.records);
        }
        let next = live.last().map_or(1, |last| last + 1).max(first);
        let log = begin(&disk, next, &state)?;
        Ok(Segments { state, disk, log })
    }

    /// A segment is full with one record.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.log = Log::empty(&self.disk, self.log.number() + 1)?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.log = begin(&self.disk, self.log.number() + 1, &self.state)?;
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
