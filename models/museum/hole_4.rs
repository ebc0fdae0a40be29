//! **HOLE-4**: in a log file that is used again, damage looks like the end.
//!
//! Pebble (2020). Log files are recycled, so behind the last record of a log lie bytes of an older
//! one, and a record that does not check out is how a log ends. But then so does one that is
//! damaged in the middle, and nobody misses the rest of it, although the next log was begun.
//!
//! The missing line: a last record that says that here is the end, in every log but the newest.

use super::kit::{self, Change, Disk, Log, State, mark, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::OpenMode;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "HOLE-4",
    title: "damage in an older log that was recycled is read as its end",
    source: "https://github.com/cockroachdb/pebble/issues/864",
    rule: Rule::P6Silence,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 4,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    vec![put(1), put(2), put(3)]
}

struct Store<const BUG: bool> {
    state: State,
    disk: Disk,
    /// The first log that counts: those before it may be used again.
    first: u64,
    log: Log,
    /// Of records in the log.
    count: u64,
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (first, mut state) = kit::load_snapshot(&disk)?;
        let logs = kit::numbers(&disk, "log")?;
        let mut number = first;
        for log in logs.iter().copied().filter(|log| *log >= first) {
            number = log;
            let file = disk.open(format!("log.{log}").as_ref(), OpenMode::Read)?;
            let records = kit::scan(&*file, log)?.records;
            let ended = records.last().is_some_and(|last| last.change == Change::Mark);
            if Some(&log) == logs.last() {
                kit::scan_strict(&*file, log)?;
            } else if !BUG && !ended {
                return Err(kit::damaged("an older log does not say where it ends"));
            }
            kit::apply(&mut state, &records);
        }
        let first = number + 1;
        kit::save_snapshot(&disk, first, &state)?;
        let log = Log::recycled(&disk, first, first)?;
        Ok(Store { state, disk, first, log, count: 0 })
    }

    /// A log is full with two records, all durable before the next one has a name.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        if self.count == 2 {
            if !BUG {
                self.log.write(&[mark(self.count)])?;
                self.log.sync()?;
            }
            self.log = Log::recycled(&self.disk, self.log.number + 1, self.first)?;
            self.count = 0;
        }
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.count += 1;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
