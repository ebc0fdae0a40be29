//! What an inspection says, and the page about the format, which shows the same bytes.

use crate::damage::{Image, Store, disk, image, open, options};
use highwater::inspect::{FileKind, FileTail, Inspection, Verdict, dump, inspect};
use highwater::{Durability, Error, Options, Tail};
use highwater_sim::{Model, SimFs};
use highwater_tests::{TestResult, properties};
use std::path::Path;

/// A closed store of one record.
fn seven() -> SimFs {
    let fs = SimFs::new(Model::Posix);
    let store = open(&fs, &Options { reserve: 0, ..Options::default() }).unwrap();
    store.store(7, b"seven").unwrap();
    store.close().unwrap();
    fs
}

/// The body of the page's fenced block that follows `heading`.
fn fenced<'a>(page: &'a str, heading: &str) -> &'a str {
    let section = &page[page.find(heading).expect("the heading")..];
    let from = section.find("```text\n").expect("a block") + "```text\n".len();
    &section[from..from + section[from..].find("```\n").expect("its end")]
}

/// The example in `docs/format.md` is what a store writes, byte for byte.
#[test]
fn the_example_of_the_format_page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/format.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.lines().count() <= 130, "one page");
    let fs = seven();
    let name = image(&fs).into_keys().next().unwrap();
    let right = dump(&fs, &name).unwrap();
    let shown = fenced(&page, "## Example");
    assert!(shown == right, "the block under \"Example\" has to be:\n```text\n{right}```");
}

/// A directory with a file of every kind and tail that a store still opens over.
fn everything() -> Image {
    let options = Options { durability: Durability::Fsync, ..options(200) };
    let fs = SimFs::new(Model::Posix);
    let store = open(&fs, &options).unwrap();
    for (id, bytes) in [(1, "one"), (2, "two"), (3, "three")] {
        store.store(id, bytes.as_bytes()).unwrap();
    }
    store.create_snapshot().unwrap();
    store.store(4, b"four").unwrap();
    store.delete(1).unwrap();
    drop(store);
    // A life that found its last record torn, and did not get it back.
    let mut torn = image(&fs);
    let last = torn.keys().rfind(|name| name.ends_with(".log")).unwrap().clone();
    let size = torn[&last].len();
    torn.get_mut(&last).unwrap().truncate(size - 4);
    let fs = disk(&torn);
    let store = open(&fs, &options).unwrap();
    store.store(5, b"five").unwrap();
    store.store(6, b"six").unwrap();
    store.create_snapshot().unwrap();
    store.store(7, b"seven").unwrap();
    store.store(8, b"eight").unwrap();
    drop(store);
    let mut image = image(&fs);
    let last = image.keys().rfind(|name| name.ends_with(".log")).unwrap().clone();
    let size = image[&last].len();
    image.get_mut(&last).unwrap().truncate(size - 8);
    let newest = image.keys().rfind(|name| name.ends_with(".snap")).unwrap().clone();
    image.get_mut(&newest).unwrap()[100] ^= 4;
    image.insert("0000000000000009-00000009.log".into(), vec![0; 10]);
    image.insert("0000000000000007-00000008.snap.tmp".into(), vec![1; 33]);
    image.insert("a file of somebody else, with a long name.txt".into(), vec![2; 5]);
    image
}

#[test]
fn an_inspection_of_everything() {
    let image = everything();
    let fs = disk(&image);
    let found = inspect(&fs).unwrap();
    assert_eq!(crate::damage::image(&fs), image, "a reader never writes");
    insta::assert_snapshot!("inspection", found.to_string());
    let kinds = [FileKind::Segment, FileKind::Snapshot, FileKind::Temporary, FileKind::Foreign];
    assert!(kinds.iter().all(|kind| found.files.iter().any(|file| file.kind == *kind)));
    let store = open(&fs, &Options { reserve: 0, ..Options::default() }).unwrap();
    assert_eq!(store.len() as u64, found.live);
    insta::assert_snapshot!("recovery_report", store.report().to_string());
}

#[test]
fn an_inspection_of_a_refusal() {
    let fs = seven();
    let mut image = image(&fs);
    image.values_mut().next().unwrap()[100] ^= 0x10;
    let found = inspect(&disk(&image)).unwrap();
    assert_eq!((found.verdict, found.files[0].tail), (Verdict::Corrupt, FileTail::Corrupt));
    insta::assert_snapshot!("inspection_refused", found.to_string());
}

#[test]
fn an_inspection_of_nothing() {
    let found = inspect(&SimFs::new(Model::Posix)).unwrap();
    assert_eq!((found.verdict, found.files.len(), found.plan.row), (Verdict::Clean, 0, "R1 new"));
    assert_eq!(
        found.to_string(),
        "verdict: clean\nplan: R1 new: shows LSN 0\nsnapshot: none\nids: 0\n"
    );
}

#[test]
fn annotated_dumps() {
    let image = everything();
    let fs = disk(&image);
    let segment = image.keys().find(|name| name.ends_with(".log")).unwrap();
    let snapshots: Vec<&String> = image.keys().filter(|name| name.ends_with(".snap")).collect();
    insta::assert_snapshot!("dump_of_a_segment", dump(&fs, segment).unwrap());
    insta::assert_snapshot!("dump_of_a_snapshot", dump(&fs, snapshots[0]).unwrap());
    let damaged = dump(&fs, snapshots[1]).unwrap();
    assert!(damaged.contains("! ") && damaged.contains("it does not hold"), "{damaged}");
    let mut image = image.clone();
    image.get_mut(segment).unwrap()[50] ^= 1;
    insta::assert_snapshot!("dump_of_a_damaged_segment", dump(&disk(&image), segment).unwrap());
    assert!(matches!(dump(&fs, "not there"), Err(Error::Io { .. })));
}

/// Lines of at most 80 columns, offsets that go on where the last line ended, and an end that is
/// the file's.
fn well_formed(text: &str, size: usize) {
    let mut next = 0;
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
        let Some((head, tail)) = line.split_at_checked(9) else { continue };
        let offset = head.strip_suffix([' ', '!']).filter(|hex| hex.len() == 8);
        let Some(offset) = offset.and_then(|hex| usize::from_str_radix(hex, 16).ok()) else {
            continue;
        };
        if offset >= size {
            continue; // a field that the end of the file cuts off
        }
        assert_eq!(offset, next, "{text}");
        // Only a line of what is left out says how many bytes it stands for.
        let many = tail.ends_with(" more bytes") || tail.ends_with(" bytes of zeros, reserved");
        next += if many {
            tail.split_whitespace().find_map(|word| word.parse::<usize>().ok()).unwrap()
        } else {
            tail.get(..24).unwrap_or(tail).split_whitespace().count()
        };
    }
    assert_eq!(next, size, "{text}");
    assert!(text.len() <= 2000 + 60 * size, "{} of {size}", text.len());
}

const NAMES: [&str; 4] = [
    "0000000000000001-00000001.log",
    "0000000000000003-00000001.snap",
    "0000000000000003-00000001.snap.tmp",
    "foreign",
];

/// Once every few hundred runs the garbage below ended in a zero just behind the header.
#[test]
fn zeros_behind_a_header_are_counted() {
    for zeros in [1, 8, 100] {
        let bytes = [vec![7; 48], vec![0; zeros]].concat();
        let fs = disk(&[(NAMES[0].to_string(), bytes.clone())].into());
        well_formed(&dump(&fs, NAMES[0]).unwrap(), bytes.len());
    }
}

properties! {
    /// P11: any bytes under any name are shown, whole, in 80 columns; and inspected.
    fn garbage_is_shown(bytes: Vec<u8>) -> bool {
        for name in NAMES {
            let fs = disk(&[(name.to_string(), bytes.clone())].into());
            well_formed(&dump(&fs, name).unwrap(), bytes.len());
            let found = inspect(&fs).unwrap().to_string();
            assert!(found.lines().all(|line| line.chars().count() <= 80), "{found}");
        }
        true
    }

    /// The same for files that were something once.
    fn damage_is_shown(at: usize, with: u8, cut: usize) -> TestResult {
        let mut image = everything();
        for (name, bytes) in &mut image {
            let size = bytes.len();
            bytes[at % size] ^= with;
            bytes.truncate(size - cut % 200 % size);
            let fs = disk(&[(name.clone(), bytes.clone())].into());
            well_formed(&dump(&fs, name).unwrap(), bytes.len());
        }
        let found = inspect(&disk(&image)).unwrap().to_string();
        TestResult::from_bool(found.lines().all(|line| line.chars().count() <= 80))
    }
}

/// An inspection and an opening of the same disk say the same.
pub(crate) fn agrees<S: Store>(found: &Inspection, opened: &Result<S, Error>) {
    match opened {
        Ok(store) => {
            let report = store.report();
            assert_eq!(found.plan.refused, None);
            assert_eq!(found.plan.row, report.rows[0]);
            assert_eq!((found.plan.last, found.plan.snapshot), (report.last, report.snapshot));
            assert_eq!(store.live().unwrap_or(found.live), found.live);
            let unproven = report.copied + report.unproven;
            assert_eq!(found.plan.copy_from.is_some(), unproven > 0);
            match (&report.tail, found.verdict) {
                (Tail::Torn { .. }, Verdict::Torn) | (Tail::Clean, Verdict::Clean) => {
                    store.state(); // nothing in it is refused
                }
                (_, Verdict::Corrupt) => {}
                (tail, verdict) => panic!("{tail:?} {verdict:?}"),
            }
        }
        Err(Error::Corrupt(refused)) => {
            assert_eq!(found.plan.refused.as_ref(), Some(refused));
            assert_eq!(found.verdict, Verdict::Corrupt);
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn inspection_agrees_with_opening_whatever_is_damaged() {
    let image = everything();
    let both = |image: &Image| {
        let fs = disk(image);
        agrees(&inspect(&fs).unwrap(), &open(&fs, &Options::default()));
    };
    let mut count = 0;
    for name in image.keys() {
        for byte in 0..image[name].len() {
            let mut damaged = image.clone();
            damaged.get_mut(name).unwrap()[byte] ^= 1 << (byte % 8);
            both(&damaged);
            damaged.get_mut(name).unwrap().truncate(byte);
            both(&damaged);
            count += 2;
        }
    }
    assert!(count > 2000, "{count}");
}
