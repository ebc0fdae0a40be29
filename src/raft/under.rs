//! A subfolder as a disk of its own.

use highwater_vfs::{File, OpenMode, Vfs, check_path};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A subfolder of another [`Vfs`]: every path is one below it, its root is the folder itself.
///
/// ```
/// use highwater_raft::Under;
/// use highwater_vfs::{OpenMode, OsFs, Vfs};
/// use std::{path::Path, sync::Arc};
///
/// let dir = tempfile::tempdir()?;
/// let disk: Arc<dyn Vfs> = Arc::new(OsFs::open(dir.path())?);
/// disk.create_dir(Path::new("log"))?;
/// let log = Under::new(Arc::clone(&disk), "log")?;
/// log.open(Path::new("1"), OpenMode::CreateNew)?;
/// assert_eq!(disk.list(Path::new("log"))?, ["1"]);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Under {
    disk: Arc<dyn Vfs>,
    folder: PathBuf,
}

impl Under {
    /// The folder of that name, which the caller has created and made durable: a folder that is
    /// there may be there in the cache only, and no sync says so.
    ///
    /// # Errors
    /// `InvalidInput` for a name against V1.
    pub fn new(disk: Arc<dyn Vfs>, folder: &str) -> io::Result<Under> {
        check_path(Path::new(folder))?;
        Ok(Under { disk, folder: PathBuf::from(folder) })
    }

    fn whole(&self, path: &Path) -> io::Result<PathBuf> {
        // The empty path is the folder: joined it would end with a slash.
        let empty = check_path(path)?.is_empty();
        Ok(if empty { self.folder.clone() } else { self.folder.join(path) })
    }
}

impl Vfs for Under {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.disk.open(&self.whole(path)?, mode)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(&self.whole(from)?, &self.whole(to)?)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(&self.whole(path)?)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(&self.whole(path)?)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(&self.whole(dir)?)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(&self.whole(dir)?)
    }
}
