//! Reading a segment. A reader never writes and never repairs: it reports where it stopped, and
//! what the disk says about what should have been there.
//!
//! Invariants
//! - G1: no length is believed before its header's checksum has passed and it fits the file; so no
//!   allocation is larger than the file.
//! - G4: a file that has nothing but zeros behind a frame ends there: that is reserved room, or a
//!   length that has outlived its bytes.
//! - G2: frames are taken in the order of their LSNs, without a gap.

use crate::format::Lsn;
use crate::format::entry::{difference, verify};
use crate::format::frame::{FrameHeader, FrameKind};
use crate::format::segment::SegmentHeader;
use crate::limits::{
    ALIGN, FRAME_HEADER, READ_SIZE_MAX, READ_SIZE_MIN, SEGMENT_HEADER, SEGMENT_SIZE_MAX,
};
use highwater_vfs::{File, read_full_at};
use std::io;
use std::sync::Arc;

/// A window on a file that grows while it is read in order.
pub(crate) struct Reader {
    pub(crate) file: Arc<dyn File>,
    pub(crate) size: u64,
    /// Never shrinks: what was a window once needs no zeros to be read into again.
    buf: Vec<u8>,
    /// The window: from `start` in the file, `len` bytes.
    start: u64,
    len: usize,
    ahead: usize,
}

impl Reader {
    pub(crate) fn new(file: Arc<dyn File>) -> io::Result<Reader> {
        let size = file.size()?;
        Ok(Reader { file, size, buf: Vec::new(), start: 0, len: 0, ahead: READ_SIZE_MIN })
    }

    /// The bytes from `offset` on: `want` of them, or fewer at the end of the file.
    #[inline]
    pub(crate) fn bytes(&mut self, offset: u64, want: usize) -> io::Result<&[u8]> {
        let left = self.size.saturating_sub(offset);
        let want = (want as u64).min(left) as usize; // G1
        if offset < self.start || offset + want as u64 > self.start + self.len as u64 {
            self.fill(offset, want, left)?;
        }
        let from = (offset - self.start) as usize;
        let to = (from + want).min(self.len);
        Ok(&self.buf[from..to])
    }

    /// Whether there is something behind `offset`, and all of it is zero.
    #[cold]
    fn ends_in_zeros(&mut self, mut offset: u64) -> io::Result<bool> {
        while offset < self.size {
            let bytes = self.bytes(offset, READ_SIZE_MIN)?;
            if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            offset += bytes.len() as u64;
        }
        Ok(true)
    }

    /// Lets the memory go: there is nothing more to read, but the file stays open.
    pub(crate) fn release(&mut self) {
        (self.buf, self.len, self.ahead) = (Vec::new(), 0, READ_SIZE_MIN);
    }

    /// Moves the window to `offset`, with `want` bytes in it and more if the file has `left`.
    #[cold]
    fn fill(&mut self, offset: u64, want: usize, left: u64) -> io::Result<()> {
        let end = self.start + self.len as u64;
        let kept = if (self.start..=end).contains(&offset) { (end - offset) as usize } else { 0 };
        self.buf.copy_within(self.len - kept..self.len, 0);
        (self.start, self.len) = (offset, kept);
        let fill = (want.max(kept + self.ahead) as u64).min(left) as usize;
        self.ahead = (self.ahead * 2).min(READ_SIZE_MAX);
        if self.buf.len() < fill {
            self.buf.resize(fill, 0);
        }
        self.len += read_full_at(&*self.file, &mut self.buf[kept..fill], offset + kept as u64)?;
        Ok(())
    }
}

/// A frame that a scan passed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) header: FrameHeader,
    pub(crate) offset: u64,
    pub(crate) payload: &'a [u8],
}

/// Why a scan could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    Header,
    /// The header is intact, so it is known what the payload should be. Equal: the padding is bad.
    Payload {
        expected: u32,
        actual: u32,
    },
    /// The header is intact, and the file ends before the payload does.
    Cut,
    /// An intact frame with another LSN than the next.
    Sequence(Lsn),
}

/// Walks the frames of one segment.
pub(crate) struct Scan {
    pub(crate) reader: Reader,
    pub(crate) first: Lsn,
    pub(crate) epoch: u32,
    pub(crate) header: Option<SegmentHeader>,
    pub(crate) offset: u64,
    pub(crate) next: Lsn,
    /// The highest statement met.
    pub(crate) statement: Lsn,
    pub(crate) bad: Option<Bad>,
    marked: bool,
}

impl Scan {
    /// Reads the segment's header.
    pub(crate) fn begin(file: Arc<dyn File>, first: Lsn, epoch: u32) -> io::Result<Scan> {
        let mut reader = Reader::new(file)?;
        let header = SegmentHeader::decode(reader.bytes(0, SEGMENT_HEADER)?, first, epoch);
        let statement = header.map_or(Lsn(0), |h| h.durable);
        let bad = header.is_none().then_some(Bad::Header);
        let offset = SEGMENT_HEADER as u64;
        Ok(Scan {
            reader,
            first,
            epoch,
            header,
            offset,
            next: first,
            statement,
            bad,
            marked: false,
        })
    }

    /// Goes on at a frame boundary that a snapshot vouches for.
    pub(crate) fn resume_at(&mut self, offset: u64, next: Lsn) {
        (self.offset, self.next) = (offset, next);
        self.bad = None; // the header is not needed for what comes
    }

    /// Goes back to the first frame.
    pub(crate) fn rewind(&mut self) {
        self.resume_at(SEGMENT_HEADER as u64, self.first);
        self.bad = self.header.is_none().then_some(Bad::Header);
        self.marked = false;
    }

    /// The next frame below `limit`; `None` at the end of the file, at `limit`, or at a bad frame.
    pub(crate) fn frame(&mut self, limit: Lsn) -> io::Result<Option<Frame<'_>>> {
        loop {
            if self.bad.is_some() || self.next >= limit || self.offset >= self.reader.size {
                return Ok(None);
            }
            let offset = self.offset;
            let head = self.reader.bytes(offset, FRAME_HEADER)?;
            let Some(header) = FrameHeader::decode(head, self.epoch, offset) else {
                if self.reader.ends_in_zeros(offset)? {
                    self.reader.size = offset; // G4
                } else {
                    self.bad = Some(Bad::Header);
                }
                return Ok(None);
            };
            self.statement = self.statement.max(header.durable);
            let record = header.kind == FrameKind::Record;
            let due = if record { self.next } else { self.next.previous() };
            if header.lsn != due || self.marked {
                self.bad = Some(Bad::Sequence(header.lsn)); // G2
                return Ok(None);
            }
            let left = self.reader.size - offset;
            if FRAME_HEADER as u64 + u64::from(header.length) > left {
                self.bad = Some(Bad::Cut);
                return Ok(None);
            }
            self.offset = offset + header.size();
            if !record {
                self.marked |= header.kind == FrameKind::Mark;
                continue;
            }
            return self.payload(offset, header);
        }
    }

    fn payload(&mut self, offset: u64, header: FrameHeader) -> io::Result<Option<Frame<'_>>> {
        let whole = FRAME_HEADER + header.length as usize;
        let payload = &self.reader.bytes(offset, whole)?[FRAME_HEADER..];
        let actual = verify(payload, header.lsn);
        if actual != Some(header.payload_crc) || payload.len() < header.length as usize {
            let (expected, actual) = difference(payload, header.lsn, header.payload_crc);
            self.offset = offset;
            self.bad = Some(Bad::Payload { expected, actual });
            return Ok(None);
        }
        self.next = self.next.next();
        // Borrowed again: the borrow checker cannot see that the early return is over.
        let payload = &self.reader.bytes(offset, whole)?[FRAME_HEADER..];
        Ok(Some(Frame { header, offset, payload }))
    }

    /// After a bad frame: goes on behind it if its header is intact; whether it is.
    pub(crate) fn pass_over(&mut self) -> io::Result<bool> {
        let (offset, next) = (self.offset, self.next);
        let header =
            FrameHeader::decode(self.reader.bytes(offset, FRAME_HEADER)?, self.epoch, offset);
        let due = |h: &FrameHeader| h.kind == FrameKind::Record && h.lsn == next;
        let Some(header) = header.filter(due) else { return Ok(false) };
        self.resume_at(offset + header.size(), next.next());
        Ok(true)
    }

    /// Looks for statements from here to the end of the file: by intact headers where there are
    /// any, else in steps of the alignment.
    pub(crate) fn search_statements(&mut self) -> io::Result<()> {
        let mut offset = self.offset;
        while offset + FRAME_HEADER as u64 <= self.reader.size {
            let head = self.reader.bytes(offset, FRAME_HEADER)?;
            match FrameHeader::decode(head, self.epoch, offset) {
                Some(header) if header.size() <= SEGMENT_SIZE_MAX => {
                    self.statement = self.statement.max(header.durable);
                    offset += header.size();
                }
                _ => offset += ALIGN as u64,
            }
        }
        Ok(())
    }
}
