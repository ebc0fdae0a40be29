//! **FRAME-10**: the format of a log is guessed from its first checksum.
//!
//! VelesDB (2026, an audit). A log has no header that names its format. If the checksum of the
//! first record is wrong, the file must be one from before there were checksums, and is read as
//! such: damage to that one record switches off the only thing that could notice it, for all of
//! them.
//!
//! The missing line: a log says which format it has, and has that.

use super::kit::{self, Disk, Header, Log, Record, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::{File, OpenMode};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "FRAME-10",
    title: "a log whose first checksum is wrong is taken for an old one without checksums",
    source: "an audit of VelesDB",
    rule: Rule::P6Silence,
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

/// The same frames, from when nobody had filled in the checksum yet.
fn read_legacy(file: &dyn File) -> io::Result<Vec<Record>> {
    let (mut records, mut at, size) = (Vec::new(), 0, file.size()?);
    while let Some(header) = Header::read(file, at)? {
        if at + header.size() > size {
            break;
        }
        records.push(header.record(file, 0, at)?.0);
        at += header.size();
    }
    Ok(records)
}

struct Store<const BUG: bool> {
    state: State,
    log: Log,
}

impl<const BUG: bool> Kv for Store<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (first, mut state) = kit::load_snapshot(&disk)?;
        let mut number = first;
        for log in kit::numbers(&disk, "log")?.into_iter().filter(|log| *log >= first) {
            number = log;
            let file = disk.open(format!("log.{log}").as_ref(), OpenMode::Read)?;
            let records = if BUG && kit::read_frame(&*file, log, 0)?.is_none() {
                read_legacy(&*file)?
            } else {
                kit::scan_strict(&*file, log)?.records
            };
            kit::apply(&mut state, &records);
        }
        kit::save_snapshot(&disk, number + 1, &state)?;
        let log = Log::empty(&disk, number + 1)?;
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
