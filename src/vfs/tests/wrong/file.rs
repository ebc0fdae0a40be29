//! The wrong handles.

use super::Bug;
use highwater_vfs::{File, OpenMode, read_full_at, write_all_at};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

#[derive(Debug)]
pub(crate) struct WrongFile {
    inner: Arc<dyn File>,
    mode: OpenMode,
    bugs: Vec<Bug>,
    /// The name on the real disk, for the one that follows it.
    place: PathBuf,
    /// What `BuffersWrites` keeps to itself.
    buffer: Mutex<Option<Vec<u8>>>,
    /// What `set_len` cut off last, and from where.
    cut: Mutex<(u64, Vec<u8>)>,
    size_at_open: u64,
}

impl WrongFile {
    pub(crate) fn new(
        inner: Arc<dyn File>,
        mode: OpenMode,
        bugs: Vec<Bug>,
        place: PathBuf,
    ) -> WrongFile {
        let size_at_open = inner.size().unwrap_or(0);
        let (buffer, cut) = (Mutex::default(), Mutex::default());
        WrongFile { inner, mode, bugs, place, buffer, cut, size_at_open }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bugs.contains(&bug)
    }

    /// Does `change` to the name, as if it were the file.
    fn by_name(&self, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut bytes = std::fs::read(&self.place)?;
        change(&mut bytes);
        std::fs::write(&self.place, bytes)
    }

    fn contents(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.inner.size()? as usize];
        read_full_at(&*self.inner, &mut bytes, 0)?;
        Ok(bytes)
    }

    fn flush(&self) -> io::Result<()> {
        match self.buffer.lock().unwrap().take() {
            Some(bytes) => write_all_at(&*self.inner, &bytes, 0),
            None => Ok(()),
        }
    }

    fn fill(&self, from: u64, to: u64) -> io::Result<()> {
        let bytes = vec![0xAA; to.saturating_sub(from) as usize];
        write_all_at(&*self.inner, &bytes, from)
    }

    /// Writes back, below `end`, what was cut.
    fn bring_back(&self, end: u64) -> io::Result<()> {
        let (from, bytes) = std::mem::take(&mut *self.cut.lock().unwrap());
        let size = bytes.len().min(end.saturating_sub(from) as usize);
        write_all_at(&*self.inner, &bytes[..size], from)
    }

    /// Whether this is a `Read` handle that allows what it should refuse.
    fn allows(&self, call: Bug) -> bool {
        self.mode == OpenMode::Read && self.has(call)
    }
}

impl Drop for WrongFile {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

impl File for WrongFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        assert!(!self.has(Bug::Panics), "planted");
        let refuses = match self.mode {
            OpenMode::Write => self.has(Bug::WriteHandleDoesNotRead),
            OpenMode::CreateNew => self.has(Bug::CreateNewHandleDoesNotRead),
            OpenMode::Read => false,
        };
        if refuses {
            return Err(ErrorKind::PermissionDenied.into());
        }
        if self.has(Bug::AlwaysInterrupted) {
            return Err(ErrorKind::Interrupted.into());
        }
        if self.has(Bug::EmptyReadIsError) && buf.is_empty() {
            return Err(ErrorKind::InvalidInput.into());
        }
        if self.has(Bug::ReadEndsInError) && !buf.is_empty() && offset >= self.inner.size()? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if self.has(Bug::ReadFarIsError) && offset > i64::MAX as u64 {
            return Err(ErrorKind::InvalidInput.into());
        }
        if self.has(Bug::FollowsName) {
            let bytes = std::fs::read(&self.place)?;
            let rest = bytes.get(offset as usize..).unwrap_or_default();
            let size = rest.len().min(buf.len());
            buf[..size].copy_from_slice(&rest[..size]);
            return Ok(size);
        }
        if let Some(bytes) = &*self.buffer.lock().unwrap() {
            let rest = bytes.get(offset as usize..).unwrap_or_default();
            let size = rest.len().min(buf.len());
            buf[..size].copy_from_slice(&rest[..size]);
            return Ok(size);
        }
        let offset = if self.has(Bug::ReadIgnoresOffset) { 0 } else { offset };
        let read = self.inner.read_at(buf, offset)?;
        match () {
            () if self.has(Bug::ReadOvercounts) && read > 0 => Ok(read + 1),
            () if self.has(Bug::ReadPads) => Ok(buf.len()),
            () => Ok(read),
        }
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let ignored = match self.mode {
            OpenMode::Read => self.has(Bug::ReadHandleIgnoresWrites),
            OpenMode::Write => self.has(Bug::WriteIgnored),
            OpenMode::CreateNew => false,
        };
        if ignored {
            return Ok(buf.len());
        }
        if self.mode == OpenMode::Read {
            return self.inner.write_at(buf, offset);
        }
        if self.has(Bug::FollowsName) {
            let end = offset as usize + buf.len();
            self.by_name(|bytes| {
                bytes.resize(bytes.len().max(end), 0);
                bytes[offset as usize..end].copy_from_slice(buf);
            })?;
            return Ok(buf.len());
        }
        if self.has(Bug::BuffersWrites) {
            let mut buffer = self.buffer.lock().unwrap();
            let bytes = match &mut *buffer {
                Some(bytes) => bytes,
                none => none.insert(self.contents()?),
            };
            let end = offset as usize + buf.len();
            bytes.resize(bytes.len().max(end), 0);
            bytes[offset as usize..end].copy_from_slice(buf);
            return Ok(buf.len());
        }
        let size = self.inner.size()?;
        if buf.is_empty() {
            if self.has(Bug::EmptyWriteExtends) && offset > size {
                self.inner.set_len(offset)?;
            }
            return Ok(0);
        }
        if self.has(Bug::WritesNothing) {
            return Ok(0);
        }
        if self.has(Bug::NeverExtends) && size > 0 && offset + buf.len() as u64 > size {
            return Err(ErrorKind::FileTooLarge.into());
        }
        if self.has(Bug::GapIsGarbage) && offset > size {
            self.fill(size, offset)?;
        }
        if self.has(Bug::GapShowsCutBytes) && offset > size {
            self.bring_back(offset)?;
        }
        if self.has(Bug::WriteZeroesSector) && offset < size {
            let end = (offset / 512 + 1) * 512;
            write_all_at(&*self.inner, &vec![0; (end.min(size) - offset) as usize], offset)?;
        }
        let offset = if self.has(Bug::AlwaysAppends) { size } else { offset };
        let written = self.inner.write_at(buf, offset)?;
        if self.has(Bug::WriteTruncatesBehind) {
            self.inner.set_len(offset + written as u64)?;
        }
        Ok(written + usize::from(self.has(Bug::WriteOvercounts)))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.allows(Bug::ReadHandleSetsLen) {
            return Ok(());
        }
        if self.mode == OpenMode::Read {
            return self.inner.set_len(len);
        }
        if self.has(Bug::FollowsName) {
            return self.by_name(|bytes| bytes.resize(len as usize, 0));
        }
        self.flush()?;
        let contents = self.contents()?;
        let size = contents.len() as u64;
        if (self.has(Bug::SetLenNeverCuts) && len < size)
            || (self.has(Bug::SetLenNeverGrows) && len > size)
        {
            return Ok(());
        }
        if len < size {
            *self.cut.lock().unwrap() = (len, contents[len as usize..].to_vec());
        }
        if self.has(Bug::SetLenSameEmpties) && len == size {
            return self.inner.set_len(0);
        }
        self.inner.set_len(len)?;
        if self.has(Bug::GrowthIsGarbage) && len > size {
            self.fill(size, len)?;
        }
        if self.has(Bug::CutBytesComeBack) && len > size {
            self.bring_back(len)?;
        }
        Ok(())
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        if self.has(Bug::ReserveCuts) || self.size()? < len { self.set_len(len) } else { Ok(()) }
    }

    fn size(&self) -> io::Result<u64> {
        if self.has(Bug::FollowsName) {
            return Ok(std::fs::metadata(&self.place)?.len());
        }
        if self.has(Bug::CachesLength) && self.mode == OpenMode::Read {
            return Ok(self.size_at_open);
        }
        match &*self.buffer.lock().unwrap() {
            Some(bytes) => Ok(bytes.len() as u64),
            None => self.inner.size(),
        }
    }

    fn sync(&self) -> io::Result<()> {
        if self.allows(Bug::ReadHandleSyncs) {
            return Ok(());
        }
        self.flush()?;
        if self.has(Bug::SyncPads) && self.mode != OpenMode::Read {
            self.inner.set_len(self.inner.size()?.next_multiple_of(4_096))?;
        }
        self.inner.sync()
    }
}

/// What `OpensDirectories` gives for a directory.
#[derive(Debug)]
pub(crate) struct Nothing;

impl File for Nothing {
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Ok(0)
    }
    fn set_len(&self, _: u64) -> io::Result<()> {
        Ok(())
    }
    fn size(&self) -> io::Result<u64> {
        Ok(0)
    }
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
