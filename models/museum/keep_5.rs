//! **KEEP-5**: a leftover of an unfinished snapshot keeps the store shut.
//!
//! sled (2025, in the field). A crash while a snapshot is written leaves `snap.….generating` next
//! to the valid one before it. Recovery takes it for a snapshot, finds its checksum wrong and
//! reports corruption; deleting the file by hand is the known cure.
//!
//! The missing line: what does not have its final name yet is no snapshot.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{OpenMode, write_all_at};
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "KEEP-5",
    title: "a leftover '.generating' snapshot makes the store unopenable",
    source: "https://github.com/spacejam/sled/issues/1527",
    rule: Rule::P5FalseAlarm,
    ops: 2,
    engine: || Easy::new::<Sled<true>>(acts()).stops(),
    twin: || Easy::new::<Sled<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Put(2, vec![b'b'; 30])]
}

struct Sled<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
}

impl<const BUG: bool> Kv for Sled<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let mut names = disk.list(Path::new(""))?;
        names.retain(|name| name.starts_with("snap."));
        if !BUG {
            names.retain(|name| !name.ends_with(".generating"));
        }
        let mut state = State::new();
        if let Some(newest) = names.last() {
            let file = disk.open(newest.as_ref(), OpenMode::Read)?;
            let records = kit::scan(&*file, 0)?.records;
            if records.is_empty() {
                return Err(kit::damaged(&format!("{newest}: its checksum is wrong")));
            }
            kit::apply(&mut state, &records);
        }
        let (mut logged, log) = Log::open(&disk)?;
        state.append(&mut logged);
        Ok(Sled { state, disk, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let number = kit::numbers(&self.disk, "snap")?.last().unwrap_or(&0) + 1;
        let (name, temporary) = (format!("snap.{number}"), format!("snap.{number}.generating"));
        kit::remove_if_there(&self.disk, &temporary)?;
        let file = self.disk.open(temporary.as_ref(), OpenMode::CreateNew)?;
        write_all_at(&*file, &kit::frames(0, &kit::base(0, &self.state)), 0)?;
        file.sync()?;
        self.disk.rename(temporary.as_ref(), name.as_ref())?;
        self.disk.sync_dir(Path::new(""))?;
        self.log.discard(&self.disk)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
