//! What can go wrong, and what the caller can do about it.

use std::fmt;
use std::io;

/// The store's result.
pub type Result<T> = std::result::Result<T, Error>;

/// Durable bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The file, relative to the store's directory.
    pub file: String,
    /// Bytes from its start.
    pub offset: u64,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub actual: String,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Corruption { file, offset, expected, actual } = self;
        write!(f, "{file} at offset {offset}: expected {expected}, found {actual}")
    }
}

/// Every error of the store. A torn tail is not one: the recovery report states it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A call to the disk failed. If it was a write or a sync, the store is now poisoned and the
    /// operation is *unknown*: open the store again, which decides it for good.
    #[error("{op} {file}: {source}{}", advice(source))]
    Io {
        /// What was tried.
        op: &'static str,
        /// On which file or directory, relative to the store's.
        file: String,
        /// What the disk said.
        source: io::Error,
    },
    /// An earlier write or sync failed. Reading goes on; to write, drop the store and open it
    /// again.
    #[error("an earlier write or sync failed: drop the store and open it again")]
    Poisoned,
    /// Durable bytes are damaged. Nothing was changed. Restore the file from a copy, or look at the
    /// directory with `highwater inspect`. If it is opening that is refused,
    /// [`Damage::Quarantine`](crate::Damage::Quarantine) in
    /// [`Options::damage`](crate::Options::damage) shows what is before the damage, and
    /// [`Damage::Accept`](crate::Damage::Accept) goes on from there.
    #[error("corrupt: {0}. Nothing was changed. {advice}", advice = DAMAGED)]
    Corrupt(Corruption),
    /// The operation does not fit. Nothing happened; the store is usable.
    #[error("{what} is {size} bytes, the limit is {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: u64,
        /// The largest allowed, in bytes.
        limit: u64,
    },
    /// A value with too many lists and maps within each other. Nothing happened.
    #[error("a value with {depth} lists and maps within each other, the limit is {limit}")]
    TooDeep {
        /// How many.
        depth: u32,
        /// The most that are allowed.
        limit: u32,
    },
    /// A key of no bytes. Nothing happened.
    #[error("a key has 1 to 256 bytes, this one has none")]
    NoKey,
    /// A counter was asked for and the key is set to something else. Nothing happened.
    #[error("{key} is not set to a whole number: delete it, or count with another key")]
    NoNumber {
        /// The key, with what is no ASCII escaped.
        key: String,
    },
    /// The store was opened to read it. To write, open it with `PayloadStore::open`.
    #[error("the store was opened read-only")]
    ReadOnly,
    /// The store was closed. Reading goes on; to write, open it again.
    #[error("the store was closed: open it again")]
    Closed,
    /// The caller did not want to wait longer for the disk. The operation is *unknown*: it stands
    /// in the log, goes to the disk with the next operation of anybody, and the next `flush` that
    /// succeeds says that it is durable.
    #[error("the disk took longer than the caller would wait: flush to know")]
    TimedOut,
    /// The directory holds the files of another kind of store. Nothing was changed.
    #[error("{file} belongs to {actual}, and {expected} was asked for: open it as what it is")]
    OtherView {
        /// The file that says so.
        file: String,
        /// What was asked for.
        expected: &'static str,
        /// What it is.
        actual: &'static str,
    },
    /// Another process has the store open. Try again when it is done.
    #[error("another process has the store open")]
    Locked,
}

/// What the caller can do about damage.
pub(crate) const DAMAGED: &str = "\
    Restore the file from a copy; if the store does not open, `Damage::Quarantine` in \
    `Options::damage` shows what is before the damage, and `Damage::Accept` goes on from there";

/// What the caller can do about it, where the disk's own words do not say.
fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ". Make room, then open the store again; to read it, open it read-only: that needs none"
        }
        io::ErrorKind::ReadOnlyFilesystem => ". To read the store, open it read-only",
        _ => "",
    }
}

impl Error {
    pub(crate) fn io(op: &'static str, file: &str) -> impl FnOnce(io::Error) -> Error {
        let file = if file.is_empty() { "the store's directory" } else { file };
        let file = file.to_string();
        move |source| match source.kind() {
            io::ErrorKind::WouldBlock if op == "open" => Error::Locked,
            _ => Error::Io { op, file, source },
        }
    }

    /// The same again, for callers whose work another one did.
    pub(crate) fn again(&self) -> Error {
        match self {
            Error::Io { op, file, source } => {
                let source = io::Error::new(source.kind(), source.to_string());
                Error::Io { op, file: file.clone(), source }
            }
            _ => Error::Poisoned,
        }
    }

    pub(crate) fn corrupt(
        file: impl Into<String>,
        offset: u64,
        expected: impl Into<String>,
        actual: impl Into<String>,
    ) -> Error {
        let (file, expected, actual) = (file.into(), expected.into(), actual.into());
        Error::Corrupt(Corruption { file, offset, expected, actual })
    }
}
