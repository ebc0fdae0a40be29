//! **DIR-5**: a file is renamed into place before its contents are synced.
//!
//! go-ethereum (2026). The new contents go to a temporary file, that one is renamed over the old
//! one, the directory is synced, and only then the file. A crash between the last two leaves the
//! right name with the wrong contents, and the old file is gone.
//!
//! The line in the wrong place: `file.sync()` belongs before the rename.

use super::kit::{self, Disk, State};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{OpenMode, write_all_at};
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "DIR-5",
    title: "the temporary file is renamed before its contents are synced",
    source: "https://github.com/ethereum/go-ethereum/pull/34728",
    rule: Rule::P5FalseAlarm,
    // Where nothing waits for a new file's bytes and length; btrfs does when a file is replaced,
    // and here the first one has nothing to replace.
    shows: UNORDERED,
    ops: 1,
    engine: || Easy::new::<Replaced<true>>(acts()).stops(),
    twin: || Easy::new::<Replaced<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

struct Replaced<const BUG: bool> {
    state: State,
    disk: Disk,
}

impl<const BUG: bool> Replaced<BUG> {
    fn save(&self) -> io::Result<()> {
        kit::remove_if_there(&self.disk, "tmp")?;
        let file = self.disk.open(Path::new("tmp"), OpenMode::CreateNew)?;
        write_all_at(&*file, &kit::frames(0, &kit::base(0, &self.state)), 0)?;
        if !BUG {
            file.sync()?;
        }
        self.disk.rename(Path::new("tmp"), Path::new("snapshot"))?;
        self.disk.sync_dir(Path::new(""))?;
        if BUG { file.sync() } else { Ok(()) }
    }
}

impl<const BUG: bool> Kv for Replaced<BUG> {
    /// What it finds may be in the cache only, so it writes it anew before it shows it.
    fn open(disk: Disk) -> io::Result<Self> {
        let (_, state) = kit::load_snapshot(&disk)?;
        let engine = Replaced { state, disk };
        if !engine.state.is_empty() {
            engine.save()?;
        }
        Ok(engine)
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.state.insert(key, value.to_vec());
        self.save()
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
