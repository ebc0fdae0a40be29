//! The loops over short transfers, once for everybody.

use crate::File;
use std::io::{self, ErrorKind};

/// Fills `buf` from `offset` on, as far as the file reaches; returns the bytes read.
///
/// # Errors
/// Whatever [`File::read_at`] reports; `Interrupted` is tried again.
///
/// # Example
/// ```
/// use highwater_vfs::{OpenMode, OsFs, Vfs, read_full_at, write_all_at};
/// use std::path::Path;
///
/// let dir = tempfile::tempdir()?;
/// let file = OsFs::open(dir.path())?.open(Path::new("a"), OpenMode::CreateNew)?;
/// write_all_at(&*file, b"abc", 0)?;
/// let mut buf = [0; 8];
/// assert_eq!(read_full_at(&*file, &mut buf, 1)?, 2);
/// assert_eq!(&buf[..2], b"bc");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_full_at(file: &dyn File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buf.len() {
        match file.read_at(&mut buf[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(n) => done += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(done)
}

/// Fills the whole of `buf` from `offset` on.
///
/// # Errors
/// `UnexpectedEof` if the file ends before; otherwise as [`read_full_at`].
///
/// # Example
/// ```
/// use highwater_vfs::{OpenMode, OsFs, Vfs, read_exact_at};
/// use std::path::Path;
///
/// let dir = tempfile::tempdir()?;
/// let file = OsFs::open(dir.path())?.open(Path::new("a"), OpenMode::CreateNew)?;
/// let error = read_exact_at(&*file, &mut [0; 1], 0).unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_exact_at(file: &dyn File, buf: &mut [u8], offset: u64) -> io::Result<()> {
    if read_full_at(file, buf, offset)? == buf.len() {
        Ok(())
    } else {
        Err(ErrorKind::UnexpectedEof.into())
    }
}

/// Writes the whole of `buf` at `offset`.
///
/// # Errors
/// `WriteZero` if the disk takes nothing; otherwise whatever [`File::write_at`] reports, with an
/// unknown part written; `Interrupted` is tried again.
///
/// # Example
/// ```
/// use highwater_vfs::{OpenMode, OsFs, Vfs, write_all_at};
/// use std::path::Path;
///
/// let dir = tempfile::tempdir()?;
/// let file = OsFs::open(dir.path())?.open(Path::new("a"), OpenMode::CreateNew)?;
/// write_all_at(&*file, b"abc", 2)?;
/// assert_eq!(file.size()?, 5);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write_all_at(file: &dyn File, buf: &[u8], offset: u64) -> io::Result<()> {
    let mut done = 0;
    while done < buf.len() {
        match file.write_at(&buf[done..], offset + done as u64) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(n) => done += n,
            // A signal took the call before it moved a byte: the offset stays where it is
            // (QuestDB once added the -1 to it).
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
