//! The store: one handle for hard state, log and snapshots, and what happens when a call fails.
//!
//! Invariants
//! - RS1: after a write or sync that failed, of whatever part, nothing is acknowledged any more:
//!   the parts would else go apart.
//! - RS2: the folder of the log is created after the metadata are durable, and used after its own
//!   name is. So a log without metadata is damage, never a crash; and a folder that the metadata do
//!   not name may be there in the cache only, and is not used.

use crate::error::{Error, Result, corrupt, io};
use crate::log::{Log, Place};
use crate::metadata::{self, Known, Metadata};
use crate::record::Record;
use crate::{HardState, LogId, SnapshotMeta, Under, snapshot};
use highwater::{Damage, Durability, Journal, Lsn, Options};
use highwater_vfs::Vfs;
use parking_lot::{Mutex, MutexGuard};
use std::ops::{Bound, RangeBounds};
use std::path::Path;
use std::sync::Arc;

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its index and term.
    pub id: LogId,
    /// What the node appended, in the caller's own words.
    pub payload: Vec<u8>,
}

/// The durable state of a Raft node. Any number of threads may use it at once; a clone is another
/// handle to it. Whatever it acknowledges is durable.
///
/// ```
/// use highwater_raft::{Entry, HardState, LogId, Options, RaftStore};
/// use highwater_vfs::OsFs;
/// use std::sync::Arc;
///
/// let dir = tempfile::tempdir()?;
/// let store = RaftStore::open(Arc::new(OsFs::open(dir.path())?), Options::default())?;
/// store.save_hard_state(HardState { current_term: 1, voted_for: Some(b"me".to_vec()) })?;
/// let id = LogId { index: 1, term: 1 };
/// store.append(&[Entry { id, payload: b"set x".to_vec() }])?;
/// assert_eq!(store.entries(1..)?.len(), 1);
///
/// let mut snapshot = store.begin_snapshot()?;
/// snapshot.write(b"x is set")?;
/// snapshot.finish(id, b"me alone", 0)?;
/// store.purge_to(id)?;
/// assert_eq!((store.first(), store.last()), (None, Some(id)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RaftStore {
    pub(crate) disk: Arc<dyn Vfs>,
    journal: Journal,
    parts: Arc<Mutex<Parts>>,
}

/// What the handles share.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) metadata: Metadata,
    log: Log,
    /// The number of the next snapshot that is begun.
    pub(crate) serial: u64,
    pub(crate) poisoned: bool,
}

/// The reader whose position in the journal keeps what is needed.
const CURSOR: &str = "raft";

/// The name of the folder of a log.
pub(crate) fn folder(number: u64) -> String {
    format!("log-{number:08x}")
}

impl RaftStore {
    /// Opens the store in the root of `disk`, or begins one there. Of `options` the durability is
    /// not asked: it is [`Durability::Fsync`]; and damage is refused: a node that has lost what it
    /// acknowledged must not come back as the same node.
    ///
    /// # Errors
    /// `Corrupt` for damage, and then nothing was changed but, if the damage is in the log or to
    /// a snapshot, the metadata copied; whatever the disk reports.
    pub fn open(disk: Arc<dyn Vfs>, options: Options) -> Result<RaftStore> {
        let names = names(&*disk)?;
        let mut metadata = Metadata::open(&disk)?;
        let number = match log_of(&metadata, &names)? {
            Some(number) => number,
            None => begin_log(&*disk, &names, &mut metadata)?,
        };
        let serial = snapshot::tidy(&*disk, metadata.known().snapshot.as_ref())?;
        let under = Under::new(Arc::clone(&disk), &folder(number)).map_err(io("open", "log"))?;
        let (durability, damage) = (Durability::Fsync, Damage::Refuse);
        let options = Options { durability, damage, ..options };
        let journal = Journal::open(Arc::new(under), options)?;
        let log = replay(&journal)?;
        let parts = Parts { metadata, log, serial, poisoned: false };
        Ok(RaftStore { disk, journal, parts: Arc::new(Mutex::new(parts)) })
    }

    /// The store that [`open`](RaftStore::open) would show, and nothing is changed: whatever would
    /// change it answers `ReadOnly`. `None` if there is nothing, or what a crash left of a
    /// beginning.
    ///
    /// # Errors
    /// As [`open`](RaftStore::open).
    pub fn open_read_only(disk: Arc<dyn Vfs>) -> Result<Option<RaftStore>> {
        let names = names(&*disk)?;
        let metadata = Metadata::open_read_only(&*disk)?;
        let Some(number) = log_of(&metadata, &names)? else { return Ok(None) };
        snapshot::is_there(&*disk, metadata.known().snapshot.as_ref())?;
        let under = Under::new(Arc::clone(&disk), &folder(number)).map_err(io("open", "log"))?;
        let journal = Journal::open_read_only(Arc::new(under))?;
        let log = replay(&journal)?;
        let parts = Parts { metadata, log, serial: 0, poisoned: false };
        Ok(Some(RaftStore { disk, journal, parts: Arc::new(Mutex::new(parts)) }))
    }

    /// Term and vote.
    pub fn hard_state(&self) -> HardState {
        self.parts.lock().metadata.known().hard.clone()
    }

    /// Saves term and vote; durable when it returns.
    ///
    /// # Errors
    /// [`Error::TermBack`] for a term below the one that stands; what the disk reports, and then
    /// it is unknown which of both stands, until the store is opened again.
    pub fn save_hard_state(&self, hard: HardState) -> Result<()> {
        let mut parts = self.working()?;
        let saved = parts.metadata.known().hard.current_term;
        if hard.current_term < saved {
            return Err(Error::TermBack { saved, asked: hard.current_term });
        }
        let known = Known { hard, ..parts.metadata.known().clone() };
        parts.trying(|parts| parts.metadata.save(known))
    }

    /// Appends entries; durable when it returns. Of several, a crash before that may leave the
    /// first ones.
    ///
    /// # Errors
    /// [`Error::NotNext`] if they do not follow the last one, `TooLarge` if one does not fit:
    /// nothing happened. What the disk reports; they are then unknown.
    pub fn append(&self, entries: &[Entry]) -> Result<()> {
        let mut parts = self.working()?;
        let mut last = parts.log.last();
        for entry in entries {
            Log::follows(last, entry.id)?;
            Record::fits(&entry.payload)?;
            last = Some(entry.id);
        }
        parts.trying(|parts| {
            let Some((last, before)) = entries.split_last() else { return Ok(()) };
            let mut places = Vec::with_capacity(entries.len());
            for Entry { id, payload } in before {
                let ack = self.journal.append_deferred(&Record::Entry(*id, payload).encode())?;
                places.push(Place { id: *id, lsn: ack.lsn });
            }
            // It waits for the disk, and with it all before it; only then they are shown.
            let ack = self.journal.append(&Record::Entry(last.id, &last.payload).encode())?;
            places.push(Place { id: last.id, lsn: ack.lsn });
            parts.log.extend(places);
            Ok(())
        })
    }

    /// Cuts off the entries from `index` on, which a leader has contradicted; durable when it
    /// returns.
    ///
    /// # Errors
    /// [`Error::Purged`] if it is no entry any more; what the disk reports.
    pub fn truncate_from(&self, index: u64) -> Result<()> {
        let mut parts = self.working()?;
        if let Some(purged) = parts.log.purged().filter(|purged| index <= purged.index) {
            return Err(Error::Purged { index, purged: purged.index });
        }
        if parts.log.last().is_none_or(|last| last.index < index) {
            return Ok(());
        }
        parts.trying(|parts| {
            self.journal.append(&Record::Cut(index).encode())?;
            parts.log.cut(index); // RL2
            Ok(())
        })
    }

    /// Forgets the entries up to `to`, which a snapshot covers; durable when it returns. If the
    /// snapshot is ahead of the log or contradicts it, with another term at that index or a greater
    /// one than what is left has, all of it goes; the next entry then follows `to`.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn purge_to(&self, to: LogId) -> Result<()> {
        let mut parts = self.working()?;
        if parts.log.purged().is_some_and(|purged| to.index <= purged.index) {
            return Ok(());
        }
        parts.trying(|parts| {
            let record = match parts.log.contradicts(to) {
                true => Record::Restart(to),
                false => Record::Purge(to),
            };
            let bytes = record.encode();
            let ack = self.journal.append(&bytes)?;
            parts.log.replay(ack.lsn, &record); // RL4
            let needed = parts.log.needed().expect("the purge itself is"); // RL3
            self.journal.set_cursor(CURSOR, needed)?;
            // Said again: the journal removes a segment of which nothing is left but cursors, and
            // its readers then miss what stood there.
            self.journal.append_deferred(&bytes)?;
            self.journal.clean_up()?;
            Ok(())
        })
    }

    /// The entry at an index, if it is there.
    ///
    /// # Errors
    /// `Corrupt` if its bytes are damaged; what the disk reports.
    pub fn entry(&self, index: u64) -> Result<Option<Entry>> {
        let place = self.parts.lock().log.get(index);
        place.map(|place| self.read(place)).transpose()
    }

    /// The entries of a range, as far as they are there, in order.
    ///
    /// # Errors
    /// As [`entry`](RaftStore::entry).
    pub fn entries(&self, range: impl RangeBounds<u64>) -> Result<Vec<Entry>> {
        let places: Vec<Place> = {
            let parts = self.parts.lock();
            let (Some(first), Some(last)) = (parts.log.first(), parts.log.last()) else {
                return Ok(Vec::new());
            };
            let from = match range.start_bound() {
                Bound::Included(from) | Bound::Excluded(from) => first.index.max(*from),
                Bound::Unbounded => first.index,
            };
            let to = match range.end_bound() {
                Bound::Included(to) | Bound::Excluded(to) => last.index.min(*to),
                Bound::Unbounded => last.index,
            };
            let wanted = (from..=to).filter(|index| range.contains(index));
            wanted.filter_map(|index| parts.log.get(index)).collect()
        };
        places.into_iter().map(|place| self.read(place)).collect()
    }

    fn read(&self, place: Place) -> Result<Entry> {
        let bytes = self.journal.read(place.lsn)?.unwrap_or_default();
        match Record::decode(&bytes) {
            Some(Record::Entry(id, payload)) if id == place.id => {
                Ok(Entry { id, payload: payload.to_vec() })
            }
            _ => Err(flaw(place.lsn, format!("entry {:?}", place.id))),
        }
    }

    /// The term of the entry at an index; also that of the last one purged.
    pub fn term(&self, index: u64) -> Option<u64> {
        let parts = self.parts.lock();
        let purged = parts.log.purged().filter(|purged| purged.index == index);
        parts.log.get(index).map(|place| place.id).or(purged).map(|id| id.term)
    }

    /// The first entry that is there.
    pub fn first(&self) -> Option<LogId> {
        self.parts.lock().log.first()
    }

    /// The last entry; if there is none, the last one purged.
    pub fn last(&self) -> Option<LogId> {
        self.parts.lock().log.last()
    }

    /// The last entry purged.
    pub fn purged(&self) -> Option<LogId> {
        self.parts.lock().log.purged()
    }

    /// Shuts down in order: the log needs no recovery when it is opened next.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn close(&self) -> Result<()> {
        self.working()?.trying(|_| Ok(self.journal.close()?))
    }

    /// The numbered invariants that can be checked from here.
    ///
    /// # Panics
    /// If one does not hold: that is a defect of the store.
    pub fn check_invariants(&self) {
        let parts = self.parts.lock();
        assert_eq!(parts.log.flaw(), None, "RL1, RL2");
        let kept = self.journal.cursors().get(CURSOR).copied().unwrap_or(Lsn(0));
        assert!(parts.log.needed().is_none_or(|needed| kept <= needed), "RL3");
        self.journal.check_invariants();
    }

    /// The parts, of a store that works (RS1) and may be changed.
    pub(crate) fn working(&self) -> Result<MutexGuard<'_, Parts>> {
        let parts = self.parts.lock();
        if parts.poisoned {
            return Err(Error::Store(highwater::Error::Poisoned));
        }
        parts.metadata.writable()?;
        Ok(parts)
    }

    /// The snapshot that stands.
    pub fn snapshot(&self) -> Option<SnapshotMeta> {
        self.parts.lock().metadata.known().snapshot.clone()
    }
}

impl Parts {
    /// Changes something on the disk; an error is the last thing that the store does (RS1).
    pub(crate) fn trying(&mut self, change: impl FnOnce(&mut Parts) -> Result<()>) -> Result<()> {
        let done = change(self);
        self.poisoned |= done.is_err();
        done
    }
}

/// What is in the root; a log without metadata is damage (RS2).
fn names(disk: &dyn Vfs) -> Result<Vec<String>> {
    let names = disk.list(Path::new("")).map_err(io("list", ""))?;
    let has_log = names.iter().any(|name| name.starts_with("log-"));
    match has_log && !names.iter().any(|name| name == metadata::FILE) {
        true => Err(corrupt(metadata::FILE, 0, "the metadata of the log", "no file")),
        false => Ok(names),
    }
}

/// The number of the log's folder, if the metadata name one.
fn log_of(metadata: &Metadata, names: &[String]) -> Result<Option<u64>> {
    match metadata.known().log {
        Some(number) if !names.contains(&folder(number)) => {
            Err(corrupt(&folder(number), 0, "the folder of the log", "no folder"))
        }
        number => Ok(number),
    }
}

/// Creates the log's folder, and says so in the metadata once its name is durable (RS2).
fn begin_log(disk: &dyn Vfs, names: &[String], metadata: &mut Metadata) -> Result<u64> {
    let free = (0..).find(|number| !names.contains(&folder(*number)));
    let number = free.expect("there are fewer names than numbers");
    disk.create_dir(Path::new(&folder(number))).map_err(io("create", "log"))?;
    disk.sync_dir(Path::new("")).map_err(io("sync", ""))?;
    metadata.save(Known { log: Some(number), ..metadata.known().clone() })?;
    Ok(number)
}

fn replay(journal: &Journal) -> Result<Log> {
    let mut log = Log::default();
    let mut reader = journal.reader(journal.first());
    while let Some((lsn, bytes)) = reader.next_record()? {
        let record = Record::decode(&bytes);
        log.replay(lsn, &record.ok_or_else(|| flaw(lsn, "a record of a Raft log"))?);
    }
    match log.flaw() {
        None => Ok(log),
        Some(place) => Err(flaw(place.lsn, "the entry that follows")),
    }
}

/// The journal has verified the bytes: somebody else wrote them, or they are not all there.
fn flaw(lsn: Lsn, expected: impl ToString) -> Error {
    corrupt(&format!("the log at LSN {lsn}"), 0, &expected.to_string(), "something else")
}
