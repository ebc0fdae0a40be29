//! The whole catalogue in its order.

use super::{PIECES, Piece};

/// The classes in the order of the catalogue, and what their bugs have in common.
pub const CLASSES: &[(&str, &str)] = &[
    ("ACK", "acknowledged before the bytes of the file are durable"),
    ("DIR", "names, and the order of a rename and a sync"),
    ("ERR", "errors that are dropped, or tried again"),
    ("IOE", "short writes, interrupted calls, a disk that is full"),
    ("TAIL", "the end of the log"),
    ("HOLE", "something is missing in the middle"),
    ("STALE", "old bytes come back"),
    ("FRAME", "lengths, counts and offsets that are believed"),
    ("BIT", "checksums that are not asked in time"),
    ("CKPT", "what a checkpoint makes superfluous too early"),
    ("KEEP", "which files are kept, and which are believed"),
    ("ROT", "rotation and purging of segments"),
    ("ATOM", "half a batch"),
    ("REC", "recovery does harm"),
    ("DUP", "applied twice"),
    ("DEL", "deletes that are undone"),
    ("SYNC", "a sync shared by several"),
    ("RACE", "threads"),
    ("VIS", "seen before it is durable"),
    ("TIME", "clocks and expiry"),
    ("PORT", "another machine"),
];

/// The class of a bug: `ACK` of `ACK-1`.
pub fn class(piece: &Piece) -> &'static str {
    piece.bug.split('-').next().unwrap_or_default()
}

/// Where it stands in the catalogue: classes first, then numbers.
fn place(piece: &Piece) -> (usize, u32) {
    let place = CLASSES.iter().position(|(name, _)| *name == class(piece));
    let number = piece.bug.rsplit('-').next().and_then(|number| number.parse().ok());
    (place.unwrap_or(usize::MAX), number.unwrap_or(u32::MAX))
}

/// All bugs.
///
/// ```
/// let bugs = highwater_models::museum::catalogue();
/// assert_eq!(bugs.first().map(|piece| piece.bug), Some("ACK-1"));
/// ```
pub fn catalogue() -> Vec<&'static Piece> {
    let mut pieces: Vec<&Piece> = PIECES.iter().collect();
    pieces.sort_by_key(|piece| place(piece));
    pieces
}
