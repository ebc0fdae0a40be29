//! Disk models: which crash states are possible. Sources of each rule: `docs/fault-model.md`.

use std::fmt;
use std::str::FromStr;

/// What a power cut may do to changes that no sync has covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Model {
    /// Only what POSIX promises: values of one cell in order, nothing else; a sector that was
    /// never durable may hold zeros, stale bytes or garbage.
    Posix,
    /// ext4 with `data=writeback`: a file's length in order with its links, the operations of a
    /// directory in order; a sector that was never durable may hold stale bytes.
    Ext4Writeback,
    /// ext4 with `data=ordered`: as `data=writeback`, and new blocks before the length that
    /// exposes them.
    Ext4Ordered,
    /// ext4 with `data=journal`: data and metadata in one order; but syncing a file leaves out its
    /// name unless the order takes it along.
    Ext4Journal,
    /// XFS: all metadata in one order, data before the length that exposes it, overwrites free.
    Xfs,
    /// btrfs: a file's length in order with its links, data before the length that exposes it and
    /// before the rename that replaces a file; names in no order.
    Btrfs,
    /// Everything in order: a crash keeps a prefix; syncing a file persists its name.
    Strict,
}

/// The bytes a sector that was never durable may be found with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fills {
    Zeros,
    ZerosStale,
    ZerosStaleGarbage,
}

/// Which data must persist before a length that brings it into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposed {
    None,
    /// The sectors that lie wholly behind the old end.
    New,
    /// Those, and the one that the old end lies in.
    All,
}

/// Which events must persist before which, beyond the order within a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderRules {
    pub(crate) everything: bool,
    pub(crate) metadata: bool,
    pub(crate) length_with_links: bool,
    pub(crate) directory: bool,
    pub(crate) data_before_length: Exposed,
    pub(crate) data_before_replacing: bool,
    pub(crate) sync_covers_name: bool,
}

impl Model {
    /// The models, weakest (most crash states) first.
    pub const ALL: [Model; 7] = [
        Model::Posix,
        Model::Ext4Writeback,
        Model::Ext4Ordered,
        Model::Ext4Journal,
        Model::Xfs,
        Model::Btrfs,
        Model::Strict,
    ];

    pub(crate) fn order(self) -> OrderRules {
        let none = OrderRules {
            everything: false,
            metadata: false,
            length_with_links: false,
            directory: false,
            data_before_length: Exposed::None,
            data_before_replacing: false,
            sync_covers_name: false,
        };
        let linked = OrderRules { length_with_links: true, ..none };
        let ext4 = OrderRules { directory: true, ..linked };
        match self {
            Model::Posix => none,
            Model::Ext4Writeback => ext4,
            Model::Ext4Ordered => OrderRules { data_before_length: Exposed::New, ..ext4 },
            Model::Ext4Journal => OrderRules { everything: true, ..none },
            Model::Xfs => OrderRules { metadata: true, data_before_length: Exposed::All, ..none },
            Model::Btrfs => OrderRules {
                data_before_length: Exposed::All,
                data_before_replacing: true,
                ..linked
            },
            Model::Strict => OrderRules { everything: true, sync_covers_name: true, ..none },
        }
    }

    pub(crate) fn fills(self) -> Fills {
        match self {
            Model::Posix => Fills::ZerosStaleGarbage,
            Model::Ext4Writeback => Fills::ZerosStale,
            _ => Fills::Zeros,
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Model::Posix => "posix",
            Model::Ext4Writeback => "ext4-writeback",
            Model::Ext4Ordered => "ext4-ordered",
            Model::Ext4Journal => "ext4-journal",
            Model::Xfs => "xfs",
            Model::Btrfs => "btrfs",
            Model::Strict => "strict",
        })
    }
}

impl FromStr for Model {
    type Err = String;

    fn from_str(s: &str) -> Result<Model, String> {
        let found = Model::ALL.into_iter().find(|m| m.to_string() == s);
        let names = || Model::ALL.map(|m| m.to_string()).join(", ");
        found.ok_or_else(|| format!("no disk model {s:?}: {}", names()))
    }
}

/// What a failed sync does to the changes it would have covered, after Rebello et al., *Can
/// Applications Recover from fsync Failures?* (ATC'20).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailedSync {
    /// They stay pending: a retry retries.
    KeepDirty,
    /// Each is durable or lost, by choice; the cache shows the new bytes; a retry says `Ok`
    /// without writing them (ext4 with `data=ordered`, XFS).
    KeepNew,
    /// Each is durable or lost, by choice; the cache goes back to what is durable (btrfs).
    Revert,
    /// Each is durable or lost, by choice, and this sync says `Ok`: the next one of the file fails
    /// (ext4 with `data=journal`).
    Late,
}

impl FailedSync {
    /// All families.
    pub const ALL: [FailedSync; 4] =
        [FailedSync::KeepDirty, FailedSync::KeepNew, FailedSync::Revert, FailedSync::Late];

    /// Those under which an engine can keep every promise: whoever is told `Ok` by a sync that lost
    /// the bytes cannot.
    pub const TOLD: [FailedSync; 3] =
        [FailedSync::KeepDirty, FailedSync::KeepNew, FailedSync::Revert];
}

impl fmt::Display for FailedSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailedSync::KeepDirty => "keep-dirty",
            FailedSync::KeepNew => "keep-new",
            FailedSync::Revert => "revert",
            FailedSync::Late => "late",
        })
    }
}

impl FromStr for FailedSync {
    type Err = String;

    fn from_str(s: &str) -> Result<FailedSync, String> {
        let found = FailedSync::ALL.into_iter().find(|m| m.to_string() == s);
        let names = || FailedSync::ALL.map(|m| m.to_string()).join(", ");
        found.ok_or_else(|| format!("no failed-sync family {s:?}: {}", names()))
    }
}
