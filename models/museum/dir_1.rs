//! **DIR-1**: a segment is renamed into place, and the rename is never synced.
//!
//! etcd (2016). The segment is written under a temporary name, synced and renamed; every record in
//! it is synced before it is acknowledged, but the name is not. After a crash the segment has its
//! old name or none, and all its records are lost.
//!
//! The missing line: `sync_dir` behind the rename.

use super::kit::{self, Disk, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Model};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "DIR-1",
    title: "a segment is renamed from .tmp into place without a sync of the directory",
    source: "https://github.com/etcd-io/etcd/issues/6368",
    // Elsewhere the sync of the file that has grown takes along what led to its name.
    shows: &[Model::Posix],
    ops: 1,
    engine: || Easy::new::<Named<true>>(acts()).stops(),
    twin: || Easy::new::<Named<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

struct Named<const BUG: bool> {
    state: State,
    file: Arc<dyn File>,
    end: u64,
}

fn create<const BUG: bool>(disk: &Disk) -> io::Result<Arc<dyn File>> {
    kit::remove_if_there(disk, "wal.tmp")?;
    let file = disk.open(Path::new("wal.tmp"), OpenMode::CreateNew)?;
    write_all_at(&*file, &kit::frame(0, &kit::mark(0)), 0)?;
    file.sync()?;
    disk.rename(Path::new("wal.tmp"), Path::new("wal"))?;
    if !BUG {
        disk.sync_dir(Path::new(""))?;
    }
    Ok(file)
}

impl<const BUG: bool> Kv for Named<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let file = match disk.open(Path::new("wal"), OpenMode::Write) {
            Err(e) if e.kind() == ErrorKind::NotFound => create::<BUG>(&disk)?,
            opened => {
                disk.sync_dir(Path::new(""))?; // its name may be in the cache only
                opened?
            }
        };
        let scan = kit::scan(&*file, 0)?;
        kit::cut_tail(&*file, scan.end)?;
        let mut state = State::new();
        kit::apply(&mut state, &scan.records);
        Ok(Named { state, file, end: scan.end })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(0, &put(key, value));
        write_all_at(&*self.file, &frame, self.end)?;
        self.file.sync()?;
        self.end += frame.len() as u64;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
