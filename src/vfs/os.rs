//! The real disk, for Unix: the only file here that names `std::fs`.
//!
//! Each method is one system call that matters, after checks that keep its errors inside the
//! contract. Nothing is buffered, nothing is retried, nothing is cached.
//!
//! - **`File::sync` is `fdatasync`.** V9 promises the bytes and the length, and fdatasync(2) says
//!   just that: metadata is flushed if it "is needed in order to allow a subsequent data retrieval
//!   to be correctly handled", which a changed size is and a changed time is not
//!   (<https://man7.org/linux/man-pages/man2/fdatasync.2.html>). It saves the journal commit of an
//!   inode in which only the time has changed.
//! - **`sync_dir` is `fsync` of the directory**: "Calling fsync() does not necessarily ensure that
//!   the entry in the directory containing the file has also reached disk. For that an explicit
//!   fsync() on a file descriptor for the directory is also needed" (same page).
//! - **macOS**: its fsync(2) leaves the bytes in the drive's cache, and names `F_FULLFSYNC` as what
//!   databases should use. `std` does: both `sync_all` and `sync_data` are
//!   `fcntl(fd, F_FULLFSYNC)` on Apple systems (`library/std/src/sys/fs/unix.rs`).
//! - **Elsewhere** both constructors say `Unsupported`: where a directory cannot be synced, no name
//!   can be made durable, and it is better to learn that before the first write.
//!
//! Symbolic links are not followed below the root: a path with one in it is refused with
//! `InvalidInput`. It costs one `lstat` per component, on calls that an engine makes once per file.
//! This guards against a stray link, not against somebody who swaps names between check and use:
//! whoever can write to the root can also write to the files.
#![allow(clippy::disallowed_types, reason = "this is the file that everybody else goes through")]

use crate::named::{named, refusal};
use crate::{File, OpenMode, Vfs, check_path, write_all_at};
use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory tree under one directory of the real disk.
///
/// [`open`](OsFs::open) locks the directory for as long as the value lives, so that no second
/// process writes; [`read_only`](OsFs::read_only) takes no lock and changes nothing. Files that are
/// still open when the value is dropped keep working, without the lock.
///
/// Error messages name the call and the path; the kind of the system's error is kept.
#[derive(Debug)]
pub struct OsFs {
    root: PathBuf,
    /// The locked directory; `None` if everything that changes the disk is refused.
    lock: Option<fs::File>,
}

impl OsFs {
    /// Opens an existing directory for reading and writing, and locks it until the value is
    /// dropped or the process ends, however it ends.
    ///
    /// The lock is `flock` on the directory itself: there is no lock file that a crash could leave
    /// behind. It is advisory, and holds against a second `OsFs::open` in this process too. Making
    /// the directory, and syncing *its* name in its parent, is the caller's business.
    ///
    /// # Errors
    /// `WouldBlock` if the directory is locked already; `NotFound`; `NotADirectory`; `Unsupported`
    /// outside Unix; whatever the system says where directories cannot be locked (some network
    /// filesystems: there this refuses, rather than go on without a lock).
    ///
    /// # Example
    /// ```
    /// use highwater_vfs::OsFs;
    /// use std::io::ErrorKind;
    ///
    /// let dir = tempfile::tempdir()?;
    /// let vfs = OsFs::open(dir.path())?;
    /// assert_eq!(OsFs::open(dir.path()).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// drop(vfs);
    /// assert!(OsFs::open(dir.path()).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open(root: impl AsRef<Path>) -> io::Result<OsFs> {
        let root = existing_directory(root.as_ref())?;
        let lock = fs::File::open(&root).map_err(named("open", &root))?;
        match lock.try_lock() {
            Ok(()) => Ok(OsFs { root, lock: Some(lock) }),
            Err(TryLockError::Error(e)) => Err(named("lock", &root)(e)),
            Err(TryLockError::WouldBlock) => {
                let why = "is in use: another process, or another OsFs of this one, has it open";
                Err(refusal(ErrorKind::WouldBlock, "lock", &root, why))
            }
        }
    }

    /// Opens an existing directory to look at it: no lock is taken, and every call that could
    /// change the disk is refused with `ReadOnlyFilesystem`, `sync_dir` included.
    ///
    /// If another process writes meanwhile, each call is answered as V7 says, but two calls may see
    /// two different states.
    ///
    /// # Errors
    /// `NotFound`; `NotADirectory`; `Unsupported` outside Unix.
    ///
    /// # Example
    /// ```
    /// use highwater_vfs::{OpenMode, OsFs, Vfs};
    /// use std::io::ErrorKind;
    /// use std::path::Path;
    ///
    /// let dir = tempfile::tempdir()?;
    /// let vfs = OsFs::read_only(dir.path())?;
    /// let error = vfs.open(Path::new("a"), OpenMode::CreateNew).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read_only(root: impl AsRef<Path>) -> io::Result<OsFs> {
        Ok(OsFs { root: existing_directory(root.as_ref())?, lock: None })
    }

    /// The place of `path` on the disk, if it keeps to V1 and no directory on the way is a link.
    fn locate(&self, path: &Path) -> io::Result<PathBuf> {
        let text = check_path(path)?;
        let mut place = self.root.clone();
        let mut components = text.split('/').peekable();
        while let Some(component) = components.next().filter(|c| !c.is_empty()) {
            place.push(component);
            if components.peek().is_some() && kind(&place)? == Kind::Other {
                return Err(refusal(ErrorKind::InvalidInput, "find", &place, NOT_OURS));
            }
        }
        Ok(place)
    }

    /// As [`locate`](OsFs::locate), for a call that may change the disk.
    fn locate_to_change(&self, call: &'static str, path: &Path) -> io::Result<PathBuf> {
        let place = self.locate(path)?;
        match self.lock {
            Some(_) => Ok(place),
            None => Err(refusal(ErrorKind::ReadOnlyFilesystem, call, &place, "opened read-only")),
        }
    }
}

impl Vfs for OsFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let writable = mode != OpenMode::Read;
        let place = match writable {
            true => self.locate_to_change("open", path)?,
            false => self.locate(path)?,
        };
        file_or_nothing("open", &place)?;
        let handle = OpenOptions::new()
            .read(true)
            .write(writable)
            .create_new(mode == OpenMode::CreateNew)
            .open(&place)
            .map_err(named("open", &place))?;
        Ok(Arc::new(OsFile { handle, place, writable }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) =
            (self.locate_to_change("rename", from)?, self.locate_to_change("rename to", to)?);
        file_or_nothing("rename", &from)?;
        file_or_nothing("rename to", &to)?;
        fs::rename(&from, &to).map_err(named("rename", &from))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let place = self.locate_to_change("remove", path)?;
        file_or_nothing("remove", &place)?;
        fs::remove_file(&place).map_err(named("remove", &place))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let place = self.locate_to_change("create_dir", path)?;
        fs::create_dir(&place).map_err(named("create_dir", &place))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let place = self.locate(dir)?;
        directory("list", &place)?;
        let mut names = Vec::new();
        for found in fs::read_dir(&place).map_err(named("list", &place))? {
            let name = found.map_err(named("list", &place))?.file_name();
            names.push(name.into_string().map_err(|name| {
                let why = "this name is not UTF-8 (V1): it is not ours";
                refusal(ErrorKind::InvalidData, "list", &place.join(name), why)
            })?);
        }
        names.sort_unstable(); // `str` compares by bytes
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let place = self.locate_to_change("sync_dir", dir)?;
        directory("sync_dir", &place)?;
        let handle = fs::File::open(&place).map_err(named("sync_dir", &place))?;
        handle.sync_all().map_err(named("sync_dir", &place))
    }
}

/// One open file.
#[derive(Debug)]
struct OsFile {
    handle: fs::File,
    /// Where it was when it was opened; only for messages (V3).
    place: PathBuf,
    writable: bool,
}

/// What room is made of.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

impl OsFile {
    fn may_write(&self, call: &'static str) -> io::Result<()> {
        match self.writable {
            true => Ok(()),
            false => {
                let why = "the handle was opened with OpenMode::Read (V2)";
                Err(refusal(ErrorKind::PermissionDenied, call, &self.place, why))
            }
        }
    }
}

impl File for OsFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        // An offset is an i64 to the system, and one behind that is an error to it (EINVAL,
        // EOVERFLOW). No file reaches so far: to the caller it is past the end (V4).
        let reach = (i64::MAX as u64).saturating_sub(offset);
        let size = buf.len().min(usize::try_from(reach).unwrap_or(usize::MAX));
        if size == 0 {
            return Ok(0);
        }
        read_at(&self.handle, &mut buf[..size], offset).map_err(named("read", &self.place))
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.may_write("write")?;
        write_at(&self.handle, buf, offset).map_err(named("write", &self.place))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.may_write("set_len")?;
        self.handle.set_len(len).map_err(named("set_len", &self.place))
    }

    /// Written, not only allocated: the first write to a block that is allocated and no more has
    /// to record that the block is in use now, and each sync waits for that record too.
    fn reserve(&self, len: u64) -> io::Result<()> {
        self.may_write("reserve")?;
        for at in (self.size()?..len).step_by(ZEROS.len()) {
            let size = usize::try_from(len - at).map_or(ZEROS.len(), |n| n.min(ZEROS.len()));
            write_all_at(self, &ZEROS[..size], at)?;
        }
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.handle.metadata().map_err(named("size", &self.place))?.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.may_write("sync")?;
        self.handle.sync_data().map_err(named("sync", &self.place))
    }
}

#[cfg(unix)]
use std::os::unix::fs::FileExt;

#[cfg(unix)]
fn read_at(handle: &fs::File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    handle.read_at(buf, offset)
}

#[cfg(unix)]
fn write_at(handle: &fs::File, buf: &[u8], offset: u64) -> io::Result<usize> {
    handle.write_at(buf, offset)
}

#[cfg(not(unix))]
fn read_at(_: &fs::File, _: &mut [u8], _: u64) -> io::Result<usize> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn write_at(_: &fs::File, _: &[u8], _: u64) -> io::Result<usize> {
    Err(ErrorKind::Unsupported.into())
}

/// The absolute path of a directory that exists; here alone links are followed.
fn existing_directory(root: &Path) -> io::Result<PathBuf> {
    if !cfg!(unix) {
        let why = "OsFs is for Unix: elsewhere a directory cannot be synced";
        return Err(refusal(ErrorKind::Unsupported, "open", root, why));
    }
    let place = fs::canonicalize(root).map_err(named("open", root))?;
    directory("open", &place)?;
    Ok(place)
}

/// What a name stands for. `Other`: a link, a pipe, a socket, a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    File,
    Directory,
    Other,
}

const NOT_OURS: &str = "neither a file nor a directory (links are not followed)";

fn kind(place: &Path) -> io::Result<Kind> {
    match fs::symlink_metadata(place) {
        Ok(found) if found.is_file() => Ok(Kind::File),
        Ok(found) if found.is_dir() => Ok(Kind::Directory),
        Ok(_) => Ok(Kind::Other),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(Kind::Nothing),
        Err(e) => Err(named("find", place)(e)),
    }
}

/// Refuses what is there but no file. (Opening a pipe for reading would wait for a writer, and
/// `rename` would move a directory.)
fn file_or_nothing(call: &'static str, place: &Path) -> io::Result<()> {
    match kind(place)? {
        Kind::File | Kind::Nothing => Ok(()),
        Kind::Directory => Err(refusal(ErrorKind::IsADirectory, call, place, "a directory")),
        Kind::Other => Err(refusal(ErrorKind::InvalidInput, call, place, NOT_OURS)),
    }
}

/// Refuses what is no directory. (`fsync` of a file would succeed, and sync no name.)
fn directory(call: &'static str, place: &Path) -> io::Result<()> {
    match kind(place)? {
        Kind::Directory => Ok(()),
        Kind::Nothing => Err(refusal(ErrorKind::NotFound, call, place, "no such directory")),
        Kind::File => Err(refusal(ErrorKind::NotADirectory, call, place, "a file")),
        Kind::Other => Err(refusal(ErrorKind::InvalidInput, call, place, NOT_OURS)),
    }
}
