//! ERR: a failed sync is not a sync that may be tried again.

use crate::kit::{self, Disk, Log, State, put};
use highwater_sim::Kv;
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// **ERR-1**, PostgreSQL's fsyncgate, <https://wiki.postgresql.org/wiki/Fsync_Errors>.
///
/// The first sync fails and the kernel marks the pages clean; the second has nothing left to write
/// and says `Ok`. The operation is acknowledged, and nothing of it is on the disk.
/// The missing line: the first failure is the end of this handle.
pub(crate) struct Retried<const STOPS: bool> {
    state: State,
    log: Log,
}

impl<const STOPS: bool> Kv for Retried<STOPS> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = Log::open(&disk)?;
        Ok(Retried { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        if let Err(e) = self.log.sync() {
            if STOPS {
                return Err(e);
            }
            self.log.sync()?;
        }
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}

/// **ERR-1** again, one life later: the error outlives the process that saw it.
///
/// The engine stops at a failed sync, as it should. The process that comes after it finds the
/// record in the cache, syncs the file to be sure, is told `Ok`, and shows what no disk holds.
/// The missing line: what is found is copied to a file of this life, and that one is synced.
pub(crate) struct Adopted<const COPIES: bool> {
    state: State,
    file: Arc<dyn File>,
    number: u64,
    end: u64,
}

impl<const COPIES: bool> Kv for Adopted<COPIES> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (mut state, mut newest) = (State::new(), 0);
        for n in kit::numbers(&disk, "log")? {
            let file = disk.open(format!("log.{n}").as_ref(), OpenMode::Write)?;
            let scan = kit::scan(&*file, n)?;
            file.sync()?;
            kit::apply(&mut state, &scan.records);
            newest = n;
        }
        let (number, mut end) = (newest + 1, 0);
        let name = format!("log.{number}");
        let file = disk.open(name.as_ref(), OpenMode::CreateNew)?;
        if COPIES {
            let copy = kit::frames(number, &kit::base(0, &state));
            write_all_at(&*file, &copy, 0)?;
            file.sync()?;
            end = copy.len() as u64;
        }
        disk.sync_dir(Path::new(""))?;
        Ok(Adopted { state, file, number, end })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(self.number, &put(key, value));
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
