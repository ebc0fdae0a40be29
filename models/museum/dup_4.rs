//! **DUP-4**: what was applied is in one file, and how far in another.
//!
//! A replicated Convex (2026). An entry of the log is applied to the tables, and the index of the
//! last applied entry goes to another store afterwards. A crash in between, and the entry is
//! applied again: a counter counts it twice, a table has two versions of the same write.
//!
//! The missing line: the index is written with what it describes, in one.

use super::kit::{self, Change, Disk, Log, Record, State, add, mark, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::OpenMode;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "DUP-4",
    title: "the index of the last applied entry is stored apart from the state it describes",
    source: "https://github.com/MartinKalema/horizontal-scaling-convex/issues/275",
    rule: Rule::P4Invention,
    ops: 1,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Add(1, 5)]
}

struct Store<const BUG: bool> {
    tables: State,
    disk: Disk,
    log: Log,
    /// Of the last entry.
    index: u64,
}

impl<const BUG: bool> Store<BUG> {
    /// The tables, with the index of the last entry that was applied to them.
    fn save(disk: &Disk, tables: &State, index: u64) -> io::Result<()> {
        kit::save_snapshot(disk, index, tables)?;
        if BUG {
            kit::replace(disk, "applied", &kit::frame(0, &mark(index)))?;
        }
        Ok(())
    }

    fn load(disk: &Disk) -> io::Result<(u64, State)> {
        let (mut applied, tables) = kit::load_snapshot(disk)?;
        if BUG {
            let file = kit::open_or_create(disk, "applied")?;
            applied = kit::read_frame(&*file, 0, 0)?.map_or(0, |(mark, _)| mark.key);
        }
        Ok((applied, tables))
    }

    fn append(&mut self, record: Record) -> io::Result<()> {
        self.index += 1;
        self.log.write(&[Record { last: false, ..mark(self.index) }, record.clone()])?;
        self.log.sync()?;
        kit::apply(&mut self.tables, &[record]);
        Self::save(&self.disk, &self.tables, self.index)
    }
}

impl<const BUG: bool> Kv for Store<BUG> {
    /// In front of every entry stands its index.
    fn open(disk: Disk) -> io::Result<Self> {
        let (applied, mut tables) = Self::load(&disk)?;
        let (mut index, mut number) = (applied, 0);
        for log in kit::numbers(&disk, "log")? {
            number = log;
            let file = disk.open(format!("log.{log}").as_ref(), OpenMode::Read)?;
            for entry in kit::scan(&*file, log)?.records {
                if entry.change == Change::Mark {
                    index = entry.key;
                } else if index > applied {
                    kit::apply(&mut tables, &[entry]);
                }
            }
        }
        let index = index.max(applied);
        Self::save(&disk, &tables, index)?;
        let log = Log::empty(&disk, number + 1)?;
        Ok(Store { tables, disk, log, index })
    }

    fn add(&mut self, key: u64, by: u64) -> io::Result<()> {
        self.append(add(key, by))
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(put(key, value))
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.tables.get(&key).cloned())
    }
}
