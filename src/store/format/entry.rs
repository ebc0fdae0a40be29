//! An entry: one payload in a record, verifiable alone, so that reading one payload of a large
//! batch reads no more than that. A record is one or more entries; its own checksum is over their
//! headers, which hold the checksums of the bytes: so every byte is hashed once.

use super::{Lsn, crc, put_u32, put_u64, u32_at, u64_at};
use crate::limits::{ALIGN, ENTRY_HEADER, PAYLOAD_SIZE_MAX, padded};

/// The length that says "deleted".
const DELETED: u32 = u32::MAX;
const _: () = assert!(PAYLOAD_SIZE_MAX < DELETED as u64);

/// One change: an id set to bytes, or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) id: u64,
    /// `None`: deleted.
    pub(crate) bytes: Option<&'a [u8]>,
}

/// The checksum covers the LSN: a record that a sector brings back from somewhere else, with the
/// same id at the same place, does not pass.
fn checksum(lsn: Lsn, header: &[u8], bytes: &[u8]) -> u32 {
    let seed = lsn.0 as u32 ^ (lsn.0 >> 32) as u32;
    crc(crc(seed, &header[..12]), bytes)
}

impl Entry<'_> {
    /// Bytes on disk, padding included.
    pub(crate) fn size(&self) -> usize {
        ENTRY_HEADER + padded(self.bytes.map_or(0, <[u8]>::len))
    }

    pub(crate) fn encode(&self, lsn: Lsn, out: &mut Vec<u8>) {
        let bytes = self.bytes.unwrap_or(&[]);
        let mut header = [0; ENTRY_HEADER];
        put_u64(&mut header, 0, self.id);
        put_u32(&mut header, 8, self.bytes.map_or(DELETED, |b| b.len() as u32));
        let sum = checksum(lsn, &header, bytes);
        put_u32(&mut header, 12, sum);
        out.extend_from_slice(&header);
        out.extend_from_slice(bytes);
        let padding = padded(bytes.len()) - bytes.len();
        out.extend_from_slice(&[0; ALIGN][..padding]);
    }

    /// The entry at the start of `bytes`. Of an entry of `exact` bytes, only that passes.
    pub(crate) fn decode(bytes: &[u8], lsn: Lsn) -> Option<Entry<'_>> {
        let header = bytes.first_chunk::<ENTRY_HEADER>()?;
        let length = u32_at(header, 8);
        let size = if length == DELETED { 0 } else { length as usize };
        let payload = bytes[ENTRY_HEADER..].get(..size)?;
        let whole = u32_at(header, 12) == checksum(lsn, header, payload);
        let bytes = (length != DELETED).then_some(payload);
        whole.then_some(Entry { id: u64_at(header, 0), bytes })
    }
}

/// The entries of a record, with their offsets in it, unverified; it ends at the first that does
/// not fit.
pub(crate) fn entries(record: &[u8]) -> impl Iterator<Item = (usize, Entry<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = record.get(at..)?;
        let header = rest.first_chunk::<ENTRY_HEADER>()?;
        let length = u32_at(header, 8);
        let size = if length == DELETED { 0 } else { length as usize };
        let payload = rest[ENTRY_HEADER..].get(..size)?;
        let bytes = (length != DELETED).then_some(payload);
        let entry = Entry { id: u64_at(header, 0), bytes };
        let here = at;
        at += entry.size();
        Some((here, entry))
    })
}

/// The checksum of a record: over the headers of its entries.
pub(crate) fn record_checksum(record: &[u8]) -> u32 {
    entries(record).fold(0, |sum, (at, _)| crc(sum, &record[at..at + ENTRY_HEADER]))
}

/// The checksum of a record whose every byte is what was written; `None` if an entry is damaged.
pub(crate) fn verify(record: &[u8], lsn: Lsn) -> Option<u32> {
    let (mut headers, mut end) = (0, 0);
    for (at, entry) in entries(record) {
        let used = at + ENTRY_HEADER + entry.bytes.map_or(0, <[u8]>::len);
        let header = &record[at..at + ENTRY_HEADER];
        let sum = checksum(lsn, header, entry.bytes.unwrap_or(&[]));
        end = at + entry.size();
        let padding = record.get(used..end)?;
        if u32_at(header, 12) != sum || padding.iter().any(|&b| b != 0) {
            return None;
        }
        headers = crc(headers, header);
    }
    (end == record.len()).then_some(headers)
}

/// The checksum that a damaged record should have and the one that it has: those of the first entry
/// whose own does not hold, else the record's. They are equal if only padding is damaged.
pub(crate) fn difference(record: &[u8], lsn: Lsn, stored: u32) -> (u32, u32) {
    let checksums = entries(record).map(|(at, entry)| {
        let header = &record[at..at + ENTRY_HEADER];
        (u32_at(header, 12), checksum(lsn, header, entry.bytes.unwrap_or(&[])))
    });
    let differ = |(stored, actual): &(u32, u32)| stored != actual;
    checksums.into_iter().find(differ).unwrap_or_else(|| (stored, record_checksum(record)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_tests::properties;

    properties! {
        fn round_trip(items: Vec<(u64, Option<Vec<u8>>)>, lsn: u64) -> bool {
            let mut out = Vec::new();
            let items: Vec<Entry<'_>> =
                items.iter().map(|(id, b)| Entry { id: *id, bytes: b.as_deref() }).collect();
            items.iter().for_each(|e| e.encode(Lsn(lsn), &mut out));
            let back: Vec<Entry<'_>> = entries(&out).map(|(_, e)| e).collect();
            back == items && verify(&out, Lsn(lsn)) == Some(record_checksum(&out))
        }

        fn a_flipped_bit_shows(items: Vec<(u64, Vec<u8>)>, lsn: u64, bit: usize) -> bool {
            let mut out = Vec::new();
            for (id, bytes) in &items {
                Entry { id: *id, bytes: Some(bytes) }.encode(Lsn(lsn), &mut out);
            }
            if out.is_empty() {
                return true;
            }
            let sum = record_checksum(&out);
            let bit = bit % (out.len() * 8);
            out[bit / 8] ^= 1 << (bit % 8);
            verify(&out, Lsn(lsn)) != Some(sum)
        }

        fn damage_shows(id: u64, bytes: Vec<u8>, lsn: u64, bit: usize) -> bool {
            let mut out = Vec::new();
            let entry = Entry { id, bytes: Some(&bytes) };
            entry.encode(Lsn(lsn), &mut out);
            let used = ENTRY_HEADER + bytes.len();
            let cut = (0..used).all(|n| Entry::decode(&out[..n], Lsn(lsn)).is_none());
            let other = Entry::decode(&out, Lsn(lsn ^ 1)).is_none();
            let bit = bit % (used * 8);
            out[bit / 8] ^= 1 << (bit % 8);
            cut && other && Entry::decode(&out, Lsn(lsn)).is_none()
        }
    }
}
