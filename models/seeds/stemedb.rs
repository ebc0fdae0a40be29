//! stemedb-wal at 3320c24afa, as far as its documentation says: segments named after the offset at
//! which they begin, and records with two checksums.
//!
//! ```text
//! {base offset:016x}.wal: [payload_len:4][crc32c:4][blake3:32][payload]
//! ```
//!
//! What nothing public says is decided here: no file header, the CRC is over the payload, and no
//! directory is synced.

mod cards;

pub(super) use cards::TRIALS;

use super::kit::{Appender, Reader, apply, cut, is_torn, payload, settle};
use crate::museum::kit::{Disk, State, damaged};
use highwater_sim::Kv;
use highwater_vfs::{File, OpenMode};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// What is found is durable, with its name, before it is shown; so is the first segment's name.
const SETTLES: u32 = 1;
/// The name of each further segment is durable before anything in it is acknowledged.
const NAMES: u32 = 1 << 1;
/// The room behind the end is cleared: bytes may lie there whose length was lost.
const CLEARS: u32 = 1 << 2;
/// A bad record with an intact one behind it is damage: it is not taken for the tail.
const REFUSES: u32 = 1 << 3;
/// Readers see what is synced, and nothing else.
const SEES: u32 = 1 << 4;
/// Everything above.
const ALL: u32 = (1 << 5) - 1;

/// A segment is full with so many bytes.
const SEGMENT: u64 = 100;
/// What a record has besides its payload.
const OVERHEAD: usize = 40;

fn record(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(OVERHEAD + payload.len());
    bytes.extend((payload.len() as u32).to_le_bytes());
    bytes.extend(crc32c::crc32c(payload).to_le_bytes());
    bytes.extend(blake3::hash(payload).as_bytes());
    bytes.extend(payload);
    bytes
}

/// The payload at the reader's place.
fn read(reader: &mut Reader<'_>) -> io::Result<Vec<u8>> {
    let size: [u8; 4] = reader.array()?;
    let sums: [u8; 36] = reader.array()?;
    let payload = reader.take(u32::from_le_bytes(size).into())?;
    match record(&payload)[4..OVERHEAD] == sums {
        true => Ok(payload),
        false => Err(damaged("a checksum is wrong")),
    }
}

/// Whether an intact record begins anywhere from `at` on.
fn intact_behind(file: &dyn File, at: u64) -> io::Result<bool> {
    let intact = |at| Reader::new(file, at).map(|mut reader| read(&mut reader).is_ok());
    (at..file.size()?).try_fold(false, |found, at| Ok(found || intact(at)?))
}

/// The offsets at which segments begin, ascending.
fn bases(disk: &Disk) -> io::Result<Vec<u64>> {
    let names = disk.list(Path::new(""))?;
    let base = |name: &String| u64::from_str_radix(name.strip_suffix(".wal")?, 16).ok();
    Ok(names.iter().filter_map(base).collect())
}

struct Journal<const MENDED: u32> {
    disk: Disk,
    segment: Appender,
    base: u64,
    /// What readers see.
    state: State,
    /// What is appended and not synced.
    pending: Vec<Vec<u8>>,
}

impl<const MENDED: u32> Journal<MENDED> {
    const fn mends(hole: u32) -> bool {
        MENDED & hole != 0
    }

    /// `recover_file`: scans all records, and cuts off what is bad or partial at the tail.
    fn recover(file: &dyn File, state: &mut State) -> io::Result<()> {
        let (mut reader, mut end) = (Reader::new(file, 0)?, 0);
        while !reader.is_at_end() {
            match read(&mut reader) {
                Ok(payload) => apply(state, &payload),
                Err(error) if !is_torn(&error) => return Err(error),
                Err(error) if Self::mends(REFUSES) && intact_behind(file, end + 1)? => {
                    return Err(error);
                }
                Err(_) => break,
            }
            end = reader.at;
        }
        if Self::mends(CLEARS) {
            cut(file, end)
        } else if end < reader.end {
            file.set_len(end)
        } else {
            Ok(())
        }
    }

    fn create(disk: &Disk, base: u64) -> io::Result<Arc<dyn File>> {
        disk.open(format!("{base:016x}.wal").as_ref(), OpenMode::CreateNew)
    }

    fn append(&mut self, payload: Vec<u8>) -> io::Result<()> {
        if self.segment.size()? >= SEGMENT {
            self.commit()?;
            self.base += self.segment.size()?;
            self.segment = Appender::new(Self::create(&self.disk, self.base)?);
            if Self::mends(NAMES) {
                self.disk.sync_dir(Path::new(""))?;
            }
        }
        self.segment.write(&record(&payload));
        self.segment.flush()?;
        if Self::mends(SEES) {
            self.pending.push(payload);
        } else {
            apply(&mut self.state, &payload);
        }
        Ok(())
    }
}

impl<const MENDED: u32> Kv for Journal<MENDED> {
    fn open(disk: Disk) -> io::Result<Self> {
        let (mut state, mut last) = (State::new(), None);
        let bases = bases(&disk)?;
        for (nth, base) in bases.iter().enumerate() {
            let name = format!("{base:016x}.wal");
            let file = disk.open(name.as_ref(), OpenMode::Write)?;
            Self::recover(&*file, &mut state)?;
            let is_whole =
                bases.get(nth + 1).is_none_or(|next| file.size().ok() == Some(next - base));
            if Self::mends(REFUSES) && !is_whole {
                return Err(damaged("a segment does not reach the next one"));
            }
            last = Some((*base, file));
        }
        let (base, file) = match last {
            Some(found) => found,
            None => (0, Self::create(&disk, 0)?),
        };
        if Self::mends(SETTLES) {
            settle(&disk, &*file)?;
        }
        Ok(Journal { disk, segment: Appender::new(file), base, state, pending: Vec::new() })
    }

    /// `append`, with `DurabilityLevel::Immediate`.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(payload(key, Some(value)))?;
        self.commit()
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.append(payload(key, None))?;
        self.commit()
    }

    /// `append`, with `Batched` or `Eventual`.
    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(payload(key, Some(value)))
    }

    fn commit(&mut self) -> io::Result<()> {
        self.segment.sync()?;
        self.pending.drain(..).for_each(|payload| apply(&mut self.state, &payload));
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
