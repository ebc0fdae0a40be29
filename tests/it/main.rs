//! Integration tests of highwater, one binary.
