//! **KEEP-7**: a manifest that cannot be read means that there is nothing.
//!
//! NATS JetStream (2025, found by corrupting files). "Snapshot corrupt, too short" is followed by
//! "Detected orphaned stream, will cleanup": no metadata, so no streams, so their directories
//! belong to nobody and are deleted.
//!
//! The missing line: an error is not an empty answer.

use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Decay, Easy, Failure, Kv, Rule};
use highwater_vfs::OpenMode;
use std::io::{self, ErrorKind};
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "KEEP-7",
    title: "an unreadable manifest is taken for an empty one, the data for orphans",
    source: "https://github.com/nats-io/nats-server/issues/7556",
    rule: Rule::P6Silence,
    needs: Some(Failure::Decay(Decay::Flipped)),
    ops: 2,
    engine: || Easy::new::<Streams<true>>(acts()).stops(),
    twin: || Easy::new::<Streams<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Put(2, vec![b'b'; 30])]
}

struct Streams<const BUG: bool> {
    state: State,
    log: Log,
}

/// The file that holds the data: the one that the manifest names.
fn read_manifest(disk: &Disk) -> io::Result<Option<u64>> {
    let file = match disk.open(Path::new("manifest"), OpenMode::Read) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    match kit::read_frame(&*file, 0, 0)? {
        Some((mark, _)) => Ok(Some(mark.key)),
        None => Err(kit::damaged("the manifest's checksum is wrong")),
    }
}

impl<const BUG: bool> Kv for Streams<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let named =
            if BUG { read_manifest(&disk).unwrap_or_default() } else { read_manifest(&disk)? };
        let mut state = State::new();
        if let Some(number) = named {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            kit::apply(&mut state, &kit::scan_strict(&*file, number)?.records);
        }
        let next = kit::numbers(&disk, "log")?.last().unwrap_or(&0) + 1;
        let log = Log::fresh(&disk, next, &state)?;
        kit::replace(&disk, "manifest", &kit::frame(0, &kit::mark(next)))?;
        kit::drop_below(&disk, "log", next)?; // the orphans
        Ok(Streams { state, log })
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
