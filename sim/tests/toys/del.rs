//! DEL: deleted things come back.

use crate::kit::{self, Disk, Log, State, delete, put};
use highwater_sim::Kv;
use highwater_vfs::{OpenMode, write_all_at};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

/// **DEL-1**, InfluxDB, <https://github.com/influxdata/influxdb/issues/14229>.
///
/// After a snapshot the cache is empty, and the engine thinks that so is the log, which it has not
/// cut. A delete then goes to the snapshot only, and recovery replays the old write on top.
/// The missing line: a delete is logged wherever its key is.
pub(crate) struct Cached<const ALWAYS_LOGS: bool> {
    state: State,
    cache: BTreeSet<u64>,
    disk: Disk,
    number: u64,
    log: Log,
}

impl<const ALWAYS_LOGS: bool> Kv for Cached<ALWAYS_LOGS> {
    fn open(disk: Disk) -> io::Result<Self> {
        let kit::Recovered { state, next: number, .. } = kit::recover(&disk, |number| number)?;
        kit::save_snapshot(&disk, number, &state)?;
        let log = Log::empty(&disk, number)?;
        Ok(Cached { state, cache: BTreeSet::new(), disk, number, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        self.cache.insert(key);
        Ok(())
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        if ALWAYS_LOGS || self.cache.contains(&key) {
            self.log.write(&[delete(key)])?;
            self.log.sync()?;
        }
        self.state.remove(&key);
        if !self.cache.remove(&key) {
            kit::save_snapshot(&self.disk, self.number, &self.state)?;
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        kit::save_snapshot(&self.disk, self.number, &self.state)?;
        self.cache.clear();
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}

/// **DEL-3**, Badger, <https://github.com/dgraph-io/badger/issues/2143>.
///
/// Runs shadow each other, newer over older. Compacting the newest run alone drops its tombstones
/// as if nothing lay below, and the run that does lie below shows through.
/// The missing line: a tombstone stays as long as there is an older run.
pub(crate) struct Shadowed<const KEEPS_TOMBSTONES: bool> {
    state: State,
    disk: Disk,
    newest: u64,
    run: Vec<kit::Record>,
}

impl<const KEEPS_TOMBSTONES: bool> Shadowed<KEEPS_TOMBSTONES> {
    fn write_run(&mut self, records: Vec<kit::Record>) -> io::Result<()> {
        let name = format!("run.{}", self.newest + 1);
        let file = self.disk.open(name.as_ref(), OpenMode::CreateNew)?;
        let mut whole = records.clone();
        whole.push(kit::mark(0));
        write_all_at(&*file, &kit::frames(self.newest + 1, &whole), 0)?;
        file.sync()?;
        self.disk.sync_dir(Path::new(""))?;
        kit::apply(&mut self.state, &records);
        (self.newest, self.run) = (self.newest + 1, records);
        Ok(())
    }
}

impl<const KEEPS_TOMBSTONES: bool> Kv for Shadowed<KEEPS_TOMBSTONES> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (mut state, mut newest, mut run) = (State::new(), 0, Vec::new());
        for n in kit::numbers(&disk, "run")? {
            let file = disk.open(format!("run.{n}").as_ref(), OpenMode::Write)?;
            run = kit::scan(&*file, n)?.records;
            file.sync()?;
            kit::apply(&mut state, &run);
            newest = n;
        }
        disk.sync_dir(Path::new(""))?;
        Ok(Shadowed { state, disk, newest, run })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.write_run(vec![put(key, value)])
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.write_run(vec![delete(key)])
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let old = self.newest;
        if old == 0 {
            return Ok(());
        }
        let mut run = self.run.clone();
        if !KEEPS_TOMBSTONES {
            run.retain(|record| record.change != kit::Change::Delete);
        }
        self.write_run(run)?;
        self.disk.remove(format!("run.{old}").as_ref())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
