//! **REC-2**: a torn slot is written again with a checksum that fits.
//!
//! redb (2026). Two slots hold the state in turn; the newer one that is intact counts. Recovery
//! marks the file as under repair by writing its header again, and writing a slot computes its
//! checksum anew: the torn slot is laundered, and the recovery after a crash believes it.
//!
//! The wrong line: what is not intact is never sealed again.

use super::kit::{self, Disk, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{File, OpenMode, read_full_at, write_all_at};
use std::io;
use std::path::Path;
use std::sync::Arc;

pub(crate) const PIECE: Piece = Piece {
    bug: "REC-2",
    title: "recovery gives a torn slot a freshly computed, valid checksum",
    source: "https://github.com/cberner/redb/pull/1290",
    rule: Rule::P4Invention,
    ops: 1,
    engine: || Easy::new::<Slots<true>>(acts()).stops(),
    twin: || Easy::new::<Slots<false>>(acts()).stops(),
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 500]), Act::Put(2, vec![b'b'; 30])]
}

struct Slots<const BUG: bool> {
    state: State,
    file: Arc<dyn File>,
    turn: u64,
}

/// A slot: checksum (8 bytes), turn (8), mark of recovery (8), and for every key itself (8), the
/// size of its value (8) and the value.
const SLOT: usize = 1024;
const HEADER: usize = 24;

fn slot(turn: u64, state: &State) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    bytes.extend([turn, 0].map(u64::to_le_bytes).concat());
    for (key, value) in state {
        bytes.extend([*key, value.len() as u64].map(u64::to_le_bytes).concat());
        bytes.extend(value);
    }
    bytes.resize(SLOT, 0);
    seal(&mut bytes);
    bytes
}

fn sum(bytes: &[u8]) -> [u8; 8] {
    let frame = kit::frame(0, &put(0, &bytes[8..]));
    frame[..8].try_into().expect("a frame begins with its checksum")
}

fn seal(bytes: &mut [u8]) {
    let sum = sum(bytes);
    bytes[..8].copy_from_slice(&sum);
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

fn contents(bytes: &[u8]) -> State {
    let (mut state, mut at) = (State::new(), HEADER);
    while at + 16 < SLOT && number(bytes, at) > 0 {
        let (start, size) = (at + 16, number(bytes, at + 8) as usize);
        at = start.saturating_add(size).min(SLOT);
        state.insert(number(bytes, start - 16), bytes[start..at].to_vec());
    }
    state
}

impl<const BUG: bool> Kv for Slots<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        if disk.list(Path::new(""))?.iter().all(|name| name != "slots") {
            kit::replace(&disk, "slots", &[slot(0, &State::new()), vec![0; SLOT]].concat())?;
        }
        let file = disk.open(Path::new("slots"), OpenMode::Write)?;
        let (mut state, mut turn) = (State::new(), 0);
        for nth in 0..2 {
            let mut bytes = vec![0; SLOT];
            read_full_at(&*file, &mut bytes, nth * SLOT as u64)?;
            let intact = bytes[..8] == sum(&bytes);
            if intact && number(&bytes, 8) > turn {
                (turn, state) = (number(&bytes, 8), contents(&bytes));
            }
            if intact || BUG {
                bytes[16..24].copy_from_slice(&1u64.to_le_bytes());
                seal(&mut bytes);
            } else {
                bytes.fill(0);
            }
            write_all_at(&*file, &bytes, nth * SLOT as u64)?;
        }
        file.sync()?;
        disk.sync_dir(Path::new(""))?;
        Ok(Slots { state, file, turn })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let mut state = self.state.clone();
        state.insert(key, value.to_vec());
        self.turn += 1;
        write_all_at(&*self.file, &slot(self.turn, &state), self.turn % 2 * SLOT as u64)?;
        self.file.sync()?;
        self.state = state;
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
