//! **BIT-5**: a record counts before its checksum is looked at.
//!
//! NATS (2023). Rebuilding the state of a stream from its file, a record that carries the mark of
//! an erased message was put down as erased at once: it has no payload, so the code went on to the
//! next before it came to the checksum. A flipped bit makes any record such a one, and it takes an
//! older message along.
//!
//! The missing line: verify a record before any of it is believed.

use super::kit::{self, Disk, Header, Log, Record, State, delete, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::File;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "BIT-5",
    title: "the state is changed before the record's checksum is verified",
    source: "https://github.com/nats-io/nats-server/pull/4465",
    rule: Rule::P6Silence,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 3,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

/// (Which bit of a byte flips depends on where it is. In the second record it is the one that makes
/// a put a delete.)
fn acts() -> Vec<Act> {
    let put = |letter: u8, size: usize| Act::Put(1, vec![letter; size]);
    vec![put(b'a', 20), put(b'b', 30)]
}

struct Store<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Store<BUG> {
    fn read(file: &dyn File, number: u64) -> io::Result<State> {
        let (mut state, mut at) = kit::read_state(file, number)?;
        while let Some(header) = Header::read(file, at)? {
            if BUG && header.deletes() {
                state.remove(&header.key());
            }
            let Some((record, end)) = kit::read_frame(file, number, at)? else { break };
            kit::apply(&mut state, &[record]);
            at = end;
        }
        if kit::behind(file, number, at + 1)? {
            return Err(kit::damaged("a bad record with an intact one behind it"));
        }
        Ok(state)
    }

    fn append(&mut self, record: Record) -> io::Result<()> {
        self.log.write(std::slice::from_ref(&record))?;
        self.log.sync()?;
        kit::apply(&mut self.state, &[record]);
        Ok(())
    }
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (state, log) = kit::reborn(&disk, Self::read)?;
        Ok(Store { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(put(key, value))
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.append(delete(key))
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
