//! redb's files on our disk.

use highwater_vfs::{File, read_exact_at, write_all_at};
use parking_lot::Mutex;
use redb::StorageBackend;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A file of our disk as what redb keeps its pages in.
///
/// redb asks for a megabyte at once, for a handful of pages: length that nothing was written to is
/// not given to the file. Dropping a database writes to its file once more, unless
/// [`detach`](Backend::detach) was called: a process that dies writes nothing either, so nothing
/// may depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    file: Arc<dyn File>,
    lengths: Arc<Mutex<Lengths>>,
    detached: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Lengths {
    /// As redb has it.
    asked: u64,
    /// The file's.
    real: u64,
}

impl Backend {
    /// An empty file that is open to write.
    pub(crate) fn new(file: Arc<dyn File>) -> Backend {
        let lengths = Arc::new(Mutex::new(Lengths { asked: 0, real: 0 }));
        Backend { file, lengths, detached: Arc::default() }
    }

    /// From now on every call fails, of all clones.
    pub(crate) fn detach(&self) {
        self.detached.store(true, Ordering::Release);
    }

    fn file(&self) -> io::Result<&dyn File> {
        match self.detached.load(Ordering::Acquire) {
            true => Err(io::Error::new(ErrorKind::NotConnected, "the store was dropped")),
            false => Ok(&*self.file),
        }
    }
}

/// Reads what lies below `real` from the file; zeros stand behind it, up to `asked`.
fn read(file: &dyn File, out: &mut [u8], offset: u64, real: u64, asked: u64) -> io::Result<()> {
    if offset.checked_add(out.len() as u64).is_none_or(|end| end > asked) {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let there = real.saturating_sub(offset).min(out.len() as u64) as usize;
    let (old, beyond) = out.split_at_mut(there);
    beyond.fill(0);
    read_exact_at(file, old, offset)
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lengths.lock().asked)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let lengths = self.lengths.lock();
        read(self.file()?, out, offset, lengths.real, lengths.asked)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut lengths = self.lengths.lock();
        if len < lengths.real {
            self.file()?.set_len(len)?;
            lengths.real = len;
        }
        lengths.asked = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file()?.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut lengths = self.lengths.lock();
        write_all_at(self.file()?, data, offset)?;
        lengths.real = lengths.real.max(offset + data.len() as u64);
        lengths.asked = lengths.asked.max(lengths.real);
        Ok(())
    }
}

/// Bytes of a block that an [`Overlay`] keeps once it is written.
const BLOCK: u64 = 4096;

/// What redb has room for at least, whatever the file's length. It makes its layout anew from the
/// length of a file that was not closed, and has a smallest one.
const ROOM: u64 = 1 << 20;

/// A file that is only read: what is written to it stays in memory. redb repairs what it opens, and
/// recovery here must not write while it reads.
#[derive(Debug)]
pub(crate) struct Overlay {
    file: Arc<dyn File>,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    len: u64,
    /// Beyond this the file is not what is read any more.
    below: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    pub(crate) fn new(file: Arc<dyn File>) -> io::Result<Overlay> {
        let below = file.size()?;
        let len = below.next_multiple_of(BLOCK).max(ROOM);
        Ok(Overlay { file, written: Mutex::new(Written { len, below, blocks: BTreeMap::new() }) })
    }
}

/// The parts of a range, each in one block: its number, where in it, how many bytes.
fn parts(offset: u64, size: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = (at % BLOCK) as usize;
        let bytes = (BLOCK as usize - within).min(size - done);
        done += bytes;
        (bytes > 0).then_some((at / BLOCK, within, bytes))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written.lock().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written.lock();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > written.len) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut rest = out;
        for (block, within, bytes) in parts(offset, rest.len()) {
            let (part, behind) = rest.split_at_mut(bytes);
            match written.blocks.get(&block) {
                Some(new) => part.copy_from_slice(&new[within..within + bytes]),
                None => {
                    let at = block * BLOCK + within as u64;
                    read(&*self.file, part, at, written.below, written.len)?;
                }
            }
            rest = behind;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written.lock();
        if len < written.len {
            written.below = written.below.min(len);
            written.blocks.retain(|block, _| block * BLOCK < len);
            if let Some(last) = written.blocks.get_mut(&(len / BLOCK)) {
                last[(len % BLOCK) as usize..].fill(0);
            }
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written.lock();
        let mut rest = data;
        for (block, within, bytes) in parts(offset, data.len()) {
            if !written.blocks.contains_key(&block) {
                let mut old = vec![0; BLOCK as usize];
                read(&*self.file, &mut old, block * BLOCK, written.below, u64::MAX)?;
                written.blocks.insert(block, old);
            }
            let new = written.blocks.get_mut(&block).expect("it was just put there");
            new[within..within + bytes].copy_from_slice(&rest[..bytes]);
            rest = &rest[bytes..];
        }
        written.len = written.len.max(offset + data.len() as u64);
        Ok(())
    }
}
