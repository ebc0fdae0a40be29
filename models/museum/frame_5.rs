//! **FRAME-5**: room for as many elements as a field says, before there is one.
//!
//! ArcadeDB (2026). A transaction in the log begins with the number of its pages, and recovery
//! makes an array of that size before it reads the first. One flipped bit is an array of 17 GB, and
//! the error that follows is none that recovery catches: the database never opens again.
//!
//! The missing line: no more elements than fit into what is left of the file.

use super::kit::{self, Disk, HEADER, Log, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::{File, read_full_at, write_all_at};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "FRAME-5",
    title: "a count on the disk sizes an array before one element is read",
    source: "https://github.com/ArcadeData/arcadedb/issues/6932",
    rule: Rule::P11Bounds,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 1,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let item = |key: u64| (key, vec![b'a' + key as u8; 20]);
    vec![Act::Batch(vec![item(1), item(2)]), Act::Batch(vec![item(1), item(3)])]
}

/// The frames of two batches never mix.
fn seed(log: u64, batch: u64) -> u64 {
    log << 32 | batch
}

/// The count at `at` and so many records: the batch, and where it ends.
fn read_batch<const BUG: bool>(
    file: &dyn File,
    seed: u64,
    mut at: u64,
) -> io::Result<Option<(Vec<Record>, u64)>> {
    let mut count = [0; 8];
    read_full_at(file, &mut count, at)?;
    let (count, left) = (u64::from_le_bytes(count), file.size()?.saturating_sub(at));
    if !BUG && count > left / HEADER as u64 {
        return Ok(None);
    }
    kit::allocate(count.saturating_mul(size_of::<Record>() as u64));
    let mut records = Vec::new();
    at += 8;
    for _ in 0..count {
        let Some((record, end)) = kit::read_frame(file, seed, at)? else { return Ok(None) };
        records.push(record);
        at = end;
    }
    let whole = records.last().is_some_and(|record| record.last);
    Ok(whole.then_some((records, at)))
}

struct Store<const BUG: bool> {
    state: State,
    log: Log,
    /// Of batches in the log.
    batches: u64,
}

impl<const BUG: bool> Store<BUG> {
    fn read(file: &dyn File, number: u64) -> io::Result<State> {
        let (mut state, mut at) = kit::read_state(file, number)?;
        let mut batch = 0;
        while let Some((records, end)) = read_batch::<BUG>(file, seed(number, batch), at)? {
            kit::apply(&mut state, &records);
            (at, batch) = (end, batch + 1);
        }
        if kit::behind(file, seed(number, batch + 1), at)? {
            return Err(kit::damaged("a bad batch with a record of the next one behind it"));
        }
        Ok(state)
    }
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = kit::reborn(&disk, Self::read)?;
        Ok(Store { state, log, batches: 0 })
    }

    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        let mut records: Vec<Record> =
            items.iter().map(|(key, value)| Record { last: false, ..put(*key, value) }).collect();
        records.last_mut().expect("a batch has items").last = true;
        let mut bytes = (items.len() as u64).to_le_bytes().to_vec();
        bytes.extend(kit::frames(seed(self.log.number, self.batches), &records));
        write_all_at(&*self.log.file, &bytes, self.log.end)?;
        self.log.sync()?;
        self.log.end += bytes.len() as u64;
        self.batches += 1;
        kit::apply(&mut self.state, &records);
        Ok(())
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.batch(&[(key, value)])
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
