//! **TAIL-7**: a record torn exactly at a block boundary takes another error path.
//!
//! Pebble (2020). Records are written in fragments, none of which crosses a block. Torn inside a
//! block, a record is the end of the log. Torn where the next block should begin, the reader meets
//! the end of the file in the middle of a record: another error, which nobody took for the end of
//! the log, and the store does not open.
//!
//! The missing line: the end of the file is the end of the log, also where a block should begin.

use super::kit::{self, Change, Disk, HEADER, Log, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{File, OpenMode, write_all_at};
use std::io::{self, ErrorKind};

pub(crate) const PIECE: Piece = Piece {
    bug: "TAIL-7",
    title: "a record that is torn at a block boundary is an error, not the end",
    source: "https://github.com/cockroachdb/pebble/pull/737",
    rule: Rule::P5FalseAlarm,
    ops: 1,
    engine: || Easy::new::<Blocks<true>>(acts()).stops(),
    twin: || Easy::new::<Blocks<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 600])]
}

const BLOCK: usize = 512;

/// What is left of the block at `at`, if a fragment fits in.
fn room(at: usize) -> usize {
    BLOCK - at % BLOCK
}

/// A record that begins at `at`, in fragments; a rest that is too small for one is padding.
fn fragments(seed: u64, key: u64, mut value: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        if room(at + bytes.len()) <= HEADER {
            bytes.resize(bytes.len() + room(at + bytes.len()), 0);
        }
        let size = value.len().min(room(at + bytes.len()) - HEADER);
        let (part, rest) = value.split_at(size);
        bytes.extend(kit::frame(seed, &Record { last: rest.is_empty(), ..put(key, part) }));
        value = rest;
        if value.is_empty() {
            return bytes;
        }
    }
}

fn replay<const BUG: bool>(file: &dyn File, seed: u64, state: &mut State) -> io::Result<()> {
    let (size, mut at, mut value) = (file.size()? as usize, 0, Vec::new());
    loop {
        if room(at) <= HEADER {
            at += room(at);
        }
        let Some((record, end)) = kit::read_frame(file, seed, at as u64)? else {
            if BUG && at == size && at % BLOCK == 0 && !value.is_empty() {
                return Err(io::Error::new(ErrorKind::UnexpectedEof, "unexpected EOF"));
            }
            return Ok(());
        };
        at = end as usize;
        if let Change::Put(part) = record.change {
            value.extend(part);
        }
        if record.last {
            state.insert(record.key, std::mem::take(&mut value));
        }
    }
}

struct Blocks<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Blocks<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (number, mut state) = kit::load_snapshot(&disk)?;
        match disk.open(format!("log.{number}").as_ref(), OpenMode::Read) {
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            opened => replay::<BUG>(&*opened?, number, &mut state)?,
        }
        kit::save_snapshot(&disk, number + 1, &state)?;
        let log = Log::empty(&disk, number + 1)?;
        Ok(Blocks { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let bytes = fragments(self.log.number, key, value, self.log.end as usize);
        write_all_at(&*self.log.file, &bytes, self.log.end)?;
        self.log.sync()?;
        self.log.end += bytes.len() as u64;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
