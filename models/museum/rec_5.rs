//! **REC-5**: the copy is not durable, and the original is cut.
//!
//! etcd (2026, found in a review). A repair copies the broken segment aside, for whoever wants to
//! save what can be saved, and truncates the original. The truncation is synced, the copy is not:
//! a power cut loses both.
//!
//! The missing lines: `sync` and `sync_dir` of the copy before the original is cut.
//!
//! Here a repair gives up the last record of the log; a reader of [`ASIDE`] is an operator who
//! looks at the copy.

use super::kit::{self, Disk, Record, State, mark, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "REC-5",
    title: "a broken segment's backup is not synced before the original is truncated",
    source: "https://github.com/etcd-io/etcd/pull/21372",
    shows: UNORDERED, // in order, the copy is there before the original is cut
    ops: 2,
    engine: || Easy::new::<Repairing<true>>(acts()).stops(),
    twin: || Easy::new::<Repairing<false>>(acts()).stops(),
    ..Piece::PLAIN
};

/// The key under which the value of the record shows that was set aside.
const ASIDE: u64 = 100;

fn acts() -> Vec<Act> {
    let value = vec![b'b'; 30];
    let repair = Act::Special("repair", vec![(2, None), (ASIDE, Some(value.clone()))]);
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, value), repair]
}

struct Repairing<const BUG: bool> {
    state: State,
    disk: Disk,
    file: Arc<dyn File>,
    end: u64,
    last: Option<Record>,
}

/// Where the record stood that was set aside, and the record.
fn read_aside(disk: &Disk) -> io::Result<Option<(u64, Record)>> {
    let file = match disk.open(Path::new("log.broken"), OpenMode::Read) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    Ok(match &kit::scan(&*file, 1)?.records[..] {
        [at, record] => Some((at.key, record.clone())),
        _ => None,
    })
}

impl<const BUG: bool> Kv for Repairing<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let file = kit::open_or_create(&disk, "log")?;
        let kit::Scan { records, end, .. } = kit::scan(&*file, 0)?;
        kit::cut_tail(&*file, end)?;
        let mut state = State::new();
        kit::apply(&mut state, &records);
        if let Some((at, record)) = read_aside(&disk)? {
            let there = kit::read_frame(&*file, 0, at)?;
            match &record.change {
                // The original was not cut: the repair never ended.
                _ if there.is_some_and(|(original, _)| original == record) => {}
                kit::Change::Put(value) => drop(state.insert(ASIDE, value.clone())),
                _ => {}
            }
        }
        disk.sync_dir(Path::new(""))?;
        Ok(Repairing { state, disk, file, end, last: records.last().cloned() })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let record = put(key, value);
        let frame = kit::frame(0, &record);
        write_all_at(&*self.file, &frame, self.end)?;
        self.file.sync()?;
        self.end += frame.len() as u64;
        self.last = Some(record);
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn special(&mut self, _repair: &str) -> io::Result<()> {
        let record = self.last.take().ok_or(ErrorKind::InvalidInput)?;
        let at = self.end - kit::frame(0, &record).len() as u64;
        kit::remove_if_there(&self.disk, "log.broken")?;
        let copy = self.disk.open(Path::new("log.broken"), OpenMode::CreateNew)?;
        let both = [Record { last: false, ..mark(at) }, record.clone()];
        write_all_at(&*copy, &kit::frames(1, &both), 0)?;
        if !BUG {
            copy.sync()?;
            self.disk.sync_dir(Path::new(""))?;
        }
        self.file.set_len(at)?;
        self.file.sync()?;
        self.end = at;
        self.state.remove(&record.key);
        if let kit::Change::Put(value) = record.change {
            self.state.insert(ASIDE, value);
        }
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
