//! Bytes and values. Nothing here names a file; the page for readers is `docs/format.md`.

mod crc;
pub(crate) mod entry;
pub(crate) mod frame;
pub(crate) mod name;
pub(crate) mod segment;
pub(crate) mod snapshot;

pub(crate) use crc::crc;
use std::fmt;

/// Whose files they are; stands in the header of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum ViewKind {
    /// Payloads by id.
    #[default]
    Payload,
    /// Values by key.
    KeyValue,
    /// Records by LSN.
    Journal,
}

impl ViewKind {
    pub(crate) fn of(code: u32) -> Option<ViewKind> {
        [ViewKind::Payload, ViewKind::KeyValue, ViewKind::Journal].get(code as usize).copied()
    }

    pub(crate) fn code(self) -> u32 {
        self as u32
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            ViewKind::Payload => "a payload store",
            ViewKind::KeyValue => "a key-value store",
            ViewKind::Journal => "a journal",
        }
    }
}

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

#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[inline]
pub(crate) fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

#[inline]
pub(crate) fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}
