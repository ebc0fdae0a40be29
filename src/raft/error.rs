//! What can go wrong, and what the caller can do about it.

use highwater::Corruption;
use std::io::{self, ErrorKind};

/// The Raft store's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Every error of the Raft store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the disk or of the log: what it says. After a failed write the store is
    /// poisoned and the operation is *unknown*: open the store again, which decides it. Damage is
    /// always refused: restore the files from a copy, or let the node join as a new one.
    #[error("{}", told(.0))]
    Store(#[from] highwater::Error),
    /// The term of a hard state is below the one that was saved. Nothing happened.
    #[error("term {saved} is saved, {asked} would go back")]
    TermBack {
        /// The term that stands.
        saved: u64,
        /// The one that was asked for.
        asked: u64,
    },
    /// An entry is not the next one, or its term is below the last one's. Nothing happened.
    #[error("index {index} in term {term} does not follow index {last} in term {last_term}")]
    NotNext {
        /// Of the entry.
        index: u64,
        /// Of the entry.
        term: u64,
        /// Of the last entry, or of what was purged.
        last: u64,
        /// Of the last entry, or of what was purged.
        last_term: u64,
    },
    /// What was purged cannot be cut or asked for. Nothing happened.
    #[error("index {index} is purged, up to {purged}")]
    Purged {
        /// What was asked for.
        index: u64,
        /// The last index purged.
        purged: u64,
    },
    /// The snapshot is older than the one that stands. Nothing happened.
    #[error("a snapshot at index {saved} stands, {asked} would go back")]
    SnapshotBack {
        /// The index of the one that stands.
        saved: u64,
        /// The one that was asked for.
        asked: u64,
    },
}

/// Of damage, without what other views of the log offer.
fn told(error: &highwater::Error) -> String {
    match error {
        highwater::Error::Corrupt(what) => format!(
            "corrupt: {what}. Restore the files from a copy, or let the node join as a new one: \
             what it acknowledged may be lost"
        ),
        other => other.to_string(),
    }
}

/// A call to the disk failed.
pub(crate) fn io(op: &'static str, file: &str) -> impl FnOnce(io::Error) -> Error {
    let file = if file.is_empty() { "the store's directory" } else { file };
    let file = file.to_string();
    move |source| Error::Store(highwater::Error::Io { op, file, source })
}

/// Durable bytes are not what was written.
pub(crate) fn corrupt(file: &str, offset: u64, expected: &str, actual: impl ToString) -> Error {
    let (file, expected, actual) = (file.to_string(), expected.to_string(), actual.to_string());
    Error::Store(highwater::Error::Corrupt(Corruption { file, offset, expected, actual }))
}

/// What redb says, about its file.
pub(crate) fn database<E: Into<redb::Error>>(
    op: &'static str,
    file: &str,
) -> impl FnOnce(E) -> Error {
    let file = file.to_string();
    move |error| match error.into() {
        // What the disk says is one; what redb says of its bytes is another.
        redb::Error::Io(source) => match source.kind() {
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
                corrupt(&file, 0, "a whole database", source)
            }
            _ => io(op, &file)(source),
        },
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
            Error::Store(highwater::Error::Poisoned)
        }
        other => corrupt(&file, 0, "a whole database", other),
    }
}
