//! The original's files, our own vectors, and damage of every kind.

use super::replay::{Entries, apply};
use super::*;
use crate::trials::{answers_anything, cases, cut_everywhere, examples};
use crate::{Tail, flips};
use highwater_tests::{Arbitrary, Gen, TestResult, inner, properties};
use sha2::Digest;

const PAGE: &str = include_str!("../../../docs/formats/data-bridge-kv.md");
const NOW: i64 = 1_700_000_000_000_000_000;
const SECOND: i64 = 1_000_000_000;

#[test]
fn files_of_the_original() {
    for case in cases("data-bridge-kv") {
        case.check(&Bridge, |name| match name {
            _ if name.starts_with("append-after-damage/") => Some(Tail::Corrupt),
            _ if name.contains("-tail") => Some(Tail::Torn),
            _ if name.contains("header-short") => Some(Tail::Torn),
            _ if name.contains("short-len") => Some(Tail::Corrupt),
            "damaged/len-grow-1" | "damaged/header-version-2" => Some(Tail::Corrupt),
            "damaged/snap-header-walpos-huge" => Some(Tail::Torn),
            _ if name.contains("snap-header") => Some(Tail::Corrupt),
            _ if name.starts_with("damaged/") => None,
            _ => Some(Tail::Clean),
        });
        assert_ne!(Bridge.likeness(&case.files), Likeness::None, "{}", case.name);
    }
}

fn text(value: &str) -> Value {
    Value::String(value.into())
}

fn lease(value: Value, expires: i64) -> Entry {
    Entry { value, expires: Some(expires), version: 1, lock: false }
}

/// What the page shows, which was encoded by hand.
fn example() -> State {
    let lock = Entry { lock: true, ..lease(text("me"), NOW + 30 * SECOND) };
    let number = Entry { version: 2, ..lease(Value::Int(7), NOW + 4 * SECOND) };
    State { at: NOW, entries: [("lk".into(), lock), ("a".into(), number)].into() }
}

#[test]
fn the_page_says_what_is_read() {
    let files = examples(PAGE);
    let found = read(&files, None);
    assert_eq!((found.verdict(), &found.state), (Tail::Clean, &example()), "{:#?}", found.files);
    // The same log is written; the same snapshot but for its shards.
    let mut log = example();
    log.entries.remove("a");
    assert_eq!(write(&log, Form::Log).get("wal-current.log"), files.get("wal-current.log"));
}

#[test]
fn a_key_has_one_shard() {
    // As the original placed them, with 256 shards.
    for (key, shard) in [("a", 243), ("k2", 142), ("lk", 39), ("empty", 1), ("plain", 101)] {
        assert_eq!(shard_of(key, SHARDS), shard, "{key}");
    }
}

#[test]
fn operations_go_by_their_own_time() {
    let lock = |owner: &str| Op::Lock("l".into(), owner.into(), Ttl { secs: 5, nanos: 0 });
    let unlock = |owner: &str| Op::Unlock("l".into(), owner.into());
    let extend = |owner: &str| Op::ExtendLock("l".into(), owner.into(), Ttl { secs: 9, nanos: 0 });
    let mut entries = Entries::new();
    let mut run = |steps: &[(i64, Op)]| {
        steps.iter().for_each(|(second, op)| apply(&mut entries, second * SECOND, op));
        entries.get("l").map(|entry| (entry.value.clone(), entry.expires, entry.version))
    };
    let held = |by: &str, until: i64, version| Some((text(by), Some(until * SECOND), version));
    assert_eq!(run(&[(0, lock("a")), (4, lock("b"))]), held("a", 5, 1));
    assert_eq!(run(&[(4, extend("b")), (4, unlock("b"))]), held("a", 5, 1));
    assert_eq!(run(&[(4, extend("a"))]), held("a", 13, 2));
    // At the very moment it expires it is the next owner's.
    assert_eq!(run(&[(13, extend("a")), (13, lock("b"))]), held("b", 18, 1));
    assert_eq!(run(&[(14, unlock("a"))]), held("b", 18, 1));
    assert_eq!(run(&[(14, unlock("b"))]), None);
    let number = |n| Some((Value::Int(n), None, 1));
    assert_eq!(run(&[(15, Op::Decr("l".into(), i64::MIN))]), number(i64::MAX));
    let most = (Value::Int(i64::MAX), None, 2);
    assert_eq!(run(&[(15, Op::Incr("l".into(), 1))]), Some(most));
    let none = Op::SetNx("l".into(), Value::Null, None);
    assert_eq!(run(&[(16, Op::Delete("l".into())), (16, none)]), Some((Value::Null, None, 1)));
    assert_eq!(run(&[(16, Op::Incr("l".into(), 1))]), Some((Value::Null, None, 1)));
}

/// A log of operations, a second apart from 1 on.
fn log(first: i64, ops: &[Op]) -> Vec<u8> {
    let mut bytes = Vec::new();
    wal::put_header(&mut bytes, 0);
    let at = (first..).zip(ops);
    at.for_each(|(second, op)| wal::put_record(&mut bytes, second * SECOND, op));
    bytes
}

fn incr() -> Op {
    Op::Incr("n".into(), 1)
}

/// A snapshot at a time in which `n` is a number.
fn counted(n: i64, second: i64, position: u64) -> Vec<u8> {
    let entry = Entry { value: Value::Int(n), expires: None, version: 1, lock: false };
    let state = State { at: 0, entries: [("n".into(), entry)].into() };
    snapshot::encode(&state, second * SECOND, position, |_| true)
}

/// What `n` is in a folder, and what is said of it.
fn n_of(files: &[(&str, Vec<u8>)]) -> (Option<i64>, Tail) {
    let found = read(&files.iter().cloned().collect(), None);
    let n = found.state.entries.get("n").map(|entry| match entry.value {
        Value::Int(n) => n,
        _ => panic!("{entry:?}"),
    });
    (n, found.verdict())
}

#[test]
fn only_what_is_later_than_the_snapshot_is_replayed() {
    let size = log(1, &[incr()]).len() - 32;
    let two = log(1, &[incr(), incr()]);
    let position = (32 + 2 * size) as u64;
    // Rotated since: the position is not one in the log that came after.
    let rotated = [
        ("snapshot-2.snap", counted(2, 2, position)),
        ("wal-9.log", two.clone()),
        ("wal-10.log", log(3, &[incr(), incr()])),
        ("wal-current.log", log(5, &[incr()])),
    ];
    assert_eq!(n_of(&rotated), (Some(5), Tail::Clean));
    // The clock went back: what the position covers is not applied twice.
    let back = [
        ("snapshot-1.snap", counted(2, 1, position)),
        ("wal-current.log", log(1, &[incr(), incr(), incr()])),
    ];
    assert_eq!(n_of(&back), (Some(3), Tail::Clean));
    // The newest is the newest inside, whatever its name; a bad one is passed over.
    let mut bad = counted(7, 9, 32);
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let older = ("snapshot-999.snap", counted(50, 0, 32));
    let newer = ("snapshot-1.snap", counted(2, 2, position));
    let current = ("wal-current.log", two.clone());
    assert_eq!(n_of(&[older.clone(), newer.clone(), current.clone()]), (Some(2), Tail::Clean));
    let files = [older, newer, ("snapshot-3.snap", bad.clone()), current.clone()];
    assert_eq!(n_of(&files), (Some(2), Tail::Corrupt));
    assert_eq!(n_of(&[("snapshot-3.snap", bad), current]), (Some(2), Tail::Corrupt));
}

#[test]
fn a_hole_ends_the_state_unless_the_snapshot_goes_over_it() {
    let size = log(1, &[incr()]).len() - 32;
    let mut holed = log(1, &[incr(), incr(), incr()]);
    holed[32 + size + 20] ^= 1;
    let current = ("wal-current.log", holed.clone());
    assert_eq!(n_of(std::slice::from_ref(&current)), (Some(1), Tail::Corrupt));
    for second in [2, 3] {
        let position = (32 + second as usize * size) as u64;
        let snapshot = ("snapshot-1.snap", counted(10, second, position));
        assert_eq!(n_of(&[snapshot, current.clone()]).0, Some(13 - second), "{second}");
    }
    assert_eq!(n_of(&[("snapshot-1.snap", counted(10, 1, 32)), current]).0, Some(10));
    // Nothing valid comes after it in this log, but in the next.
    let torn = ("wal-5.log", holed[..32 + 2 * size].to_vec());
    assert_eq!(n_of(std::slice::from_ref(&torn)), (Some(1), Tail::Torn));
    let later = ("wal-current.log", log(4, &[incr()]));
    assert_eq!(n_of(&[torn, later]), (Some(1), Tail::Corrupt));
}

#[test]
fn a_rotation_that_was_cut_short_is_clean() {
    let (one, next) = (log(1, &[incr()]), log(2, &[incr()]));
    for size in [0, 10, 32] {
        let files = [("wal-5.log", one.clone()), ("wal-current-new.log", next[..size].to_vec())];
        assert_eq!(n_of(&files), (Some(1), Tail::Clean), "{size}");
    }
    // It was written to under that name, if ever so briefly.
    assert_eq!(n_of(&[("wal-5.log", one), ("wal-current-new.log", next)]), (Some(2), Tail::Clean));
}

#[test]
fn a_log_that_is_shorter_than_its_snapshot_says_is_torn() {
    let snapshot = ("snapshot-1.snap", counted(10, 2, 500));
    let found = n_of(&[snapshot, ("wal-current.log", log(1, &[incr(), incr(), incr()]))]);
    assert_eq!(found, (Some(11), Tail::Torn));
}

#[test]
fn what_had_expired_when_the_snapshot_was_made_stays_expired() {
    // The original writes the moment of writing for it, a little before the one in the header.
    let mut bytes = Vec::new();
    bincode::put_list(&mut bytes, [()].iter(), |into, ()| {
        bincode::put_blob(into, b"k");
        Value::Null.encode(into);
        into.extend((NOW - 5).to_le_bytes());
        bincode::put_option(into, Some(NOW - 4), |into, at: i64| into.extend(at.to_le_bytes()));
        into.extend(1_u64.to_le_bytes());
    });
    let mut body = 0_u32.to_le_bytes().to_vec();
    body.extend(bytes);
    let mut file = counted(0, 0, 0);
    file.truncate(snapshot::HEADER);
    file[12..20].copy_from_slice(&NOW.to_be_bytes());
    file[20..24].copy_from_slice(&1_u32.to_be_bytes());
    file[40..72].copy_from_slice(&sha2::Sha256::digest(&body));
    file.extend(body);
    let found = read(&[("snapshot-1.snap", file)].into_iter().collect(), None);
    assert_eq!((found.verdict(), found.state.entries.len()), (Tail::Clean, 0));
}

#[test]
fn names_decide_only_where_content_cannot() {
    let like =
        |path: &str, bytes: &[u8]| Bridge.likeness(&[(path, bytes.to_vec())].into_iter().collect());
    let whole = log(1, &[incr()]);
    let mut bad_magic = whole.clone();
    bad_magic[0] ^= 1;
    for path in ["wal-current.log", "wal-1700000000.log"] {
        assert_eq!(like(path, &whole), Likeness::Content);
        assert_eq!(like(path, &bad_magic), Likeness::Content);
        assert_eq!(like(path, &whole[..7]), Likeness::Name);
        assert_eq!(like(path, b"some text that is longer than a header"), Likeness::None);
    }
    assert_eq!(like("wal-0000000000000000.log", b""), Likeness::None);
    assert_eq!(like("wal-current.log.bak", &whole), Likeness::None);
    assert_eq!(like("snapshot-5.snap", &counted(1, 1, 32)), Likeness::Content);
    assert_eq!(like("snapshot-5.snap", b""), Likeness::Name);
    assert_eq!(like("snapshot-5-1.snap", b""), Likeness::None);
}

/// A log of one record with any operation and payload, under a right checksum.
fn log_of(code: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = log(1, &[]);
    let covered = [&SECOND.to_be_bytes()[..], &[code], payload].concat();
    bytes.extend((covered.len() as u32 + 4).to_be_bytes());
    bytes.extend(&covered);
    bytes.extend(crc32fast::hash(&covered).to_be_bytes());
    bytes
}

#[test]
fn what_checks_and_makes_no_sense_is_not_applied() {
    let delete = |length: u64| [&[1, 0, 0, 0][..], &length.to_le_bytes(), b"key"].concat();
    let read = |code, payload: &[u8]| n_of(&[("wal-current.log", log_of(code, payload))]).1;
    assert_eq!(read(2, &delete(3)), Tail::Clean);
    assert_eq!(read(2, &[&delete(3)[..], b"more"].concat()), Tail::Clean);
    for length in [4, 1 << 40, u64::MAX] {
        assert_eq!(read(2, &delete(length)), Tail::Torn, "{length}");
    }
    assert_eq!(read(2, &[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xff]), Tail::Torn);
    for code in [0, 5, 11] {
        assert_eq!(read(code, &delete(3)), Tail::Torn, "{code}");
    }
    let mut total = counted(1, 1, 32);
    total[31] += 1;
    assert_eq!(n_of(&[("snapshot-1.snap", total)]), (None, Tail::Corrupt));
}

#[test]
fn nesting_is_bounded() {
    let deep = |depth| (0..depth).fold(Value::Null, |value, _| Value::List(vec![value]));
    let set = |depth| log(1, &[Op::Set("k".into(), deep(depth), None)]);
    let of = |bytes| read(&[("wal-current.log", bytes)].into_iter().collect(), None);
    assert_eq!(of(set(value::DEPTH_MAX)).state.entries.len(), 1);
    assert_eq!(of(set(value::DEPTH_MAX + 1)).verdict(), Tail::Torn);
    let mut deepest = b"\0\0\0\0".to_vec();
    bincode::put_blob(&mut deepest, b"k");
    for _ in 0..100_000 {
        deepest.extend(5_u32.to_le_bytes());
        deepest.extend(1_u64.to_le_bytes());
    }
    assert!(Op::decode(&deepest).unwrap_err().contains("nested deeper"));
}

#[test]
fn every_cut_and_every_flip_has_an_answer() {
    let files = write(&example(), Form::Both);
    let records = wal::scan(files.get("wal-current.log").unwrap()).records;
    let ends: Vec<usize> = records.iter().map(|record| record.offset).collect();
    assert_eq!(ends.len(), 2);
    for (path, cut, verdict) in cut_everywhere(&Bridge, &files) {
        let clean = path == "wal-current.log" && ends.contains(&cut);
        assert_eq!(verdict == Tail::Clean, clean, "{path} cut at {cut}");
    }
    let found = flips(&Bridge, &examples(PAGE));
    assert_eq!(found.total(), 8 * (0x55 + 0x8e));
    let log = flips(&Bridge, &write(&example(), Form::Log));
    // Of the header of a log the time and the reserved bytes are not read.
    assert_eq!((log.silent, log.harmless), (0, 8 * 20));
}

#[test]
fn what_the_original_cannot_read_of_a_snapshot_is_in_the_log() {
    let list = Value::List(vec![Value::Decimal("1.50".into())]);
    let entry = |value, expires| Entry { value, expires, version: 1, lock: false };
    let named = [
        ("decimal", entry(list, None)),
        ("lease", entry(Value::Null, Some(NOW + 1))),
        ("plain", entry(Value::Null, None)),
    ];
    let entries = named.map(|(key, entry)| (key.to_owned(), entry)).into();
    let files = write(&State { at: NOW, entries }, Form::Both);
    let (_, bytes) = files.iter().find(|(path, _)| path.ends_with(".snap")).unwrap();
    let in_snapshot = snapshot::decode(bytes).unwrap().entries;
    assert_eq!(in_snapshot.into_keys().collect::<Vec<_>>(), ["plain"]);
    for form in [Form::Both, Form::Log, Form::Snapshot] {
        let nothing = State { at: NOW, ..State::default() };
        assert_eq!(read(&write(&nothing, form), None).state, nothing, "{form:?}");
    }
}

#[test]
fn what_the_original_cannot_read_does_not_fit() {
    let of = |key: String, bytes: usize, expires: Option<i64>| {
        let entry = Entry { value: Value::Bytes(vec![0; bytes]), expires, version: 1, lock: false };
        State { at: NOW, entries: [(key, entry)].into() }
    };
    let (short, long) = ("k".repeat(256), "k".repeat(257));
    assert_eq!(fits(&of(short, 0, None), Form::Both), Ok(()));
    assert_eq!(fits(&of(long.clone(), 0, None), Form::Both), Err(Misfit::Key(long)));
    assert_eq!(fits(&of(String::new(), 0, None), Form::Log), Err(Misfit::Key(String::new())));
    // When, operation, variant, key, kind, value, no time to live, checksum.
    let around = 8 + 1 + 4 + (8 + 1) + 4 + 8 + 1 + 4;
    let most = (10 << 20) - around;
    assert_eq!(fits(&of("k".into(), most, None), Form::Log), Ok(()));
    let large = of("k".into(), most + 1, None);
    let misfit = Misfit::Record("k".into(), (10 << 20) + 1);
    assert_eq!(fits(&large, Form::Log), Err(misfit));
    assert_eq!(fits(&large, Form::Both), Ok(()));
    assert!(fits(&of("k".into(), most, Some(NOW + 1)), Form::Both).is_err());
}

impl Arbitrary for Value {
    fn arbitrary(g: &mut Gen) -> Value {
        let of_inner = |g: &mut Gen| Value::arbitrary(&mut inner(g));
        let kinds = if g.size() < 2 { 6 } else { 8 };
        match u8::arbitrary(g) % kinds {
            0 => Value::Null,
            1 => Value::Int(i64::arbitrary(g)),
            2 => Value::Float(f64::from_bits(u64::arbitrary(g))),
            3 => Value::Decimal(format!("{}.{}", i32::arbitrary(g), u8::arbitrary(g))),
            4 => Value::String(String::arbitrary(g)),
            5 => Value::Bytes(Vec::arbitrary(g)),
            6 => Value::List((0..u8::arbitrary(g) % 4).map(|_| of_inner(g)).collect()),
            _ => {
                let pairs = (0..u8::arbitrary(g) % 4).map(|_| (String::arbitrary(g), of_inner(g)));
                Value::Map(pairs.collect())
            }
        }
    }
}

impl Arbitrary for State {
    fn arbitrary(g: &mut Gen) -> State {
        let at = NOW + i64::from(i32::arbitrary(g));
        let mut entry = || {
            let expires = Option::<u64>::arbitrary(g).map(|ns| at + 1 + (ns >> 2) as i64);
            let lock = expires.is_some() && bool::arbitrary(g);
            let owner = Value::String(String::arbitrary(g));
            let value = if lock { owner } else { Value::arbitrary(g) };
            // Only a snapshot says more of a version than that it was set.
            let plain = expires.is_none() && !value.has_decimal();
            let version = if plain { u64::arbitrary(g) } else { 1 };
            (String::arbitrary(g), Entry { value, expires, version, lock })
        };
        State { at, entries: (0..8).map(|_| entry()).collect() }
    }
}

properties! {
    fn what_is_written_is_read(state: State) -> bool {
        let back = |form| {
            let found = read(&write(&state, form), None);
            assert_eq!(found.verdict(), Tail::Clean, "{:?}", found.files);
            found.state
        };
        let mut simple = state.clone();
        simple.entries.values_mut().for_each(|entry| entry.version = 1);
        assert_eq!(back(Form::Log), simple);
        let mut plain = state.clone();
        plain.entries.values_mut().for_each(|entry| entry.lock = false);
        assert_eq!(back(Form::Snapshot), plain);
        back(Form::Both) == state
    }

    fn any_cut_of_any_state_is_classified(state: State, seed: usize) -> TestResult {
        let files = write(&state, Form::Log);
        let bytes = files.get("wal-current.log").unwrap();
        let cut = seed % bytes.len();
        let found = read(&[("wal-current.log", &bytes[..cut])].into_iter().collect(), None);
        let ends = wal::scan(bytes).records.iter().any(|r| r.offset == cut || r.end() == cut);
        TestResult::from_bool(found.verdict() == if ends { Tail::Clean } else { Tail::Torn })
    }

    fn any_contents_under_right_checksums_have_an_answer(
        code: u8, payload: Vec<u8>, shards: u32, body: Vec<u8>
    ) -> bool {
        let code = code % 10 + 1;
        let variant = (u32::from(code) - 1).to_le_bytes();
        let log = log_of(code, &[&variant[..], &payload].concat());
        let mut snapshot = counted(0, 0, 0);
        snapshot.truncate(snapshot::HEADER);
        snapshot[20..24].copy_from_slice(&shards.to_be_bytes());
        snapshot[40..72].copy_from_slice(&sha2::Sha256::digest(&body));
        snapshot.extend(body);
        answers_anything(&Bridge, &["snapshot-1.snap", "wal-current.log"], &[snapshot, log]);
        true
    }

    fn any_bytes_have_an_answer(parts: Vec<Vec<u8>>, with_magic: bool) -> bool {
        let header = if with_magic { log(1, &[]) } else { Vec::new() };
        let parts: Vec<_> = parts.into_iter().map(|part| [&header[..], &part].concat()).collect();
        let names = ["snapshot-1.snap", "wal-1.log", "wal-current-new.log", "wal-current.log"];
        answers_anything(&Bridge, &names, &parts);
        true
    }
}
