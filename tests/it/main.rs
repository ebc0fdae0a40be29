//! Integration tests of highwater, one binary.

mod conformance;
mod faults;
mod syncs;
mod tidy;
