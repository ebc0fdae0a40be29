//! The museum: durability bugs that were found in the field, each as a small engine with its
//! correct twin.
//!
//! A piece is a file: what happened, the engine (a few dozen lines; the bug is one `if`), and its
//! card. All of them stand on the [`kit`], which is correct.

mod kit;
mod open;
mod piece;

mod ack_1;
mod ckpt_1;
mod ckpt_2;
mod ckpt_3;
mod ckpt_4;
mod ckpt_5;
mod ckpt_7;
mod ckpt_9;
mod keep_1;
mod keep_3;
mod keep_5;
mod keep_6;
mod keep_7;
mod port_2;
mod rec_1;
mod rec_2;
mod rec_4;
mod rec_5;
mod rot_1;
mod rot_10;
mod rot_6;
mod rot_8;
mod rot_9;

pub use open::{OPEN, Open};
pub use piece::Piece;

/// The pieces, in the order of the catalogue.
pub const PIECES: &[Piece] = &[
    ack_1::PIECE,
    ckpt_1::PIECE,
    ckpt_2::PIECE,
    ckpt_3::PIECE,
    ckpt_4::PIECE,
    ckpt_5::PIECE,
    ckpt_7::PIECE,
    ckpt_9::PIECE,
    keep_1::PIECE,
    keep_3::PIECE,
    keep_5::PIECE,
    keep_6::PIECE,
    keep_7::PIECE,
    rot_1::PIECE,
    rot_6::PIECE,
    rot_8::PIECE,
    rot_9::PIECE,
    rot_10::PIECE,
    rec_1::PIECE,
    rec_2::PIECE,
    rec_4::PIECE,
    rec_5::PIECE,
    port_2::PIECE,
];

/// The piece with that id, such as `ack-1`.
pub fn piece(id: &str) -> Option<&'static Piece> {
    PIECES.iter().find(|piece| piece.id() == id)
}
