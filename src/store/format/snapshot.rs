//! A snapshot of the index: header, the segments it points into, the entries by id, a SHA-256 of
//! all of it.

use super::{Lsn, ViewKind, put_u32, put_u64, u32_at, u64_at};
use crate::limits::{SNAPSHOT_DIGEST, SNAPSHOT_ENTRY, SNAPSHOT_HEADER, SNAPSHOT_SEGMENT};

use std::ops::RangeInclusive;

const MAGIC: &[u8; 8] = b"HWSNAP\0\x01";

/// Where to go on reading the log behind a snapshot: a frame boundary in a segment, or offset 0 in
/// one that was not there yet. Segments of earlier epochs that begin at or below the snapshot's LSN
/// are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    pub(crate) first: Lsn,
    pub(crate) epoch: u32,
    pub(crate) offset: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotHeader {
    pub(crate) lsn: Lsn,
    pub(crate) epoch: u32,
    pub(crate) resume: Option<Resume>,
    pub(crate) segments: u32,
    pub(crate) entries: u64,
    /// The code of a [`ViewKind`].
    pub(crate) view: u32,
}

impl SnapshotHeader {
    pub(crate) fn encode(&self) -> [u8; SNAPSHOT_HEADER] {
        let mut bytes = [0; SNAPSHOT_HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        put_u64(&mut bytes, 8, self.lsn.0);
        put_u32(&mut bytes, 16, self.epoch);
        put_u32(&mut bytes, 20, self.segments);
        put_u64(&mut bytes, 24, self.entries);
        if let Some(resume) = self.resume {
            put_u64(&mut bytes, 32, resume.first.0);
            put_u32(&mut bytes, 40, resume.epoch);
            put_u32(&mut bytes, 44, resume.offset);
        }
        put_u32(&mut bytes, 48, self.view);
        bytes
    }

    /// The header of the file whose name says `lsn` and `epoch`, of `size` bytes in all.
    pub(crate) fn decode(bytes: &[u8], lsn: Lsn, epoch: u32, size: u64) -> Option<SnapshotHeader> {
        let bytes = bytes.first_chunk::<SNAPSHOT_HEADER>()?;
        let resume = Resume {
            first: Lsn(u64_at(bytes, 32)),
            epoch: u32_at(bytes, 40),
            offset: u32_at(bytes, 44),
        };
        let header = SnapshotHeader {
            lsn: Lsn(u64_at(bytes, 8)),
            epoch: u32_at(bytes, 16),
            resume: (resume.epoch > 0).then_some(resume),
            segments: u32_at(bytes, 20),
            entries: u64_at(bytes, 24),
            view: u32_at(bytes, 48),
        };
        let plain = bytes[..8] == *MAGIC
            && bytes[52..] == [0; 12]
            && (header.lsn, header.epoch) == (lsn, epoch)
            && header.sizes()?.contains(&size);
        plain.then_some(header)
    }

    /// How many bytes the whole file may have. Counts come from a disk: no sum may wrap. Only the
    /// payload store's entries are all of one size.
    fn sizes(&self) -> Option<RangeInclusive<u64>> {
        let payload = self.view == ViewKind::Payload.code();
        let entry = if payload { SNAPSHOT_ENTRY as u64 } else { 0 };
        let table = u64::from(self.segments) * SNAPSHOT_SEGMENT as u64;
        let entries = self.entries.checked_mul(entry)?;
        let least = entries.checked_add(table + (SNAPSHOT_HEADER + SNAPSHOT_DIGEST) as u64)?;
        Some(least..=if payload { least } else { u64::MAX })
    }
}

/// Where a live payload stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SnapshotEntry {
    pub(crate) id: u64,
    pub(crate) lsn: Lsn,
    /// Index into the snapshot's table of segments.
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    /// Bytes of payload.
    pub(crate) length: u32,
}

impl SnapshotEntry {
    pub(crate) fn encode(&self) -> [u8; SNAPSHOT_ENTRY] {
        let mut bytes = [0; SNAPSHOT_ENTRY];
        put_u64(&mut bytes, 0, self.id);
        put_u64(&mut bytes, 8, self.lsn.0);
        put_u32(&mut bytes, 16, self.segment);
        put_u32(&mut bytes, 20, self.offset);
        put_u32(&mut bytes, 24, self.length);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8; SNAPSHOT_ENTRY]) -> SnapshotEntry {
        SnapshotEntry {
            id: u64_at(bytes, 0),
            lsn: Lsn(u64_at(bytes, 8)),
            segment: u32_at(bytes, 16),
            offset: u32_at(bytes, 20),
            length: u32_at(bytes, 24),
        }
    }
}

pub(crate) fn encode_segment(first: Lsn, epoch: u32) -> [u8; SNAPSHOT_SEGMENT] {
    let mut bytes = [0; SNAPSHOT_SEGMENT];
    put_u64(&mut bytes, 0, first.0);
    put_u32(&mut bytes, 8, epoch);
    bytes
}

pub(crate) fn decode_segment(bytes: &[u8; SNAPSHOT_SEGMENT]) -> (Lsn, u32) {
    (Lsn(u64_at(bytes, 0)), u32_at(bytes, 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_tests::properties;

    properties! {
        fn header_round_trip(lsn: u64, epoch: u32, segments: u32, entries: u32, o: u32) -> bool {
            let resume = (o > 0).then_some(Resume { first: Lsn(lsn), epoch: o, offset: o });
            let entries = u64::from(entries);
            let (lsn, view) = (Lsn(lsn), 0);
            let header = SnapshotHeader { lsn, epoch, resume, segments, entries, view };
            let size = *header.sizes().unwrap().start();
            let decode = |size| SnapshotHeader::decode(&header.encode(), lsn, epoch, size);
            decode(size) == Some(header) && decode(size + 1).is_none()
        }

        fn entry_round_trip(id: u64, lsn: u64, a: u32, b: u32, c: u32) -> bool {
            let entry = SnapshotEntry { id, lsn: Lsn(lsn), segment: a, offset: b, length: c };
            SnapshotEntry::decode(&entry.encode()) == entry
                && decode_segment(&encode_segment(Lsn(lsn), a)) == (Lsn(lsn), a)
        }
    }

    #[test]
    fn absurd_counts_have_no_size() {
        let header = SnapshotHeader {
            lsn: Lsn(1),
            epoch: 1,
            resume: None,
            segments: u32::MAX,
            entries: u64::MAX,
            view: 0,
        };
        assert_eq!(header.sizes(), None);
    }
}
