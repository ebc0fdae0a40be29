//! The plan "Storage Integrity" for VelesDB (phase 4, plan 2), with the marker and the id that its
//! implementation adds: a checksum for each payload, a batch with one flush.
//!
//! ```text
//! store   [1][id:8][len:4][crc32:4][payload:len]     the checksum is over the payload alone
//! delete  [2][id:8]                                  no checksum
//! ```

mod cards;

pub(super) use cards::TRIALS;

use super::kit::{Appender, Reader, cut, is_torn, settle};
use crate::museum::kit::{Disk, damaged, open_or_create};
use highwater_sim::Kv;
use highwater_vfs::File;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Acknowledged is synced, and so is the name; what is found is synced before it is shown.
const SYNCS: u32 = 1;
/// A record that is not whole ends the log; it is cut off, and the room behind it cleared.
const STOPS: u32 = 1 << 1;
/// The checksum is over the whole record, and a delete has one too.
const COVERS: u32 = 1 << 2;
/// A delete is flushed like a store.
const DELETES: u32 = 1 << 3;
/// Everything above.
const ALL: u32 = (1 << 4) - 1;

const STORE: u8 = 1;
const DELETE: u8 = 2;

/// Where each id's record is.
type Index = BTreeMap<u64, u64>;

struct Entry {
    marker: u8,
    id: u64,
    payload: Vec<u8>,
}

struct Plan<const MENDED: u32> {
    log: Appender,
    index: Index,
    /// What `should_create_snapshot` reads without a lock; nothing else does.
    position: u64,
}

impl<const MENDED: u32> Plan<MENDED> {
    const fn mends(hole: u32) -> bool {
        MENDED & hole != 0
    }

    fn checksum(head: &[u8], payload: &[u8]) -> [u8; 4] {
        let covered = if Self::mends(COVERS) { [head, payload].concat() } else { payload.into() };
        crc32fast::hash(&covered).to_le_bytes()
    }

    fn store(id: u64, payload: &[u8]) -> Vec<u8> {
        let size = (payload.len() as u32).to_le_bytes();
        let head = [&[STORE][..], &id.to_le_bytes(), &size].concat();
        [&head[..], &Self::checksum(&head, payload), payload].concat()
    }

    fn tombstone(id: u64) -> Vec<u8> {
        let mut bytes = [&[DELETE][..], &id.to_le_bytes()].concat();
        if Self::mends(COVERS) {
            bytes.extend(Self::checksum(&bytes, &[]));
        }
        bytes
    }

    /// The record at the reader's place. A wrong checksum is an error, with its place.
    fn read(reader: &mut Reader<'_>) -> io::Result<Entry> {
        let at = reader.at;
        let [marker] = reader.array()?;
        let id: [u8; 8] = reader.array()?;
        let mut head = [&[marker][..], &id].concat();
        let mut size = [0; 4];
        match marker {
            STORE => size = reader.array()?,
            DELETE if !Self::mends(COVERS) => {
                return Ok(Entry { marker, id: u64::from_le_bytes(id), payload: Vec::new() });
            }
            DELETE => {}
            _ => return Err(damaged("unknown marker")),
        }
        if marker == STORE {
            head.extend(size);
        }
        let sum: [u8; 4] = reader.array()?;
        let payload = reader.take(u32::from_le_bytes(size).into())?;
        if sum != Self::checksum(&head, &payload) {
            return Err(damaged(&format!("checksum mismatch at offset {at}")));
        }
        Ok(Entry { marker, id: u64::from_le_bytes(id), payload })
    }

    fn intact_behind(file: &dyn File, at: u64) -> io::Result<bool> {
        let intact = |at| Reader::new(file, at).map(|mut reader| Self::read(&mut reader).is_ok());
        (at..file.size()?).try_fold(false, |found, at| Ok(found || intact(at)?))
    }

    fn acknowledge(&mut self) -> io::Result<()> {
        if Self::mends(SYNCS) { self.log.sync() } else { self.log.flush() }
    }

    fn write_store(&mut self, id: u64, payload: &[u8]) {
        let record = Self::store(id, payload);
        self.index.insert(id, self.position);
        self.log.write(&record);
        self.position += record.len() as u64;
    }
}

impl<const MENDED: u32> Kv for Plan<MENDED> {
    fn open(disk: Disk) -> io::Result<Self> {
        let is_new = disk.list(Path::new(""))?.is_empty();
        let file = open_or_create(&disk, "payloads.log")?;
        let mut index = Index::new();
        let (mut reader, mut end) = (Reader::new(&*file, 0)?, 0);
        while !reader.is_at_end() {
            let at = end;
            match Self::read(&mut reader) {
                Ok(entry) if entry.marker == STORE => drop(index.insert(entry.id, at)),
                Ok(entry) => drop(index.remove(&entry.id)),
                Err(error) if !Self::mends(STOPS) || !is_torn(&error) => return Err(error),
                Err(error) if Self::intact_behind(&*file, at + 1)? => return Err(error),
                Err(_) => break,
            }
            end = reader.at;
        }
        if Self::mends(STOPS) && !is_new {
            cut(&*file, end)?;
        }
        if Self::mends(SYNCS) {
            settle(&disk, &*file)?;
        }
        let position = file.size()?;
        Ok(Plan { log: Appender::new(file), index, position })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.write_store(key, value);
        self.acknowledge()
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        let record = Self::tombstone(key);
        self.log.write(&record);
        self.index.remove(&key);
        self.position += record.len() as u64;
        if Self::mends(DELETES) { self.acknowledge() } else { Ok(()) }
    }

    /// `store_batch`: one flush for all.
    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        items.iter().for_each(|(id, payload)| self.write_store(*id, payload));
        self.acknowledge()
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(&at) = self.index.get(&key) else { return Ok(None) };
        let entry = Self::read(&mut Reader::new(&*self.log.file, at)?)?;
        Ok(Some(entry.payload))
    }
}
