//! Reading a journal from a position on, beside whoever appends.

use super::records::{HASHED, RECORD, Records};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::entry::entries;
use crate::format::name::Name;
use crate::log::scan::Scan;
use crate::options::Level;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// Reads records in order. See [`Journal::reader`](super::Journal::reader).
#[derive(Debug)]
pub struct JournalReader {
    engine: Arc<Engine<Records>>,
    next: Lsn,
    open: Option<Open>,
    /// What was refused last, until something else is read.
    refused: Option<Lsn>,
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
        JournalReader { engine, next: from, open: None, refused: None }
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

    /// Leaves out what the last call of [`next_record`](JournalReader::next_record) has refused as
    /// damaged, and goes on behind it: with the next record if it can still be told where that is,
    /// else with the next place that the journal remembers, some 16 KiB further on at most, or in
    /// the next segment. Returns the positions that are left out, intact ones and those of cursors
    /// among them; `None` if nothing was refused, or there is no such place.
    ///
    /// ```
    /// # use highwater::{Error, Journal, Lsn, Options};
    /// # let dir = std::env::temp_dir().join(format!("highwater-skip-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// # let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(&dir)?);
    /// # let journal = Journal::open(disk, Options::default())?;
    /// # journal.append(b"one")?;
    /// let mut reader = journal.reader(Lsn(1));
    /// loop {
    ///     match reader.next_record() {
    ///         Ok(Some((lsn, bytes))) => println!("{lsn}: {} bytes", bytes.len()),
    ///         Ok(None) => break,
    ///         Err(Error::Corrupt(damage)) => match reader.skip_damage()? {
    ///             Some(lost) => println!("{damage}; without {} to {}", lost.start(), lost.end()),
    ///             None => break,
    ///         },
    ///         Err(error) => return Err(error.into()),
    ///     }
    /// }
    /// # drop((journal, reader));
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn skip_damage(&mut self) -> Result<Option<RangeInclusive<Lsn>>> {
        let Some(from) = self.refused.take() else { return Ok(None) };
        if let Some(open) = &mut self.open
            && self.next == from
            && (open.scan.next > from // another hash in a sound frame
                || open.scan.pass_over().map_err(Error::io("read", &open.name))?)
        {
            self.next = from.next();
        }
        if self.next == from {
            let Some(to) = self.engine.state.read().marked_behind(from) else { return Ok(None) };
            (self.open, self.next) = (None, to);
        }
        Ok(Some(from..=self.next.previous()))
    }

    pub(super) fn next_up_to(&mut self, most: Lsn) -> Result<Option<(Lsn, Vec<u8>)>> {
        if self.refused.take().is_some() {
            self.open = None; // the file may have been mended meanwhile
        }
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
            let Some(frame) = frame else {
                // What is damaged may stand between the mark and the record that is wanted.
                let before = open.scan.next < self.next;
                if before && open.scan.pass_over().map_err(Error::io("read", &open.name))? {
                    continue;
                }
                return self.ended(most);
            };
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
                    (self.refused, self.next) = (Some(lsn), lsn);
                    let expected = format!("the BLAKE3 of LSN {lsn}");
                    Err(Error::corrupt(open.name.clone(), frame.offset, expected, actual))
                }
            };
        }
    }

    /// Nothing more in this segment, which should have held the next one.
    fn ended(&mut self, most: Lsn) -> Result<Option<(Lsn, Vec<u8>)>> {
        let open = self.open.as_ref().expect("it was read");
        if self.next > open.last.min(most) {
            self.open = None;
            return self.next_up_to(most);
        }
        self.refused = Some(self.next);
        let (name, expected) = (open.name.clone(), format!("the frame of LSN {}", self.next));
        Err(Error::corrupt(name, open.scan.offset, expected, "bytes that are no such frame"))
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
