//! The programs that are part of this package.

use super::Program;

macro_rules! texts {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!($name, ".litmus")))),*]
    };
}

/// Name and text of each, sorted.
const TEXTS: &[(&str, &str)] = &texts! {
    "append-after-create"
    "append-aligned"
    "append-prefix"
    "append-twice"
    "append-two-files"
    "append-two-synced"
    "create-via-rename"
    "ext4-zero-length"
    "length-cut-and-grown"
    "length-cut-halfway"
    "length-cut-synced"
    "length-grown"
    "length-hole"
    "leveldb-current"
    "leveldb-current-in-place"
    "log-with-sync"
    "log-without-sync"
    "names-one-directory"
    "names-remove"
    "names-remove-synced"
    "names-two-directories"
    "nano-backup"
    "overwrite-and-names"
    "overwrite-one-sector"
    "overwrite-same-sector"
    "overwrite-then-append"
    "overwrite-two-sectors"
    "overwrites-one-file"
    "overwrites-sync-between"
    "overwrites-two-files"
    "redb-growth"
    "redb-growth-synced"
    "rename-across-both-synced"
    "rename-across-one-synced"
    "rename-atomic"
    "rename-chain"
    "rename-overwritten-fresh"
    "rename-overwritten-replacing"
    "rename-swap"
    "rename-then-create"
    "replace-remove-first"
    "replace-safe"
    "replace-sync-too-late"
    "replace-without-dir-sync"
    "replace-without-file-sync"
    "replace-without-rename"
    "replace-without-temporary"
    "sqlite-journal-delete"
    "sqlite-journal-name"
    "stale-cut"
    "stale-removed"
    "sync-dir-not-contents"
    "sync-dir-wrong-one"
    "sync-earlier-only"
    "sync-empty-file"
    "sync-file-not-name"
    "sync-lost-mkdir"
    "sync-two-right-order"
    "sync-two-wrong-order"
    "turso-zero-bytes"
    "turso-zero-bytes-synced"
};

/// The text of one.
#[cfg(test)]
pub(super) fn text(name: &str) -> Option<&'static str> {
    TEXTS.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// All of them, sorted by name.
///
/// ```
/// assert!(highwater_models::litmus::programs().len() >= 30);
/// ```
pub fn programs() -> Vec<Program> {
    let read = |(name, text): &(&str, &str)| match Program::parse(name, text) {
        Ok(program) => program,
        Err(why) => panic!("{name}.litmus: {why}"), // a test reads them all
    };
    TEXTS.iter().map(read).collect()
}
