//! The files of five other systems: read, verified, written.
//!
//! Everything here is pure: bytes in, bytes out, nothing is opened. A [`Codec`] recognises the
//! files of its system by their content, says of each file where it stops and why, and gives the
//! state that a correct reader may show; beside it each module has `read` and `write` with the
//! system's own types.
//!
//! Invariants
//! - FM1: no length that a file states is believed before it is compared with what is there: no sum
//!   wraps, and nothing is allocated that the file could not fill.
//! - FM2: a state ends before the first bad frame; a bad snapshot is passed over, and said.

pub mod bridge;
mod bytes;
mod files;
mod flips;
mod hex;
pub mod keyval;
mod ranges;
mod report;
mod search;
pub mod stemedb;
#[cfg(test)]
mod trials;
pub mod veles;

pub use files::Files;
pub use flips::{Flips, flips, flips_of};
pub use report::{Examined, FileReport, Likeness, Line, Tail, Verdict};

use serde_json::Value;
use std::panic::RefUnwindSafe;

/// A system whose files can be read.
pub trait Codec: Sync + RefUnwindSafe {
    /// Its name on the command line and in reports.
    fn name(&self) -> &'static str;

    /// Whether these files look like its own. By content; by exact name only where a file is empty
    /// or shorter than its header.
    fn likeness(&self, files: &Files) -> Likeness;

    /// Reads everything. Expiry is judged at `at`, in nanoseconds since 1970, or at the newest time
    /// that the files record.
    fn examine(&self, files: &Files, at: Option<i64>) -> Examined<Value>;
}

/// All of them.
pub fn codecs() -> &'static [&'static dyn Codec] {
    &[
        &veles::Dialect::Current,
        &veles::Dialect::Plan,
        &keyval::KeyVal,
        &bridge::Bridge,
        &stemedb::Stemedb,
    ]
}
