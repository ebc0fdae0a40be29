//! Writing the log: frames into a buffer, the buffer into a segment, a sync, the next segment.
//!
//! Invariants
//! - L1: a life writes only into segments that it created itself.
//! - L2: a segment's name is durable before its first byte is written: stale bytes of a file that
//!   was removed could carry the right epoch otherwise.
//! - L3: `durable` grows only when the sync of the bytes, and before it the sync of their file's
//!   name, have returned `Ok`; what a frame states is that.
//! - L4: the next segment is created only after the one before it is durable to its end, in every
//!   mode: so the existence of bytes in it never runs ahead of the log.
//! - L5: after a failed write, sync, create or directory sync nothing is written any more.

use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::entry::record_checksum;
use crate::format::frame::{FrameHeader, FrameKind};
use crate::format::name::Name;
use crate::format::segment::SegmentHeader;
use crate::limits::{FRAME_HEADER, SEGMENT_HEADER, SEGMENT_SIZE_MAX, WRITE_SIZE, padded};
use crate::log::open;
use crate::positions::Positions;
use highwater_vfs::{File, OpenMode, Vfs, write_all_at};
use std::path::Path;
use std::sync::Arc;

/// The segment that this life writes.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) first: Lsn,
    pub(crate) epoch: u32,
    pub(crate) name: String,
    pub(crate) file: Arc<dyn File>,
    /// Where the buffer's first byte belongs; all before it is written.
    pub(crate) written: u64,
}

#[derive(Debug)]
pub(crate) struct Writer {
    vfs: Arc<dyn Vfs>,
    segment_size: u64,
    pub(crate) positions: Positions,
    pub(crate) active: Option<Active>,
    pub(crate) buffer: Vec<u8>,
    pub(crate) appended: Lsn,
    pub(crate) durable: Lsn,
    /// The epoch of the next segment: greater than any in the directory.
    pub(crate) next_epoch: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Works,
    Poisoned,
    ReadsOnly,
}

/// Where a frame went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appended {
    pub(crate) lsn: Lsn,
    /// The payload's offset in the segment.
    pub(crate) payload: u64,
    /// Whether the frame opened a new segment.
    pub(crate) fresh: bool,
}

impl Writer {
    pub(crate) fn new(vfs: Arc<dyn Vfs>, segment_size: u64, end: Lsn, next_epoch: u32) -> Writer {
        let positions = Positions::default();
        Writer {
            vfs,
            segment_size: segment_size.clamp(SEGMENT_HEADER as u64 + 1, SEGMENT_SIZE_MAX),
            positions,
            active: None,
            buffer: Vec::new(),
            appended: end,
            durable: end,
            next_epoch,
            state: State::Works,
        }
    }

    /// For a store that is only read: refuses everything. `durable` is what is proven to be.
    pub(crate) fn refusing(vfs: Arc<dyn Vfs>, end: Lsn, durable: Lsn) -> Writer {
        let mut writer = Writer::new(vfs, SEGMENT_SIZE_MAX, end, 0);
        (writer.durable, writer.state) = (durable, State::ReadsOnly);
        writer.positions.publish_appended(end, 0);
        writer.positions.publish_durable(durable);
        writer
    }

    pub(crate) fn reads_only(&self) -> bool {
        self.state == State::ReadsOnly
    }

    /// Recovery is over: everything it found is durable and visible.
    pub(crate) fn show(&mut self) {
        assert_eq!(self.appended, self.durable, "L3: what recovery shows is durable");
        self.positions.publish_appended(self.appended, 0);
        self.positions.publish_durable(self.durable);
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.state {
            State::Works => Ok(()),
            State::Poisoned => Err(Error::Poisoned),
            State::ReadsOnly => Err(Error::ReadOnly),
        }
    }

    /// L5: whatever fails from here on fails for good.
    pub(crate) fn fail_stop<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.state = State::Poisoned; // L5: and nothing ever resets it
        }
        result
    }

    /// Appends a record whose payload `encode` writes; `size` is the payload's size.
    pub(crate) fn append(
        &mut self,
        size: usize,
        encode: impl FnOnce(Lsn, &mut Vec<u8>),
    ) -> Result<Appended> {
        self.check()?;
        let frame = (FRAME_HEADER + padded(size)) as u64;
        if frame + SEGMENT_HEADER as u64 > SEGMENT_SIZE_MAX {
            let (size, limit) = (size as u64, SEGMENT_SIZE_MAX - 1024);
            return Err(Error::TooLarge { what: "the batch", size, limit });
        }
        let lsn = self.appended.next();
        let fresh = self.make_room(frame)?;
        let at = self.buffer.len();
        self.buffer.reserve(frame as usize);
        self.buffer.extend_from_slice(&[0; FRAME_HEADER]);
        encode(lsn, &mut self.buffer);
        assert_eq!(self.buffer.len(), at + FRAME_HEADER + size, "a payload of the size announced");
        self.seal(at, FrameKind::Record, lsn);
        self.appended = lsn;
        self.positions.publish_appended(lsn, frame);
        Ok(Appended { lsn, payload: self.position(at + FRAME_HEADER), fresh })
    }

    fn position(&self, in_buffer: usize) -> u64 {
        self.active.as_ref().map_or(0, |a| a.written) + in_buffer as u64
    }

    /// Fills in the header of the frame that begins at `at` in the buffer and ends where the
    /// buffer ends.
    fn seal(&mut self, at: usize, kind: FrameKind, lsn: Lsn) {
        let active = self.active.as_ref().expect("a frame has a segment");
        let (epoch, offset) = (active.epoch, active.written + at as u64);
        let payload = &self.buffer[at + FRAME_HEADER..];
        let header = FrameHeader {
            kind,
            lsn,
            durable: self.durable,
            length: payload.len() as u32,
            payload_crc: record_checksum(payload),
        };
        self.buffer[at..at + FRAME_HEADER].copy_from_slice(&header.encode(epoch, offset));
        self.buffer.resize(padded(self.buffer.len()), 0);
    }

    /// Rotates if the frame does not fit; true if it opens a segment.
    fn make_room(&mut self, frame: u64) -> Result<bool> {
        let position = self.position(self.buffer.len());
        if self.active.is_some() {
            if position + frame <= self.segment_size || position <= SEGMENT_HEADER as u64 {
                return Ok(false);
            }
            self.sync()?; // L4
            self.active = None;
        }
        let first = self.appended.next();
        self.create(first, first.previous(), self.durable)?;
        Ok(true)
    }

    /// Creates the next segment, its name durable before its first byte (L2).
    fn create(&mut self, first: Lsn, copied_through: Lsn, durable: Lsn) -> Result<()> {
        let epoch = self.next_epoch;
        let name = Name::segment(first, epoch).text();
        let file = open(&*self.vfs, &name, OpenMode::CreateNew); // L1: never one that is there
        let file = self.fail_stop(file)?;
        let synced = self.vfs.sync_dir(Path::new("")).map_err(Error::io("sync", ""));
        self.fail_stop(synced)?; // L2: from here on there may be bytes
        self.next_epoch += 1;
        let header = SegmentHeader { first, copied_through, durable };
        self.buffer.extend_from_slice(&header.encode(epoch));
        self.active = Some(Active { first, epoch, name, file, written: 0 });
        Ok(())
    }

    /// Begins a segment of copies (see recovery): frames that are visible, but that no statement
    /// on the disk proves durable.
    pub(crate) fn begin_copies(&mut self, first: Lsn, through: Lsn, proven: Lsn) -> Result<()> {
        (self.appended, self.durable) = (first.previous(), proven);
        self.create(first, through, proven)
    }

    /// Copies one frame; returns its payload's offset.
    pub(crate) fn copy(&mut self, lsn: Lsn, payload: &[u8]) -> Result<u64> {
        assert_eq!(lsn, self.appended.next(), "G2: copies are consecutive");
        let at = self.buffer.len();
        self.buffer.resize(at + FRAME_HEADER, 0);
        self.buffer.extend_from_slice(payload);
        self.seal(at, FrameKind::Record, lsn);
        self.appended = lsn;
        self.positions.publish_appended(lsn, 0);
        let offset = self.position(at + FRAME_HEADER);
        if self.buffer.len() >= WRITE_SIZE {
            self.write_out()?;
        }
        Ok(offset)
    }

    /// Makes what was appended visible to a reader of the file: it survives the process.
    pub(crate) fn write_out(&mut self) -> Result<()> {
        self.check()?;
        let Some(active) = &mut self.active else { return Ok(()) };
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = write_all_at(&*active.file, &self.buffer, active.written);
        let result = written.map_err(Error::io("write", &active.name));
        if result.is_ok() {
            active.written += self.buffer.len() as u64;
            self.buffer.clear();
        }
        self.fail_stop(result)
    }

    /// Writes out if enough has gathered for an efficient write.
    pub(crate) fn write_out_if_full(&mut self) -> Result<()> {
        if self.buffer.len() >= WRITE_SIZE { self.write_out() } else { Ok(()) }
    }

    /// Makes what was appended durable (L3).
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.check()?;
        if self.durable == self.appended {
            return Ok(());
        }
        self.write_out()?;
        let active = self.active.as_ref().expect("what is not durable has a segment");
        let synced = active.file.sync().map_err(Error::io("sync", &active.name));
        self.fail_stop(synced)?;
        self.durable = self.appended;
        self.positions.publish_durable(self.durable);
        Ok(())
    }

    /// States a clean shutdown, so that the next life need not copy what is durable.
    pub(crate) fn mark(&mut self) -> Result<()> {
        self.sync()?;
        let Some(active) = &self.active else { return Ok(()) };
        let name = active.name.clone();
        let at = self.buffer.len();
        self.buffer.resize(at + FRAME_HEADER, 0);
        self.seal(at, FrameKind::Mark, self.appended);
        self.write_out()?;
        let file = &self.active.as_ref().expect("it was there").file;
        let synced = file.sync().map_err(Error::io("sync", &name));
        self.fail_stop(synced)
    }
}
