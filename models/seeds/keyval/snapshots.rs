//! KeyVal's snapshots (`pkg/storage/snapshot.go` at 0b96737): the bytes in one file, what is known
//! of them in another, each written beside and renamed.

use crate::museum::kit::{Disk, State, damaged, remove_if_there};
use highwater_sim::Kv;
use highwater_vfs::{OpenMode, read_full_at, write_all_at};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::io;
use std::path::Path;

/// Both files are synced before they are renamed, and the directory after.
pub(super) const SYNCS: u32 = 1;
/// Each snapshot has names of its own, the description's last: none is renamed over an old one.
pub(super) const RENAMES: u32 = 1 << 1;
/// A description that cannot be read is damage: no older snapshot instead.
pub(super) const PARSES: u32 = 1 << 2;
/// Everything above.
pub(super) const ALL: u32 = (1 << 3) - 1;

/// A store that is nothing but its newest snapshot.
pub(super) struct Snapshots<const MENDED: u32> {
    disk: Disk,
    /// Of the newest snapshot.
    index: u64,
    state: State,
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(disk: &Disk, name: &str) -> io::Result<Vec<u8>> {
    let file = disk.open(name.as_ref(), OpenMode::Read)?;
    let mut bytes = vec![0; file.size()? as usize];
    read_full_at(&*file, &mut bytes, 0)?;
    Ok(bytes)
}

impl<const MENDED: u32> Snapshots<MENDED> {
    const fn mends(hole: u32) -> bool {
        MENDED & hole != 0
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        remove_if_there(&self.disk, name)?;
        let file = self.disk.open(name.as_ref(), OpenMode::CreateNew)?;
        write_all_at(&*file, bytes, 0)?;
        if Self::mends(SYNCS) { file.sync() } else { Ok(()) }
    }

    /// `Create(index, term, data)`.
    fn create(&self, index: u64, data: &[u8]) -> io::Result<()> {
        let name = format!("snapshot-{index}-1.snap");
        let about = json!({"index": index, "term": 1, "size": data.len(), "checksum": sum(data)});
        self.write(&format!("{name}.tmp"), data)?;
        self.write(&format!("{name}.meta.tmp"), about.to_string().as_bytes())?;
        let rename = |name: String| self.disk.rename(format!("{name}.tmp").as_ref(), name.as_ref());
        rename(name.clone())?;
        if Self::mends(RENAMES) {
            self.disk.sync_dir(Path::new(""))?;
        }
        rename(format!("{name}.meta"))?;
        if Self::mends(SYNCS) { self.disk.sync_dir(Path::new("")) } else { Ok(()) }
    }

    /// Removes all but the newest; the description goes first.
    fn prune(&self) -> io::Result<()> {
        for name in self.disk.list(Path::new(""))? {
            let index = name.split('-').nth(1).and_then(|index| index.parse::<u64>().ok());
            if index.is_some_and(|index| index < self.index) && name.ends_with(".snap") {
                remove_if_there(&self.disk, &format!("{name}.meta"))?;
                self.disk.remove(name.as_ref())?;
            }
        }
        Ok(())
    }

    /// The snapshot with the highest index whose description can be read: its index and its bytes.
    fn load(disk: &Disk) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut newest: Option<(u64, String, Value)> = None;
        for name in disk.list(Path::new(""))? {
            let Some(data) = name.strip_suffix(".meta") else { continue };
            let about: Value = match serde_json::from_slice(&read(disk, &name)?) {
                Ok(about) => about,
                Err(_) if Self::mends(PARSES) => return Err(damaged("a bad description")),
                Err(_) => continue,
            };
            let index = about["index"].as_u64().unwrap_or(0);
            if newest.as_ref().is_none_or(|(other, ..)| *other < index) {
                newest = Some((index, data.into(), about));
            }
        }
        let Some((index, name, about)) = newest else { return Ok(None) };
        let data = read(disk, &name)?;
        if about["checksum"] != sum(&data) {
            return Err(damaged("snapshot checksum mismatch"));
        }
        Ok(Some((index, data)))
    }
}

impl<const MENDED: u32> Kv for Snapshots<MENDED> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (index, data) = Self::load(&disk)?.unwrap_or((1, Vec::new()));
        let mut state = State::new();
        let values: Vec<(u64, Vec<u8>)> = serde_json::from_slice(&data).unwrap_or_default();
        state.extend(values);
        if Self::mends(SYNCS) {
            disk.sync_dir(Path::new(""))?;
        }
        Ok(Snapshots { disk, index, state })
    }

    /// A snapshot of the whole state. The log's index does not move between them here.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.state.insert(key, value.to_vec());
        self.index += u64::from(Self::mends(RENAMES));
        let values: Vec<(u64, Vec<u8>)> = self.state.clone().into_iter().collect();
        self.create(self.index, &serde_json::to_vec(&values)?)?;
        self.prune()
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
