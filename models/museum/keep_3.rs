//! **KEEP-3**: old snapshots are kept, the log that belongs to them is not.
//!
//! RaftKeeper, Zeebe, Litestream (2019 to 2026). Several snapshots are retained in case the newest
//! is bad, but the log is cut at the newest. Whoever falls back jumps: Zeebe went from event 4 to
//! event 10 and did not notice.
//!
//! The wrong line: the log is needed from the *oldest* snapshot kept.

use super::kit::snapshots::{newest_snapshot, write_snapshot};
use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::OpenMode;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "KEEP-3",
    title: "the log is cut at the newest snapshot, the older ones are useless",
    source: "https://github.com/camunda/camunda/issues/3573",
    rule: Rule::P6Silence,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 5,
    engine: || Easy::new::<Keeper<true>>(acts()).stops(),
    twin: || Easy::new::<Keeper<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Put(2, vec![b'b'; 30])]
}

struct Keeper<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
}

impl<const BUG: bool> Keeper<BUG> {
    /// The next snapshot and its log. The snapshot before it, number `old`, is kept.
    fn begin(disk: &Disk, old: u64, number: u64, state: &State) -> io::Result<Log> {
        write_snapshot(disk, number, 0, state)?;
        let log = Log::empty(disk, number)?;
        for spare in kit::numbers(disk, "snapshot")? {
            if spare != old && spare != number {
                disk.remove(format!("snapshot.{spare}").as_ref())?;
            }
        }
        kit::drop_below(disk, "log", if BUG { number } else { old })?;
        Ok(log)
    }
}

impl<const BUG: bool> Kv for Keeper<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let found = newest_snapshot(&disk)?;
        let (old, mut state) = (found.number, found.state);
        let logs = kit::numbers(&disk, "log")?;
        for number in logs.iter().filter(|number| **number >= old) {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            kit::apply(&mut state, &kit::scan_strict(&*file, *number)?.records);
        }
        let both = [kit::numbers(&disk, "snapshot")?, logs].concat();
        let next = both.into_iter().max().unwrap_or(0) + 1;
        let log = Self::begin(&disk, old, next, &state)?;
        Ok(Keeper { state, disk, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let old = self.log.number();
        self.log = Self::begin(&self.disk, old, old + 1, &self.state)?;
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
