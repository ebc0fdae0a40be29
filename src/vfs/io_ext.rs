//! The loops over short transfers, once for everybody.

use crate::File;
use std::io::{self, ErrorKind};

/// Fills `buf` from `offset` on, as far as the file reaches; returns the bytes read.
///
/// # Errors
/// Whatever [`File::read_at`] reports; `Interrupted` is tried again.
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
