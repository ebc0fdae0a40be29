//! The calls of a program, through the seam.

use super::bytes::shown;
use highwater_vfs::{File, OpenMode, Vfs, write_all_at};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

/// One call. Paths are those of the seam; the root is the empty path, written `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Makes a new, empty file.
    Create(String),
    /// Makes a directory.
    Mkdir(String),
    /// Writes bytes at an offset.
    Write(String, u64, Vec<u8>),
    /// Writes bytes at the end.
    Append(String, Vec<u8>),
    /// Cuts a file, or makes it longer by zeros.
    SetLen(String, u64),
    /// Gives a file another name, perhaps that of another file.
    Rename(String, String),
    /// Takes a file's name away.
    Remove(String),
    /// Makes a file's bytes and length durable.
    Sync(String),
    /// Makes the names in a directory durable.
    SyncDir(String),
}

impl Call {
    /// The paths it names.
    pub(super) fn paths(&self) -> Vec<&str> {
        match self {
            Call::Rename(from, to) => vec![from, to],
            Call::Create(path) | Call::Mkdir(path) | Call::Remove(path) => vec![path],
            Call::Sync(path) | Call::SyncDir(path) | Call::SetLen(path, _) => vec![path],
            Call::Write(path, ..) | Call::Append(path, _) => vec![path],
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Those of the seam; a program that meets one is wrong.
    pub fn run(&self, vfs: &dyn Vfs) -> io::Result<()> {
        let path = Path::new(self.paths()[0]);
        let file = || vfs.open(path, OpenMode::Write);
        match self {
            Call::Create(_) => vfs.open(path, OpenMode::CreateNew).map(drop),
            Call::Mkdir(_) => vfs.create_dir(path),
            Call::Write(_, offset, bytes) => write_all_at(&*file()?, bytes, *offset),
            Call::Append(_, bytes) => {
                let file = file()?;
                write_all_at(&*file, bytes, file.size()?)
            }
            Call::SetLen(_, size) => file()?.set_len(*size),
            Call::Rename(_, to) => vfs.rename(path, Path::new(to)),
            Call::Remove(_) => vfs.remove(path),
            Call::Sync(_) => file()?.sync(),
            Call::SyncDir(_) => vfs.sync_dir(path),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::Create(path) => write!(f, "create {path}"),
            Call::Mkdir(path) => write!(f, "mkdir {path}"),
            Call::Write(path, offset, bytes) => write!(f, "write {path} {offset} {}", shown(bytes)),
            Call::Append(path, bytes) => write!(f, "append {path} {}", shown(bytes)),
            Call::SetLen(path, size) => write!(f, "set_len {path} {size}"),
            Call::Rename(from, to) => write!(f, "rename {from} {to}"),
            Call::Remove(path) => write!(f, "remove {path}"),
            Call::Sync(path) => write!(f, "sync {path}"),
            Call::SyncDir(path) if path.is_empty() => write!(f, "sync_dir /"),
            Call::SyncDir(path) => write!(f, "sync_dir {path}"),
        }
    }
}

/// The file at `path`; `None` if there is none, or a directory.
pub(super) fn file_at(vfs: &dyn Vfs, path: &str) -> io::Result<Option<Arc<dyn File>>> {
    match vfs.open(Path::new(path), OpenMode::Read) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.kind() == ErrorKind::IsADirectory || missing(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether there is a file or a directory at `path`.
pub(super) fn exists(vfs: &dyn Vfs, path: &str) -> io::Result<bool> {
    match vfs.open(Path::new(path), OpenMode::Read) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == ErrorKind::IsADirectory => Ok(true),
        Err(e) if missing(&e) => Ok(false),
        Err(e) => Err(e),
    }
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}
