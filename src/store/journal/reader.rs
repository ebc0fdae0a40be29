//! Reading a journal from a position on, beside whoever appends.

use super::records::{HASHED, RECORD, Records};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::entry::entries;
use crate::format::name::Name;
use crate::log::scan::Scan;
use crate::options::Level;
use std::sync::Arc;

/// Reads records in order. See [`Journal::reader`](super::Journal::reader).
#[derive(Debug)]
pub struct JournalReader {
    engine: Arc<Engine<Records>>,
    next: Lsn,
    open: Option<Open>,
}

/// The segment that is being read.
struct Open {
    scan: Scan,
    name: String,
    /// Nothing above it has been seen to count.
    last: Lsn,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to LSN {}", self.name, self.last)
    }
}

impl JournalReader {
    pub(super) fn new(engine: Arc<Engine<Records>>, from: Lsn) -> JournalReader {
        JournalReader { engine, next: from, open: None }
    }

    /// The position that it reads next: what to register as a cursor.
    pub fn position(&self) -> Lsn {
        self.next
    }

    /// The next record and its position; `None` if there is no further one yet. If the records at
    /// its position are gone, it goes on with the first that is kept.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if bytes are damaged; [`Error::Io`].
    pub fn next_record(&mut self) -> Result<Option<(Lsn, Vec<u8>)>> {
        self.next_up_to(Lsn(u64::MAX))
    }

    pub(super) fn next_up_to(&mut self, most: Lsn) -> Result<Option<(Lsn, Vec<u8>)>> {
        loop {
            if self.next > most {
                return Ok(None);
            }
            // A miss: look again at which segments there are, and how far they go.
            if self.open.as_ref().is_none_or(|open| self.next > open.last) && !self.seek()? {
                return Ok(None);
            }
            let Some(open) = &mut self.open else { return Ok(None) };
            let limit = open.last.min(most).next();
            let frame = open.scan.frame(limit).map_err(Error::io("read", &open.name))?;
            let Some(frame) = frame else { return self.ended(most) };
            let lsn = frame.header.lsn;
            if lsn < self.next {
                continue;
            }
            self.next = lsn.next();
            let entry = entries(frame.payload).next().map(|(_, entry)| entry);
            let Some(bytes) = entry.and_then(|entry| content(entry.id, entry.bytes?)) else {
                continue; // a cursor's
            };
            return match bytes {
                Ok(bytes) => Ok(Some((lsn, bytes.to_vec()))),
                Err(actual) => {
                    let expected = format!("the BLAKE3 of LSN {lsn}");
                    Err(Error::corrupt(open.name.clone(), frame.offset, expected, actual))
                }
            };
        }
    }

    /// Nothing more in this segment, which should have held the next one.
    fn ended(&mut self, most: Lsn) -> Result<Option<(Lsn, Vec<u8>)>> {
        let open = self.open.take().expect("it was read");
        if self.next > open.last.min(most) {
            return self.next_up_to(most);
        }
        let expected = format!("the frame of LSN {}", self.next);
        Err(Error::corrupt(open.name, open.scan.offset, expected, "bytes that are no such frame"))
    }

    /// Opens the segment that holds the next record; false if there is none.
    fn seek(&mut self) -> Result<bool> {
        self.open = None;
        let state = self.engine.state.read();
        self.next = self.next.max(state.first);
        let Some((slot, offset, lsn)) = state.start(self.next) else { return Ok(false) };
        let (first, epoch, mut last) = (slot.first, slot.epoch, slot.last);
        self.next = self.next.max(lsn);
        let file = Arc::clone(slot.file.as_ref().expect("it is open"));
        drop(state);
        let written = self.engine.positions.written();
        if written < self.next {
            self.engine.ask(Level::Flushed)?;
        } else {
            last = last.min(written); // P12: what is in the file can be read, whatever has failed
        }
        let name = Name::segment(first, epoch).text();
        let scan = Scan::begin(file, first, epoch).map_err(Error::io("read", &name))?;
        let mut open = Open { scan, name, last };
        open.scan.resume_at(offset, lsn);
        self.open = Some(open);
        Ok(true)
    }
}

/// The bytes of a record, or how its hash is wrong; `None` of what is not one.
fn content(id: u64, bytes: &[u8]) -> Option<std::result::Result<&[u8], String>> {
    match id {
        RECORD => Some(Ok(bytes)),
        HASHED => {
            let (hash, content) = bytes.split_first_chunk::<{ blake3::OUT_LEN }>()?;
            let actual = blake3::hash(content);
            let good = actual.as_bytes() == hash;
            Some(if good { Ok(content) } else { Err(format!("bytes with BLAKE3 {actual}")) })
        }
        _ => None,
    }
}
