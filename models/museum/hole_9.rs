//! **HOLE-9**: recovery ends before the position that the snapshot stands for.
//!
//! MariaDB (2024). The log is damaged between the checkpoint and the place that the checkpoint
//! points to. Recovery reads as far as it can, finds less than the data files already hold, and
//! calls that a success. New work gets positions that were given away before, and the recovery
//! after that believes that the snapshot covers it: what was acknowledged since is gone.
//!
//! The missing line: a log that ends before its snapshot is damaged.

use super::kit::{self, Disk, Log, State, mark, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "HOLE-9",
    title: "recovery succeeds without reaching the position that the snapshot stands for",
    source: "https://github.com/MariaDB/server/pull/3476",
    rule: Rule::P6Silence,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 2,
    engine: || Easy::new::<Store<true>>(acts()).between(later()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).between(later()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint]
}

fn later() -> Vec<Act> {
    vec![Act::Put(2, vec![b'b'; 20]), Act::Put(3, vec![b'c'; 20]), Act::Reopen]
}

struct Store<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
    /// Of the next record.
    lsn: u64,
}

impl<const BUG: bool> Kv for Store<BUG> {
    /// The log is kept whole (for others who read it), and a snapshot covers its records up to a
    /// position. Every log begins with the position of its first record.
    fn open(disk: Disk) -> io::Result<Self> {
        let (covered, mut state) = kit::load_snapshot(&disk)?;
        let (mut lsn, mut number) = (1, 0);
        for log in kit::numbers(&disk, "log")? {
            number = log;
            let file = kit::found(&disk, log)?;
            let (_, begins, at) = kit::read_base(&*file, log)?;
            if begins.key != lsn {
                return Err(kit::damaged("there are records missing between two logs"));
            }
            for record in kit::scan_strict_from(&*file, log, at)?.records {
                if lsn > covered {
                    kit::apply(&mut state, &[record]);
                }
                lsn += 1;
            }
        }
        if !BUG && lsn <= covered {
            return Err(kit::damaged("the log ends before its snapshot"));
        }
        disk.sync_dir(Path::new(""))?;
        let log = Log::begun(&disk, number + 1, &[mark(lsn)])?;
        Ok(Store { state, disk, log, lsn })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.lsn += 1;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        kit::save_snapshot(&self.disk, self.lsn - 1, &self.state)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
