//! All crash states of the reference, one by one, and what each looks like.

use crate::reference::{Base, Bytes, Cell, Disk, Fate, Ino, ROOT, Reference, SECTOR, Value};
use highwater_sim::{Choices, Model, SimFs};
use highwater_vfs::{OpenMode, Vfs, read_full_at};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Every path, a directory without bytes.
pub(crate) type Image = BTreeMap<String, Option<Vec<u8>>>;

/// How many crash states look the same.
pub(crate) type Multiset<T> = BTreeMap<T, u128>;

/// The fixed pattern of a sector with garbage, as the simulator shows it.
pub(crate) fn garbage() -> Bytes {
    let fs = SimFs::new(Model::Posix);
    let file = fs.open("a".as_ref(), OpenMode::CreateNew).unwrap();
    fs.sync_dir("".as_ref()).unwrap();
    file.set_len(SECTOR).unwrap();
    let mut choices = Choices::enumerate();
    let mut seen = BTreeSet::new();
    loop {
        let cut = fs.power_cut(choices);
        let mut bytes = vec![0; SECTOR as usize];
        let file = cut.open("a".as_ref(), OpenMode::Read).unwrap();
        read_full_at(&*file, &mut bytes, 0).unwrap();
        seen.insert(bytes);
        choices = cut.choices();
        if !choices.advance() {
            break;
        }
    }
    seen.remove(&vec![0; SECTOR as usize]);
    assert_eq!(seen.len(), 1, "nothing was removed: zeros or garbage");
    Rc::new(seen.pop_last().unwrap())
}

impl Reference {
    /// Every set of events that a crash may keep; `None` if there are more than `limit`.
    fn kept(&self, limit: usize) -> Option<Vec<Vec<bool>>> {
        let mut sets = vec![Vec::new()];
        for event in &self.events {
            let mut next = Vec::new();
            for set in sets {
                let with = |kept: bool| set.iter().copied().chain([kept]).collect::<Vec<bool>>();
                let complete = event.before.iter().all(|e| set[*e]);
                match event.fate {
                    Fate::Lost => next.push(with(false)),
                    Fate::Durable => {
                        assert!(complete, "what is durable is closed downwards");
                        next.push(with(true));
                    }
                    Fate::Pending => {
                        next.push(with(false));
                        next.extend(complete.then(|| with(true)));
                    }
                }
            }
            if next.len() > limit {
                return None;
            }
            sets = next;
        }
        Some(sets)
    }

    fn fills(&self, stale: Option<&Bytes>, garbage: &Bytes) -> Vec<Value> {
        let zeros = Rc::new(vec![0; SECTOR as usize]);
        let mut fills = vec![Value::Data(zeros)];
        if self.shows_stale() {
            fills.extend(stale.map(|bytes| Value::Data(bytes.clone())));
        }
        if self.shows_garbage() {
            fills.push(Value::Data(garbage.clone()));
        }
        fills
    }

    /// Every crash state as what each cell holds; `None` if there are more than `limit`.
    pub(crate) fn crash_states(&self, garbage: &Bytes, limit: usize) -> Option<Vec<Disk>> {
        let mut states = Vec::new();
        for kept in self.kept(limit)? {
            let mut disk = Disk::new();
            for (event, _) in self.events.iter().zip(&kept).filter(|(_, kept)| **kept) {
                disk.extend(event.sets.iter().cloned());
            }
            let untouched = self.base.iter().filter(|(cell, _)| !disk.contains_key(cell));
            let untouched: Vec<(&Cell, &Base)> = untouched.collect();
            let mut disks = vec![disk];
            for (cell, base) in untouched {
                let values = match base {
                    Base::Durable(value) => vec![value.clone()],
                    Base::Fill(stale) => self.fills(stale.as_ref(), garbage),
                };
                let with = |disk: &Disk, value: &Value| {
                    let mut disk = disk.clone();
                    disk.insert(cell.clone(), value.clone());
                    disk
                };
                disks = disks.iter().flat_map(|d| values.iter().map(|v| with(d, v))).collect();
                if disks.len() > limit {
                    return None;
                }
            }
            states.extend(disks);
            if states.len() > limit {
                return None;
            }
        }
        Some(states)
    }

    /// The disk that a crash left, as a disk of its own. What was stale on the medium still is.
    pub(crate) fn reborn(&self, disk: Disk) -> Reference {
        let mut next = Reference::on(self.model, disk, self.is_dir.clone());
        next.stale = self.stale.clone();
        next
    }
}

fn len(disk: &Disk, ino: Ino) -> u64 {
    match disk.get(&Cell::Len(ino)) {
        Some(Value::Len(len)) => *len,
        _ => 0,
    }
}

/// What somebody who reads everything sees.
pub(crate) fn image_of(disk: &Disk, is_dir: &[bool]) -> Image {
    let mut image = Image::new();
    list_into(&mut image, disk, is_dir, ROOT, "");
    image
}

fn list_into(image: &mut Image, disk: &Disk, is_dir: &[bool], dir: Ino, prefix: &str) {
    for (cell, value) in disk {
        let (Cell::Name(of, name), Value::Name(Some(ino))) = (cell, value) else { continue };
        if *of != dir {
            continue;
        }
        let path = format!("{prefix}{name}");
        if is_dir[*ino] {
            list_into(image, disk, is_dir, *ino, &format!("{path}/"));
            image.insert(path, None);
        } else {
            image.insert(path, Some(bytes_in(disk, *ino)));
        }
    }
}

fn bytes_in(disk: &Disk, ino: Ino) -> Vec<u8> {
    let len = len(disk, ino);
    let mut bytes = Vec::new();
    for s in 0..len.div_ceil(SECTOR) {
        match disk.get(&Cell::Sector(ino, s)) {
            Some(Value::Data(data)) => bytes.extend_from_slice(data),
            _ => panic!("sector {s} of inode {ino} is in the file and was never made"),
        }
    }
    bytes.truncate(len as usize);
    bytes
}

/// The crash states by what they look like, and how many there are.
pub(crate) fn images(states: &[Disk], is_dir: &[bool]) -> Multiset<Image> {
    let mut all = Multiset::new();
    for disk in states {
        *all.entry(image_of(disk, is_dir)).or_default() += 1;
    }
    all
}
