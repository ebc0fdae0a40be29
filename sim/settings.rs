//! What is explored, and how far.

use crate::{FailedSync, Model};

/// What is explored, and how far.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which crash states are possible.
    pub model: Model,
    /// Crashes in one run: the second and later ones hit the recovery, or the work after it.
    pub crashes: u32,
    /// Whether power is lost.
    pub power: bool,
    /// Whether the process is killed.
    pub kill: bool,
    /// Instead of nothing failing: one sync of a run fails in this way, in any life but the last.
    pub failed_sync: Option<FailedSync>,
    /// Every boundary is a crash point, even where a later one covers its disks.
    pub every_point: bool,
    /// Syncs say `Ok` and do nothing: this run must find something.
    pub deaf: bool,
    /// Recoveries of one node before it is explored by schedule instead of exhaustively; nodes of
    /// the second crash get a sixteenth of it, and so on, but at least 1024. Below a schedule they
    /// get 16.
    pub node_limit: u64,
    /// Random trails of a node that is explored by schedule.
    pub samples: u64,
    /// The seed of those.
    pub seed: u64,
    /// Recoveries after which a unit of work gives up; `u64::MAX` for never.
    pub unit_limit: u64,
    /// Threads that share the work; the report is the same for any number.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            model: Model::Posix,
            crashes: 2,
            power: true,
            kill: true,
            failed_sync: None,
            every_point: false,
            deaf: false,
            node_limit: 20_000,
            samples: 200,
            seed: 1,
            unit_limit: u64::MAX,
            threads: 1,
        }
    }
}
