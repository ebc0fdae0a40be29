//! Integration tests of highwater, one binary.

mod conformance;
mod damage;
mod faults;
mod inspect;
mod syncs;
mod tidy;
