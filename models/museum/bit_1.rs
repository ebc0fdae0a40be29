//! **BIT-1**: what recovery verifies, a read does not.
//!
//! Turso (2026, found by fault injection). Every frame of the log has a checksum, and recovery
//! looks at it. Reading a page from the log does not, and neither does the checkpoint that copies
//! it: a flipped bit is served, and then has a fresh checksum in the main file.
//!
//! The missing line: verify the frame whenever it comes from the disk.

use super::kit::{self, Change, Disk, HEADER, Log, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::{OpenMode, read_full_at};
use std::io;
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "BIT-1",
    title: "frames are verified when the store recovers and not when they are read",
    source: "https://github.com/tursodatabase/turso/issues/6517",
    rule: Rule::P6Silence,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 3,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Put(2, vec![b'b'; 30])]
}

/// Where a value is: its log, the offset of its frame, its size.
type Place = [u64; 3];

fn to_bytes(place: Place) -> Vec<u8> {
    place.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn from_bytes(bytes: &[u8]) -> Place {
    let number = |nth: usize| bytes[nth * 8..nth * 8 + 8].try_into().expect("8 bytes");
    [0, 1, 2].map(|nth| u64::from_le_bytes(number(nth)))
}

struct Store<const BUG: bool> {
    /// The values are in the logs; in memory, and in the snapshot, is where.
    places: State,
    disk: Disk,
    log: Log,
}

impl<const BUG: bool> Kv for Store<BUG> {
    /// Recovery reads, and verifies, the logs that the snapshot does not cover.
    fn open(disk: Disk) -> io::Result<Self> {
        let (first, mut places) = kit::load_snapshot(&disk)?;
        let mut number = first;
        for log in kit::numbers(&disk, "log")?.into_iter().filter(|log| *log >= first) {
            let (file, mut at) = (kit::found(&disk, log)?, 0);
            while let Some((record, end)) = kit::read_frame(&*file, log, at)? {
                places.insert(record.key, to_bytes([log, at, end - at - HEADER as u64]));
                at = end;
            }
            if kit::behind(&*file, log, at + 1)? {
                return Err(kit::damaged("a bad frame with an intact one behind it"));
            }
            number = log;
        }
        disk.sync_dir(Path::new(""))?;
        let log = Log::empty(&disk, number + 1)?;
        Ok(Store { places, disk, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let place = [self.log.number, self.log.end, value.len() as u64];
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.places.insert(key, to_bytes(place));
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let number = self.log.number + 1;
        kit::save_snapshot(&self.disk, number, &self.places)?;
        self.log = Log::empty(&self.disk, number)?;
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(place) = self.places.get(&key) else { return Ok(None) };
        let [log, at, size] = from_bytes(place);
        let file = self.disk.open(format!("log.{log}").as_ref(), OpenMode::Read)?;
        if BUG {
            let mut value = vec![0; size as usize];
            read_full_at(&*file, &mut value, at + HEADER as u64)?;
            return Ok(Some(value));
        }
        match kit::read_frame(&*file, log, at)? {
            Some((Record { change: Change::Put(value), .. }, _)) => Ok(Some(value)),
            _ => Err(kit::damaged("a value that was durable")),
        }
    }
}
