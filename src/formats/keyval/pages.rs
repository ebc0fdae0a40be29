//! The pages of a Bolt file: a tree of buckets, each a tree of pages with keys and values.
//!
//! Only the two meta pages have a checksum. Every other page is taken for what it says it is, as
//! far as its numbers fit: an element lies in its page, a page in the file, its number is its
//! place, keys ascend, and no page is used twice.

use crate::bytes::{le_u16, le_u32, le_u64};
use crate::report::Tail;
use std::collections::BTreeSet;
use std::ops::Range;

pub(super) const MAGIC: u32 = 0xED0C_DAED;
pub(super) const VERSION: u32 = 2;
/// Bytes of a page's header, and of an element in it.
pub(super) const HEADER: usize = 16;
const META_END: usize = HEADER + 64;
/// What a page is.
pub(super) const BRANCH: u16 = 1;
pub(super) const LEAF: u16 = 2;
pub(super) const META: u16 = 4;
pub(super) const FREE_LIST: u16 = 0x10;
/// What a value is.
pub(super) const IS_BUCKET: u32 = 1;
/// Pages below each other: a tree of that height does not fit on a disk.
const HEIGHT_MAX: usize = 64;

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) tail: Tail,
    pub(super) offset: usize,
    pub(super) reason: String,
}

fn bad<T>(offset: usize, reason: String) -> Result<T, Bad> {
    Err(Bad { tail: Tail::Corrupt, offset, reason })
}

/// One of the two pages that say where the root is.
#[derive(Clone, Copy, Debug)]
struct Meta {
    page_size: usize,
    root: u64,
    pages: u64,
    transaction: u64,
}

/// A file, and the newest of its states.
pub(super) struct Pages<'a> {
    bytes: &'a [u8],
    meta: Meta,
    /// Of the other meta page, if it is bad.
    pub(super) other: Option<Bad>,
    used: BTreeSet<u64>,
}

/// A key and what is under it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
    pub(super) is_bucket: bool,
}

/// Whether bytes have a meta page in front, or where a second one may be.
pub(super) fn begins_like_one(bytes: &[u8]) -> bool {
    let has_magic =
        |offset: usize| bytes.len() >= offset + META_END && le_u32(bytes, offset + HEADER) == MAGIC;
    has_magic(0) || page_sizes().any(has_magic)
}

fn page_sizes() -> impl Iterator<Item = usize> {
    (9..=16).map(|power| 1 << power)
}

fn meta_at(bytes: &[u8], offset: usize) -> Result<Meta, Bad> {
    let there = bytes.len().saturating_sub(offset);
    if there < META_END {
        let reason = format!("a meta page has {META_END} bytes or more, {there} are left");
        return Err(Bad { tail: Tail::Torn, offset, reason });
    }
    let (magic, version) = (le_u32(bytes, offset + 16), le_u32(bytes, offset + 20));
    if (magic, version) != (MAGIC, VERSION) {
        return bad(offset + 16, format!("{magic:08x}, version {version}: no meta page"));
    }
    let (expected, actual) = (le_u64(bytes, offset + 72), fnv1a(&bytes[offset + 16..offset + 72]));
    if expected != actual {
        let reason = format!("meta page: expected {expected:016x}, actual {actual:016x}");
        return bad(offset + 72, reason);
    }
    let page_size = le_u32(bytes, offset + 24) as usize;
    if !page_sizes().any(|size| size == page_size) {
        return bad(offset + 24, format!("pages of {page_size} bytes"));
    }
    let [root, pages, transaction] = [32, 56, 64].map(|at| le_u64(bytes, offset + at));
    Ok(Meta { page_size, root, pages, transaction })
}

/// The checksum of a meta page.
pub(super) fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

impl<'a> Pages<'a> {
    /// The state of the newest transaction whose meta page is sound.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Pages<'a>, Bad> {
        let first = meta_at(bytes, 0);
        // If the first is bad nothing says how large pages are.
        let second = match &first {
            Ok(meta) => meta_at(bytes, meta.page_size),
            Err(bad) => page_sizes()
                .find_map(|size| meta_at(bytes, size).ok().filter(|meta| meta.page_size == size))
                .ok_or_else(|| bad.clone()),
        };
        let (meta, other) = match (first, second) {
            (Ok(a), Ok(b)) => (if a.transaction > b.transaction { a } else { b }, None),
            (Ok(meta), Err(bad)) | (Err(bad), Ok(meta)) => (meta, Some(bad)),
            (Err(bad), Err(_)) => return Err(bad),
        };
        let size = meta.pages.checked_mul(meta.page_size as u64);
        if size.is_none_or(|size| size > bytes.len() as u64) {
            let reason = format!("{} pages are stated, {} bytes there", meta.pages, bytes.len());
            return Err(Bad { tail: Tail::Torn, offset: bytes.len(), reason });
        }
        Ok(Pages { bytes, meta, other, used: BTreeSet::new() })
    }

    pub(super) fn bytes(&self, range: &Range<usize>) -> &'a [u8] {
        &self.bytes[range.clone()]
    }

    /// What the file has at its top: buckets.
    pub(super) fn root(&mut self) -> Result<Vec<Item>, Bad> {
        let mut items = Vec::new();
        self.walk(self.meta.root, 0, &mut items)?;
        self.ascending(items)
    }

    /// What is in a bucket: a page of its own, or in its value behind 16 bytes if it is small.
    pub(super) fn bucket(&mut self, bucket: &Item) -> Result<Vec<Item>, Bad> {
        let Range { start, end } = bucket.value;
        if !bucket.is_bucket || end - start < HEADER {
            return bad(start, "expected a bucket".into());
        }
        let mut items = Vec::new();
        match le_u64(self.bytes, start) {
            0 => self.elements(start + HEADER..end, 0, &mut items)?,
            root => self.walk(root, 0, &mut items)?,
        }
        self.ascending(items)
    }

    fn walk(&mut self, page: u64, height: usize, items: &mut Vec<Item>) -> Result<(), Bad> {
        let size = self.meta.page_size;
        if page >= self.meta.pages || height > HEIGHT_MAX || !self.used.insert(page) {
            return bad(0, format!("page {page} is used twice or is not there"));
        }
        // Less than the number of pages, and so many lie in the file.
        let start = page as usize * size;
        if le_u64(self.bytes, start) != page {
            let reason = format!("expected page {page}, found {}", le_u64(self.bytes, start));
            return bad(start, reason);
        }
        let more = u64::from(le_u32(self.bytes, start + 12));
        if more >= self.meta.pages - page {
            return bad(start + 12, format!("{more} more pages than page {page}"));
        }
        self.elements(start..start + (more as usize + 1) * size, height, items)
    }

    /// The elements of a page.
    fn elements(
        &mut self,
        page: Range<usize>,
        height: usize,
        items: &mut Vec<Item>,
    ) -> Result<(), Bad> {
        let Range { start, end } = page;
        if end - start < HEADER {
            return bad(start, format!("a page of {} bytes", end - start));
        }
        let (flags, count) = (le_u16(self.bytes, start + 8), le_u16(self.bytes, start + 10));
        if flags != LEAF && flags != BRANCH {
            return bad(start + 8, format!("a page with flags {flags:x}: no branch, no leaf"));
        }
        // FM1: the elements lie in the page.
        if usize::from(count) * HEADER > end - start - HEADER {
            return bad(start + 10, format!("{count} elements in {} bytes", end - start));
        }
        let mut free = start + HEADER + usize::from(count) * HEADER;
        for number in 0..usize::from(count) {
            let at = start + HEADER + number * HEADER;
            if flags == LEAF {
                let item = self.leaf(at, end)?;
                // FM1: what the elements hold does not overlap, so together it fits the page.
                if item.key.start < free {
                    return bad(at, format!("an element begins at {}", item.key.start));
                }
                free = item.value.end;
                items.push(item);
            } else {
                self.within(at, le_u32(self.bytes, at), le_u32(self.bytes, at + 4), end)?;
                self.walk(le_u64(self.bytes, at + 8), height + 1, items)?;
            }
        }
        Ok(())
    }

    fn leaf(&self, at: usize, end: usize) -> Result<Item, Bad> {
        let [flags, offset, key, value] = [0, 4, 8, 12].map(|field| le_u32(self.bytes, at + field));
        let key = self.within(at, offset, key, end)?;
        let after = (key.end - at) as u32;
        let value = self.within(at, after, value, end)?;
        Ok(Item { key, value, is_bucket: flags & IS_BUCKET != 0 })
    }

    /// So many bytes at an offset from an element, if they lie in its page.
    fn within(&self, at: usize, offset: u32, size: u32, end: usize) -> Result<Range<usize>, Bad> {
        let (offset, size) = (u64::from(offset), u64::from(size));
        if offset + size > (end - at) as u64 {
            return bad(at, format!("{size} bytes at {offset} are outside of the page"));
        }
        let start = at + offset as usize;
        Ok(start..start + size as usize)
    }

    fn ascending(&self, items: Vec<Item>) -> Result<Vec<Item>, Bad> {
        let ascend = |pair: &[Item]| self.bytes(&pair[0].key) < self.bytes(&pair[1].key);
        match items.windows(2).find(|pair| !ascend(pair)) {
            Some(pair) => bad(pair[1].key.start, "a key that is not above the one before".into()),
            None => Ok(items),
        }
    }
}
