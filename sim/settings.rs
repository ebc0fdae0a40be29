//! What is explored, and how far.

use crate::disk::Disk;
use crate::{Device, Failure, Model};

/// Abilities of the disk that can be switched off, to ask what a bug takes to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    /// A power cut may lose what was written to a sector.
    pub data: bool,
    /// A power cut may lose creations, renames and removals.
    pub names: bool,
    /// A power cut may lose a file's length.
    pub lengths: bool,
    /// A later change may survive an earlier one.
    pub reorder: bool,
}

impl Layers {
    /// All abilities.
    pub const ALL: Layers = Layers { data: true, names: true, lengths: true, reorder: true };
}

/// What is explored, and how far.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which crash states are possible.
    pub model: Model,
    /// What the device does.
    pub device: Device,
    /// What the disk may do at all.
    pub layers: Layers,
    /// Crashes in one run: the second and later ones hit the recovery, or the work after it.
    pub crashes: u32,
    /// Whether power is lost.
    pub power: bool,
    /// Whether the process is killed.
    pub kill: bool,
    /// Instead of nothing failing: one thing in a run fails in this way.
    pub failure: Option<Failure>,
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
    /// Says which line of the engine is calling. It is asked while a shrunk trail is walked, never
    /// while the explorer explores.
    pub locate: Option<fn() -> Option<String>>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            model: Model::Posix,
            device: Device::PLAIN,
            layers: Layers::ALL,
            crashes: 2,
            power: true,
            kill: true,
            failure: None,
            every_point: false,
            deaf: false,
            node_limit: 20_000,
            samples: 200,
            seed: 1,
            unit_limit: u64::MAX,
            threads: 1,
            locate: None,
        }
    }
}

impl Settings {
    /// The same, as far as they make sense together: what decays is a disk at rest, and it is read
    /// once.
    pub(crate) fn fitting(mut self) -> Settings {
        if self.decays() {
            self.crashes = self.crashes.min(1);
            self.kill = false;
        }
        self
    }

    pub(crate) fn decays(&self) -> bool {
        matches!(self.failure, Some(Failure::Decay(_)))
    }

    /// The disk before the first life.
    pub(crate) fn disk(&self) -> Disk {
        let mut disk = Disk::with(self.model, self.device, self.layers);
        disk.to_fail = self.failure.filter(|failure| *failure != Failure::Lying);
        disk
    }

    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf || self.failure == Some(Failure::Lying)
    }

    /// Whether it may happen in a life: what decays has been written, and of the last life nobody
    /// sees what a failure would do.
    pub(crate) fn may_fail(&self, nth: u32, last: bool) -> bool {
        if self.decays() { nth > 0 } else { !last }
    }
}
