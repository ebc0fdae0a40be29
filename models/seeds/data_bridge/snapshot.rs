//! A snapshot, `snapshot-{unix seconds}.snap`: the position in the log and all items.
//!
//! ```text
//! ["KVSN0001"][created ns:8][log position:8][sha256:32] and, hashed, [key][size][value][expires]…
//! ```

use super::entry::{Item, Items};
use crate::museum::kit::{Disk, damaged, remove_if_there};
use highwater_vfs::{OpenMode, read_full_at, write_all_at};
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;

const MAGIC: &[u8] = b"KVSN0001";

#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    /// The timestamp of the last entry that it covers.
    pub(super) created: u64,
    /// The size of the current log then.
    pub(super) position: u64,
    pub(super) items: Items,
}

/// Over the items, and over the header too if it is `sealed`.
fn checksum(header: &[u8], data: &[u8], sealed: bool) -> [u8; 32] {
    let header = if sealed { header } else { &[] };
    Sha256::new_with_prefix(header).chain_update(data).finalize().into()
}

impl Snapshot {
    /// Temporary file, sync, rename. Of the directory nothing is said.
    pub(super) fn save(&self, disk: &Disk, now: u64, sealed: bool) -> io::Result<()> {
        let mut data = Vec::new();
        for (key, item) in &self.items {
            data.extend(key.to_le_bytes());
            data.extend((item.value.len() as u64).to_le_bytes());
            data.extend(&item.value);
            data.extend(item.expires.unwrap_or(u64::MAX).to_le_bytes());
        }
        let (created, position) = (self.created.to_be_bytes(), self.position.to_be_bytes());
        let sum = checksum(&[&created[..], &position].concat(), &data, sealed);
        let bytes = [MAGIC, &created, &position, &sum, &data].concat();
        let temporary = format!("snapshot-{now}.tmp");
        remove_if_there(disk, &temporary)?;
        let file = disk.open(temporary.as_ref(), OpenMode::CreateNew)?;
        write_all_at(&*file, &bytes, 0)?;
        file.sync()?;
        disk.rename(temporary.as_ref(), format!("snapshot-{now}.snap").as_ref())
    }

    /// The newest by name; whatever is wrong with it is an error.
    pub(super) fn load(disk: &Disk, sealed: bool) -> io::Result<Snapshot> {
        let names = disk.list(Path::new(""))?;
        let newest = names.iter().rfind(|n| n.starts_with("snapshot-") && n.ends_with(".snap"));
        let Some(name) = newest else { return Ok(Snapshot::default()) };
        let file = disk.open(name.as_ref(), OpenMode::Read)?;
        let mut bytes = vec![0; file.size()? as usize];
        read_full_at(&*file, &mut bytes, 0)?;
        Snapshot::parse(&bytes, sealed).ok_or_else(|| damaged("invalid snapshot"))
    }

    fn parse(bytes: &[u8], sealed: bool) -> Option<Snapshot> {
        let (created, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
        let (position, rest) = rest.split_first_chunk::<8>()?;
        let (sum, mut data) = rest.split_first_chunk::<32>()?;
        if *sum != checksum(&bytes[8..24], data, sealed) {
            return None;
        }
        let mut items = Items::new();
        while !data.is_empty() {
            let (key, rest) = data.split_first_chunk::<8>()?;
            let (size, rest) = rest.split_first_chunk::<8>()?;
            let (value, rest) = rest.split_at_checked(u64::from_le_bytes(*size) as usize)?;
            let (expires, rest) = rest.split_first_chunk::<8>()?;
            let expires = Some(u64::from_le_bytes(*expires)).filter(|at| *at != u64::MAX);
            items.insert(u64::from_le_bytes(*key), Item { value: value.to_vec(), expires });
            data = rest;
        }
        let (created, position) = (u64::from_be_bytes(*created), u64::from_be_bytes(*position));
        Some(Snapshot { created, position, items })
    }
}
