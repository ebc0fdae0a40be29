//! The other views of the log as engines: what their operations mean, by keys that are numbers.

mod compaction;
mod interval;
mod journal;
mod key_value;

pub use compaction::compaction;
pub use interval::interval;
pub use journal::journal;
pub use key_value::key_value;

use highwater::{Durability, Error, Options};
use std::io;

/// Small segments, so that a short workload has several; checkpoints where the workload says so.
fn options() -> Options {
    Options {
        durability: Durability::Fsync,
        segment_size: 512,
        reserve: 512,
        auto_checkpoint: false,
        ..Options::default()
    }
}

fn told(error: Error) -> io::Error {
    match error {
        Error::Io { source, op, file } => {
            io::Error::new(source.kind(), format!("{op} {file}: {source}"))
        }
        other => io::Error::other(other.to_string()),
    }
}
