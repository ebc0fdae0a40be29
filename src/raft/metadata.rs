//! The small things: hard state, what the snapshot is, which folder holds the log; in redb.
//!
//! Invariants
//! - RM1: what is shown was written, synced and named by this very life. An earlier one may have
//!   ended after a failed sync, and then the cache may show a file as the medium will never have it
//!   (clause V12); so each life reads the file of the one before without changing it, and writes
//!   its own.
//! - RM2: a file has its final name only when it is whole. redb cannot open a file of its own whose
//!   creation was cut short.
//! - RM3: a commit has two phases: what the header names was synced before it was named. Damage to
//!   it is then no torn commit, and is reported.
//! - RM4: of the two commits that the file holds the later one counts, if it is whole, whichever
//!   the header names. One bit there, which no checksum covers, would else take back a vote.

use crate::backend::{Backend, Overlay};
use crate::error::{Error, Result, corrupt, database, io};
use crate::{HardState, SnapshotMeta};
use highwater_vfs::{OpenMode, Vfs};
use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableDefinition, TableError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// Its name.
pub(crate) const FILE: &str = "metadata.redb";
/// The same while it is being written.
pub(crate) const NEW: &str = "metadata.redb.new";

const TABLE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("raft");
const HARD: &str = "hard state";
const SNAPSHOT: &str = "snapshot";
const LOG: &str = "log";
/// Which commit it is: of two in a file the later one has the greater number.
const REVISION: &str = "revision";

/// The byte of the header that says which of its two commits counts, and that it is not to be
/// doubted, as it had two phases. Doubted, it is verified before it is looked at, and redb takes
/// the other one if it is not whole.
const WHICH: u64 = 9;
const COUNTS: u8 = 1;
const TWO_PHASES: u8 = 4;

/// Bytes of cache: all of it fits, and redb's own default is a gigabyte.
const CACHE: usize = 1 << 20;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Term and vote.
    pub hard: HardState,
    /// The snapshot that stands.
    pub snapshot: Option<SnapshotMeta>,
    /// The number of the folder that holds the log, once its name is durable.
    pub log: Option<u64>,
}

/// The file, open.
///
/// It is the part of [`RaftStore`](crate::RaftStore) that needs no log, and can be explored alone.
#[derive(Debug)]
pub struct Metadata {
    known: Known,
    revision: u64,
    /// This life's own file; `None` for one that only reads.
    file: Option<Own>,
}

#[derive(Debug)]
pub(crate) struct Own {
    backend: Backend,
    database: Database,
}

/// Nothing is written behind the caller's back, and nothing would read it (RM1).
impl Drop for Own {
    fn drop(&mut self) {
        self.backend.detach();
    }
}

impl Metadata {
    /// What `disk` holds in its root, or nothing.
    ///
    /// # Errors
    /// `Corrupt` for damage; whatever the disk reports.
    pub fn open(disk: &Arc<dyn Vfs>) -> Result<Metadata> {
        let (known, revision) = load(&**disk)?.unwrap_or_default();
        match disk.remove(Path::new(NEW)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(io("remove", NEW)(e)),
            _ => {}
        }
        let file = disk.open(Path::new(NEW), OpenMode::CreateNew).map_err(io("create", NEW))?;
        let backend = Backend::new(file);
        let made = Builder::new().set_cache_size(CACHE).create_with_backend(backend.clone());
        let database = made.map_err(database("create", NEW))?;
        let file = Some(Own { backend, database });
        let mut metadata = Metadata { known: Known::default(), revision, file };
        metadata.save(known)?; // RM1
        disk.rename(Path::new(NEW), Path::new(FILE)).map_err(io("rename", FILE))?; // RM2
        disk.sync_dir(Path::new("")).map_err(io("sync", ""))?;
        Ok(metadata)
    }

    /// The same, and nothing is changed: it shows what `open` would, and cannot
    /// [`save`](Metadata::save).
    ///
    /// # Errors
    /// As [`open`](Metadata::open).
    pub fn open_read_only(disk: &dyn Vfs) -> Result<Metadata> {
        let (known, revision) = load(disk)?.unwrap_or_default();
        Ok(Metadata { known, revision, file: None })
    }

    /// What it says.
    pub fn known(&self) -> &Known {
        &self.known
    }

    pub(crate) fn writable(&self) -> Result<&Own> {
        self.file.as_ref().ok_or(Error::Store(highwater::Error::ReadOnly))
    }

    /// Says something else; durable when it returns.
    ///
    /// # Errors
    /// As [`open`](Metadata::open); after one nothing more can be saved, and what was to be saved
    /// is unknown until it is opened again. `ReadOnly` if it is.
    pub fn save(&mut self, known: Known) -> Result<()> {
        let own = &self.writable()?.database;
        let Known { hard, snapshot, log } = &known;
        let values = [
            (HARD, Some(hard.encode())),
            (SNAPSHOT, snapshot.as_ref().map(SnapshotMeta::encode)),
            (LOG, log.map(|number| number.to_le_bytes().to_vec())),
            (REVISION, Some((self.revision + 1).to_le_bytes().to_vec())),
        ];
        let commit = || -> std::result::Result<(), redb::Error> {
            let mut transaction = own.begin_write()?;
            transaction.set_two_phase_commit(true); // RM3
            let mut table = transaction.open_table(TABLE)?;
            for (key, value) in &values {
                match value {
                    Some(value) => drop(table.insert(key, &value[..])?),
                    None => drop(table.remove(key)?),
                }
            }
            drop(table);
            Ok(transaction.commit()?)
        };
        commit().map_err(database("commit", FILE))?;
        (self.known, self.revision) = (known, self.revision + 1);
        Ok(())
    }
}

/// What a file says, and in which revision.
type Found = (Known, u64);

/// Reads the file of an earlier life, and changes nothing; `None` if there is none.
fn load(disk: &dyn Vfs) -> Result<Option<Found>> {
    let file = match disk.open(Path::new(FILE), OpenMode::Read) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(io("open", FILE))?,
    };
    let named = read(Overlay::new(Arc::clone(&file)).map_err(io("read", FILE))?)?;
    let other = Overlay::new(file).and_then(|overlay| {
        let mut which = [0];
        overlay.read(WHICH, &mut which)?;
        overlay.write(WHICH, &[(which[0] ^ COUNTS) & !TWO_PHASES])?;
        Ok(overlay)
    });
    let other = read(other.map_err(io("read", FILE))?).ok();
    Ok(Some(other.filter(|other| other.1 > named.1).unwrap_or(named))) // RM4
}

fn read(overlay: Overlay) -> Result<Found> {
    let read = || -> std::result::Result<Option<Found>, redb::Error> {
        let mut builder = Builder::new();
        let mut database = builder.set_cache_size(CACHE).create_with_backend(overlay)?;
        database.check_integrity()?;
        let transaction = database.begin_read()?;
        let table = match transaction.open_table(TABLE) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table?,
        };
        let value = |key| Ok::<_, redb::Error>(table.get(key)?.map(|v| v.value().to_vec()));
        Ok(decode([value(HARD)?, value(SNAPSHOT)?, value(LOG)?, value(REVISION)?]))
    };
    // Damage makes redb panic here and there; what it changed is the overlay, which is gone then.
    let Ok(read) = catch_unwind(AssertUnwindSafe(read)) else {
        return Err(corrupt(FILE, 0, "a whole database", "one that makes redb panic"));
    };
    let strange = || corrupt(FILE, 0, "hard state, snapshot and log", "something else");
    read.map_err(database("read", FILE))?.ok_or_else(strange)
}

fn decode([hard, snapshot, log, revision]: [Option<Vec<u8>>; 4]) -> Option<Found> {
    let number = |bytes: Vec<u8>| Some(u64::from_le_bytes(bytes.try_into().ok()?));
    let hard = HardState::decode(&hard?)?;
    let snapshot = match snapshot {
        None => None,
        Some(bytes) => Some(SnapshotMeta::decode(&bytes)?),
    };
    let log = match log {
        None => None,
        Some(bytes) => Some(number(bytes)?),
    };
    Some((Known { hard, snapshot, log }, number(revision?)?))
}
