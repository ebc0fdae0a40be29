//! KeyVal's write-ahead log (`pkg/storage/wal.go` at 0b96737): numbered segments of records, big
//! endian, behind a buffer.
//!
//! ```text
//! [size:4][type:1][index:8][term:8][timestamp:8][len:4][data:len][crc32:4]
//! size = 33 + len; the checksum is over type, index, term and data
//! ```

mod cards;
mod persistence;
mod segments;
mod snapshots;

pub(super) use cards::TRIALS;

use super::kit::{Appender, Reader, apply, cut, is_torn, payload};
use crate::museum::kit::{Disk, State, damaged};
use highwater_sim::Kv;
use highwater_vfs::{File, OpenMode};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Names are durable before what is under them is acknowledged; what is found is, before it shows.
const NAMES: u32 = 1;
/// A record that is not whole ends the log; it is cut off, and the room behind it cleared.
const STOPS: u32 = 1 << 1;
/// Rotation syncs the old segment.
const ROTATES: u32 = 1 << 2;
/// The last record of a batch is marked, and the others count only with it.
const MARKS: u32 = 1 << 3;
/// Truncation writes what is kept before it removes anything.
const KEEPS: u32 = 1 << 4;
/// Truncation syncs what is in its buffer before it reads.
const FLUSHES: u32 = 1 << 5;
/// A size that does not agree with the length inside is no record's: nothing is left over.
const AGREES: u32 = 1 << 6;
/// What is no record, with an intact one behind it, is damage: nothing is cut off.
const REFUSES: u32 = 1 << 7;
/// A size or a length that no record can have is no record's.
const BOUNDS: u32 = 1 << 8;
/// Everything above.
const ALL: u32 = (1 << 9) - 1;
/// For workloads that write more than one record between two syncs: an intact record says nothing
/// of those before it.
const LAX: u32 = ALL ^ REFUSES;

/// A segment is full with so many bytes. (64 MiB.)
const SEGMENT: u64 = 700;
/// What a record has besides its data, without the field `size`.
const FIXED: u32 = 33;

const LOG: u8 = 1;
/// A record of a batch with more to come; the original has no such thing.
const MORE: u8 = 4;
/// What comes before it is void; the original has no such thing.
const BASE: u8 = 5;

#[derive(Clone, Debug)]
struct Entry {
    kind: u8,
    index: u64,
    data: Vec<u8>,
}

impl Entry {
    fn checksum(&self) -> u32 {
        let term = 1u64.to_be_bytes();
        crc32fast::hash(&[&[self.kind][..], &self.index.to_be_bytes(), &term, &self.data].concat())
    }

    fn bytes(&self) -> Vec<u8> {
        let (size, term, timestamp) = (FIXED + self.data.len() as u32, 1u64, 0u64);
        let mut bytes = size.to_be_bytes().to_vec();
        bytes.push(self.kind);
        bytes.extend([self.index, term, timestamp].iter().flat_map(|field| field.to_be_bytes()));
        bytes.extend((self.data.len() as u32).to_be_bytes());
        bytes.extend(&self.data);
        bytes.extend(self.checksum().to_be_bytes());
        bytes
    }

    /// The record at the reader's place. What has no room in its size is a panic, as there.
    fn read(reader: &mut Reader<'_>, mended: u32) -> io::Result<Entry> {
        let size = u32::from_be_bytes(reader.array()?);
        if mended & BOUNDS != 0 && size < FIXED {
            return Err(damaged("a size that no record has"));
        }
        let body = reader.take(size.into())?;
        let field = |at: usize| u64::from_be_bytes(body[at..at + 8].try_into().expect("eight"));
        let len = u32::from_be_bytes(body[25..29].try_into().expect("four"));
        if mended & BOUNDS != 0 && len > size - FIXED {
            return Err(damaged("a length that the record has no room for"));
        }
        if mended & AGREES != 0 && len + FIXED != size {
            return Err(damaged("a size that does not agree with the length inside"));
        }
        let end = 29 + len as usize;
        let entry = Entry { kind: body[0], index: field(1), data: body[29..end].to_vec() };
        match entry.checksum().to_be_bytes() == body[end..end + 4] {
            true => Ok(entry),
            false => Err(damaged("checksum validation failed")),
        }
    }
}

struct Wal<const MENDED: u32> {
    disk: Disk,
    log: Appender,
    /// The segment's number, and how much is in it.
    number: u64,
    size: u64,
    /// The index of the last record.
    last: u64,
    state: State,
    /// Appended, and not synced.
    unseen: Vec<Vec<u8>>,
    /// Of each key's entry.
    indexes: BTreeMap<u64, u64>,
}

impl<const MENDED: u32> Wal<MENDED> {
    const fn mends(hole: u32) -> bool {
        MENDED & hole != 0
    }

    /// `Append`: into the buffer. A full segment is flushed and closed.
    fn append(&mut self, kind: u8, data: Vec<u8>) -> io::Result<()> {
        let entry = Entry { kind, index: self.last + 1, data };
        let bytes = entry.bytes();
        if self.size + bytes.len() as u64 > SEGMENT {
            if Self::mends(ROTATES) {
                self.log.sync()?
            } else {
                self.log.flush()?
            }
            self.number += 1;
            self.log = Appender::new(segments::create(&self.disk, self.number)?);
            self.size = 0;
            if Self::mends(NAMES) {
                self.disk.sync_dir(Path::new(""))?;
            }
        }
        self.log.write(&bytes);
        (self.size, self.last) = (self.size + bytes.len() as u64, entry.index);
        self.unseen.push(entry.data);
        Ok(())
    }

    /// `Sync`.
    fn sync(&mut self) -> io::Result<()> {
        self.log.sync()?;
        self.unseen.drain(..).for_each(|data| apply(&mut self.state, &data));
        Ok(())
    }

    /// `ReadAll`: the records of all segments, one after the other.
    fn read_all(disk: &Disk) -> io::Result<Vec<Entry>> {
        let (mut entries, mut batch) = (Vec::new(), Vec::new());
        for number in segments::numbers(disk)? {
            let file = disk.open(segments::name(number).as_ref(), OpenMode::Read)?;
            let mut reader = Reader::new(&*file, 0)?;
            while !reader.is_at_end() {
                match Entry::read(&mut reader, MENDED) {
                    Ok(entry) if entry.kind == MORE => batch.push(entry),
                    Ok(entry) => {
                        if entry.kind == BASE {
                            entries.clear();
                        }
                        entries.append(&mut batch);
                        entries.push(entry);
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(entries)
    }

    /// Cuts off what a crash left at the end of the last segment, if there is one.
    fn cut_last(disk: &Disk) -> io::Result<()> {
        let Some(last) = segments::numbers(disk)?.pop() else { return Ok(()) };
        let file = disk.open(segments::name(last).as_ref(), OpenMode::Write)?;
        let (mut reader, mut whole) = (Reader::new(&*file, 0)?, 0);
        while !reader.is_at_end() {
            match Entry::read(&mut reader, MENDED) {
                Ok(entry) if entry.kind == MORE => {}
                Ok(_) => whole = reader.at,
                Err(error) if !is_torn(&error) || Self::is_damage(&*file, whole)? => {
                    return Err(error);
                }
                Err(_) => break,
            }
        }
        cut(&*file, whole)
    }

    /// Whether what stands at `at` was durable once.
    fn is_damage(file: &dyn File, at: u64) -> io::Result<bool> {
        let intact = |at| Reader::new(file, at).map(|mut r| Entry::read(&mut r, ALL).is_ok());
        let behind = |found, at| Ok(found || intact(at)?);
        if Self::mends(REFUSES) {
            (at + 1..file.size()?).try_fold(false, behind)
        } else {
            Ok(false)
        }
    }

    /// `Truncate`: keeps the records up to `index`. All segments are removed, and what is kept is
    /// written anew.
    fn truncate(&mut self, index: u64) -> io::Result<()> {
        if Self::mends(FLUSHES) {
            self.sync()?;
        }
        let kept: Vec<Entry> =
            Self::read_all(&self.disk)?.into_iter().filter(|e| e.index <= index).collect();
        let old = segments::numbers(&self.disk)?;
        let remove = || old.iter().try_for_each(|n| self.disk.remove(segments::name(*n).as_ref()));
        let mut number = 0;
        if Self::mends(KEEPS) {
            number = self.number + 1;
        } else {
            remove()?;
        }
        self.log = Appender::new(segments::create(&self.disk, number)?);
        if Self::mends(KEEPS) {
            self.log.write(&Entry { kind: BASE, index: 0, data: Vec::new() }.bytes());
        }
        kept.iter().for_each(|entry| self.log.write(&entry.bytes()));
        self.log.sync()?;
        if Self::mends(NAMES) {
            self.disk.sync_dir(Path::new(""))?;
        }
        if Self::mends(KEEPS) {
            remove()?;
        }
        (self.number, self.size) = (number, self.log.size()?);
        self.last = kept.last().map_or(0, |entry| entry.index);
        self.state = state_of(&kept);
        self.unseen.clear();
        Ok(())
    }
}

fn state_of(entries: &[Entry]) -> State {
    let mut state = State::new();
    entries.iter().filter(|entry| entry.kind != BASE).for_each(|e| apply(&mut state, &e.data));
    state
}

impl<const MENDED: u32> Kv for Wal<MENDED> {
    /// `NewWAL`, which looks at nothing but the highest number, and `ReadAll`.
    fn open(disk: Disk) -> io::Result<Self> {
        if Self::mends(STOPS) {
            Self::cut_last(&disk)?;
        }
        let number = segments::numbers(&disk)?.pop();
        let file = match number {
            Some(number) => disk.open(segments::name(number).as_ref(), OpenMode::Write)?,
            None => segments::create(&disk, 0)?,
        };
        if Self::mends(NAMES) {
            super::kit::settle(&disk, &*file)?;
        }
        let entries = Self::read_all(&disk)?;
        let (size, last) = (file.size()?, entries.last().map_or(0, |entry| entry.index));
        let (log, number) = (Appender::new(file), number.unwrap_or(0));
        let (state, indexes) = (state_of(&entries), BTreeMap::new());
        Ok(Wal { disk, log, number, size, last, state, unseen: Vec::new(), indexes })
    }

    /// `AppendBatch` of one.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.batch(&[(key, value)])
    }

    /// `AppendBatch`: all into the buffer, then flush and sync.
    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        for (nth, (key, value)) in items.iter().enumerate() {
            self.indexes.insert(*key, self.last + 1);
            let more = Self::mends(MARKS) && nth + 1 < items.len();
            self.append(if more { MORE } else { LOG }, payload(*key, Some(value)))?;
        }
        self.sync()
    }

    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.indexes.insert(key, self.last + 1);
        self.append(LOG, payload(key, Some(value)))
    }

    /// `Sync`.
    fn commit(&mut self) -> io::Result<()> {
        self.sync()
    }

    /// `truncate before KEY`: before the entry with that key, if there is one.
    fn special(&mut self, what: &str) -> io::Result<()> {
        let key = what.strip_prefix("truncate before ").and_then(|key| key.parse().ok());
        let key: u64 = key.ok_or(io::ErrorKind::Unsupported)?;
        let before = self.indexes.get(&key).map_or(self.last, |index| index - 1);
        self.truncate(before)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}
