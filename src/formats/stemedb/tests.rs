//! Bytes encoded by hand, foreign headers, and what becomes of them when they are damaged.

use super::layout::{HEADER, HEADER_MAX, Scope};
use super::*;
use crate::{Codec, Likeness, Tail};
use highwater_tests::properties;
use serde_json::json;

const FIRST: &str = "0000000000000000.wal";
const PAGE: &str = include_str!("../../../docs/formats/stemedb.md");

fn state(payloads: &[&[u8]]) -> State {
    let mut records: Vec<Record> = Vec::new();
    for payload in payloads {
        let offset = records.last().map_or(0, Record::end);
        records.push(Record { offset, payload: payload.to_vec() });
    }
    State { records }
}

type Covered = fn(&[u8], &[u8], &[u8]) -> Vec<u8>;

/// A record of somebody else's, whose checksum is over what `covered` makes of its parts.
fn foreign(payload: &[u8], covered: Covered) -> Vec<u8> {
    let (length, hash) = ((payload.len() as u32).to_le_bytes(), blake3::hash(payload));
    let sum = crc32c::crc32c(&covered(&length, hash.as_bytes(), payload)).to_le_bytes();
    [&length[..], &sum, hash.as_bytes(), payload].concat()
}

fn over_payload(_: &[u8], _: &[u8], payload: &[u8]) -> Vec<u8> {
    payload.to_vec()
}

fn file(name: &str, bytes: &[u8]) -> Files {
    [(name, bytes)].into_iter().collect()
}

fn tails(files: &Files) -> Vec<Tail> {
    read(files).files.iter().map(|file| file.tail).collect()
}

#[test]
fn the_example_of_the_page_is_read_and_written() {
    let files = crate::trials::examples(PAGE);
    assert_eq!(files, write(&state(&[b"abc"]), 1 << 20).unwrap());
    let examined = Stemedb.examine(&files, None);
    assert_eq!(examined.verdict(), Tail::Clean);
    assert_eq!(examined.state, json!([{"offset": 0, "payload_hex": "616263"}]));
    assert_eq!(Stemedb.likeness(&files), Likeness::Content);
}

#[test]
fn a_foreign_header_is_found_out() {
    let scopes: [Covered; 6] = [
        over_payload,
        |length, _, payload| [length, payload].concat(),
        |_, hash, payload| [hash, payload].concat(),
        |length, hash, payload| [length, hash, payload].concat(),
        |length, hash, _| [length, &[0; 4], hash].concat(),
        |length, hash, payload| [length, &[0; 4], hash, payload].concat(),
    ];
    for (scope, covered) in scopes.into_iter().enumerate() {
        for header in [0, 1, 16, 64, HEADER_MAX] {
            let records = [foreign(b"one", covered), foreign(b"", covered), foreign(b"2", covered)];
            let bytes = [vec![0xa5; header], records.concat()].concat();
            let files = file("0000000000000100.wal", &bytes);
            let (examined, name) = (read(&files), Scope::ALL[scope].name());
            let places: Vec<u64> = examined.state.records.iter().map(|r| r.offset).collect();
            assert_eq!(places, [256, 299, 339], "{header} {name}");
            assert_eq!(examined.verdict(), Tail::Clean);
            let found = format!("a header of {header} bytes, checksums over {name}");
            assert_eq!(examined.more, [("layout", found.into())]);
            assert_eq!(Stemedb.likeness(&files), Likeness::Content);
        }
    }
    let far = [vec![0xa5; HEADER_MAX + 1], foreign(b"one", over_payload)].concat();
    let examined = read(&file(FIRST, &far));
    assert_eq!((examined.verdict(), examined.state), (Tail::Corrupt, State::default()));
    assert_eq!(Stemedb.likeness(&file(FIRST, &far)), Likeness::None);
}

/// Where the first record is damaged, the second is no proof of a header as long as it.
#[test]
fn nothing_is_guessed() {
    let one = foreign(b"one", over_payload);
    let mut damaged = one.clone();
    damaged[41] ^= 1;
    let examined = read(&file(FIRST, &[&damaged[..], &damaged, &one].concat()));
    assert_eq!((examined.verdict(), examined.state), (Tail::Corrupt, State::default()));
    let reason = examined.files[0].reason.as_ref().unwrap();
    assert!(reason.contains("the first record that matches is at 86"), "{reason}");
    // Another segment knows.
    let files = [(FIRST, [&damaged[..], &one].concat()), ("0000000000000056.wal", one)];
    let files: Files = files.into_iter().collect();
    assert_eq!(tails(&files), [Tail::Corrupt, Tail::Clean]);
    assert_eq!(read(&files).state, State::default());
    let not_hashed = foreign(b"one", |_, _, _| b"something else".to_vec());
    assert_eq!(Stemedb.likeness(&file(FIRST, &not_hashed)), Likeness::None);
}

#[test]
fn names_are_exact_and_count_only_where_nothing_else_can() {
    let record = foreign(b"one", over_payload);
    for name in ["0.wal", "000000000000000A.wal", "+000000000000000.wal", "a.wal.tmp", "0.log"] {
        let examined = read(&file(name, &record));
        assert_eq!(examined.files[0].kind, "foreign", "{name}");
        assert_eq!(Stemedb.likeness(&file(name, &record)), Likeness::None, "{name}");
    }
    assert_eq!(Stemedb.likeness(&file(FIRST, b"")), Likeness::Name);
    assert_eq!(tails(&file(FIRST, b"")), [Tail::Torn]);
    assert_eq!(Stemedb.likeness(&file(FIRST, &[b'x'; 100])), Likeness::None);
}

#[test]
fn offsets_may_count_headers() {
    let segment = |header: usize| [vec![7; header], foreign(b"one", over_payload)].concat();
    for (second, right) in [("0000000000000035.wal", 10), ("000000000000002b.wal", 0)] {
        let files: Files = [(FIRST, segment(10)), (second, segment(10))].into_iter().collect();
        let examined = read(&files);
        assert_eq!(examined.verdict(), Tail::Clean, "{:?}", examined.files);
        let places: Vec<u64> = examined.state.records.iter().map(|r| r.offset).collect();
        assert_eq!(
            places,
            [right, right + 43].map(|at| if right == 10 && at > 10 { at + 10 } else { at })
        );
    }
    let files: Files =
        [(FIRST, segment(10)), ("0000000000000050.wal", segment(10))].into_iter().collect();
    assert_eq!(tails(&files), [Tail::Clean, Tail::Corrupt], "a segment is missing between");
}

#[test]
fn fm2_what_comes_after_a_bad_record_is_not_shown() {
    let whole = state(&[b"one", b"two", b"three", b"four"]);
    let files = write(&whole, 125).unwrap();
    assert_eq!(files.iter().count(), 2);
    let last = files.iter().map(|(path, _)| path.to_owned()).last().unwrap();
    let with = |path: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut files = files.clone();
        let mut bytes = files.get(path).unwrap().to_vec();
        change(&mut bytes);
        files.put(path, bytes);
        files
    };
    let cut = |size: usize| move |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - size);
    let (clean, torn, corrupt) = (Tail::Clean, Tail::Torn, Tail::Corrupt);
    let shown = |files: &Files| read(files).state.records.len();
    for (path, size, tails_then, shown_then) in [
        (FIRST, 1, [corrupt, corrupt], 1),
        (FIRST, 43, [clean, corrupt], 1), // at the end of a record: only the gap shows it
        (&last, 1, [clean, torn], 3),
        (&last, 44, [clean, clean], 3),
    ] {
        let files = with(path, &cut(size));
        let (found, count) = (tails(&files), shown(&files));
        assert_eq!(found[1], tails_then[1], "{path} {size}");
        assert_eq!((found[0], count), (tails_then[0], shown_then), "{path} {size}");
    }
    let mut without = Files::new();
    without.put(last.clone(), files.get(&last).unwrap());
    assert_eq!((tails(&without), shown(&without)), (vec![clean], 2));
    let base = without.iter().next().unwrap().1.len();
    assert!(base > HEADER);
}

#[test]
fn a_record_behind_a_bad_one_makes_it_corrupt() {
    let files = write(&state(&[b"one", b"two"]), 1 << 20).unwrap();
    for (at, tail) in [(32 + 40, Tail::Corrupt), (32 + 43 + 40, Tail::Torn)] {
        let mut bytes = files.get(FIRST).unwrap().to_vec();
        bytes[at] ^= 1;
        assert_eq!(tails(&file(FIRST, &bytes)), [tail], "{at}");
    }
    let elsewhere = file("0000000000000001.wal", files.get(FIRST).unwrap());
    let report = &read(&elsewhere).files[0];
    assert_eq!((report.tail, report.offset), (Tail::Corrupt, 0));
    assert_eq!(report.reason.as_deref(), Some("the header says offset 0, the name 1"));
}

#[test]
fn a_cut_is_torn_but_at_the_end_of_a_record() {
    let files = write(&state(&[b"one", b"", b"three"]), 1 << 20).unwrap();
    let bytes = files.get(FIRST).unwrap();
    let ends = [32, 75, 115, 160];
    for cut in 0..=bytes.len() {
        let files = file(FIRST, &bytes[..cut]);
        let right = if ends.contains(&cut) { Tail::Clean } else { Tail::Torn };
        assert_eq!(tails(&files), [right], "cut at {cut}");
        assert_ne!(Stemedb.likeness(&files), Likeness::None, "cut at {cut}");
        let mut zeroed = bytes[..cut].to_vec();
        zeroed.resize(bytes.len(), 0);
        assert!(read(&file(FIRST, &zeroed)).state.records.len() <= 3);
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let files = write(&state(&[b"one", b"", b"three"]), 80).unwrap();
    let flips = crate::flips(&Stemedb, &files);
    assert_eq!((flips.silent, flips.harmless), (0, 0));
    assert!(flips.detected() > 1000);
    // Nor does a flip in the only header make a segment foreign.
    let files = write(&state(&[b"one", b"", b"three"]), 1 << 20).unwrap();
    let flips = crate::flips(&Stemedb, &files);
    assert_eq!((flips.detected(), flips.total()), (8 * 160, 8 * 160));
    let bytes = [vec![9; 20], foreign(b"one", over_payload), foreign(b"two", over_payload)];
    let flips = crate::flips(&Stemedb, &file(FIRST, &bytes.concat()));
    // A length that is not covered: the hash notices. A header that nobody knows: nobody does.
    assert_eq!((flips.silent, flips.harmless), (0, 160));
}

#[test]
fn what_is_no_journal_is_not_written() {
    let mut gap = state(&[b"one", b"two"]);
    gap.records[1].offset += 1;
    assert_eq!(write(&gap, 1 << 20), Err(Misfit::Gap(44, 43)));
}

properties! {
    fn what_is_written_is_read(first: u32, payloads: Vec<Vec<u8>>, size: u8) -> bool {
        let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let mut state = state(&payloads);
        state.records.iter_mut().for_each(|record| record.offset += u64::from(first));
        let files = write(&state, 32 + u64::from(size) * 4).unwrap();
        let examined = read(&files);
        examined.verdict() == Tail::Clean
            && examined.state == state
            && Stemedb.likeness(&files) == Likeness::Content
    }

    /// FM1: whatever the bytes are, an answer comes.
    fn fm1_any_bytes_are_classified(one: Vec<u8>, two: Vec<u8>, own: bool) -> bool {
        let head = if own { layout::header(0) } else { Vec::new() };
        let small: Vec<u8> = two.iter().map(|byte| byte % 3).collect();
        for bytes in [&one, &small] {
            let first = [&head[..], bytes].concat();
            let files = [(FIRST, first), ("0000000000000040.wal", two.clone())];
            let files: Files = files.into_iter().collect();
            Stemedb.likeness(&files);
            let examined = read(&files);
            let shown: usize = examined.state.records.iter().map(|r| r.payload.len() + 40).sum();
            assert!(shown <= bytes.len() + two.len(), "FM1");
        }
        true
    }
}
