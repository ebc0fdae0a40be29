//! The snapshot of the index, VSNP version 1.
//!
//! ```text
//! ["VSNP"][version = 1][log position:8][count:8] count x ([id:8][offset:8]) [crc32:4]
//! ```

use super::{Index, sealed};
use crate::museum::kit::{Disk, remove_if_there};
use highwater_vfs::{OpenMode, read_full_at, write_all_at};
use std::io::{self, ErrorKind};
use std::path::Path;

const NAME: &str = "payloads.snapshot";
const TEMPORARY: &str = "payloads.snapshot.tmp";
const HEAD: &[u8] = b"VSNP\x01";
/// Head, position and count.
const FIELDS: usize = 5 + 8 + 8;

/// Temporary file, sync, rename. No sync of the directory.
pub(super) fn create(disk: &Disk, index: &Index, position: u64) -> io::Result<()> {
    let mut bytes = [HEAD, &position.to_le_bytes(), &(index.len() as u64).to_le_bytes()].concat();
    for (id, offset) in index {
        bytes.extend(id.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
    }
    remove_if_there(disk, TEMPORARY)?;
    let file = disk.open(TEMPORARY.as_ref(), OpenMode::CreateNew)?;
    write_all_at(&*file, &sealed(bytes), 0)?;
    file.sync()?;
    disk.rename(TEMPORARY.as_ref(), NAME.as_ref())
}

/// The index and the position of the log that it stands for; `None` if there is no such file, or
/// it is not what it says, and the log is replayed from its start.
pub(super) fn load(disk: &Disk) -> io::Result<Option<(Index, u64)>> {
    let file = match disk.open(Path::new(NAME), OpenMode::Read) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = vec![0; file.size()? as usize];
    read_full_at(&*file, &mut bytes, 0)?;
    Ok(parse(&bytes))
}

fn parse(bytes: &[u8]) -> Option<(Index, u64)> {
    let (fields, sum) = bytes.split_last_chunk::<4>()?;
    let pairs = fields.get(FIELDS..)?;
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
    let whole = fields.starts_with(HEAD)
        && pairs.len() % 16 == 0
        && number(&fields[13..21]) == pairs.len() as u64 / 16
        && *sum == crc32fast::hash(fields).to_le_bytes();
    let index = pairs.chunks_exact(16).map(|pair| (number(&pair[..8]), number(&pair[8..])));
    whole.then(|| (index.collect(), number(&fields[5..13])))
}
