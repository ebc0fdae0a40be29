//! A segment's header.

use super::{Lsn, crc, put_u32, put_u64, u32_at, u64_at};
use crate::limits::SEGMENT_HEADER;

const MAGIC: &[u8; 8] = b"HWLOG\0\0\x01";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) first: Lsn,
    /// Frames up to this LSN are copies that recovery made of an earlier life's frames: the segment
    /// counts only once all of them are here. `first - 1` if there are none.
    pub(crate) copied_through: Lsn,
    /// The statement, as in a frame.
    pub(crate) durable: Lsn,
    /// The code of a [`ViewKind`](super::ViewKind).
    pub(crate) view: u32,
}

impl SegmentHeader {
    pub(crate) fn encode(&self, epoch: u32) -> [u8; SEGMENT_HEADER] {
        let mut bytes = [0; SEGMENT_HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        put_u32(&mut bytes, 8, epoch);
        put_u32(&mut bytes, 12, self.view);
        put_u64(&mut bytes, 16, self.first.0);
        put_u64(&mut bytes, 24, self.copied_through.0);
        put_u64(&mut bytes, 32, self.durable.0);
        let crc = crc(epoch, &bytes[..44]);
        put_u32(&mut bytes, 44, crc);
        bytes
    }

    /// The header of the segment whose *name* says `first` and `epoch`.
    pub(crate) fn decode(bytes: &[u8], first: Lsn, epoch: u32) -> Option<SegmentHeader> {
        let bytes = bytes.first_chunk::<SEGMENT_HEADER>()?;
        let header = SegmentHeader {
            first: Lsn(u64_at(bytes, 16)),
            copied_through: Lsn(u64_at(bytes, 24)),
            durable: Lsn(u64_at(bytes, 32)),
            view: u32_at(bytes, 12),
        };
        let plain = bytes[..8] == *MAGIC
            && u32_at(bytes, 8) == epoch
            && bytes[40..44] == [0; 4]
            && u32_at(bytes, 44) == crc(epoch, &bytes[..44])
            && header.first == first
            && header.copied_through >= first.previous()
            && header.durable < first;
        plain.then_some(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_tests::properties;

    properties! {
        fn round_trip_and_no_flipped_bit(first: u64, copied: u8, back: u8, epoch: u32) -> bool {
            let first = first.clamp(300, u64::MAX / 2);
            let header = SegmentHeader {
                first: Lsn(first),
                copied_through: Lsn(first - 1 + u64::from(copied)),
                durable: Lsn(first - 1 - u64::from(back)),
                view: u32::from(back),
            };
            let bytes = header.encode(epoch);
            let decode = |bytes: &[u8]| SegmentHeader::decode(bytes, header.first, epoch);
            decode(&bytes) == Some(header)
                && (0..SEGMENT_HEADER).all(|n| decode(&bytes[..n]).is_none())
                && (0..SEGMENT_HEADER * 8).all(|bit| {
                    let mut bytes = bytes;
                    bytes[bit / 8] ^= 1 << (bit % 8);
                    decode(&bytes).is_none()
                })
        }
    }
}
