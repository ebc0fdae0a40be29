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
    /// ext4 with `data=ordered`: a file's length in order with its links, the operations of a
    /// directory in order, new blocks before the length that exposes them.
    Ext4Ordered,
    /// Everything in order: a crash keeps a prefix.
    Strict,
}

/// The bytes a sector that was never durable may be found with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fills {
    Zeros,
    ZerosStaleGarbage,
}

/// Which events must persist before which, beyond the order within a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OrderRules {
    pub(crate) everything: bool,
    pub(crate) length_with_links: bool,
    pub(crate) directory: bool,
    pub(crate) new_data_before_length: bool,
    pub(crate) sync_covers_name: bool,
}

impl Model {
    /// The models, weakest (most crash states) first.
    pub const ALL: [Model; 3] = [Model::Posix, Model::Ext4Ordered, Model::Strict];

    pub(crate) fn order(self) -> OrderRules {
        let none = OrderRules {
            everything: false,
            length_with_links: false,
            directory: false,
            new_data_before_length: false,
            sync_covers_name: false,
        };
        match self {
            Model::Posix => none,
            Model::Ext4Ordered => OrderRules {
                length_with_links: true,
                directory: true,
                new_data_before_length: true,
                ..none
            },
            Model::Strict => OrderRules { everything: true, sync_covers_name: true, ..none },
        }
    }

    pub(crate) fn fills(self) -> Fills {
        match self {
            Model::Posix => Fills::ZerosStaleGarbage,
            Model::Ext4Ordered | Model::Strict => Fills::Zeros,
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Model::Posix => "posix",
            Model::Ext4Ordered => "ext4-ordered",
            Model::Strict => "strict",
        })
    }
}

impl FromStr for Model {
    type Err = String;

    fn from_str(s: &str) -> Result<Model, String> {
        let found = Model::ALL.into_iter().find(|m| m.to_string() == s);
        found.ok_or_else(|| format!("no disk model {s:?}: posix, ext4-ordered or strict"))
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
}

impl FailedSync {
    /// All families.
    pub const ALL: [FailedSync; 3] =
        [FailedSync::KeepDirty, FailedSync::KeepNew, FailedSync::Revert];
}

impl fmt::Display for FailedSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FailedSync::KeepDirty => "keep-dirty",
            FailedSync::KeepNew => "keep-new",
            FailedSync::Revert => "revert",
        })
    }
}

impl FromStr for FailedSync {
    type Err = String;

    fn from_str(s: &str) -> Result<FailedSync, String> {
        let found = FailedSync::ALL.into_iter().find(|m| m.to_string() == s);
        found.ok_or_else(|| format!("no failed-sync family {s:?}: keep-dirty, keep-new or revert"))
    }
}
