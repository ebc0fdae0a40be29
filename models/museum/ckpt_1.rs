//! **CKPT-1**: the record that points to a snapshot, before the snapshot.
//!
//! etcd (2018). A member that received a snapshot saved the state that refers to it, and died
//! before it saved the snapshot itself: at the next start the two did not match, and it did not
//! come up again.
//!
//! The line in the wrong place: the snapshot first, then what points to it.

use super::kit::snapshots::{read_snapshot, write_snapshot};
use super::kit::{self, Disk, Log, State, put};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::OpenMode;
use std::io::{self, ErrorKind};
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "CKPT-1",
    title: "the manifest names a snapshot that is not there yet",
    source: "https://github.com/etcd-io/etcd/issues/10219",
    rule: Rule::P5FalseAlarm,
    ops: 1,
    engine: || Easy::new::<Member<true>>(acts()).stops(),
    twin: || Easy::new::<Member<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20]), Act::Checkpoint, Act::Put(2, vec![b'b'; 30])]
}

struct Member<const BUG: bool> {
    state: State,
    disk: Disk,
    log: Log,
}

/// The number of the snapshot that counts; 0 if there is none.
fn read_manifest(disk: &Disk) -> io::Result<u64> {
    let file = match disk.open(Path::new("manifest"), OpenMode::Read) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(0),
        opened => opened?,
    };
    let (mark, _) = kit::read_frame(&*file, 0, 0)?.ok_or(ErrorKind::InvalidData)?;
    Ok(mark.key)
}

fn write_manifest(disk: &Disk, number: u64) -> io::Result<()> {
    kit::replace(disk, "manifest", &kit::frame(0, &kit::mark(number)))
}

impl<const BUG: bool> Kv for Member<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let mut state = State::new();
        let number = read_manifest(&disk)?;
        if number > 0 {
            let found = read_snapshot(&disk, number)?;
            state = found.ok_or(ErrorKind::InvalidData)?.state;
        }
        let (mut logged, log) = Log::open(&disk)?;
        state.append(&mut logged);
        Ok(Member { state, disk, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn checkpoint(&mut self) -> io::Result<()> {
        let number = kit::numbers(&self.disk, "snapshot")?.last().unwrap_or(&0) + 1;
        if BUG {
            write_manifest(&self.disk, number)?;
        }
        write_snapshot(&self.disk, number, 0, &self.state)?;
        if !BUG {
            write_manifest(&self.disk, number)?;
        }
        self.log.discard(&self.disk)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
