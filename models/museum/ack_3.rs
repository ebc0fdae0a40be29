//! **ACK-3**: one of two sibling logs is synced, the other only written.
//!
//! VelesDB (2026). An upsert goes to several logs. Two of them use the helper that syncs, the third
//! only flushes its buffer; what stands nowhere else is lost with the power, although the upsert
//! was acknowledged. Here the values are in a file of their own, and the log says where.
//!
//! The missing line: `sync` for the values too, before the log that names their place.

use super::kit::{self, Disk, Log, State, put};
use super::piece::{Piece, UNORDERED};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "ACK-3",
    title: "of two sibling logs one is synced, the other only flushed",
    source: "https://github.com/cyberlife-coder/VelesDB/pull/1978",
    shows: UNORDERED, // in one order, the sync of the log takes the values along
    ops: 1,
    engine: || Easy::new::<Siblings<true>>(acts()).stops(),
    twin: || Easy::new::<Siblings<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 200]), Act::Put(2, vec![b'b'; 40])]
}

struct Siblings<const BUG: bool> {
    state: State,
    log: Log,
    values: Arc<dyn File>,
    end: u64,
}

fn values(number: u64) -> String {
    format!("values.{number}")
}

/// The value at a place: the number of its file, and the offset. A value that is not there is
/// nothing, as it was to the readers of that store.
fn value_at(disk: &Disk, place: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let number = |at: usize| u64::from_le_bytes(place[at..at + 8].try_into().expect("eight bytes"));
    let file = disk.open(values(number(0)).as_ref(), OpenMode::Read)?;
    Ok(match kit::read_frame(&*file, number(0), number(8))? {
        Some((kit::Record { change: kit::Change::Put(value), .. }, _)) => Some(value),
        _ => None,
    })
}

impl<const BUG: bool> Kv for Siblings<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (places, log) = Log::open(&disk)?;
        let mut state = State::new();
        for (key, place) in places {
            state.extend(value_at(&disk, &place)?.map(|value| (key, value)));
        }
        let values = disk.open(values(log.number).as_ref(), OpenMode::CreateNew)?;
        disk.sync_dir(Path::new(""))?;
        Ok(Siblings { state, log, values, end: 0 })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let frame = kit::frame(self.log.number, &put(key, value));
        write_all_at(&*self.values, &frame, self.end)?;
        if !BUG {
            self.values.sync()?;
        }
        let place = [self.log.number.to_le_bytes(), self.end.to_le_bytes()].concat();
        self.end += frame.len() as u64;
        self.log.write(&[put(key, &place)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
