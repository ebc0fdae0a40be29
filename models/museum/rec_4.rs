//! **REC-4**: a bad checkpoint, and the healthy log is repaired.
//!
//! Prometheus (2020). Reading the checkpoint and reading the log fail with the same error: a
//! segment and an offset. The caller repairs the *log* there: segment 0 of the checkpoint is bad,
//! so the log is cut at segment 0, which is all of it.
//!
//! The missing line: whose segment it is.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::OpenMode;
use std::io::{self, ErrorKind};

pub(crate) const PIECE: Piece = Piece {
    bug: "REC-4",
    title: "corruption in the checkpoint triggers a repair of the log",
    source: "https://github.com/prometheus/prometheus/issues/7530",
    rule: Rule::P6Silence,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 3,
    engine: || Easy::new::<Head<true>>(acts()).stops(),
    twin: || Easy::new::<Head<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Put(2, vec![b'b'; 30])]
}

struct Head<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
}

/// From here on nothing can be read.
struct Bad {
    segment: u64,
    offset: u64,
    in_checkpoint: bool,
}

/// Adds to `state` what can be read of the checkpoint and the log.
fn load(disk: &Disk, state: &mut State) -> io::Result<Option<Bad>> {
    let (first, found) = match kit::load_snapshot(disk) {
        Err(e) if e.kind() == ErrorKind::InvalidData => {
            return Ok(Some(Bad { segment: 0, offset: 0, in_checkpoint: true }));
        }
        loaded => loaded?,
    };
    *state = found;
    for segment in kit::numbers(disk, "log")?.into_iter().filter(|number| *number >= first) {
        let file = disk.open(format!("log.{segment}").as_ref(), OpenMode::Read)?;
        let scan = kit::scan_strict(&*file, segment)?;
        kit::apply(state, &scan.records);
        if scan.end < scan.size {
            return Ok(Some(Bad { segment, offset: scan.end, in_checkpoint: false }));
        }
    }
    Ok(None)
}

/// Cuts the log: meant for its torn end.
fn repair(disk: &Disk, bad: &Bad) -> io::Result<()> {
    for segment in kit::numbers(disk, "log")?.into_iter().filter(|n| *n >= bad.segment) {
        let name = format!("log.{segment}");
        if segment > bad.segment {
            disk.remove(name.as_ref())?;
            continue;
        }
        let file = disk.open(name.as_ref(), OpenMode::Write)?;
        file.set_len(bad.offset)?;
        file.sync()?;
    }
    disk.sync_dir("".as_ref())
}

impl<const BUG: bool> Kv for Head<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let mut state = State::new();
        let next = kit::numbers(&disk, "log")?.last().unwrap_or(&0) + 1;
        if let Some(bad) = load(&disk, &mut state)? {
            if !BUG && bad.in_checkpoint {
                return Err(kit::damaged("the checkpoint's checksum is wrong"));
            }
            repair(&disk, &bad)?;
        }
        let log = kit::compact(&disk, next, &state)?;
        Ok(Head { state, disk, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        self.log = kit::compact(&self.disk, self.log.number() + 1, &self.state)?;
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
