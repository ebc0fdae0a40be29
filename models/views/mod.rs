//! The other views of the log as engines: what their operations mean, by keys that are numbers.

mod batched;
mod compaction;
mod interval;
mod journal;
mod key_value;
mod raft;
pub mod redb;

pub use batched::batched;
pub use compaction::compaction;
pub use interval::interval;
pub use journal::journal;
pub use key_value::key_value;
pub use raft::raft;

use highwater::{Durability, Error, Options};
use highwater_sim::{Campaign, Device, Easy, FailedSync, Failure};
use std::io;

/// A view with its workload, under a name.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// On the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// The engine on its workload.
    pub subject: fn() -> Easy,
    /// The disk that it is explored on.
    pub device: Device,
    /// Whether syncs may fail: not where what is visible is not promised, which [`Easy`] takes it
    /// to be.
    pub fails: bool,
}

/// All of them.
pub const VIEWS: &[View] = &[
    View {
        name: "kv",
        about: "the key-value store: counters, leases, a clock that is set back",
        subject: || key_value(usize::MAX),
        device: Device::PLAIN,
        fails: true,
    },
    View {
        name: "journal",
        about: "the journal: records, a cursor, clean-ups",
        subject: || journal(usize::MAX),
        device: Device::PLAIN,
        fails: true,
    },
    View {
        name: "journal-batched",
        about: "the journal when it counts what waits for a sync",
        subject: batched,
        device: Device::PLAIN,
        fails: false,
    },
    View {
        name: "payload-compaction",
        about: "the payload store when it compacts",
        subject: compaction,
        device: Device::PLAIN,
        fails: true,
    },
    View {
        name: "payload-interval",
        about: "the payload store in mode Interval",
        subject: interval,
        device: Device::PLAIN,
        fails: false,
    },
    View {
        name: "raft",
        about: "the Raft store: journal, redb and snapshots on one disk",
        subject: || raft(usize::MAX),
        // redb checksums whole pages; and `tests/raft.rs` has syncs fail, with one crash.
        device: Device { sector: 4096, ..Device::PLAIN },
        fails: false,
    },
];

impl View {
    /// What it is judged by unless somebody asks for something else.
    pub fn campaign(&self) -> Campaign {
        let mut campaign = Campaign::default();
        campaign.settings.device = self.device;
        let told = FailedSync::TOLD.map(Failure::Sync);
        campaign.failures = if self.fails { told.to_vec() } else { Vec::new() };
        campaign
    }
}

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
