//! Integration tests of highwater, one binary.

mod asked;
mod conformance;
mod damage;
mod determinism;
mod faults;
mod flips;
mod formats;
mod golden;
mod inspect;
mod model;
mod quarantine;
mod room;
mod syncs;
mod tidy;
