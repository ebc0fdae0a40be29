//! The seam between a storage engine and its disk.
//!
//! An engine that talks to its files only through [`Vfs`] and [`File`] can be run on the real disk
//! ([`OsFs`]) and on a simulated one that loses power. Twelve methods, thirteen numbered clauses
//! (V1-V13): the clauses stand in `docs/contract.md`, and those that can be seen without a crash
//! are checked by [`conformance`] against any implementation.
//!
//! What is deliberately absent: a cursor, a buffer, a clock, a thread, a random number, a lock.
//! Nothing stands between the engine and the disk that a crash could catch half done.
//!
//! # Example
//!
//! Replacing a small file so that a power cut leaves the old or the new one. Each of the two syncs
//! is needed: without the first the new name may hold nothing (V9), without the second the old file
//! may come back after the caller was told that it is gone (V10).
//!
//! ```
//! use highwater_vfs::{OpenMode, OsFs, Vfs, read_exact_at, write_all_at};
//! use std::io;
//! use std::path::Path;
//!
//! fn replace(vfs: &dyn Vfs, bytes: &[u8]) -> io::Result<()> {
//!     let (temporary, final_name) = (Path::new("state.tmp"), Path::new("state"));
//!     let file = vfs.open(temporary, OpenMode::CreateNew)?;
//!     write_all_at(&*file, bytes, 0)?;
//!     file.sync()?;
//!     vfs.rename(temporary, final_name)?;
//!     vfs.sync_dir(Path::new(""))
//! }
//!
//! let dir = tempfile::tempdir()?;
//! let vfs = OsFs::open(dir.path())?;
//! replace(&vfs, b"one")?;
//! replace(&vfs, b"two")?;
//!
//! let mut bytes = [0; 3];
//! read_exact_at(&*vfs.open(Path::new("state"), OpenMode::Read)?, &mut bytes, 0)?;
//! assert_eq!(&bytes, b"two");
//! assert_eq!(vfs.list(Path::new(""))?, ["state"]);
//! # Ok::<(), io::Error>(())
//! ```

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub mod conformance;
mod io_ext;
mod named;
mod os;
mod path;

pub use io_ext::{read_exact_at, read_full_at, write_all_at};
pub use os::OsFs;
pub use path::check_path;

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

    /// Extends the file with zeros to `len` bytes if it is shorter, as
    /// [`set_len`](File::set_len) does (V6), and may write them: a write over bytes that were
    /// written before changes no length and allocates nothing, so that its sync is cheaper. To a
    /// disk model it is a change of the length. Nobody else may write at or behind the end of the
    /// file meanwhile: the zeros would go over those bytes.
    ///
    /// # Errors
    /// As [`set_len`](File::set_len); the file may then have grown in part.
    fn reserve(&self, len: u64) -> io::Result<()> {
        if self.size()? < len { self.set_len(len) } else { Ok(()) }
    }

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
