//! Bytes and values. Nothing here names a file; the page for readers is `docs/format.md`.

pub(crate) mod entry;
pub(crate) mod frame;
pub(crate) mod name;
pub(crate) mod segment;
pub(crate) mod snapshot;

use std::fmt;

/// A position in the log: 1, 2, 3 …; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(
    /// The number.
    pub u64,
);

impl Lsn {
    pub(crate) fn next(self) -> Lsn {
        Lsn(self.0 + 1)
    }

    pub(crate) fn previous(self) -> Lsn {
        Lsn(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

pub(crate) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// CRC-32 (IEEE) of `bytes`, seeded. Of nothing it is the seed's own: a checksum of no bytes proves
/// nothing, so every header has at least one field that is never zero.
pub(crate) fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}
