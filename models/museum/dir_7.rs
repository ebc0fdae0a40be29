//! **DIR-7**: the pointer to the newest state is there, and empty.
//!
//! LevelDB (2012). After a power cut the database refuses to open: "CURRENT file does not end with
//! newline". The states that it could point to are intact. The report has the symptom; that the
//! pointer was changed in place, and not replaced, is inferred.
//!
//! The missing lines: a file of its own for the new pointer, its sync, and a rename.

use super::kit::{self, Disk, State};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use highwater_vfs::{OpenMode, read_full_at, write_all_at};
use std::io::{self, ErrorKind};
use std::path::Path;

pub(crate) const PIECE: Piece = Piece {
    bug: "DIR-7",
    title: "the pointer file CURRENT is rewritten in place, and found empty",
    source: "https://github.com/google/leveldb/issues/75",
    rule: Rule::P5FalseAlarm,
    ops: 1,
    engine: || Easy::new::<Pointed<true>>(acts()).stops(),
    twin: || Easy::new::<Pointed<false>>(acts()).stops(),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 20])]
}

struct Pointed<const BUG: bool> {
    disk: Disk,
    state: State,
    newest: u64,
}

/// The number in CURRENT; `None` if the store is new.
fn current(disk: &Disk) -> io::Result<Option<u64>> {
    let file = match disk.open(Path::new("CURRENT"), OpenMode::Read) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = vec![0; file.size()? as usize];
    read_full_at(&*file, &mut bytes, 0)?;
    let number = String::from_utf8(bytes).ok().and_then(|s| s.strip_suffix('\n')?.parse().ok());
    let why = "CURRENT file does not end with newline";
    number.map(Some).ok_or_else(|| io::Error::new(ErrorKind::InvalidData, why))
}

fn in_place(disk: &Disk, name: &str, bytes: &[u8]) -> io::Result<()> {
    let file = kit::open_or_create(disk, name)?;
    file.set_len(0)?;
    write_all_at(&*file, bytes, 0)?;
    file.sync()?;
    disk.sync_dir(Path::new(""))
}

impl<const BUG: bool> Pointed<BUG> {
    fn save(&mut self) -> io::Result<()> {
        self.newest += 1;
        let name = format!("state.{}", self.newest);
        let file = self.disk.open(name.as_ref(), OpenMode::CreateNew)?;
        write_all_at(&*file, &kit::frames(self.newest, &kit::base(0, &self.state)), 0)?;
        file.sync()?;
        self.disk.sync_dir(Path::new(""))?;
        let pointer = format!("{}\n", self.newest);
        let point = if BUG { in_place } else { kit::replace };
        point(&self.disk, "CURRENT", pointer.as_bytes())
    }
}

impl<const BUG: bool> Kv for Pointed<BUG> {
    /// What it finds may be in the cache only, so it writes it anew before it shows it.
    fn open(disk: Disk) -> io::Result<Self> {
        let newest = kit::numbers(&disk, "state")?.last().copied().unwrap_or(0);
        let current = current(&disk)?;
        let mut engine = Pointed { disk, state: State::new(), newest };
        if let Some(number) = current {
            let file = engine.disk.open(format!("state.{number}").as_ref(), OpenMode::Read)?;
            kit::apply(&mut engine.state, &kit::scan(&*file, number)?.records);
            engine.save()?;
        }
        Ok(engine)
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.state.insert(key, value.to_vec());
        self.save()
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
