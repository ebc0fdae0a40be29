//! An open file on a disk with faults.

use super::{CallKind, Fault, FaultEffect, Shared};
use highwater_vfs::File;
use std::fmt::{self, Debug};
use std::io::{self, ErrorKind};
use std::sync::Arc;

pub(super) struct FaultFile {
    pub(super) inner: Arc<dyn File>,
    pub(super) shared: Arc<Shared>,
}

impl Debug for FaultFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FaultFile({:?})", self.inner)
    }
}

impl FaultFile {
    fn write(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let end = offset.saturating_add(buf.len() as u64);
        self.shared.growing((|| self.inner.size(), end), |end| {
            let count = end.saturating_sub(offset).min(buf.len() as u64) as usize;
            if count == 0 && !buf.is_empty() {
                return Err(self.shared.full());
            }
            self.inner.write_at(&buf[..count], offset)
        })
    }

    /// As many of the bytes as there is room for.
    fn write_what_fits(&self, mut buf: &[u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.write(buf, offset) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => (buf, offset) = (&buf[count..], offset + count as u64),
                Err(e) if e.kind() == ErrorKind::StorageFull => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

impl File for FaultFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.shared.call(CallKind::Read, buf.len()) {
            Some(fault @ Fault { what: FaultEffect::Short(most), .. }) => {
                let count = buf.len().min(most as usize);
                if count < buf.len() {
                    self.shared.fire(fault);
                }
                self.inner.read_at(&mut buf[..count], offset)
            }
            Some(fault) => self.shared.failed(fault),
            None => self.inner.read_at(buf, offset), // I1
        }
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        match self.shared.call(CallKind::Write, buf.len()) {
            Some(fault @ Fault { what: FaultEffect::Short(most), .. }) => {
                let count = buf.len().min(most as usize);
                if count < buf.len() {
                    self.shared.fire(fault);
                }
                self.write(&buf[..count], offset)
            }
            Some(fault @ Fault { what: FaultEffect::EioAfter(bytes), .. }) => {
                let count = buf.len().min(bytes as usize);
                self.write_what_fits(&buf[..count], offset)?;
                self.shared.failed(fault)
            }
            Some(fault) => self.shared.failed(fault),
            None => self.write(buf, offset), // I1
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.shared.whole(CallKind::SetLen, || {
            self.shared.growing((|| self.inner.size(), len), |end| match end < len {
                true => Err(self.shared.full()),
                false => self.inner.set_len(len),
            })
        })
    }

    fn size(&self) -> io::Result<u64> {
        self.shared.whole(CallKind::Size, || self.inner.size())
    }

    fn sync(&self) -> io::Result<()> {
        self.shared.sync(CallKind::Sync, || self.inner.sync())
    }
}
