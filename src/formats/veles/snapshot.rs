//! `payloads.snapshot`: where in the log the payload of each id is. An index, and no data.

use crate::bytes::{le_u32, le_u64};
use crate::report::Tail;
use std::collections::BTreeMap;

const MAGIC: &[u8; 4] = b"VSNP";
/// Magic, version, position, count.
const HEADER: usize = 21;
/// Id and offset.
const ENTRY: usize = 16;
/// Of a snapshot of nothing.
pub(super) const SIZE_MIN: usize = HEADER + 4;

/// An intact snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// How much of the log it is the index of, in bytes.
    pub(super) position: u64,
    /// By id: the offset of the length in the record of the store.
    pub(super) offsets: BTreeMap<u64, u64>,
}

/// Whether a file begins as a snapshot does.
pub(super) fn has_magic(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads a snapshot, or says where it stops being one and why.
pub(super) fn decode(bytes: &[u8]) -> Result<Snapshot, (Tail, u64, String)> {
    let size = bytes.len();
    if size < SIZE_MIN {
        let why = format!("a snapshot has at least {SIZE_MIN} bytes, but {size} are there");
        return Err((Tail::Torn, size as u64, why));
    }
    if !has_magic(bytes) {
        return Err((
            Tail::Corrupt,
            0,
            format!("it does not begin with VSNP: {:02x?}", &bytes[..4]),
        ));
    }
    if bytes[4] != 1 {
        return Err((Tail::Corrupt, 4, format!("version {}, but only 1 is known", bytes[4])));
    }
    let (position, count) = (le_u64(bytes, 5), le_u64(bytes, 13));
    let room = size - SIZE_MIN;
    // FM1: no product with a count that the file could not hold.
    if !room.is_multiple_of(ENTRY) || count != (room / ENTRY) as u64 {
        let torn = count > (room / ENTRY) as u64 && count <= u64::from(u32::MAX);
        let tail = if torn { Tail::Torn } else { Tail::Corrupt };
        let why = format!("{count} entries, but {room} bytes for them where each takes {ENTRY}");
        return Err((tail, 13, why));
    }
    let (covered, sum) = bytes.split_at(size - 4);
    let (expected, actual) = (le_u32(sum, 0), crc32fast::hash(covered));
    if expected != actual {
        let why = format!("the checksum is {expected:#010x}, but {actual:#010x} computed");
        return Err((Tail::Corrupt, 0, why));
    }
    let entries = covered[HEADER..].chunks_exact(ENTRY);
    let offsets = entries.map(|entry| (le_u64(entry, 0), le_u64(entry, 8))).collect();
    Ok(Snapshot { position, offsets })
}

/// The bytes of a snapshot.
pub(super) fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(1);
    bytes.extend(snapshot.position.to_le_bytes());
    bytes.extend((snapshot.offsets.len() as u64).to_le_bytes());
    for (id, offset) in &snapshot.offsets {
        bytes.extend(id.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
    }
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}
