//! A frame: a record's bytes on disk. Everything that is believed before the payload is read
//! (length, LSN, durable statement, kind, the payload's checksum) stands under the header's own
//! checksum.
//!
//! Invariants
//! - G3: a frame is one only where it was written: its header's checksum is seeded with the
//!   segment's epoch and the frame's offset. Payloads may hold anything, frames of this very epoch
//!   too, and the search for statements looks into them when the frame around them is torn.

use super::{Lsn, crc, put_u32, put_u64, u32_at, u64_at};
use crate::limits::{FRAME_HEADER, padded};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A record of the view above.
    Record,
    /// A clean shutdown: has the LSN of the last record, uses up none, and ends its segment.
    Mark,
    /// Nothing but its durable statement: has the LSN of the last record, and uses up none.
    Statement,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: FrameKind,
    pub(crate) lsn: Lsn,
    /// The statement: this LSN and all before it were durable when the frame was written.
    pub(crate) durable: Lsn,
    /// Bytes of payload.
    pub(crate) length: u32,
    /// The checksum of the record (see `entry`): that of all its bytes, by way of its entries'.
    pub(crate) payload_crc: u32,
}

/// What the checksum of a header starts from at `offset` of the segment of `epoch`. Offsets are
/// below 2^32, so within a segment no two are the same; the multiplication keeps one of another
/// epoch from being the same at some round distance.
pub(crate) fn seed(epoch: u32, offset: u64) -> u32 {
    epoch ^ (offset as u32).wrapping_mul(0x9e37_79b1) // G3
}

impl FrameHeader {
    /// The header of a frame that stands at `offset`.
    pub(crate) fn encode(&self, epoch: u32, offset: u64) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        put_u32(&mut bytes, 4, self.length);
        put_u64(&mut bytes, 8, self.lsn.0);
        put_u64(&mut bytes, 16, self.durable.0);
        put_u32(&mut bytes, 24, self.payload_crc);
        bytes[28] = match self.kind {
            FrameKind::Record => 1,
            FrameKind::Mark => 2,
            FrameKind::Statement => 3,
        };
        let crc = crc(seed(epoch, offset), &bytes[4..]);
        put_u32(&mut bytes, 0, crc);
        bytes
    }

    /// The header that `bytes`, which stand at `offset`, start with, if they do; the payload is not
    /// looked at.
    pub(crate) fn decode(bytes: &[u8], epoch: u32, offset: u64) -> Option<FrameHeader> {
        let bytes = bytes.first_chunk::<FRAME_HEADER>()?;
        // A frame has an LSN: zeros are refused before the checksum is even asked.
        if bytes[28] == 0 || u32_at(bytes, 0) != crc(seed(epoch, offset), &bytes[4..]) {
            return None;
        }
        let kind = match bytes[28] {
            1 => FrameKind::Record,
            2 => FrameKind::Mark,
            3 => FrameKind::Statement,
            _ => return None,
        };
        let (lsn, durable) = (Lsn(u64_at(bytes, 8)), Lsn(u64_at(bytes, 16)));
        let plain = bytes[29..] == [0; 3] && lsn.0 > 0 && durable <= lsn;
        let header = FrameHeader {
            kind,
            lsn,
            durable,
            length: u32_at(bytes, 4),
            payload_crc: u32_at(bytes, 24),
        };
        (plain && (kind == FrameKind::Record || header.length == 0)).then_some(header)
    }

    /// Bytes of the whole frame, padding included.
    pub(crate) fn size(&self) -> u64 {
        (FRAME_HEADER + padded(self.length as usize)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_tests::{Arbitrary, Gen, properties};

    impl Arbitrary for FrameHeader {
        fn arbitrary(g: &mut Gen) -> FrameHeader {
            let lsn = u64::arbitrary(g).max(1);
            let kinds = [FrameKind::Record, FrameKind::Mark, FrameKind::Statement];
            let kind = *g.choose(&kinds).unwrap();
            let length = if kind == FrameKind::Record { u32::arbitrary(g) } else { 0 };
            let durable = Lsn(u64::arbitrary(g) % lsn);
            FrameHeader { kind, lsn: Lsn(lsn), durable, length, payload_crc: u32::arbitrary(g) }
        }
    }

    properties! {
        fn round_trip(header: FrameHeader, epoch: u32, at: u32) -> bool {
            let at = u64::from(at);
            FrameHeader::decode(&header.encode(epoch, at), epoch, at) == Some(header)
        }

        fn another_epoch_is_no_frame(header: FrameHeader, epoch: u32, other: u32) -> bool {
            let bytes = header.encode(epoch, 48);
            epoch == other || FrameHeader::decode(&bytes, other, 48).is_none()
        }

        fn g3_at_another_offset_it_is_no_frame(header: FrameHeader, at: u32, other: u32) -> bool {
            let (at, other) = (u64::from(at), u64::from(other));
            let bytes = header.encode(1, at);
            at == other || FrameHeader::decode(&bytes, 1, other).is_none()
        }

        fn a_flipped_bit_is_no_frame(header: FrameHeader, epoch: u32) -> bool {
            (0..FRAME_HEADER * 8).all(|bit| {
                let mut bytes = header.encode(epoch, 48);
                bytes[bit / 8] ^= 1 << (bit % 8);
                FrameHeader::decode(&bytes, epoch, 48).is_none()
            })
        }

        fn a_cut_header_is_no_frame(header: FrameHeader, epoch: u32) -> bool {
            let bytes = header.encode(epoch, 48);
            (0..FRAME_HEADER).all(|n| FrameHeader::decode(&bytes[..n], epoch, 48).is_none())
        }
    }

    #[test]
    fn zeros_are_no_frame_in_any_epoch() {
        assert!((0..1000).all(|e| FrameHeader::decode(&[0; FRAME_HEADER], e, 48).is_none()));
    }
}
