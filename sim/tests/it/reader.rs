//! Readers, of an image and of the simulator alike.

use crate::history::PATHS;
use crate::reference::SECTOR;
use crate::states::{Image, Multiset};
use highwater_sim::{Choices, Rng, SimFs};
use highwater_vfs::{OpenMode, Vfs, read_full_at};
use std::collections::BTreeMap;

/// What can be looked at; `None` where nothing of the kind is there.
pub(crate) trait Look {
    fn list(&self, dir: &str) -> Option<Vec<String>>;
    fn size(&self, path: &str) -> Option<u64>;
    /// The bytes of one sector, as far as the file reaches.
    fn sector(&self, path: &str, sector: u64) -> Option<Vec<u8>>;
}

impl Look for SimFs {
    fn list(&self, dir: &str) -> Option<Vec<String>> {
        Vfs::list(self, dir.as_ref()).ok()
    }

    fn size(&self, path: &str) -> Option<u64> {
        Some(self.open(path.as_ref(), OpenMode::Read).ok()?.size().unwrap())
    }

    fn sector(&self, path: &str, sector: u64) -> Option<Vec<u8>> {
        let file = self.open(path.as_ref(), OpenMode::Read).ok()?;
        let mut bytes = vec![0; SECTOR as usize];
        let n = read_full_at(&*file, &mut bytes, sector * SECTOR).unwrap();
        bytes.truncate(n);
        Some(bytes)
    }
}

impl Look for Image {
    fn list(&self, dir: &str) -> Option<Vec<String>> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        if !dir.is_empty() && self.get(dir) != Some(&None) {
            return None;
        }
        let inside = self.keys().filter_map(|path| path.strip_prefix(&prefix));
        Some(inside.filter(|name| !name.contains('/')).map(String::from).collect())
    }

    fn size(&self, path: &str) -> Option<u64> {
        Some(self.get(path)?.as_ref()?.len() as u64)
    }

    fn sector(&self, path: &str, sector: u64) -> Option<Vec<u8>> {
        let bytes = self.get(path)?.as_ref()?;
        let from = bytes.len().min((sector * SECTOR) as usize);
        Some(bytes[from..bytes.len().min(from + SECTOR as usize)].to_vec())
    }
}

/// Reads everything.
pub(crate) fn slurp(disk: &impl Look) -> Image {
    let mut image = Image::new();
    let mut dirs = vec![String::new()];
    while let Some(dir) = dirs.pop() {
        for name in disk.list(&dir).expect("a directory that was listed") {
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            let bytes = disk.size(&path).map(|size| {
                let sectors = 0..size.div_ceil(SECTOR);
                sectors.flat_map(|s| disk.sector(&path, s).unwrap()).collect::<Vec<u8>>()
            });
            if let Some(bytes) = &bytes {
                assert_eq!(bytes.len() as u64, disk.size(&path).unwrap(), "{path} changed");
            } else {
                dirs.push(path.clone());
            }
            image.insert(path, bytes);
        }
    }
    image
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    Names(Option<Vec<String>>),
    Size(Option<u64>),
    Sector(Option<Vec<u8>>),
}

/// Reads some things in an order of its own, some of them twice. What it looks at next depends
/// on `seed` and on what it has seen.
pub(crate) fn glance(disk: &impl Look, seed: u64) -> Vec<Seen> {
    let mut rng = Rng::new(seed);
    let mut known = BTreeMap::new();
    let mut seen: Vec<Seen> = Vec::new();
    for _ in 0..1 + rng.below(6) {
        let path = PATHS[rng.below(PATHS.len() as u64) as usize];
        let (kind, sector) = (rng.below(6), rng.below(3));
        let now = match kind {
            0 => Seen::Names(disk.list(if sector == 0 { "d" } else { "" })),
            1 | 2 => Seen::Size(disk.size(path)),
            _ => Seen::Sector(disk.sector(path, sector)),
        };
        let key = match kind {
            0 => (0, if sector == 0 { "d" } else { "" }, 0),
            1 | 2 => (1, path, 0),
            _ => (2, path, sector),
        };
        let before = known.entry(key).or_insert_with(|| now.clone());
        assert_eq!(*before, now, "a second look at {key:?} differs");
        if matches!(&now, Seen::Sector(Some(bytes)) if !bytes.is_empty()) {
            rng = Rng::new(rng.word() ^ 1);
        }
        seen.push(now);
    }
    seen
}

/// Every leaf of the tree of choices: what was seen, weighted by the states that agree with it.
pub(crate) fn leaves<T: Ord>(mut leaf: impl FnMut(Choices) -> (T, SimFs)) -> Multiset<T> {
    let mut all = Multiset::new();
    let mut choices = Choices::enumerate();
    loop {
        let (seen, fs) = leaf(choices);
        *all.entry(seen).or_default() += fs.states_left().expect("a small disk is counted");
        choices = fs.choices();
        assert!(!choices.diverged(), "the same choices, another disk");
        if !choices.advance() {
            return all;
        }
    }
}
