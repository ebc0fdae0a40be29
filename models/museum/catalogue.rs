//! The whole catalogue in its order: the bugs that have a piece, and those that wait for one.

use super::{OPEN, Open, PIECES, Piece};

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

/// A bug of the catalogue.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// It can be run.
    Piece(&'static Piece),
    /// It waits.
    Open(&'static Open),
}

impl Entry {
    /// Its class and number: `ACK-1`.
    pub fn bug(&self) -> &'static str {
        match self {
            Entry::Piece(piece) => piece.bug,
            Entry::Open(open) => open.bug,
        }
    }

    /// Its class: `ACK`.
    pub fn class(&self) -> &'static str {
        self.bug().split('-').next().unwrap_or_default()
    }

    /// Where it stands in the catalogue: classes first, then numbers.
    fn place(&self) -> (usize, u32) {
        let class = CLASSES.iter().position(|(class, _)| *class == self.class());
        let number = self.bug().rsplit('-').next().and_then(|number| number.parse().ok());
        (class.unwrap_or(usize::MAX), number.unwrap_or(u32::MAX))
    }
}

/// All bugs, with a piece or without.
///
/// ```
/// let bugs = highwater_models::museum::catalogue();
/// assert_eq!(bugs.first().map(|bug| bug.bug()), Some("ACK-1"));
/// ```
pub fn catalogue() -> Vec<Entry> {
    let pieces = PIECES.iter().map(Entry::Piece);
    let mut entries: Vec<Entry> = pieces.chain(OPEN.iter().map(Entry::Open)).collect();
    entries.sort_by_key(Entry::place);
    entries
}
