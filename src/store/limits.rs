//! Sizes in bytes, and how they hang together.

/// The largest payload.
pub const PAYLOAD_SIZE_MAX: u64 = 256 << 20;

/// The largest segment, and with it the largest frame: offsets fit 32 bits.
pub const SEGMENT_SIZE_MAX: u64 = 1 << 30;

/// Frames start at multiples of this.
pub(crate) const ALIGN: usize = 8;
pub(crate) const FRAME_HEADER: usize = 32;
pub(crate) const SEGMENT_HEADER: usize = 48;
pub(crate) const ENTRY_HEADER: usize = 16;
pub(crate) const SNAPSHOT_HEADER: usize = 64;
pub(crate) const SNAPSHOT_SEGMENT: usize = 16;
pub(crate) const SNAPSHOT_ENTRY: usize = 32;
pub(crate) const SNAPSHOT_DIGEST: usize = 32;

/// Writes into a growing file are fastest at 8 to 16 KiB.
pub(crate) const WRITE_SIZE: usize = 16 << 10;
/// The first time, a segment is extended by this much ahead of what is written.
pub(crate) const RESERVE_MIN: u64 = 16 << 10;

/// A sync that makes a quarter of a segment durable, and no less than this, is followed by a
/// statement.
pub(crate) const STATEMENT_MIN: u64 = 256;

/// A scan reads this much ahead at first, and twice as much each time, up to the largest: a reader
/// that looks at little leaves a simulated disk little to decide.
pub(crate) const READ_SIZE_MIN: usize = 512;
pub(crate) const READ_SIZE_MAX: usize = 256 << 10;

const _: () = assert!(FRAME_HEADER.is_multiple_of(ALIGN) && SEGMENT_HEADER.is_multiple_of(ALIGN));
const _: () = assert!(ENTRY_HEADER.is_multiple_of(ALIGN));
const _: () = assert!(PAYLOAD_SIZE_MAX + 1024 < SEGMENT_SIZE_MAX);
const _: () = assert!(2 * SEGMENT_SIZE_MAX < u32::MAX as u64);
const _: () = assert!(READ_SIZE_MIN >= SEGMENT_HEADER + FRAME_HEADER);

/// `size` rounded up to the next place where a frame or an entry may start.
pub(crate) const fn padded(size: usize) -> usize {
    size.next_multiple_of(ALIGN)
}
