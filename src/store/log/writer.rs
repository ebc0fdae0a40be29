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
//! - L7: reserved room is zeros behind the last frame, and never behind a later segment's first
//!   byte; that it could not be had is no failure.
//! - L8: behind a sync that made much durable, and with nothing behind it, a statement is written,
//!   and not synced: if the process dies, the next life need not copy it all.
//! - L6: what was appended and is not written stands in the buffer or in the batch that is on its
//!   way, and can be read there.

use crate::counters::Counters;
use crate::error::{Error, Result};
use crate::format::entry::record_checksum;
use crate::format::frame::{FrameHeader, FrameKind};
use crate::format::name::Name;
use crate::format::segment::SegmentHeader;
use crate::format::{Lsn, ViewKind};
use crate::limits::{
    FRAME_HEADER, RESERVE_MIN, SEGMENT_HEADER, SEGMENT_SIZE_MAX, STATEMENT_MIN, WRITE_SIZE, padded,
};
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
    pub(crate) name: Arc<str>,
    pub(crate) file: Arc<dyn File>,
    /// All before it is written.
    pub(crate) written: u64,
    /// Where the buffer's first byte belongs: behind what is on its way.
    taken: u64,
    /// To here the file is extended ahead.
    reserved: u64,
}

#[derive(Debug)]
pub(crate) struct Writer {
    vfs: Arc<dyn Vfs>,
    segment_size: u64,
    view: ViewKind,
    /// How far ahead of a synced write room is reserved, at most.
    reserve: u64,
    pub(crate) positions: Positions,
    pub(crate) counters: Arc<Counters>,
    pub(crate) active: Option<Active>,
    buffer: Vec<u8>,
    /// What is being written; after a failure, what was not.
    on_its_way: Option<Arc<Vec<u8>>>,
    /// The memory of the last batch, for the next one.
    spare: Vec<u8>,
    pub(crate) appended: Lsn,
    pub(crate) written: Lsn,
    pub(crate) durable: Lsn,
    /// Bytes appended since the last snapshot.
    pub(crate) growth: u64,
    /// Bytes appended since the last sync.
    unsynced: u64,
    /// The epoch of the next segment: greater than any in the directory.
    pub(crate) next_epoch: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Works,
    Poisoned,
    ReadsOnly,
    Closed,
}

/// How segments grow, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizes {
    pub(crate) segment: u64,
    pub(crate) reserve: u64,
    pub(crate) view: ViewKind,
}

/// Where a frame went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Appended {
    pub(crate) lsn: Lsn,
    /// The payload's offset in the segment.
    pub(crate) payload: u64,
}

/// What was appended, on its way to the disk.
#[derive(Debug)]
pub(crate) struct Batch {
    file: Option<Arc<dyn File>>,
    name: Arc<str>,
    offset: u64,
    bytes: Arc<Vec<u8>>,
    /// The length to extend the file to first.
    reserve: Option<u64>,
    sync: bool,
    /// Bytes of frames that its sync makes durable.
    covers: u64,
    /// The last LSN in it.
    pub(crate) to: Lsn,
    wrote: bool,
}

impl Batch {
    /// Whether it was taken from a writer that does not write, and holds nothing.
    pub(crate) fn is_void(&self) -> bool {
        self.file.is_none()
    }

    /// Writes and, if that was asked for, syncs. It knows nothing of the writer: the next batch
    /// gathers meanwhile.
    pub(crate) fn write_and_sync(&mut self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        if let Some(len) = self.reserve {
            // L7: whatever it says, the write itself will tell whether there is room.
            let _ = file.reserve(len);
        }
        if !self.bytes.is_empty() {
            let written = write_all_at(&**file, &self.bytes, self.offset);
            written.map_err(Error::io("write", &self.name))?;
        }
        self.wrote = true;
        if self.sync {
            file.sync().map_err(Error::io("sync", &self.name))?;
        }
        Ok(())
    }
}

impl Writer {
    pub(crate) fn new(vfs: Arc<dyn Vfs>, sizes: Sizes, end: Lsn, next_epoch: u32) -> Writer {
        Writer {
            vfs,
            segment_size: sizes.segment.clamp(SEGMENT_HEADER as u64 + 1, SEGMENT_SIZE_MAX),
            view: sizes.view,
            reserve: sizes.reserve.min(SEGMENT_SIZE_MAX),
            positions: Positions::default(),
            counters: Arc::default(),
            active: None,
            buffer: Vec::new(),
            on_its_way: None,
            spare: Vec::new(),
            appended: end,
            written: end,
            durable: end,
            growth: 0,
            unsynced: 0,
            next_epoch,
            state: State::Works,
        }
    }

    /// For a store that is only read: refuses everything. `durable` is what is proven to be.
    pub(crate) fn refusing(vfs: Arc<dyn Vfs>, end: Lsn, durable: Lsn) -> Writer {
        let mut writer = Writer::new(vfs, Sizes::default(), end, 0);
        (writer.durable, writer.state) = (durable, State::ReadsOnly);
        writer.positions.publish_appended(end, 0);
        writer.positions.publish_written(end);
        writer.positions.publish_durable(durable);
        writer
    }

    pub(crate) fn reads_only(&self) -> bool {
        self.state == State::ReadsOnly
    }

    /// Recovery is over: everything it found is durable and visible. `growth`: bytes of log behind
    /// the snapshot.
    pub(crate) fn show(&mut self, growth: u64) {
        assert_eq!(self.appended, self.durable, "L3: what recovery shows is durable");
        (self.growth, self.written) = (growth, self.appended);
        self.positions.publish_appended(self.appended, growth);
        self.positions.publish_written(self.appended);
        self.positions.publish_durable(self.durable);
    }

    pub(crate) fn check(&self) -> Result<()> {
        match self.state {
            State::Works => Ok(()),
            State::Poisoned => Err(Error::Poisoned),
            State::ReadsOnly => Err(Error::ReadOnly),
            State::Closed => Err(Error::Closed),
        }
    }

    /// L5: whatever fails from here on fails for good.
    pub(crate) fn fail_stop<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.state = State::Poisoned; // L5: and nothing ever resets it
        }
        result
    }

    /// Appends a record whose payload `encode` writes; `size` is the payload's size. `None` if
    /// there is no room for it.
    pub(crate) fn append(
        &mut self,
        size: usize,
        encode: impl FnOnce(Lsn, &mut Vec<u8>),
    ) -> Result<Option<Appended>> {
        self.check()?;
        let frame = (FRAME_HEADER + padded(size)) as u64;
        if frame + SEGMENT_HEADER as u64 > SEGMENT_SIZE_MAX {
            let (size, limit) = (size as u64, SEGMENT_SIZE_MAX - 1024);
            return Err(Error::TooLarge { what: "the batch", size, limit });
        }
        if !self.has_room(frame) {
            return Ok(None);
        }
        let lsn = self.appended.next();
        let at = self.buffer.len();
        self.buffer.reserve(frame as usize);
        self.buffer.extend_from_slice(&[0; FRAME_HEADER]);
        encode(lsn, &mut self.buffer);
        assert_eq!(self.buffer.len(), at + FRAME_HEADER + size, "a payload of the size announced");
        self.seal(at, FrameKind::Record, lsn);
        self.appended = lsn;
        self.growth += frame;
        self.unsynced += frame;
        self.positions.publish_appended(lsn, self.growth);
        Ok(Some(Appended { lsn, payload: self.position(at + FRAME_HEADER) }))
    }

    fn position(&self, in_buffer: usize) -> u64 {
        self.active.as_ref().map_or(0, |a| a.taken) + in_buffer as u64
    }

    /// Fills in the header of the frame that begins at `at` in the buffer and ends where the
    /// buffer ends.
    fn seal(&mut self, at: usize, kind: FrameKind, lsn: Lsn) {
        let active = self.active.as_ref().expect("a frame has a segment");
        let (epoch, offset) = (active.epoch, active.taken + at as u64);
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

    fn has_room(&self, frame: u64) -> bool {
        let position = self.position(self.buffer.len());
        let fits = position + frame <= self.segment_size || position <= SEGMENT_HEADER as u64;
        self.active.is_some() && fits
    }

    /// Begins the next segment. The caller has seen to it that all is durable.
    pub(crate) fn rotate(&mut self) -> Result<()> {
        self.check()?;
        assert_eq!(self.appended, self.durable, "L4: durable to its end");
        self.active = None;
        let first = self.appended.next();
        self.create(first, first.previous(), self.durable)
    }

    /// Begins the first segment ahead of its first record, durably.
    pub(crate) fn found(&mut self) -> Result<()> {
        self.rotate()?;
        self.force()
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
        let view = self.view.code();
        let header = SegmentHeader { first, copied_through, durable, view };
        self.buffer.extend_from_slice(&header.encode(epoch));
        let name = Arc::from(name);
        self.active = Some(Active { first, epoch, name, file, written: 0, taken: 0, reserved: 0 });
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
        self.unsynced += (self.buffer.len() - at) as u64;
        let offset = self.position(at + FRAME_HEADER);
        if self.is_full() {
            self.carry_out(false)?;
        }
        Ok(offset)
    }

    /// Whether enough has gathered for an efficient write.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= WRITE_SIZE
    }

    /// Takes what is in the buffer, to be written, and to be synced if that makes more durable.
    pub(crate) fn take(&mut self, sync: bool) -> Batch {
        let (to, wrote) = (self.appended, false);
        let Some(active) = self.active.as_mut().filter(|_| self.state == State::Works) else {
            let (name, bytes) = (Arc::from(""), Arc::default());
            let (reserve, sync, covers) = (None, false, 0);
            return Batch { file: None, name, offset: 0, bytes, reserve, sync, covers, to, wrote };
        };
        let next = std::mem::take(&mut self.spare);
        let bytes = Arc::new(std::mem::replace(&mut self.buffer, next));
        let offset = active.taken;
        active.taken += bytes.len() as u64;
        // As much again as there is, within limits: short lives waste little, long ones seldom ask.
        let ahead = active.taken.max(RESERVE_MIN).min(self.reserve);
        let end = (active.taken + ahead).min(self.segment_size).max(active.taken);
        assert!(self.on_its_way.is_none(), "L6: one batch at a time");
        self.on_its_way = Some(Arc::clone(&bytes));
        let (file, name) = (Some(Arc::clone(&active.file)), Arc::clone(&active.name));
        let sync = sync && self.durable < to;
        let reserve = (sync && active.taken > active.reserved).then_some(end);
        active.reserved = active.reserved.max(reserve.unwrap_or(0));
        let reserve = reserve.filter(|end| *end > active.taken);
        let covers = if sync { std::mem::take(&mut self.unsynced) } else { 0 };
        Batch { file, name, offset, bytes, reserve, sync, covers, to, wrote }
    }

    /// A batch is back from the disk.
    pub(crate) fn finish(&mut self, batch: Batch, done: Result<()>) -> Result<()> {
        let Batch { file, bytes, sync, covers, to, wrote, .. } = batch;
        if wrote && file.is_some() {
            let active = self.active.as_mut().expect("it is not replaced while a batch is out");
            active.written += bytes.len() as u64;
            self.counters.bytes.add(bytes.len() as u64);
            self.written = to;
            self.positions.publish_written(to);
            self.on_its_way = None; // L6: the file has it
            // A large payload's memory is given back.
            let kept = |bytes: &Vec<u8>| bytes.capacity() <= 64 * WRITE_SIZE;
            if let Some(mut bytes) = Arc::into_inner(bytes).filter(kept) {
                bytes.clear();
                self.spare = bytes;
            }
        }
        self.fail_stop(done)?;
        self.check()?; // L5: something else may have failed meanwhile
        if sync {
            self.counters.syncs.add(1);
            self.durable = to; // L3
            self.positions.publish_durable(to);
            if covers >= STATEMENT_MIN.max(self.segment_size / 4) {
                return self.state(); // L8
            }
        }
        Ok(())
    }

    /// L8: unless others are gathering; then there is no end of the log to speak of.
    fn state(&mut self) -> Result<()> {
        if !self.buffer.is_empty() || !self.has_room(FRAME_HEADER as u64) {
            return Ok(());
        }
        let active = self.active.as_ref().expect("it has room");
        let (lsn, durable, payload_crc) = (self.appended, self.durable, record_checksum(&[]));
        let header =
            FrameHeader { kind: FrameKind::Statement, lsn, durable, length: 0, payload_crc };
        let bytes = header.encode(active.epoch, active.taken);
        // The next frame goes over it. As a frame of the log it was pending when the next file was
        // synced; that sync failed and took it back, and the gap hid what came behind.
        let written = write_all_at(&*active.file, &bytes, active.taken);
        let written = written.map_err(Error::io("write", &active.name));
        self.fail_stop(written)?;
        self.counters.bytes.add(bytes.len() as u64);
        Ok(())
    }

    fn carry_out(&mut self, sync: bool) -> Result<()> {
        self.check()?;
        let mut batch = self.take(sync);
        let done = batch.write_and_sync();
        self.finish(batch, done)
    }

    /// Makes what was appended durable (L3).
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.carry_out(true)
    }

    /// What stands at `offset` of the segment with that epoch, if it is not in the file yet.
    pub(crate) fn unwritten(&self, epoch: u32, offset: u64, size: usize) -> Option<&[u8]> {
        let active = self.active.as_ref().filter(|a| a.epoch == epoch && offset >= a.written)?;
        // L6: no frame is in both.
        match offset.checked_sub(active.taken) {
            Some(at) => self.buffer.get(at as usize..at as usize + size),
            None => {
                let at = (offset - active.written) as usize;
                self.on_its_way.as_ref()?.get(at..at + size)
            }
        }
    }

    /// Makes everything durable, states a clean shutdown, so that the next life need not copy what
    /// is durable, and refuses all further work.
    pub(crate) fn close(&mut self) -> Result<()> {
        self.sync()?;
        if self.active.is_some() {
            self.mark()?;
        }
        self.state = State::Closed;
        Ok(())
    }

    fn mark(&mut self) -> Result<()> {
        let at = self.buffer.len();
        self.buffer.resize(at + FRAME_HEADER, 0);
        self.seal(at, FrameKind::Mark, self.appended);
        self.force()
    }

    /// Writes and syncs what makes no LSN durable that was not.
    fn force(&mut self) -> Result<()> {
        let mut batch = self.take(false);
        batch.sync = true;
        let done = batch.write_and_sync();
        self.finish(batch, done)
    }
}
