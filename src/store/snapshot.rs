//! Snapshots of a view's state: written whole under a temporary name, synced, renamed, the
//! directory synced; so a file under a final name was whole once, and is damaged if it is not now.
//!
//! Invariants
//! - N1: a snapshot's name appears only when its bytes are durable.
//! - N2: no order of a hash map reaches the disk: the same calls on one thread give the same bytes.

use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::name::{Kind, Name};
use crate::format::snapshot::{Resume, SnapshotHeader};
use crate::limits::{READ_SIZE_MAX, SNAPSHOT_DIGEST, SNAPSHOT_HEADER, WRITE_SIZE};
use crate::log::open;
use crate::sync::RwLock;
use crate::view::{View, other_view};
use highwater_vfs::{File, OpenMode, Vfs, read_exact_at, write_all_at};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// A file that is written in order, and hashed on the way.
#[derive(Debug)]
pub(crate) struct Stream {
    file: Arc<dyn File>,
    name: String,
    hash: Sha256,
    buffer: Vec<u8>,
    offset: u64,
}

impl Stream {
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_SIZE {
            self.hash.update(&self.buffer);
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let written = write_all_at(&*self.file, &self.buffer, self.offset);
        written.map_err(Error::io("write", &self.name))?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Ends the file with the hash of all that was put. Returns its length.
    pub(crate) fn finish(mut self) -> Result<u64> {
        self.hash.update(&self.buffer);
        let digest = std::mem::take(&mut self.hash).finalize();
        self.buffer.extend_from_slice(&digest);
        self.write()?;
        Ok(self.offset)
    }
}

/// A snapshot that is written, and neither synced nor named.
pub(crate) struct Temporary {
    text: String,
    file: Arc<dyn File>,
    /// Bytes.
    pub(crate) size: u64,
}

impl Temporary {
    /// Makes its bytes durable; if that fails, it is removed.
    pub(crate) fn sync(&self, vfs: &dyn Vfs) -> Result<()> {
        let synced = self.file.sync().map_err(Error::io("sync", &self.text));
        synced.inspect_err(|_| drop(vfs.remove(Path::new(&self.text))))
    }
}

/// Writes the state that was cut at `name.lsn` under a temporary name; [`publish`] makes it count.
pub(crate) fn write_temporary<V: View>(
    vfs: &dyn Vfs,
    name: Name,
    resume: Resume,
    cut: V::Cut,
    state: &RwLock<V>,
) -> Result<Temporary> {
    let text = Name { kind: Kind::Temporary, ..name }.text();
    let file = open(vfs, &text, OpenMode::CreateNew)?;
    let (segments, entries) = V::counts(&cut);
    let (lsn, epoch, resume, view) = (name.lsn, name.epoch, Some(resume), V::KIND.code());
    let header = SnapshotHeader { lsn, epoch, resume, segments, entries, view };
    let (hash, buffer, offset) = (Sha256::new(), Vec::new(), 0);
    let mut stream = Stream { file: Arc::clone(&file), name: text.clone(), hash, buffer, offset };
    let result = stream.put(&header.encode()).and_then(|()| V::write(cut, state, stream));
    if result.is_err() {
        // The log is untouched: only the leftovers go. If that fails too, the next life removes
        // them.
        let _ = vfs.remove(Path::new(&text));
    }
    result.map(|size| Temporary { text, file, size })
}

/// Gives the temporary file its final name, durably (N1).
pub(crate) fn publish(vfs: &dyn Vfs, temporary: &Temporary, name: Name) -> Result<()> {
    let text = name.text();
    // N1: the bytes are synced already.
    let renamed = vfs.rename(Path::new(&temporary.text), Path::new(&text));
    renamed.map_err(Error::io("rename", &temporary.text))?;
    vfs.sync_dir(Path::new("")).map_err(Error::io("sync", ""))
}

/// A snapshot as it was read.
pub(crate) struct Loaded<V> {
    pub(crate) header: SnapshotHeader,
    pub(crate) state: V,
    /// Bytes.
    pub(crate) size: u64,
}

/// Loads a snapshot; `Ok(None)` if its bytes are not what was written.
pub(crate) fn load<V: View>(vfs: &dyn Vfs, name: Name, text: &str) -> Result<Option<Loaded<V>>> {
    let file = open(vfs, text, OpenMode::Read)?;
    let size = file.size().map_err(Error::io("size of", text))?;
    let (hash, buf) = (Sha256::new(), Vec::new());
    let mut source = Source { file: &*file, text, hash, offset: 0, size, buf, at: 0 };
    let Some(head) = source.take::<SNAPSHOT_HEADER>()? else { return Ok(None) };
    let Some(header) = SnapshotHeader::decode(&head, name.lsn, name.epoch, size) else {
        return Ok(None);
    };
    if header.view != V::KIND.code() {
        // Only the hash says whether that is damage.
        source.skip_to_digest()?;
        let another = Err(other_view(text, V::KIND, header.view));
        return if source.is_whole()? { another } else { Ok(None) };
    }
    let state = V::load(&header, &mut source)?;
    Ok(if source.is_whole()? { state.map(|state| Loaded { header, state, size }) } else { None })
}

/// A file that is read in order, and hashed on the way.
pub(crate) struct Source<'a> {
    file: &'a dyn File,
    text: &'a str,
    hash: Sha256,
    offset: u64,
    size: u64,
    buf: Vec<u8>,
    at: usize,
}

impl Source<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> Result<Option<[u8; N]>> {
        Ok(self.bytes(N)?.map(|bytes| *bytes.first_chunk::<N>().expect("as many as asked for")))
    }

    /// The next `count` bytes; `None` if there are not so many before the digest.
    pub(crate) fn bytes(&mut self, count: usize) -> Result<Option<&[u8]>> {
        if self.left() < count as u64 {
            return Ok(None);
        }
        self.fill(count)?;
        let bytes = &self.buf[self.at..self.at + count];
        self.hash.update(bytes);
        self.at += count;
        Ok(Some(bytes))
    }

    /// Bytes before the digest that were not taken.
    fn left(&self) -> u64 {
        let ahead = (self.buf.len() - self.at) as u64;
        (self.size - self.offset + ahead).saturating_sub(SNAPSHOT_DIGEST as u64)
    }

    /// Sees to it that `count` bytes, or all that are left, stand in the buffer.
    fn fill(&mut self, count: usize) -> Result<()> {
        if self.at + count <= self.buf.len() {
            return Ok(());
        }
        self.buf.drain(..self.at);
        self.at = 0;
        let kept = self.buf.len();
        let wanted = READ_SIZE_MAX.max(count) - kept;
        let more = (self.size - self.offset).min(wanted as u64) as usize;
        self.buf.resize(kept + more, 0);
        let read = read_exact_at(self.file, &mut self.buf[kept..], self.offset);
        read.map_err(Error::io("read", self.text))?;
        self.offset += more as u64;
        Ok(())
    }

    fn skip_to_digest(&mut self) -> Result<()> {
        while self.left() > 0 {
            self.bytes(self.left().min(READ_SIZE_MAX as u64) as usize)?;
        }
        Ok(())
    }

    /// Whether nothing but the digest is left, and it is that of what was taken.
    fn is_whole(&mut self) -> Result<bool> {
        if self.left() > 0 {
            return Ok(false);
        }
        self.fill(SNAPSHOT_DIGEST)?;
        let digest = self.hash.clone().finalize();
        Ok(self.buf[self.at..] == digest[..])
    }
}

/// The LSN that everything up to is in all of the kept snapshots.
pub(crate) fn oldest_kept(snapshots: &[Name], keep: usize) -> Option<Lsn> {
    // Newest first; fewer than wanted means that falling back ends at the log's beginning.
    snapshots.get(keep.max(1) - 1).map(|name| name.lsn)
}
