//! One file, byte range by byte range: offset, bytes, meaning.

use crate::error::{Error, Result};
use crate::format::entry::{Entry, entries, verify};
use crate::format::frame::{FrameHeader, FrameKind, seed};
use crate::format::name::{Kind, Name};
use crate::format::segment::SegmentHeader;
use crate::format::snapshot::SnapshotHeader;
use crate::format::{Lsn, ViewKind, crc, u32_at, u64_at};
use crate::limits::{
    ALIGN, ENTRY_HEADER, FRAME_HEADER, SEGMENT_HEADER, SNAPSHOT_DIGEST, SNAPSHOT_ENTRY,
    SNAPSHOT_HEADER, SNAPSHOT_SEGMENT,
};
use crate::log::open;
use highwater_vfs::{OpenMode, Vfs, read_full_at};
use sha2::{Digest, Sha256};
use std::fmt::{Display, Write};

/// Bytes on a line.
const ROW: usize = 8;
/// Of a longer range only this much is shown.
const SHOWN: usize = 64;

/// A file of the store, annotated: a segment or a snapshot, or the bytes of anything else. At most
/// 80 columns; a `!` behind the offset marks what is damaged. The file may be damaged in any way.
///
/// # Errors
/// [`Error::Io`] if the file is not there or the disk fails.
pub fn dump(vfs: &dyn Vfs, name: &str) -> Result<String> {
    let file = open(vfs, name, OpenMode::Read)?;
    let size = file.size().map_err(Error::io("size of", name))?;
    let mut bytes = vec![0; size as usize];
    let read = read_full_at(&*file, &mut bytes, 0).map_err(Error::io("read", name))?;
    bytes.truncate(read);
    let mut page = Page { text: String::new(), bytes: &bytes };
    let parsed = Name::parse(name);
    let what = match parsed.map(|name| name.kind) {
        Some(Kind::Segment) => "a segment",
        Some(Kind::Snapshot) => "a snapshot",
        Some(Kind::Temporary) => "an unfinished snapshot",
        None => "not a file of the store",
    };
    page.title(format_args!("{name}\n{what}, {read} bytes"));
    match parsed {
        Some(name) if name.kind == Kind::Segment => page.segment(name),
        Some(name) => page.snapshot(name),
        None => page.range(0, read, true, "bytes"),
    }
    Ok(page.text)
}

fn whose(code: u32) -> &'static str {
    ViewKind::of(code).map_or("what this version does not know", ViewKind::name)
}

struct Page<'a> {
    text: String,
    bytes: &'a [u8],
}

impl Page<'_> {
    fn title(&mut self, title: impl Display) {
        writeln!(self.text, "{title}").expect("a string takes all");
    }

    /// The bytes from `at` on, as many as there are of `size`; what they mean beside the first.
    fn range(&mut self, at: usize, size: usize, good: bool, meaning: impl Display) {
        let end = self.bytes.len().min(at + size);
        let bytes = &self.bytes[at.min(end)..end];
        let mark = if good && bytes.len() == size { ' ' } else { '!' };
        let mut meaning = meaning.to_string();
        if bytes.len() < size {
            write!(meaning, ", cut").expect("a string takes all");
        }
        let shown = &bytes[..bytes.len().min(SHOWN)];
        for (row, chunk) in shown.chunks(ROW).enumerate() {
            let offset = at + row * ROW;
            let hex: String = chunk.iter().map(|byte| format!(" {byte:02x}")).collect();
            let line = format!("{offset:08x}{mark}{hex:<24}  {}", std::mem::take(&mut meaning));
            self.title(line.trim_end());
        }
        if bytes.len() > SHOWN {
            let rest = bytes.len() - SHOWN;
            self.title(format_args!("{:08x}{mark} ... {rest} more bytes", at + SHOWN));
        } else if bytes.is_empty() && size > 0 {
            self.title(format_args!("{at:08x}{mark}{:24}  {meaning}", ""));
        }
    }

    fn u32(&self, at: usize) -> u32 {
        self.bytes.get(at..at + 4).map_or(0, |bytes| u32_at(bytes, 0))
    }

    fn u64(&self, at: usize) -> u64 {
        self.bytes.get(at..at + 8).map_or(0, |bytes| u64_at(bytes, 0))
    }

    fn segment(&mut self, name: Name) {
        let header = SegmentHeader::decode(self.bytes, name.lsn, name.epoch);
        let good = header.is_some();
        self.title("segment header");
        self.range(0, 8, good, "magic, version 1");
        self.range(8, 4, good, format_args!("epoch {}", self.u32(8)));
        self.range(12, 4, good, format_args!("of {}", whose(self.u32(12))));
        self.range(16, 8, good, format_args!("first LSN {}", self.u64(16)));
        self.range(24, 8, good, format_args!("copied through LSN {}", self.u64(24)));
        self.range(32, 8, good, format_args!("durable through LSN {}", self.u64(32)));
        self.range(40, 4, good, "reserved");
        let sum = self.bytes.get(..44).map_or(0, |bytes| crc(name.epoch, bytes));
        self.checksum(44, sum, good);
        let (mut at, mut next) = (SEGMENT_HEADER, Some(name.lsn));
        while at < self.bytes.len() {
            let decode = |at: usize| FrameHeader::decode(&self.bytes[at..], name.epoch, at as u64);
            if let Some(header) = decode(at) {
                self.frame(at, &header, name.epoch, &mut next);
                at = at.saturating_add(header.size() as usize);
                continue;
            }
            if self.bytes[at..].iter().all(|byte| *byte == 0) {
                let size = self.bytes.len() - at;
                return self.title(format_args!("{at:08x}  {size} bytes of zeros, reserved"));
            }
            let mut steps = (at + ALIGN..self.bytes.len()).step_by(ALIGN);
            let end = steps.find(|&at| decode(at).is_some()).unwrap_or(self.bytes.len());
            self.title("no intact frame header");
            self.range(at, end - at, false, "bytes of no intact frame");
            (at, next) = (end, None); // how many frames they were, nobody knows
        }
    }

    fn checksum(&mut self, at: usize, sum: u32, good: bool) {
        if good || sum == self.u32(at) {
            self.range(at, 4, good, "checksum of the header");
        } else {
            self.range(at, 4, false, format_args!("checksum of the header, not {sum:#010x}"));
        }
    }

    /// A frame whose header is intact; `next` is the LSN that is due, if that is known.
    fn frame(&mut self, at: usize, header: &FrameHeader, epoch: u32, next: &mut Option<Lsn>) {
        let &FrameHeader { kind, lsn, durable, length, payload_crc } = header;
        let (what, kind_text) = match kind {
            FrameKind::Record => ("frame of", "kind 1: record"),
            FrameKind::Mark => ("clean shutdown at", "kind 2: mark"),
            FrameKind::Statement => ("statement behind", "kind 3: statement"),
        };
        let mark = kind != FrameKind::Record;
        let due = next.map_or(lsn, |next| if mark { next.previous() } else { next });
        if lsn == due {
            self.title(format_args!("{what} LSN {lsn}"));
        } else {
            self.title(format_args!("{what} LSN {lsn} where LSN {due} is due"));
        }
        let good = lsn == due;
        *next = Some(Lsn(lsn.0.saturating_add(1)));
        let sum = crc(seed(epoch, at as u64), &self.bytes[at + 4..at + FRAME_HEADER]);
        self.checksum(at, sum, true);
        self.range(at + 4, 4, true, format_args!("record of {length} bytes"));
        self.range(at + 8, 8, good, format_args!("LSN {lsn}"));
        self.range(at + 16, 8, true, format_args!("durable through LSN {durable}"));
        let bytes = self.bytes;
        let from = at + FRAME_HEADER;
        let record = &bytes[from..bytes.len().min(from.saturating_add(length as usize))];
        let sum = verify(record, lsn);
        let whole = mark || sum == Some(payload_crc) && record.len() == length as usize;
        let holds = if whole { "" } else { ", does not hold" };
        self.range(at + 24, 4, whole, format_args!("checksum of the record{holds}"));
        self.range(at + 28, 1, true, kind_text);
        self.range(at + 29, 3, true, "reserved");
        self.entries(from, record, lsn);
        let padding = header.size() as usize - FRAME_HEADER - length as usize;
        self.range(
            from + record.len(),
            padding.min(bytes.len() - from - record.len()),
            true,
            "padding",
        );
    }

    fn entries(&mut self, from: usize, record: &[u8], lsn: Lsn) {
        let mut end = 0;
        for (at, entry) in entries(record) {
            end = record.len().min(at + entry.size());
            let good = Entry::decode(&record[at..], lsn).is_some();
            let length = entry.bytes.map(<[u8]>::len);
            self.range(from + at, 8, good, format_args!("  id {}", entry.id));
            match length {
                Some(length) => {
                    self.range(from + at + 8, 4, good, format_args!("  payload of {length} bytes"));
                }
                None => self.range(from + at + 8, 4, good, "  deleted"),
            }
            let holds = if good { "" } else { ", does not hold" };
            self.range(from + at + 12, 4, good, format_args!("  checksum of the entry{holds}"));
            let used = at + ENTRY_HEADER + length.unwrap_or(0);
            self.range(from + at + ENTRY_HEADER, length.unwrap_or(0), good, "  payload");
            let zeros = record[used..end].iter().all(|&byte| byte == 0);
            self.range(from + used, end - used, zeros, "  padding");
        }
        self.range(from + end, record.len() - end, false, "  no entry");
    }

    fn snapshot(&mut self, name: Name) {
        let size = self.bytes.len();
        let header = SnapshotHeader::decode(self.bytes, name.lsn, name.epoch, size as u64);
        let good = header.is_some();
        self.title("snapshot header");
        self.range(0, 8, good, "magic, version 1");
        self.range(8, 8, good, format_args!("LSN {}", self.u64(8)));
        self.range(16, 4, good, format_args!("epoch {}", self.u32(16)));
        self.range(20, 4, good, format_args!("{} segments", self.u32(20)));
        self.range(24, 8, good, format_args!("{} ids", self.u64(24)));
        self.range(32, 8, good, format_args!("resume: first LSN {}", self.u64(32)));
        self.range(40, 4, good, format_args!("resume: epoch {}", self.u32(40)));
        self.range(44, 4, good, format_args!("resume: offset {}", self.u32(44)));
        self.range(48, 4, good, format_args!("of {}", whose(self.u32(48))));
        self.range(52, 12, good, "reserved");
        let Some(header) = header else {
            let rest = size.saturating_sub(SNAPSHOT_HEADER);
            return self.range(SNAPSHOT_HEADER, rest, false, "what the header does not explain");
        };
        let mut at = SNAPSHOT_HEADER;
        for ordinal in 0..header.segments {
            self.title(format_args!("segment {ordinal}"));
            self.range(at, 8, true, format_args!("first LSN {}", self.u64(at)));
            self.range(at + 8, 4, true, format_args!("epoch {}", self.u32(at + 8)));
            self.range(at + 12, 4, self.u32(at + 12) == 0, "reserved");
            at += SNAPSHOT_SEGMENT;
        }
        if header.view != ViewKind::Payload.code() {
            let rest = size.saturating_sub(at + SNAPSHOT_DIGEST);
            self.range(at, rest, true, "the state");
            return self.digest(at + rest);
        }
        for _ in 0..header.entries {
            self.title(format_args!("id {}", self.u64(at)));
            self.range(at, 8, true, format_args!("id {}", self.u64(at)));
            self.range(at + 8, 8, true, format_args!("LSN {}", self.u64(at + 8)));
            self.range(at + 16, 4, true, format_args!("in segment {}", self.u32(at + 16)));
            self.range(at + 20, 4, true, format_args!("entry at offset {}", self.u32(at + 20)));
            self.range(at + 24, 4, true, format_args!("payload of {} bytes", self.u32(at + 24)));
            self.range(at + 28, 4, self.u32(at + 28) == 0, "reserved");
            at += SNAPSHOT_ENTRY;
        }
        self.digest(at);
    }

    fn digest(&mut self, at: usize) {
        let good = Sha256::digest(&self.bytes[..at])[..] == self.bytes[at..];
        self.title("SHA-256 of all before");
        let holds = if good { "it holds" } else { "it does not hold" };
        self.range(at, SNAPSHOT_DIGEST, good, holds);
    }
}
