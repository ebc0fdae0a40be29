//! Errors that say which call failed, and where.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// An error of the system with the call and the path it concerns; the kind is kept.
#[derive(Debug)]
struct Named {
    call: &'static str,
    place: PathBuf,
    error: io::Error,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.call, self.place.display(), self.error)
    }
}

impl std::error::Error for Named {}

/// Adds call and place to an error of the system.
pub(crate) fn named(call: &'static str, place: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), Named { call, place: place.to_path_buf(), error })
}

/// An error that the system would not have given, or not with this kind.
pub(crate) fn refusal(kind: ErrorKind, call: &str, place: &Path, why: &str) -> io::Error {
    io::Error::new(kind, format!("{call} {}: {why}", place.display()))
}
