//! DIR: the name is not the file. Directory syncs, and the order of rename and sync.

use crate::kit::{self, Disk, State, put};
use highwater_sim::Kv;
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// **DIR-1**, etcd, <https://github.com/etcd-io/etcd/issues/6368>.
///
/// The segment is written under a temporary name, synced and renamed; every record in it is synced
/// before its acknowledgement, but the rename never is. After a crash the segment has its old name
/// or none, and all its records are lost.
/// The missing line: `sync_dir` before the first acknowledgement.
pub(crate) struct Named<const SYNCS_DIR: bool> {
    state: State,
    file: Arc<dyn File>,
    end: u64,
}

impl<const SYNCS_DIR: bool> Named<SYNCS_DIR> {
    fn create(disk: &Disk) -> io::Result<Arc<dyn File>> {
        kit::remove_if_there(disk, "wal.tmp")?;
        let file = disk.open(Path::new("wal.tmp"), OpenMode::CreateNew)?;
        write_all_at(&*file, &kit::frame(0, &kit::mark(0)), 0)?;
        file.sync()?;
        disk.rename(Path::new("wal.tmp"), Path::new("wal"))?;
        Ok(file)
    }
}

impl<const SYNCS_DIR: bool> Kv for Named<SYNCS_DIR> {
    fn open(disk: Disk) -> io::Result<Self> {
        let file = match disk.open(Path::new("wal"), OpenMode::Write) {
            Err(e) if e.kind() == ErrorKind::NotFound => Self::create(&disk)?,
            opened => opened?,
        };
        let scan = kit::scan(&*file, 0)?;
        kit::cut_tail(&*file, scan.end)?;
        if SYNCS_DIR {
            disk.sync_dir(Path::new(""))?;
        }
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

/// **DIR-5**, go-ethereum, <https://github.com/ethereum/go-ethereum/pull/34728>.
///
/// The new contents go to a temporary file, the temporary file is renamed over the old one, the
/// directory is synced, and only then the file. A crash between the last two leaves the right name
/// with the wrong contents, and the old file is gone.
/// The line in the wrong place: `file.sync()` belongs before the rename.
pub(crate) struct Replaced<const SYNCS_FIRST: bool> {
    state: State,
    disk: Disk,
}

impl<const SYNCS_FIRST: bool> Replaced<SYNCS_FIRST> {
    fn save(&self) -> io::Result<()> {
        kit::remove_if_there(&self.disk, "tmp")?;
        let file = self.disk.open(Path::new("tmp"), OpenMode::CreateNew)?;
        write_all_at(&*file, &kit::frames(0, &kit::base(0, &self.state)), 0)?;
        if SYNCS_FIRST {
            file.sync()?;
        }
        self.disk.rename(Path::new("tmp"), Path::new("snapshot"))?;
        self.disk.sync_dir(Path::new(""))?;
        if SYNCS_FIRST { Ok(()) } else { file.sync() }
    }
}

impl<const SYNCS_FIRST: bool> Kv for Replaced<SYNCS_FIRST> {
    /// What it finds may be in the cache only, so it writes it anew before it shows it.
    fn open(disk: Disk) -> io::Result<Self> {
        let (_, state) = kit::load_snapshot(&disk)?;
        let engine = Replaced { state, disk };
        engine.save()?;
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
