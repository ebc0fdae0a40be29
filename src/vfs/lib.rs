//! The seam between a storage engine and its disk.
//!
//! An engine that talks to its files only through [`Vfs`] and [`File`] can be run on the real disk
//! (`OsFs`) and on a simulated one that loses power. Eleven methods, thirteen numbered clauses
//! (V1-V13): the clauses stand in `docs/contract.md`, and those that can be seen without a crash
//! are checked by `conformance` against any implementation.
//!
//! What is deliberately absent: a cursor, a buffer, a clock, a thread, a random number, a lock.
//! Nothing stands between the engine and the disk that a crash could catch half done.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

mod io_ext;

pub use io_ext::{read_exact_at, read_full_at, write_all_at};

/// How a file is opened. Nothing truncates on open (V2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpenMode {
    /// The name must exist; the handle refuses writes, `set_len` and `sync`.
    Read,
    /// The name must exist; the handle reads and writes.
    Write,
    /// The name must not exist; the handle reads and writes.
    CreateNew,
}

/// A rooted directory tree. Paths are relative to the root, UTF-8, separated by `/`, without `.`
/// or `..`; the root itself is the empty path (V1).
pub trait Vfs: Send + Sync + Debug {
    /// Opens a file (V2). The handle follows the file, not its name (V3).
    ///
    /// # Errors
    /// `NotFound` for `Read` and `Write` of a missing name, `AlreadyExists` for `CreateNew` of a
    /// present one, `IsADirectory` for a directory, `InvalidInput` for a path against V1.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;

    /// Renames a file; a file at `to` is replaced in one step (V11).
    ///
    /// # Errors
    /// `NotFound` if `from` is missing, `IsADirectory` if either is a directory.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file's name. Open handles keep working (V3).
    ///
    /// # Errors
    /// `NotFound` if it is missing, `IsADirectory` if it is a directory.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Creates a directory; its own name needs a [`sync_dir`](Vfs::sync_dir) of its parent (V10).
    ///
    /// # Errors
    /// `AlreadyExists` if the name exists, `NotFound` if the parent is missing.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, sorted by bytes, unsynced ones included (V8).
    ///
    /// # Errors
    /// `NotFound` if it is missing, `NotADirectory` if it is a file.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes the directory's earlier creates, renames and removes survive power loss (V10): not
    /// the contents of the files.
    ///
    /// # Errors
    /// `NotFound`, `NotADirectory`, or whatever the disk reports; after an error nothing is
    /// promised about any change since the last success (V12).
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
}

/// An open file. All calls are positional: there is no cursor to get out of step.
pub trait File: Send + Sync + Debug {
    /// Reads at `offset` (bytes from the start) into `buf`; may return less than asked, and 0 at
    /// or past the end (V4).
    ///
    /// # Errors
    /// Whatever the disk reports; never for being past the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes `buf` at `offset`; may write less than asked; a gap reads as zeros (V5).
    ///
    /// # Errors
    /// `PermissionDenied` on a `Read` handle; `StorageFull`; whatever the disk reports.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize>;

    /// Truncates, or extends with zeros (V6).
    ///
    /// # Errors
    /// As [`write_at`](File::write_at).
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// Whatever the disk reports.
    fn size(&self) -> io::Result<u64>;

    /// Makes this file's earlier writes and its length survive power loss: not its name (V9).
    ///
    /// # Errors
    /// `PermissionDenied` on a `Read` handle; whatever the disk reports. After an error nothing is
    /// promised about any change since the last success, and a later `Ok` covers only changes made
    /// after the failure (V12).
    fn sync(&self) -> io::Result<()>;
}
