//! The latch of an engine that ends with its first error (P9).

use std::io;

/// Whether an operation has failed. What failed is unknown, and whatever came after it would stand
/// on that; so nothing does, until the store is opened again.
#[derive(Debug, Default)]
pub(crate) struct Latch {
    failed: bool,
}

impl Latch {
    /// Passes as long as nothing has failed.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("an earlier operation failed; open again"));
        }
        Ok(())
    }

    /// Passes an answer on, and remembers an error.
    pub(crate) fn keep<T>(&mut self, done: io::Result<T>) -> io::Result<T> {
        self.failed |= done.is_err();
        done
    }
}
