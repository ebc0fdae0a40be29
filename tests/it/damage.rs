//! Damaged files: a store's files with every bit flipped and every byte cut off, and files that are
//! none of its own. What has to come out is worked out here from the layout of the undamaged bytes,
//! without the store's code: which LSN is hit, and which statements are left to prove it durable.

mod log;
mod segments;
mod snapshot;
mod store;
mod strange;
mod views;

use crate::inspect::agrees;
use highwater::inspect::inspect;
use highwater::{Durability, Error, Options, PayloadStore, Tail};
use highwater_sim::{Model, SimFs};
use highwater_vfs::{OpenMode, Vfs, read_full_at, write_all_at};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
pub(crate) use store::Store;

pub(crate) type Image = BTreeMap<String, Vec<u8>>;
pub(crate) type State = BTreeMap<u64, Vec<u8>>;

pub(crate) fn disk(image: &Image) -> SimFs {
    let disk = SimFs::new(Model::Posix);
    for (name, bytes) in image {
        let file = disk.open(Path::new(name), OpenMode::CreateNew).unwrap();
        write_all_at(&*file, bytes, 0).unwrap();
    }
    disk
}

pub(crate) fn image(disk: &dyn Vfs) -> Image {
    let names = disk.list(Path::new("")).unwrap();
    let read = |name: String| {
        let file = disk.open(Path::new(&name), OpenMode::Read).unwrap();
        let mut bytes = vec![0; file.size().unwrap() as usize];
        assert_eq!(read_full_at(&*file, &mut bytes, 0).unwrap(), bytes.len());
        (name, bytes)
    };
    names.into_iter().map(read).collect()
}

pub(crate) fn open(disk: &SimFs, options: &Options) -> Result<PayloadStore, Error> {
    PayloadStore::open(Arc::new(disk.clone()), options.clone())
}

pub(crate) fn state(store: &PayloadStore) -> State {
    let get = |id| (id, store.retrieve(id).unwrap().unwrap());
    store.ids().into_iter().map(get).collect()
}

pub(crate) fn options(segment_size: u64) -> Options {
    let durability = Durability::Fsync;
    Options { durability, segment_size, reserve: 0, auto_checkpoint: false, ..Options::default() }
}

/// What one stretch of a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    SegmentHeader,
    FrameHeader,
    Record,
    Mark,
}

#[derive(Clone, Debug)]
struct Part {
    file: String,
    range: Range<usize>,
    what: What,
    /// The LSN that is gone if this is; of a mark, the one after the last.
    lsn: u64,
    /// What it states durable.
    states: u64,
}

fn number(bytes: &[u8], range: Range<usize>) -> usize {
    bytes[range].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// The parts of all segments of an undamaged log, by `docs/format.md`.
fn parts(image: &Image) -> Vec<Part> {
    let mut parts = Vec::new();
    for (file, bytes) in image.iter().filter(|(file, _)| file.ends_with(".log")) {
        let mut part = |range: Range<usize>, what, lsn: usize, states: usize| {
            let (lsn, states) = (lsn as u64, states as u64);
            parts.push(Part { file: file.clone(), range, what, lsn, states });
        };
        part(0..48, What::SegmentHeader, number(bytes, 16..24), number(bytes, 32..40));
        let mut at = 48;
        while at < bytes.len() {
            let (length, lsn) = (number(bytes, at + 4..at + 8), number(bytes, at + 8..at + 16));
            let states = number(bytes, at + 16..at + 24);
            let end = at + 32 + length.next_multiple_of(8);
            if bytes[at + 28] == 2 {
                part(at..end, What::Mark, lsn + 1, states);
            } else {
                part(at..at + 32, What::FrameHeader, lsn, states);
                part(at + 32..end, What::Record, lsn, 0);
            }
            at = end;
        }
    }
    parts
}

/// What opening a damaged store has to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// Refused, naming the place.
    Corrupt { file: String, offset: u64 },
    /// Opened with the state after this LSN, torn at this place.
    Torn { last: u64, file: String, offset: u64 },
    /// Opened with the state after this LSN.
    Clean { last: u64 },
}

impl Outcome {
    fn name(&self) -> &'static str {
        match self {
            Outcome::Corrupt { .. } => "corrupt",
            Outcome::Torn { .. } => "torn",
            Outcome::Clean { .. } => "clean",
        }
    }
}

/// Opens the damaged store, and again, and works with it; everything that has to hold is asserted.
fn outcome<S: Store>(damaged: &Image, states: &[S::State], options: &Options) -> Outcome {
    let fs = disk(damaged);
    let (read_only, inspected) = (S::look(&fs), inspect(&fs).unwrap());
    assert_eq!(&image(&fs), damaged, "a reader never writes");
    agrees(&inspected, &read_only);
    let opened = S::recover(&fs, options);
    agrees(&inspected, &opened);
    let store = match opened {
        Ok(store) => store,
        Err(Error::Corrupt(found)) => {
            assert_eq!(&image(&fs), damaged, "a refusal changes nothing");
            assert!(!found.expected.is_empty() && found.expected != found.actual, "{found}");
            let checksum = |text: &str| text.split_once("0x").map(|(_, hex)| hex[..8].to_string());
            let checksums = (checksum(&found.expected), checksum(&found.actual));
            assert!(checksums.0.is_none() || checksums.0 != checksums.1, "P6: {found}");
            return Outcome::Corrupt { file: found.file, offset: found.offset };
        }
        Err(other) => panic!("{other}"),
    };
    let last = store.report().last.0;
    assert_eq!(store.state(), states[last as usize], "the state after LSN {last}");
    assert_eq!(read_only.unwrap().state(), states[last as usize], "read-only");
    store.check_invariants();
    let report = store.report().clone();
    drop(store);
    // P7: once decided, decided for good. P8: and it goes on.
    let again = S::recover(&fs, options).unwrap();
    assert_eq!(again.report().last, report.last);
    assert_eq!(again.state(), states[last as usize]);
    let mut with_work = states[last as usize].clone();
    again.work(&mut with_work);
    drop(again);
    assert_eq!(S::recover(&fs, options).unwrap().state(), with_work);
    match report.tail {
        Tail::Clean => Outcome::Clean { last },
        Tail::Torn { file, offset, .. } => Outcome::Torn { last, file, offset },
    }
}

/// What must come out if `lsn` is the first that cannot be read and `proven` is all that is proven.
fn judged(lsn: u64, proven: u64, file: &str, offset: usize) -> Outcome {
    let (file, offset) = (file.to_string(), offset as u64);
    if proven >= lsn {
        Outcome::Corrupt { file, offset }
    } else {
        Outcome::Torn { last: lsn - 1, file, offset }
    }
}

/// The state after everything.
fn whole(parts: &[Part]) -> Outcome {
    let records = parts.iter().filter(|part| part.what == What::Record);
    Outcome::Clean { last: records.map(|part| part.lsn).max().unwrap() }
}

/// Every flip spoils exactly the part it is in; its LSN cannot be read, and its statement is gone.
/// What the snapshot at `covered` has is not looked at.
fn expected_of_flip(parts: &[Part], covered: u64, file: &str, byte: usize) -> (What, Outcome) {
    let here = |part: &Part| part.file == file && part.range.contains(&byte);
    let hit = parts.iter().position(here).unwrap();
    let others = parts.iter().enumerate().filter(|(nth, _)| *nth != hit);
    let proven = others.map(|(_, part)| part.states).max().unwrap().max(covered);
    let Part { what, lsn, ref range, .. } = parts[hit];
    if lsn <= covered {
        return (what, whole(parts));
    }
    let start = if what == What::Record { range.start - 32 } else { range.start };
    (what, judged(lsn, proven, file, start))
}

/// A cut takes the statements behind it along: what is proven is what the rest still states, and
/// the snapshot.
fn expected_of_cut(parts: &[Part], covered: u64, file: &str, size: usize) -> Outcome {
    let kept = |part: &&Part| part.file != file || part.range.end <= size;
    let proven = parts.iter().filter(kept).map(|part| part.states).max().unwrap_or(0).max(covered);
    let Some(hit) = parts.iter().find(|part| !kept(part) && part.lsn > covered) else {
        return whole(parts);
    };
    let frame = if hit.what == What::Record { hit.range.start - 32 } else { hit.range.start };
    // What the snapshot has is not missed.
    let resumed = parts.iter().any(|part| part.file == file && part.lsn <= covered);
    let at_end = if resumed { size <= frame } else { size == frame && size > 0 };
    let next = parts.iter().find(|part| part.file.as_str() > file);
    match next {
        // The end of the last file is no damage if it is the end of a frame.
        None if at_end => Outcome::Clean { last: hit.lsn - 1 },
        // Between segments the hole is seen where the next one begins.
        Some(next) if at_end => judged(hit.lsn, proven, &next.file, 0),
        _ => judged(hit.lsn, proven, file, frame),
    }
}

/// How often each class of outcome was met.
#[derive(Debug, Default)]
struct Classes(BTreeMap<String, u64>);

impl Classes {
    fn count(&mut self, class: String) {
        *self.0.entry(class).or_default() += 1;
    }

    fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// All the ways to flip one bit of a file.
fn flips(image: &Image, file: &str) -> impl Iterator<Item = (usize, Image)> {
    let bits = 0..image[file].len() * 8;
    bits.map(move |bit| {
        let mut flipped = image.clone();
        flipped.get_mut(file).unwrap()[bit / 8] ^= 1 << (bit % 8);
        (bit / 8, flipped)
    })
}

/// All the ways to cut a file short.
fn cuts(image: &Image, file: &str) -> impl Iterator<Item = (usize, Image)> {
    (0..image[file].len()).map(move |size| {
        let mut cut = image.clone();
        cut.get_mut(file).unwrap().truncate(size);
        (size, cut)
    })
}
