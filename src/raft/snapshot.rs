//! Snapshots: written and read in pieces, whole or absent.
//!
//! Invariants
//! - RN1: the metadata name a snapshot only after its bytes and its final name are durable.
//! - RN2: a snapshot is removed only after the metadata name a later one, durably.
//! - RN3: no byte is handed out before all of them were verified.

use crate::error::{Error, Result, corrupt, io};
use crate::metadata::Known;
use crate::{LogId, RaftStore, SnapshotMeta};
use highwater_vfs::{File, OpenMode, Vfs, read_full_at, write_all_at};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that are read at once to be verified.
const PIECE: usize = 64 << 10;

/// The name of a snapshot's file.
pub(crate) fn name(serial: u64) -> PathBuf {
    PathBuf::from(format!("snapshot-{serial:016x}.snap"))
}

/// The same while it is being written.
fn unfinished(serial: u64) -> PathBuf {
    PathBuf::from(format!("snapshot-{serial:016x}.new"))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("it is made of ASCII")
}

/// The number of a snapshot, finished or not, by the name of its file; only of a name that is given
/// here, as others are somebody else's.
pub(crate) fn serial(listed: &str) -> Option<u64> {
    let rest = listed.strip_prefix("snapshot-")?;
    let number = rest.strip_suffix(".snap").or(rest.strip_suffix(".new"))?;
    let serial = u64::from_str_radix(number, 16).ok()?;
    let given = [name(serial), unfinished(serial)].iter().any(|path| path == Path::new(listed));
    given.then_some(serial)
}

/// The number behind another one. Nobody counts to the last: only a file's name may claim so.
fn after(serial: u64) -> u64 {
    serial.wrapping_add(1)
}

/// Removes what is not the snapshot that stands (RN2: the metadata that say so are this life's),
/// and looks whether that one is there; the number that the next one gets.
pub(crate) fn tidy(disk: &dyn Vfs, stands: Option<&SnapshotMeta>) -> Result<u64> {
    let mut next = stands.map_or(0, |meta| after(meta.serial));
    let keep = stands.map(|meta| name(meta.serial));
    for listed in disk.list(Path::new("")).map_err(io("list", ""))? {
        let Some(serial) = serial(&listed).filter(|_| keep.as_deref() != Some(Path::new(&listed)))
        else {
            continue;
        };
        next = next.max(after(serial));
        disk.remove(Path::new(&listed)).map_err(io("remove", &listed))?;
    }
    is_there(disk, stands).map(|()| next)
}

/// Looks whether the snapshot that stands is there, in its size.
pub(crate) fn is_there(disk: &dyn Vfs, stands: Option<&SnapshotMeta>) -> Result<()> {
    let Some(meta) = stands else { return Ok(()) };
    let path = name(meta.serial);
    let size = match disk.open(&path, OpenMode::Read) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(corrupt(text(&path), 0, "the snapshot", "no file"));
        }
        opened => opened.and_then(|file| file.size()).map_err(io("open", text(&path)))?,
    };
    match size == meta.size {
        true => Ok(()),
        false => Err(corrupt(text(&path), 0, &format!("{} bytes", meta.size), size)),
    }
}

/// A snapshot that is being written. Dropped before it is finished it is as if it had never been.
#[derive(Debug)]
pub struct SnapshotWriter {
    store: RaftStore,
    file: Arc<dyn File>,
    serial: u64,
    size: u64,
    hash: Sha256,
    finished: bool,
}

impl RaftStore {
    /// Begins a snapshot; the one that stands stays until this one is finished.
    ///
    /// # Errors
    /// What the disk reports; the store goes on.
    pub fn begin_snapshot(&self) -> Result<SnapshotWriter> {
        let mut parts = self.working()?;
        let serial = parts.serial;
        let path = unfinished(serial);
        let file = self.disk.open(&path, OpenMode::CreateNew);
        let file = file.map_err(io("create", text(&path)))?;
        parts.serial = after(serial);
        let store = self.clone();
        Ok(SnapshotWriter { store, file, serial, size: 0, hash: Sha256::new(), finished: false })
    }

    /// The snapshot that stands, and its file. Another thread may finish the next one in between,
    /// which removes it; then that one is meant, so each round waits for a whole snapshot at most.
    fn open_standing(&self) -> Option<(SnapshotMeta, std::io::Result<Arc<dyn File>>)> {
        let mut meta = self.snapshot()?;
        loop {
            let opened = self.disk.open(&name(meta.serial), OpenMode::Read);
            let now = self.snapshot()?;
            if opened.is_ok() || now.serial == meta.serial {
                return Some((meta, opened));
            }
            meta = now;
        }
    }

    /// The snapshot that stands, verified, to be read.
    ///
    /// # Errors
    /// `Corrupt` if its bytes are not those that were written; what the disk reports.
    pub fn open_snapshot(&self) -> Result<Option<SnapshotReader>> {
        let Some((meta, opened)) = self.open_standing() else { return Ok(None) };
        let path = name(meta.serial);
        let failed = |e| io("read", text(&path))(e);
        let file = opened.map_err(failed)?;
        let (mut hash, mut at, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
        loop {
            let count = read_full_at(&*file, &mut piece, at).map_err(failed)?;
            hash.update(&piece[..count]);
            at += count as u64;
            if count < PIECE {
                break;
            }
        }
        let found: [u8; 32] = hash.finalize().into();
        if (found, at) != (meta.sha256, meta.size) {
            let hex = |hash: &[u8]| hash.iter().map(|b| format!("{b:02x}")).collect::<String>();
            let expected = format!("{} bytes, SHA-256 {}", meta.size, hex(&meta.sha256));
            let actual = format!("{at} bytes, SHA-256 {}", hex(&found));
            return Err(corrupt(text(&path), 0, &expected, actual)); // RN3
        }
        Ok(Some(SnapshotReader { meta, file, at: 0 }))
    }
}

impl SnapshotWriter {
    /// Its number: later ones have greater ones.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// Adds to its data.
    ///
    /// # Errors
    /// What the disk reports: drop it then. The store goes on.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let path = unfinished(self.serial);
        write_all_at(&*self.file, bytes, self.size).map_err(io("write", text(&path)))?;
        self.size += bytes.len() as u64;
        self.hash.update(bytes);
        Ok(())
    }

    /// Makes it the snapshot that stands, and removes the one before; durable when it returns.
    /// `created` is the caller's clock.
    ///
    /// # Errors
    /// [`Error::SnapshotBack`] if it is older than the one that stands: that one goes on to stand.
    /// What the disk reports, and then it is unknown which of both stands, until the store is
    /// opened again.
    pub fn finish(
        mut self,
        last: LogId,
        configuration: &[u8],
        created: u64,
    ) -> Result<SnapshotMeta> {
        let (store, serial) = (self.store.clone(), self.serial);
        let mut parts = store.working()?;
        let before = parts.metadata.known().snapshot.clone();
        if let Some(meta) = before.as_ref().filter(|meta| last.index < meta.last.index) {
            return Err(Error::SnapshotBack { saved: meta.last.index, asked: last.index });
        }
        let meta = SnapshotMeta {
            last,
            configuration: configuration.to_vec(),
            created,
            size: self.size,
            sha256: std::mem::take(&mut self.hash).finalize().into(),
            serial,
        };
        let (from, to) = (unfinished(serial), name(serial));
        self.finished = true;
        parts.trying(|parts| {
            self.file.sync().map_err(io("sync", text(&from)))?;
            store.disk.rename(&from, &to).map_err(io("rename", text(&to)))?;
            store.disk.sync_dir(Path::new("")).map_err(io("sync", ""))?;
            let snapshot = Some(meta.clone());
            parts.metadata.save(Known { snapshot, ..parts.metadata.known().clone() }) // RN1
        })?;
        if let Some(before) = before {
            // Nobody needs it (RN2): if this fails, the next life does it.
            drop(store.disk.remove(&name(before.serial)));
        }
        Ok(meta)
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.finished {
            drop(self.store.disk.remove(&unfinished(self.serial)));
        }
    }
}

/// The data of a snapshot, in pieces. It goes on when a later snapshot replaces this one.
#[derive(Debug)]
pub struct SnapshotReader {
    meta: SnapshotMeta,
    file: Arc<dyn File>,
    at: u64,
}

impl SnapshotReader {
    /// What it is a snapshot of.
    pub fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// Fills `buf` as far as there are bytes; 0 at the end.
    ///
    /// # Errors
    /// What the disk reports.
    pub fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        let path = name(self.meta.serial);
        let count = read_full_at(&*self.file, buf, self.at).map_err(io("read", text(&path)))?;
        self.at += count as u64;
        Ok(count)
    }
}
