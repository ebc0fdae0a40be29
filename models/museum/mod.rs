//! The museum: durability bugs that were found in the field, each as a small engine with its
//! correct twin.
//!
//! A piece is a file: what happened, the engine (a few dozen lines; the bug is one `if`), and its
//! card. All of them stand on the `kit`, which is correct.

mod catalogue;
pub(crate) mod kit;
pub mod matrix;
mod piece;

mod ack_1;
mod ack_3;
mod ack_6;
mod ack_7;
mod atom_2;
mod atom_5;
mod bit_1;
mod bit_5;
mod ckpt_1;
mod ckpt_10;
mod ckpt_2;
mod ckpt_3;
mod ckpt_4;
mod ckpt_5;
mod ckpt_7;
mod ckpt_9;
mod del_1;
mod del_2;
mod del_3;
mod dir_1;
mod dir_5;
mod dir_7;
mod dup_1;
mod dup_2;
mod dup_4;
mod err_1;
mod err_4;
mod err_5;
mod frame_1;
mod frame_10;
mod frame_3;
mod frame_5;
mod frame_6;
mod hole_1;
mod hole_2;
mod hole_4;
mod hole_9;
mod ioe_1;
mod ioe_2;
mod ioe_4;
mod ioe_5;
mod keep_1;
mod keep_3;
mod keep_5;
mod keep_6;
mod keep_7;
mod port_2;
mod race_1;
mod race_10;
mod race_2;
mod race_7;
mod race_9;
mod rec_1;
mod rec_10;
mod rec_2;
mod rec_4;
mod rec_5;
mod rot_1;
mod rot_10;
mod rot_6;
mod rot_8;
mod rot_9;
mod stale_2;
mod stale_4;
mod stale_5;
mod stale_6;
mod sync_1;
mod sync_2;
mod tail_10;
mod tail_3;
mod tail_5;
mod tail_7;
mod tail_9;
mod time_1;
mod time_6;
mod time_7;
mod vis_1;
mod vis_2;

pub use catalogue::{CLASSES, catalogue, class};
pub use piece::Piece;
pub(crate) use piece::{EVERYWHERE, UNORDERED};

/// The pieces, in the order of the catalogue.
pub const PIECES: &[Piece] = &[
    ack_1::PIECE,
    ack_3::PIECE,
    ack_6::PIECE,
    ack_7::PIECE,
    dir_1::PIECE,
    dir_5::PIECE,
    dir_7::PIECE,
    err_1::PIECE,
    err_4::PIECE,
    err_5::PIECE,
    ioe_1::PIECE,
    ioe_2::PIECE,
    ioe_4::PIECE,
    ioe_5::PIECE,
    tail_3::PIECE,
    tail_5::PIECE,
    tail_7::PIECE,
    tail_9::PIECE,
    tail_10::PIECE,
    hole_1::PIECE,
    hole_2::PIECE,
    hole_4::PIECE,
    hole_9::PIECE,
    stale_2::PIECE,
    stale_4::PIECE,
    stale_5::PIECE,
    stale_6::PIECE,
    frame_1::PIECE,
    frame_3::PIECE,
    frame_5::PIECE,
    frame_6::PIECE,
    frame_10::PIECE,
    bit_1::PIECE,
    bit_5::PIECE,
    ckpt_1::PIECE,
    ckpt_2::PIECE,
    ckpt_3::PIECE,
    ckpt_4::PIECE,
    ckpt_5::PIECE,
    ckpt_7::PIECE,
    ckpt_9::PIECE,
    ckpt_10::PIECE,
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
    atom_2::PIECE,
    atom_5::PIECE,
    rec_1::PIECE,
    rec_2::PIECE,
    rec_4::PIECE,
    rec_5::PIECE,
    rec_10::PIECE,
    dup_1::PIECE,
    dup_2::PIECE,
    dup_4::PIECE,
    del_1::PIECE,
    del_2::PIECE,
    del_3::PIECE,
    sync_1::PIECE,
    sync_2::PIECE,
    race_1::PIECE,
    race_2::PIECE,
    race_7::PIECE,
    race_9::PIECE,
    race_10::PIECE,
    vis_1::PIECE,
    vis_2::PIECE,
    time_1::PIECE,
    time_6::PIECE,
    time_7::PIECE,
    port_2::PIECE,
];

/// The piece with that id, such as `ack-1`.
pub fn piece(id: &str) -> Option<&'static Piece> {
    PIECES.iter().find(|piece| piece.id() == id)
}
