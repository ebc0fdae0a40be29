//! **PORT-2**: a checksum in the byte order of whoever computed it.
//!
//! WiredTiger (2018). The checksum comes from the processor or, where that has no such instruction,
//! from a library. On big-endian machines the engine swapped what the processor returned; both had
//! been little-endian all the time. What one of them writes, the other does not accept.
//!
//! The wrong line: nobody swaps what is in the right order already.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{OpenMode, read_full_at};
use std::io::{self, ErrorKind};
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "PORT-2",
    title: "two ways to compute a checksum disagree about its byte order",
    source: "https://github.com/wiredtiger/wiredtiger/pull/4373",
    rule: Rule::P5FalseAlarm,
    ops: 1,
    engine: || Easy::new::<Turtle<true>>(acts()).stops(),
    twin: || Easy::new::<Turtle<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

const NAME: &[u8; 8] = b"turtle 1";

/// CRC-32C, as the library computes it, bit by bit.
fn library(bytes: &[u8]) -> [u8; 4] {
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    let crc = bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), bit));
    (!crc).to_le_bytes()
}

/// The same, as the processor of the machine on which the store was made does it.
fn processor<const BUG: bool>(bytes: &[u8]) -> [u8; 4] {
    let mut sum = library(bytes);
    if BUG {
        sum.reverse();
    }
    sum
}

struct Turtle<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Turtle<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        match disk.open(Path::new("turtle"), OpenMode::Read) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                kit::replace(&disk, "turtle", &[&NAME[..], &processor::<BUG>(NAME)].concat())?;
            }
            opened => {
                let mut bytes = [0; 12];
                read_full_at(&*opened?, &mut bytes, 0)?;
                if bytes[8..] != library(&bytes[..8]) {
                    return Err(kit::damaged("turtle: its checksum is wrong"));
                }
            }
        }
        let (state, log) = Log::open(&disk)?;
        Ok(Turtle { state, log })
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
