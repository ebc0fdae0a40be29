//! Records on the disk: a header, a value, and a checksum over all of it.

use super::{Change, Record, allocate, number_of};
use highwater_vfs::{File, read_full_at};
use std::io;

/// checksum (8 bytes), key (8), size of the value (4), kind (4).
pub(crate) const HEADER: usize = 24;

/// FNV-1a over the seed and the bytes. With different seeds the frames of two files never mix.
pub(crate) fn checksum(seed: u64, bytes: &[u8]) -> [u8; 8] {
    let add = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let seeded = seed.to_le_bytes().iter().fold(0xcbf2_9ce4_8422_2325, add);
    bytes.iter().fold(seeded, add).to_le_bytes()
}

pub(crate) fn frame(seed: u64, record: &Record) -> Vec<u8> {
    let (kind, value): (u32, &[u8]) = match &record.change {
        Change::Put(value) => (0, value),
        Change::Delete => (1, &[]),
        Change::Mark => (2, &[]),
        Change::Add(by) => (3, &by.to_le_bytes()),
    };
    let mut bytes = vec![0; 8];
    bytes.extend(record.key.to_le_bytes());
    bytes.extend((value.len() as u32).to_le_bytes());
    bytes.extend((kind | u32::from(record.last) << 8).to_le_bytes());
    bytes.extend(value);
    let sum = checksum(seed, &bytes[8..]);
    bytes[..8].copy_from_slice(&sum);
    bytes
}

pub(crate) fn frames(seed: u64, records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(|record| frame(seed, record)).collect()
}

/// A header as it stands on the disk: nothing in it is verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header([u8; HEADER]);

impl Header {
    pub(crate) fn read(file: &dyn File, offset: u64) -> io::Result<Option<Header>> {
        let mut bytes = [0; HEADER];
        let whole = read_full_at(file, &mut bytes, offset)? == HEADER;
        Ok(whole.then_some(Header(bytes)))
    }

    fn number(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.0[at..at + 4].try_into().expect("four bytes"))
    }

    pub(crate) fn key(&self) -> u64 {
        u64::from_le_bytes(self.0[8..16].try_into().expect("eight bytes"))
    }

    /// Whether the record is a delete, which is all header.
    pub(crate) fn deletes(&self) -> bool {
        self.number(20) & 0xff == 1
    }

    /// Of the frame, the header included.
    pub(crate) fn size(&self) -> u64 {
        HEADER as u64 + u64::from(self.number(16))
    }

    /// The record that it says is at `offset`, and whether the checksum is that of the record.
    pub(crate) fn record(
        &self,
        file: &dyn File,
        seed: u64,
        offset: u64,
    ) -> io::Result<(Record, bool)> {
        let mut bytes = allocate(self.size());
        bytes[..HEADER].copy_from_slice(&self.0);
        read_full_at(file, &mut bytes[HEADER..], offset + HEADER as u64)?;
        let intact = bytes[..8] == checksum(seed, &bytes[8..]);
        let (kind, value) = (self.number(20), bytes.split_off(HEADER));
        let change = match kind & 0xff {
            0 => Change::Put(value),
            1 => Change::Delete,
            3 => Change::Add(number_of(&value)),
            _ => Change::Mark,
        };
        Ok((Record { key: self.key(), change, last: kind >> 8 == 1 }, intact))
    }
}

/// The frame at `offset` and where it ends; `None` if there is none that is intact.
pub(crate) fn read_frame(
    file: &dyn File,
    seed: u64,
    offset: u64,
) -> io::Result<Option<(Record, u64)>> {
    let Some(header) = Header::read(file, offset)? else { return Ok(None) };
    let end = offset + header.size();
    if end > file.size()? {
        return Ok(None);
    }
    let (record, intact) = header.record(file, seed, offset)?;
    Ok(intact.then_some((record, end)))
}
