//! **FRAME-3**: a bounds check that wraps around.
//!
//! Oxia (2026). The reader adds header and size in 32 bits and compares the sum with what is left
//! of the segment. For a damaged size the sum wraps, the check passes, and the slice behind it
//! panics, at every start anew. (There one flipped bit was not enough. Here a size has 64 bits on
//! the disk and 32 in the sum, so it is.)
//!
//! The missing line: an addition that is done in 64 bits and may fail.

use super::kit::{self, Disk, HEADER, Log, State};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::{File, read_full_at, write_all_at};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "FRAME-3",
    title: "a bounds check in 32 bits wraps around",
    source: "https://github.com/oxia-db/oxia/pull/1257",
    rule: Rule::P11Bounds,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 2,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

/// checksum (8 bytes), size of the value (8), key (8), value.
fn encode(seed: u64, key: u64, value: &[u8]) -> Vec<u8> {
    let rest = [&(value.len() as u64).to_le_bytes(), &key.to_le_bytes(), value].concat();
    [&kit::checksum(seed, &rest)[..], &rest].concat()
}

/// The key and the value at the start of `bytes`, and where they end.
fn decode<const BUG: bool>(seed: u64, bytes: &[u8]) -> Option<(u64, &[u8], usize)> {
    let header = bytes.get(..HEADER)?;
    let number = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("8 bytes"));
    let (size, key) = (number(8), number(16));
    let end = if BUG {
        u64::from((HEADER as u32).wrapping_add(size as u32))
    } else {
        (HEADER as u64).checked_add(size)?
    };
    if end > bytes.len() as u64 {
        return None;
    }
    let end = HEADER + size as usize;
    let intact = bytes[..8] == kit::checksum(seed, &bytes[8..end]);
    intact.then_some((key, &bytes[HEADER..end], end))
}

struct Store<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Store<BUG> {
    fn read(file: &dyn File, number: u64) -> io::Result<State> {
        let (mut state, start) = kit::read_state(file, number)?;
        let mut bytes = vec![0; (file.size()? - start) as usize];
        read_full_at(file, &mut bytes, start)?;
        let mut rest = &bytes[..];
        while let Some((key, value, end)) = decode::<BUG>(number, rest) {
            state.insert(key, value.to_vec());
            rest = &rest[end..];
        }
        if (1..rest.len()).any(|at| decode::<false>(number, &rest[at..]).is_some()) {
            return Err(kit::damaged("a bad record with an intact one behind it"));
        }
        Ok(state)
    }
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = kit::reborn(&disk, Self::read)?;
        Ok(Store { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let bytes = encode(self.log.number, key, value);
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
