//! The museum: durability bugs that were found in the field, each as a small engine with its
//! correct twin.
//!
//! A piece is a file: what happened, the engine (a few dozen lines; the bug is one `if`), and its
//! card. All of them stand on the [`kit`], which is correct.

mod kit;
mod open;
mod piece;

mod ack_1;

pub use open::{OPEN, Open};
pub use piece::Piece;

/// The pieces, in the order of the catalogue.
pub const PIECES: &[Piece] = &[ack_1::PIECE];

/// The piece with that id, such as `ack-1`.
pub fn piece(id: &str) -> Option<&'static Piece> {
    PIECES.iter().find(|piece| piece.id() == id)
}
