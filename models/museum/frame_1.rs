//! **FRAME-1**: a length is used before anything says that it is one.
//!
//! etcd (2020, found by an audit). The decoder reads a record's length from the log, allocates that
//! many bytes, reads them, and only then compares checksums. One flipped bit in a length, and the
//! process dies for lack of memory; after the restart it does again, for good.
//!
//! The missing line: no frame is larger than what is left of its file.

use super::kit::{self, Disk, Header, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::File;
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "FRAME-1",
    title: "a length field is believed before it is verified",
    source: "https://github.com/etcd-io/etcd/pull/11793",
    rule: Rule::P11Bounds,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 1,
    engine: || Easy::new::<Store<true>>(acts()).stops(),
    twin: || Easy::new::<Store<false>>(acts()).stops(),
    claims: super::kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

struct Store<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Store<BUG> {
    fn read(file: &dyn File, number: u64) -> io::Result<State> {
        let (state, mut at) = kit::read_state(file, number)?;
        let (mut state, size) = (state, file.size()?);
        while let Some(header) = Header::read(file, at)? {
            if !BUG && at + header.size() > size {
                break;
            }
            let (record, intact) = header.record(file, number, at)?; // allocates what it says
            if !intact {
                break;
            }
            kit::apply(&mut state, &[record]);
            at += header.size();
        }
        if kit::behind(file, number, at + 1)? {
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
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
