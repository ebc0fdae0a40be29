//! A frame: a record's bytes on disk. Everything that is believed before the payload is read
//! (length, LSN, durable statement, kind, the payload's checksum) stands under the header's own
//! checksum, which is seeded with the segment's epoch.

use super::{Lsn, crc, put_u32, put_u64, u32_at, u64_at};
use crate::limits::{FRAME_HEADER, padded};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A record of the view above.
    Record,
    /// A clean shutdown: has the LSN of the last record, uses up none, and ends its segment.
    Mark,
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

impl FrameHeader {
    pub(crate) fn encode(&self, epoch: u32) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        put_u32(&mut bytes, 4, self.length);
        put_u64(&mut bytes, 8, self.lsn.0);
        put_u64(&mut bytes, 16, self.durable.0);
        put_u32(&mut bytes, 24, self.payload_crc);
        bytes[28] = match self.kind {
            FrameKind::Record => 1,
            FrameKind::Mark => 2,
        };
        let crc = crc(epoch, &bytes[4..]);
        put_u32(&mut bytes, 0, crc);
        bytes
    }

    /// The header that `bytes` start with, if they do; the payload is not looked at.
    pub(crate) fn decode(bytes: &[u8], epoch: u32) -> Option<FrameHeader> {
        let bytes = bytes.first_chunk::<FRAME_HEADER>()?;
        // A frame has an LSN: zeros are refused before the checksum is even asked.
        if bytes[28] == 0 || u32_at(bytes, 0) != crc(epoch, &bytes[4..]) {
            return None;
        }
        let kind = match bytes[28] {
            1 => FrameKind::Record,
            2 => FrameKind::Mark,
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
    use quickcheck::{Arbitrary, Gen, quickcheck};

    impl Arbitrary for FrameHeader {
        fn arbitrary(g: &mut Gen) -> FrameHeader {
            let lsn = u64::arbitrary(g).max(1);
            let kind = *g.choose(&[FrameKind::Record, FrameKind::Mark]).unwrap();
            let length = if kind == FrameKind::Mark { 0 } else { u32::arbitrary(g) };
            let durable = Lsn(u64::arbitrary(g) % lsn);
            FrameHeader { kind, lsn: Lsn(lsn), durable, length, payload_crc: u32::arbitrary(g) }
        }
    }

    quickcheck! {
        fn round_trip(header: FrameHeader, epoch: u32) -> bool {
            FrameHeader::decode(&header.encode(epoch), epoch) == Some(header)
        }

        fn another_epoch_is_no_frame(header: FrameHeader, epoch: u32, other: u32) -> bool {
            epoch == other || FrameHeader::decode(&header.encode(epoch), other).is_none()
        }

        fn a_flipped_bit_is_no_frame(header: FrameHeader, epoch: u32) -> bool {
            (0..FRAME_HEADER * 8).all(|bit| {
                let mut bytes = header.encode(epoch);
                bytes[bit / 8] ^= 1 << (bit % 8);
                FrameHeader::decode(&bytes, epoch).is_none()
            })
        }

        fn a_cut_header_is_no_frame(header: FrameHeader, epoch: u32) -> bool {
            let bytes = header.encode(epoch);
            (0..FRAME_HEADER).all(|n| FrameHeader::decode(&bytes[..n], epoch).is_none())
        }
    }

    #[test]
    fn zeros_are_no_frame_in_any_epoch() {
        assert!((0..1000).all(|e| FrameHeader::decode(&[0; FRAME_HEADER], e).is_none()));
    }
}
