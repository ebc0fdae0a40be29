//! TAIL: where the log ends, after a crash in the middle of a record and without one.

use crate::kit::{self, Disk, Log, State, put};
use highwater_sim::Kv;
use highwater_vfs::{File, write_all_at};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// **TAIL-3**, etcd, <https://github.com/etcd-io/etcd/pull/4930>.
///
/// The reader reports where the records end only when it meets padding behind them; if they end
/// where the file ends it reports 0. The next life writes its first record there, over the oldest.
/// The missing line: the end of the last record counts, whatever comes behind it.
pub(crate) struct Resumed<const AT_THE_END: bool> {
    state: State,
    file: Arc<dyn File>,
    end: u64,
}

impl<const AT_THE_END: bool> Kv for Resumed<AT_THE_END> {
    fn open(disk: Disk) -> io::Result<Self> {
        let file = kit::open_or_create(&disk, "wal")?;
        let scan = kit::scan(&*file, 0)?;
        let padded = scan.end < scan.size;
        kit::cut_tail(&*file, scan.end)?;
        disk.sync_dir(Path::new(""))?;
        let mut state = State::new();
        kit::apply(&mut state, &scan.records);
        let end = if AT_THE_END || padded { scan.end } else { 0 };
        Ok(Resumed { state, file, end })
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

/// **TAIL-5**, DuckDB, <https://github.com/duckdb/duckdb/issues/8592>.
///
/// The log ends in half a record, as it may after every crash, and the reader passes the short
/// read up as an error. The store does not open, though everything acknowledged is there.
/// The missing line: half a record at the end *is* the end.
pub(crate) struct Torn<const IS_THE_END: bool> {
    state: State,
    log: Log,
}

impl<const IS_THE_END: bool> Kv for Torn<IS_THE_END> {
    fn open(disk: Disk) -> io::Result<Self> {
        let kit::Recovered { state, next, torn, .. } = kit::recover(&disk, |number| number)?;
        if torn && !IS_THE_END {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        kit::save_snapshot(&disk, next, &state)?;
        let log = Log::empty(&disk, next)?;
        Ok(Torn { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}

/// **TAIL-9**, dugite, <https://github.com/michaeljfazio/dugite/issues/276>.
///
/// Segments are sealed when they are full; a restart replays the sealed ones and begins a new one.
/// The segment that was half full is never looked at again.
/// The missing line: the active segment is replayed like the others.
pub(crate) struct Active<const REPLAYED: bool> {
    state: State,
    disk: Disk,
    file: Arc<dyn File>,
    number: u64,
    count: u64,
    end: u64,
}

/// Records in a full segment.
const FULL: u64 = 2;

impl<const REPLAYED: bool> Active<REPLAYED> {
    fn segment(disk: &Disk, number: u64) -> io::Result<Arc<dyn File>> {
        let file = kit::open_or_create(disk, &format!("segment.{number}"))?;
        disk.sync_dir(Path::new(""))?;
        Ok(file)
    }
}

impl<const REPLAYED: bool> Kv for Active<REPLAYED> {
    fn open(disk: Disk) -> io::Result<Self> {
        let mut state = State::new();
        let numbers = kit::numbers(&disk, "segment")?;
        for &number in &numbers {
            let file = kit::open_or_create(&disk, &format!("segment.{number}"))?;
            let scan = kit::scan(&*file, number)?;
            file.sync()?;
            if REPLAYED || scan.records.len() as u64 == FULL {
                kit::apply(&mut state, &scan.records);
            }
        }
        let number = numbers.last().unwrap_or(&0) + 1;
        let file = Self::segment(&disk, number)?;
        Ok(Active { state, disk, file, number, count: 0, end: 0 })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        if self.count == FULL {
            self.number += 1;
            self.file = Self::segment(&self.disk, self.number)?;
            (self.count, self.end) = (0, 0);
        }
        let frame = kit::frame(self.number, &put(key, value));
        write_all_at(&*self.file, &frame, self.end)?;
        self.file.sync()?;
        self.count += 1;
        self.end += frame.len() as u64;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
