//! The fixed-width layout of bincode 1: little endian, lengths in 8 bytes, variants in 4.

/// Reads from the front of bytes. Every failure says what was expected and what is there.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Bytes not yet read.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn bytes(&mut self, size: u64) -> Result<&'a [u8], String> {
        let there = self.rest.len();
        // FM1: the length is compared with what is there before anything is done with it.
        let size = usize::try_from(size).ok().filter(|size| *size <= there);
        let size = size.ok_or_else(|| format!("{there} bytes are left, fewer than stated"))?;
        let (front, rest) = self.rest.split_at(size);
        self.rest = rest;
        Ok(front)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N as u64)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, String> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, String> {
        self.array().map(i64::from_le_bytes)
    }

    /// Length and bytes.
    pub(super) fn blob(&mut self) -> Result<&'a [u8], String> {
        let size = self.u64()?;
        self.bytes(size)
    }

    pub(super) fn string(&mut self) -> Result<String, String> {
        let bytes = self.blob()?.to_vec();
        String::from_utf8(bytes).map_err(|e| format!("text that is no UTF-8: {e}"))
    }

    pub(super) fn option<T>(
        &mut self,
        some: impl FnOnce(&mut Reader<'a>) -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        match self.u8()? {
            0 => Ok(None),
            1 => some(self).map(Some),
            other => Err(format!("an option is 0 or 1, not {other}")),
        }
    }

    /// So many of them as the length in front says; each has at least a byte.
    pub(super) fn list<T>(
        &mut self,
        mut item: impl FnMut(&mut Reader<'a>) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let count = self.u64()?;
        let there = self.left();
        if count > there as u64 {
            return Err(format!("{count} items in {there} bytes"));
        }
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }
}

/// Length and bytes.
pub(super) fn put_blob(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend((bytes.len() as u64).to_le_bytes());
    into.extend(bytes);
}

/// Length and items.
pub(super) fn put_list<T>(
    into: &mut Vec<u8>,
    items: impl ExactSizeIterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    into.extend((items.len() as u64).to_le_bytes());
    items.for_each(|one| item(into, one));
}

/// Whether there is one, and it.
pub(super) fn put_option<T>(
    into: &mut Vec<u8>,
    option: Option<T>,
    some: impl FnOnce(&mut Vec<u8>, T),
) {
    into.push(u8::from(option.is_some()));
    if let Some(one) = option {
        some(into, one);
    }
}
