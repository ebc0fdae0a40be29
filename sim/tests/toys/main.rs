//! Small engines as a stranger would write them, each with one bug that a real project had, and
//! its correct twin, which differs from it in that one line. The explorer must tell them apart.

mod ack;
mod atom;
mod ckpt;
mod count;
mod del;
mod dir;
mod err;
mod judge;
mod kit;
mod lessons;
mod odd;
mod rec;
mod same;
mod stale;
mod stop;
mod tail;
