//! What the subjects share: the buffered writer and the reader that all five have, and callers'
//! operations as a payload.

use crate::museum::kit::{Disk, State, allocate};
use highwater_vfs::{File, read_exact_at, write_all_at};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// A file in append mode behind a buffer. What a flush could not write stays in the buffer, as in
/// the standard libraries of Rust and Go; nobody here writes more at once than it holds.
#[derive(Debug)]
pub(super) struct Appender {
    pub(super) file: Arc<dyn File>,
    buffer: Vec<u8>,
}

impl Appender {
    pub(super) fn new(file: Arc<dyn File>) -> Appender {
        Appender { file, buffer: Vec::new() }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.buffer.is_empty() {
            match self.file.write_at(&self.buffer, self.file.size()?) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => drop(self.buffer.drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.flush()?;
        self.file.sync()
    }

    /// Of the file, when all is written.
    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(self.file.size()? + self.buffer.len() as u64)
    }
}

/// Fields of a file, one after the other.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    file: &'a dyn File,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a dyn File, at: u64) -> io::Result<Reader<'a>> {
        Ok(Reader { file, at, end: file.size()? })
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    pub(super) fn left(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// The next bytes.
    ///
    /// # Errors
    /// `UnexpectedEof` if there are not so many.
    pub(super) fn take(&mut self, count: u64) -> io::Result<Vec<u8>> {
        if count > self.left() {
            self.at = self.end;
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = allocate(count);
        read_exact_at(self.file, &mut bytes, self.at)?;
        self.at += count;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        self.take(N as u64).map(|bytes| bytes.try_into().expect("as many as asked for"))
    }
}

/// Whether an error says that a file ends in the middle of something, or that it is no such thing.
pub(super) fn is_torn(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData)
}

/// What was found is durable before it is shown, and so is its name.
pub(super) fn settle(disk: &Disk, file: &dyn File) -> io::Result<()> {
    file.sync()?;
    disk.sync_dir(Path::new(""))
}

/// No life here appends more than this before the next one looks.
const ROOM: usize = 160;

/// Ends a log at `end` so that a life may go on there. Behind it an unfinished record may lie and
/// not show, because its bytes were kept and its length was not: the room is made zeros first.
pub(super) fn cut(file: &dyn File, end: u64) -> io::Result<()> {
    write_all_at(file, &[0; ROOM], end)?;
    file.sync()?;
    file.set_len(end)?;
    file.sync()
}

/// Key and value as a payload; a key alone deletes.
pub(super) fn payload(key: u64, value: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = key.to_le_bytes().to_vec();
    bytes.push(u8::from(value.is_some()));
    bytes.extend(value.unwrap_or_default());
    bytes
}

pub(super) fn apply(state: &mut State, payload: &[u8]) {
    let Some((key, rest)) = payload.split_first_chunk::<8>() else { return };
    let key = u64::from_le_bytes(*key);
    match rest.split_first() {
        Some((1, value)) => drop(state.insert(key, value.to_vec())),
        _ => drop(state.remove(&key)),
    }
}
