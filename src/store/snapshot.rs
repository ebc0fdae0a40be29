//! Snapshots of the index: written whole under a temporary name, synced, renamed, the directory
//! synced; so a file under a final name was whole once, and is damaged if it is not now.
//!
//! Invariants
//! - N1: a snapshot's name appears only when its bytes are durable.
//! - N2: its bytes depend on the state alone: no order of a hash map reaches the disk.

use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::name::{Kind, Name};
use crate::format::snapshot::{
    Resume, SnapshotEntry, SnapshotHeader, decode_segment, encode_segment,
};
use crate::index::{Index, Position};
use crate::limits::{
    READ_SIZE_MAX, SNAPSHOT_DIGEST, SNAPSHOT_ENTRY, SNAPSHOT_HEADER, SNAPSHOT_SEGMENT, WRITE_SIZE,
};
use crate::log::open;
use highwater_vfs::{File, OpenMode, Vfs, read_exact_at, write_all_at};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// A file that is written in order, and hashed on the way.
struct Stream<'a> {
    file: &'a dyn File,
    name: &'a str,
    hash: Sha256,
    buffer: Vec<u8>,
    offset: u64,
}

impl Stream<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_SIZE {
            self.hash.update(&self.buffer);
            self.write()?;
        }
        Ok(())
    }

    fn write(&mut self) -> Result<()> {
        let written = write_all_at(self.file, &self.buffer, self.offset);
        written.map_err(Error::io("write", self.name))?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.hash.update(&self.buffer);
        let digest = std::mem::take(&mut self.hash).finalize();
        self.buffer.extend_from_slice(&digest);
        self.write()
    }
}

/// A snapshot that is written, and neither synced nor named.
pub(crate) struct Temporary {
    text: String,
    file: Arc<dyn File>,
}

impl Temporary {
    /// Makes its bytes durable; if that fails, it is removed.
    pub(crate) fn sync(&self, vfs: &dyn Vfs) -> Result<()> {
        let synced = self.file.sync().map_err(Error::io("sync", &self.text));
        synced.inspect_err(|_| drop(vfs.remove(Path::new(&self.text))))
    }
}

/// Writes the index as it stands at `lsn` under a temporary name; [`publish`] makes it count.
pub(crate) fn write_temporary(
    vfs: &dyn Vfs,
    name: Name,
    index: &Index,
    resume: Option<Resume>,
) -> Result<Temporary> {
    let text = Name { kind: Kind::Temporary, ..name }.text();
    let file = open(vfs, &text, OpenMode::CreateNew)?;
    let result = write_body(&*file, &text, name, index, resume);
    if result.is_err() {
        // The log is untouched: only the leftovers go. If that fails too, the next life removes
        // them.
        let _ = vfs.remove(Path::new(&text));
    }
    result.map(|()| Temporary { text, file })
}

fn write_body(
    file: &dyn File,
    text: &str,
    name: Name,
    index: &Index,
    resume: Option<Resume>,
) -> Result<()> {
    let used: Vec<usize> = (0..index.slots.len()).filter(|&s| index.slots[s].live > 0).collect();
    let header = SnapshotHeader {
        lsn: name.lsn,
        epoch: name.epoch,
        resume,
        segments: used.len() as u32,
        entries: index.len() as u64,
    };
    let (hash, buffer, offset) = (Sha256::new(), Vec::new(), 0);
    let mut stream = Stream { file, name: text, hash, buffer, offset };
    stream.put(&header.encode())?;
    for &slot in &used {
        stream.put(&encode_segment(index.slots[slot].first, index.slots[slot].epoch))?;
    }
    for id in index.ids() {
        // N2: ascending
        let position = index.get(id).expect("an id of the index");
        let segment = used.binary_search(&(position.slot as usize)).expect("a live slot") as u32;
        let Position { lsn, offset, length, .. } = position;
        stream.put(&SnapshotEntry { id, lsn, segment, offset, length }.encode())?;
    }
    stream.finish()
}

/// Gives the temporary file its final name, durably (N1).
pub(crate) fn publish(vfs: &dyn Vfs, temporary: &Temporary, name: Name) -> Result<()> {
    let text = name.text();
    // N1: the bytes are synced already.
    let renamed = vfs.rename(Path::new(&temporary.text), Path::new(&text));
    renamed.map_err(Error::io("rename", &temporary.text))?;
    vfs.sync_dir(Path::new("")).map_err(Error::io("sync", ""))
}

/// A snapshot as it is read: `None` if its bytes are not what was written.
pub(crate) struct Loaded {
    pub(crate) header: SnapshotHeader,
    pub(crate) index: Index,
}

/// Loads a snapshot; `Ok(None)` if it is damaged.
pub(crate) fn load(vfs: &dyn Vfs, name: Name, text: &str) -> Result<Option<Loaded>> {
    let file = open(vfs, text, OpenMode::Read)?;
    let size = file.size().map_err(Error::io("size of", text))?;
    let mut source =
        Source { file: &*file, text, hash: Sha256::new(), offset: 0, size, buf: Vec::new(), at: 0 };
    let Some(head) = source.take::<SNAPSHOT_HEADER>()? else { return Ok(None) };
    let Some(header) = SnapshotHeader::decode(&head, name.lsn, name.epoch, size) else {
        return Ok(None);
    };
    let mut index = Index::default();
    for _ in 0..header.segments {
        let Some(bytes) = source.take::<SNAPSHOT_SEGMENT>()? else { return Ok(None) };
        let (first, epoch) = decode_segment(&bytes);
        index.slot(first, epoch);
    }
    index.reserve(header.entries as usize); // the header's counts agree with the file's size
    for _ in 0..header.entries {
        let Some(bytes) = source.take::<SNAPSHOT_ENTRY>()? else { return Ok(None) };
        let SnapshotEntry { id, lsn, segment, offset, length } = SnapshotEntry::decode(&bytes);
        if segment as usize >= index.slots.len() {
            return Ok(None);
        }
        index.insert(id, Position { lsn, slot: segment, offset, length });
    }
    let digest = source.hash.clone().finalize();
    let stored = source.take::<SNAPSHOT_DIGEST>()?;
    Ok((stored.as_ref().map(|s| &s[..]) == Some(&digest[..])).then_some(Loaded { header, index }))
}

/// A file that is read in order, and hashed on the way.
struct Source<'a> {
    file: &'a dyn File,
    text: &'a str,
    hash: Sha256,
    offset: u64,
    size: u64,
    buf: Vec<u8>,
    at: usize,
}

impl Source<'_> {
    fn take<const N: usize>(&mut self) -> Result<Option<[u8; N]>> {
        if self.at + N > self.buf.len() {
            self.buf.drain(..self.at);
            self.at = 0;
            let kept = self.buf.len();
            let left = self.size - self.offset;
            let more = left.min((READ_SIZE_MAX - kept) as u64) as usize;
            self.buf.resize(kept + more, 0);
            let read = read_exact_at(self.file, &mut self.buf[kept..], self.offset);
            read.map_err(Error::io("read", self.text))?;
            self.offset += more as u64;
        }
        let Some(bytes) = self.buf[self.at..].first_chunk::<N>() else { return Ok(None) };
        self.hash.update(bytes);
        self.at += N;
        Ok(Some(*bytes))
    }
}

/// The LSN that everything up to is in all of the kept snapshots.
pub(crate) fn oldest_kept(snapshots: &[Name], keep: usize) -> Option<Lsn> {
    // Newest first; fewer than wanted means that falling back ends at the log's beginning.
    snapshots.get(keep.max(1) - 1).map(|name| name.lsn)
}
