//! VelesDB's `log_payload.rs`, as in velesdb-core 1.13.0: a log of stores and deletes, an index of
//! offsets in memory, and a snapshot of the index.
//!
//! ```text
//! store   [0xC3][id:8][len:4][payload:len][crc32:4]
//! delete  [0xC4][id:8][crc32:4]                       the checksum is over all before it
//! ```

mod cards;
mod snapshot;

pub(super) use cards::TRIALS;

use super::kit::{Appender, Reader, cut, is_torn, settle};
use crate::museum::kit::{Disk, Latch, damaged, open_or_create};
use highwater_sim::Kv;
use highwater_vfs::File;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// The name of the log is durable before anything in it is acknowledged.
const NAMES: u32 = 1;
/// A record that is not whole ends the log (so does 8.0.0; 1.13.0 does not open).
const STOPS: u32 = 1 << 1;
/// What a crash left behind the last whole record is cut off before anything is appended.
const CUTS: u32 = 1 << 2;
/// Bytes that are no record, with an intact one behind them, are damage: no torn tail.
const REFUSES: u32 = 1 << 3;
/// A payload's checksum is verified when it is read.
const READS: u32 = 1 << 4;
/// A snapshot counts only if the log reaches as far as it says.
const BOUND: u32 = 1 << 5;
/// After an error nothing more is taken.
const LATCHES: u32 = 1 << 6;
/// What is found is synced, with its name, before it is shown.
const SETTLES: u32 = 1 << 7;
/// The room behind the end is cleared before anything is appended: bytes may lie there whose length
/// was lost.
const CLEARS: u32 = 1 << 8;
/// A record whose checksum is wrong, with an intact one behind it, is damage: no skipping.
const ADMITS: u32 = 1 << 9;
/// Everything above.
const ALL: u32 = (1 << 10) - 1;
/// For workloads that write more than one record between two syncs: an intact record says nothing
/// of those before it.
const LAX: u32 = ALL ^ REFUSES ^ ADMITS;
/// No mend: the mode `FlushOnly` instead of `Fsync`.
const FLUSH_ONLY: u32 = 1 << 10;

const STORE: u8 = 0xC3;
const DELETE: u8 = 0xC4;
/// From a record's start to the field that the index points to.
const TO_SIZE: u64 = 9;

/// Where each id's size field is.
type Index = BTreeMap<u64, u64>;

fn sealed(mut record: Vec<u8>) -> Vec<u8> {
    let sum = crc32fast::hash(&record);
    record.extend(sum.to_le_bytes());
    record
}

fn store(id: u64, payload: &[u8]) -> Vec<u8> {
    let size = payload.len() as u32;
    sealed([&[STORE][..], &id.to_le_bytes(), &size.to_le_bytes(), payload].concat())
}

fn tombstone(id: u64) -> Vec<u8> {
    sealed([&[DELETE][..], &id.to_le_bytes()].concat())
}

struct Entry {
    id: u64,
    /// Where its payload's size is; a delete has none.
    at: Option<u64>,
    payload: Vec<u8>,
    intact: bool,
}

impl Entry {
    fn read(reader: &mut Reader<'_>) -> io::Result<Entry> {
        let [marker] = reader.array()?;
        let id = reader.array()?;
        let mut record = [&[marker][..], &id].concat();
        let (mut at, mut payload) = (None, Vec::new());
        match marker {
            STORE => {
                at = Some(reader.at);
                let size: [u8; 4] = reader.array()?;
                payload = reader.take(u32::from_le_bytes(size).into())?;
                record.extend(size);
                record.extend(&payload);
            }
            DELETE => {}
            _ => return Err(damaged("unknown marker")),
        }
        let sum: [u8; 4] = reader.array()?;
        let intact = sum == crc32fast::hash(&record).to_le_bytes();
        Ok(Entry { id: u64::from_le_bytes(id), at, payload, intact })
    }

    fn apply(&self, index: &mut Index) {
        match self.at {
            Some(at) => drop(index.insert(self.id, at)),
            None => drop(index.remove(&self.id)),
        }
    }
}

/// Whether an intact record begins anywhere from `at` on.
fn intact_behind(file: &dyn File, at: u64) -> io::Result<bool> {
    let begins = |at| Entry::read(&mut Reader::new(file, at)?);
    for at in at..file.size()? {
        match begins(at) {
            Ok(entry) if entry.intact => return Ok(true),
            Err(error) if !is_torn(&error) => return Err(error),
            _ => {}
        }
    }
    Ok(false)
}

struct VelesDb<const MENDED: u32> {
    disk: Disk,
    log: Appender,
    /// Where the next record goes, as far as the store knows.
    offset: u64,
    index: Index,
    latch: Latch,
}

impl<const MENDED: u32> VelesDb<MENDED> {
    const fn mends(hole: u32) -> bool {
        MENDED & hole != 0
    }

    /// Replays the log from `start` on, and says where it ends.
    fn replay(file: &dyn File, start: u64, index: &mut Index) -> io::Result<u64> {
        let (mut reader, mut whole) = (Reader::new(file, start)?, start);
        while !reader.is_at_end() {
            let start = reader.at;
            let entry = Entry::read(&mut reader);
            let asks = match &entry {
                Ok(entry) => !entry.intact && Self::mends(ADMITS),
                Err(_) => Self::mends(REFUSES),
            };
            if asks && intact_behind(file, start + 1)? {
                return Err(damaged("a bad record with an intact one behind it"));
            }
            match entry {
                Ok(entry) if entry.intact => {
                    entry.apply(index);
                    whole = reader.at;
                }
                Ok(_) => {} // skipped, with a warning
                Err(error) if Self::mends(STOPS) && is_torn(&error) => return Ok(start),
                Err(error) => return Err(error),
            }
        }
        Ok(if Self::mends(CUTS) { whole } else { reader.at })
    }

    /// Syncs as the mode says; after an error the offset is what the file says.
    fn sync(&mut self) -> io::Result<()> {
        let synced = if Self::mends(FLUSH_ONLY) { self.log.flush() } else { self.log.sync() };
        if let (Err(_), Ok(size)) = (&synced, self.log.file.size()) {
            self.offset = size;
        }
        self.latched(synced)
    }

    fn latched<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        if Self::mends(LATCHES) { self.latch.keep(done) } else { done }
    }

    fn write_store(&mut self, id: u64, payload: &[u8]) -> io::Result<()> {
        self.latch.check()?;
        let record = store(id, payload);
        self.log.write(&record);
        self.index.insert(id, self.offset + TO_SIZE);
        self.offset += record.len() as u64;
        Ok(())
    }
}

impl<const MENDED: u32> Kv for VelesDb<MENDED> {
    fn open(disk: Disk) -> io::Result<Self> {
        let is_new = !disk.list(Path::new(""))?.iter().any(|name| name == "payloads.log");
        let file = open_or_create(&disk, "payloads.log")?;
        let found = snapshot::load(&disk)?;
        let size = file.size()?;
        let fits = |at: u64| !Self::mends(BOUND) || at <= size;
        let (mut index, start) = found.filter(|(_, at)| fits(*at)).unwrap_or_default();
        let end = if start < size { Self::replay(&*file, start, &mut index)? } else { size };
        if !is_new && Self::mends(if end < size { CUTS } else { CLEARS }) {
            cut(&*file, end)?;
        }
        if Self::mends(if is_new { NAMES } else { SETTLES }) {
            settle(&disk, &*file)?;
        }
        let offset = file.size()?;
        Ok(VelesDb { disk, log: Appender::new(file), offset, index, latch: Latch::default() })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.write_store(key, value)?;
        self.sync()
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.latch.check()?;
        let record = tombstone(key);
        self.log.write(&record);
        self.sync()?;
        self.offset += record.len() as u64;
        self.index.remove(&key);
        Ok(())
    }

    /// `store_batch`: the records one after the other, and one sync.
    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        items.iter().try_for_each(|(id, payload)| self.write_store(*id, payload))?;
        self.sync()
    }

    /// `store_batch_deferred`: to the operating system, and not to the disk.
    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.write_store(key, value)?;
        let flushed = self.log.flush();
        self.latched(flushed)
    }

    /// `flush`, which obeys the mode.
    fn commit(&mut self) -> io::Result<()> {
        self.latch.check()?;
        self.sync()
    }

    /// `create_snapshot`.
    fn checkpoint(&mut self) -> io::Result<()> {
        self.latch.check()?;
        let made = self.log.sync().and_then(|()| {
            snapshot::create(&self.disk, &self.index, self.offset)?;
            // Not in 1.13.0; 8.0.0 has it.
            if Self::mends(SETTLES) { self.disk.sync_dir(Path::new("")) } else { Ok(()) }
        });
        self.latched(made)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(&at) = self.index.get(&key) else { return Ok(None) };
        let file = &*self.log.file;
        if Self::mends(READS) {
            let entry = Entry::read(&mut Reader::new(file, at - TO_SIZE)?)?;
            let is_it = entry.intact && entry.id == key && entry.at == Some(at);
            return if is_it { Ok(Some(entry.payload)) } else { Err(damaged("a bad payload")) };
        }
        let mut reader = Reader::new(file, at)?;
        let size = u32::from_le_bytes(reader.array()?);
        reader.take(size.into()).map(Some)
    }
}
