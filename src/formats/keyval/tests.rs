//! The original's files, our own vectors, and damage of every kind.

use super::bolt_tests::bolt_file;
use super::*;
use crate::trials::{answers_anything, cases, cut_everywhere, examples};
use crate::{Tail, flips, flips_of};
use highwater_tests::{Arbitrary, Gen, TestResult, properties};

const PAGE: &str = include_str!("../../../docs/formats/keyval.md");
const FIRST: &str = "wal-0000000000000000.log";
const SECOND: &str = "wal-0000000000000001.log";

#[test]
fn files_of_the_original() {
    for case in cases("keyval") {
        case.check(&KeyVal, |name| match name {
            "damaged/cut-tail-41" | "damaged/name-suffix" => Some(Tail::Clean),
            "damaged/flip-timestamp-middle" => Some(Tail::Clean),
            "damaged/missing-middle-segment" => Some(Tail::Corrupt),
            "damaged/snap-meta-missing" => Some(Tail::Torn),
            _ if name.contains("-tail") && name.starts_with("damaged/") => Some(Tail::Torn),
            _ if name.contains("short-size") => Some(Tail::Torn),
            _ if name.contains("flip-") || name.contains("snap-") && name.contains("damaged") => {
                Some(Tail::Corrupt)
            }
            _ if name.starts_with("append-after-damage/") => Some(Tail::Corrupt),
            _ if name.starts_with("damaged/") => None,
            _ => Some(Tail::Clean),
        });
        let found = KeyVal.examine(&case.files, None);
        let more = |name| &found.more.iter().find(|(field, _)| *field == name).unwrap().1;
        if case.name == "persist-basic" {
            for field in ["first_index", "last_index", "log", "snapshot", "term", "voted_for"] {
                assert_eq!(more("bolt")[field], case.known["result"][field], "{field}");
            }
        }
        let newest = more("snapshots").as_array().and_then(|all| all.last());
        let is_damaged = case.name.contains('/');
        if let Some((newest, known)) = newest.filter(|_| !is_damaged).zip(case.known.get("result"))
        {
            assert_eq!(newest["data_crc32"], known["data_crc32"]);
            for (field, known) in known["metadata"].as_object().unwrap() {
                assert_eq!(&newest[field], known, "{}: {field}", case.name);
            }
        }
        assert_ne!(KeyVal.likeness(&case.files), Likeness::None, "{}", case.name);
    }
}

fn entry(kind: u8, index: u64, data: &[u8]) -> Entry {
    Entry { kind, index, term: 3, timestamp: 1_700_000_000, data: data.into() }
}

/// What the page shows, which was encoded by hand.
fn example() -> State {
    let entries = vec![entry(METADATA, 0, b"n1"), entry(LOG, 7, b"seven")];
    State { entries, ..State::default() }
}

#[test]
fn the_page_says_what_is_read_and_written() {
    let files = examples(PAGE);
    let found = read(&files);
    assert_eq!((found.verdict(), &found.state), (Tail::Clean, &example()), "{:#?}", found.files);
    assert_eq!(write(&example()), files);
    let metadata = Metadata { term: 3, voted_for: b"n1".into() };
    assert_eq!(found.state.metadata(), Some(metadata));
}

pub(super) fn folder(files: &[(&str, &[u8])]) -> Files {
    files.iter().map(|(path, bytes)| (*path, bytes.to_vec())).collect()
}

fn segment(indices: std::ops::Range<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    indices.for_each(|index| entry(LOG, index, b"data").encode(&mut bytes));
    bytes
}

/// The indices that are shown of a folder, and what is said of it.
fn shown(files: &[(&str, &[u8])]) -> (Vec<u64>, Tail) {
    let found = read(&folder(files));
    (found.state.entries.iter().map(|entry| entry.index).collect(), found.verdict())
}

#[test]
fn the_state_ends_at_the_first_bad_place_of_all_segments() {
    let (one, two) = (segment(1..4), segment(4..6));
    let size = one.len() / 3;
    let both = |first: &[u8]| shown(&[(FIRST, first), (SECOND, &two)]);
    assert_eq!(both(&one), ((1..6).collect(), Tail::Clean));
    assert_eq!(both(&one[..2 * size + 9]), (vec![1, 2], Tail::Corrupt));
    assert_eq!(shown(&[(FIRST, &one[..2 * size + 9])]), (vec![1, 2], Tail::Torn));
    assert_eq!(shown(&[(FIRST, &one[..2 * size + 9]), (SECOND, b"")]), (vec![1, 2], Tail::Torn));
    let mut middle = one.clone();
    middle[size + 8] ^= 1;
    assert_eq!(shown(&[(FIRST, &middle)]), (vec![1], Tail::Corrupt));
    // One is missing.
    assert_eq!(shown(&[(SECOND, &two)]), (vec![], Tail::Corrupt));
    let third = "wal-0000000000000002.log";
    assert_eq!(shown(&[(FIRST, &one), (third, &two)]), (vec![1, 2, 3], Tail::Corrupt));
    assert_eq!(shown(&[(FIRST, b"")]), (vec![], Tail::Clean));
}

#[test]
fn the_log_is_here_or_in_the_folder_below() {
    let (one, two) = (segment(1..2), segment(2..3));
    let below = format!("wal/{FIRST}");
    assert_eq!(shown(&[(&below, &one)]), (vec![1], Tail::Clean));
    assert_eq!(shown(&[(&below, &one), (FIRST, &two)]), (vec![2], Tail::Clean));
    assert_eq!(shown(&[("wal-0.log", &one), ("wal-0000000000000000.log.bak", &one)]).0, [0; 0]);
}

#[test]
fn names_decide_only_where_content_cannot() {
    let like = |path: &str, bytes: &[u8]| KeyVal.likeness(&folder(&[(path, bytes)]));
    let mut one = segment(1..3);
    assert_eq!(like(FIRST, &one), Likeness::Content);
    assert_eq!(like("wal-0.log", &one), Likeness::None);
    // A record that is cut, and one whose sum is wrong.
    assert_eq!(like(FIRST, &one[..40]), Likeness::Content);
    one[40] ^= 1;
    assert_eq!(like(FIRST, &one[..41]), Likeness::Content);
    assert_eq!(like(FIRST, &one[..36]), Likeness::Name);
    assert_eq!(like(FIRST, &[0; 4096]), Likeness::Name);
    assert_eq!(like(FIRST, &[b"KVWAL001", &[7; 60][..]].concat()), Likeness::None);
    let snapshot = write(&State { snapshots: vec![snapshot()], ..State::default() });
    let meta = snapshot.get("snapshot-10-2.snap.meta").unwrap();
    assert_eq!(like("snapshot-10-2.snap.meta", meta), Likeness::Content);
    assert_eq!(like("raft.db", &bolt_file()), Likeness::Content);
    assert_eq!(like("raft.db", &[7; 8192]), Likeness::None);
}

fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::new(10, 2, "2023-11-14T22:13:20Z", b"machine".into());
    snapshot.meta.configuration = Some(b"abc".into());
    snapshot.meta.checksum_crc32 = Some(crc32fast::hash(b"machine"));
    snapshot
}

#[test]
fn a_snapshot_counts_only_whole() {
    let good = write(&State { snapshots: vec![snapshot()], ..State::default() });
    let [data, meta] = ["snapshot-10-2.snap", "snapshot-10-2.snap.meta"];
    let text = |text: &[u8]| String::from_utf8(text.into()).unwrap();
    let of = |path: &str, bytes: Option<&[u8]>| {
        let others = good.iter().filter(|(other, _)| *other != path);
        let with = bytes.map(|bytes| (path, bytes));
        let found = read(&others.chain(with).map(|(path, bytes)| (path, bytes.to_vec())).collect());
        let bad = found.files.iter().find(|file| file.tail != Tail::Clean).unwrap();
        assert_eq!((found.state.snapshots.len(), found.lost.len()), (0, 1));
        (bad.path.clone(), bad.tail, bad.offset)
    };
    assert_eq!(of(data, None), (meta.into(), Tail::Corrupt, 0));
    assert_eq!(of(meta, None), (data.into(), Tail::Torn, 0));
    assert_eq!(of(data, Some(b"mach")), (data.into(), Tail::Torn, 4));
    assert_eq!(of(data, Some(b"machinE")), (data.into(), Tail::Corrupt, 0));
    assert_eq!(of(meta, Some(b"")), (meta.into(), Tail::Torn, 0));
    let json = text(good.get(meta).unwrap());
    let wrong = |from: &str, to: &str| of(meta, Some(json.replace(from, to).as_bytes()));
    for (from, to) in [("\"index\":10", "\"index\":11"), ("\"size\":7", "\"size\":6")] {
        assert_eq!(wrong(from, to), (meta.into(), Tail::Corrupt, 0));
    }
    assert_eq!(
        wrong("\"checksum_crc32\":", "\"checksum_crc32\":1"),
        (meta.into(), Tail::Corrupt, 0)
    );
    assert_eq!(wrong("{", "<").1, Tail::Corrupt);
    assert_eq!(wrong("}", "").1, Tail::Torn);
}

#[test]
fn every_cut_and_every_flip_has_an_answer() {
    let mut files = write(&State { snapshots: vec![snapshot()], ..example() });
    files.put("raft.db", bolt_file());
    let ends = [0, 39];
    for (path, cut, verdict) in cut_everywhere(&KeyVal, &files) {
        let clean = path == FIRST && ends.contains(&cut);
        assert_eq!(verdict == Tail::Clean, clean, "{path} cut at {cut}");
    }
    // Only the two times are not covered.
    let log = flips_of(&KeyVal, &files, FIRST);
    assert_eq!((log.silent, log.harmless), (2 * 64, 0));
    let bolt = flips_of(&KeyVal, &files, "raft.db");
    assert_eq!((bolt.detected(), bolt.silent, bolt.harmless), (2520, 392, 21664));
    let data = flips_of(&KeyVal, &files, "snapshot-10-2.snap");
    assert_eq!((data.detected(), data.total()), (56, 56));
    assert_eq!(
        flips(&KeyVal, &files).total(),
        8 * files.iter().map(|f| f.1.len()).sum::<usize>() as u64
    );
}

impl Arbitrary for Entry {
    fn arbitrary(g: &mut Gen) -> Entry {
        let (index, term, timestamp) = Arbitrary::arbitrary(g);
        Entry { kind: u8::arbitrary(g), index, term, timestamp, data: Vec::arbitrary(g) }
    }
}

impl Arbitrary for LogEntry {
    fn arbitrary(g: &mut Gen) -> LogEntry {
        let (term, data) = (u64::arbitrary(g), Option::arbitrary(g));
        LogEntry { term, index: 0, data, kind: i64::from(u8::arbitrary(g) % 4) }
    }
}

impl Arbitrary for Node {
    fn arbitrary(g: &mut Gen) -> Node {
        let mut log = Vec::<LogEntry>::arbitrary(g);
        let first = u64::from(u32::arbitrary(g));
        (first..).zip(&mut log).for_each(|(index, entry)| entry.index = index);
        if let Some(large) = log.first_mut().filter(|_| bool::arbitrary(g)) {
            large.data = Some(vec![7; 10_000]);
        }
        let snapshot = State::arbitrary(g).snapshots.pop();
        Node { term: u64::arbitrary(g), voted_for: Vec::arbitrary(g), log, snapshot }
    }
}

impl Arbitrary for State {
    fn arbitrary(g: &mut Gen) -> State {
        let snapshot = |g: &mut Gen, index| {
            let created = String::arbitrary(g);
            let mut snapshot = Snapshot::new(index, u64::arbitrary(g), &created, Vec::arbitrary(g));
            snapshot.meta.configuration = Option::arbitrary(g);
            snapshot
        };
        let snapshots = (0..u64::arbitrary(g) % 4).map(|index| snapshot(g, index)).collect();
        State { entries: Vec::arbitrary(g), snapshots, bolt: None }
    }
}

#[test]
fn the_log_can_stand_in_for_the_bolt_file() {
    let entry = |index, term, data: &str| entry_of(index, term, data.as_bytes());
    let log = vec![entry(1, 1, "a"), entry(2, 1, "b"), entry(3, 1, "c")];
    let node = Node { term: 1, voted_for: b"n1".into(), log, snapshot: Some(snapshot()) };
    let mut state = node.to_state(5);
    let mut later = Node { term: 2, log: vec![entry(2, 2, "d")], ..Node::default() }.to_state(6);
    state.entries.append(&mut later.entries);
    assert_eq!(state.node(), node);
    state.bolt = None;
    let log = vec![entry(1, 1, "a"), entry(2, 2, "d")];
    assert_eq!(state.node(), Node { term: 2, voted_for: Vec::new(), log, ..node });
    // Of the log alone, whatever is in it.
    let plain = State { entries: vec![self::entry(LOG, 7, b"seven")], ..State::default() };
    assert_eq!(plain.node().log, [entry_of(7, 3, b"seven")]);
}

#[test]
fn what_the_original_does_not_start_from_does_not_fit() {
    let of = |indices: &[u64], snapshot| Node {
        log: indices.iter().map(|index| entry_of(*index, 1, b"x")).collect(),
        snapshot,
        ..Node::default()
    };
    assert_eq!(of(&[1, 2, 3], Some(snapshot())).fits(), Ok(()));
    assert_eq!(of(&[], None).fits(), Ok(()));
    assert_eq!(of(&[2, 3], None).fits(), Err(Misfit::Index(1, 2)));
    assert_eq!(of(&[1, 3], None).fits(), Err(Misfit::Index(2, 3)));
    let at =
        |index, data: &[u8]| Some(Snapshot::new(index, 1, "2023-11-14T22:13:20Z", data.into()));
    assert_eq!(of(&[], at(0, b"x")).fits(), Err(Misfit::Snapshot));
    assert_eq!(of(&[], at(1, b"")).fits(), Err(Misfit::Snapshot));
}

fn entry_of(index: u64, term: u64, data: &[u8]) -> LogEntry {
    LogEntry { term, index, data: Some(data.into()), kind: 0 }
}

properties! {
    fn a_node_comes_back(node: Node) -> bool {
        let files = write(&node.to_state(1_700_000_000));
        let found = read(&files);
        assert_eq!(found.verdict(), Tail::Clean, "{:?}", found.files);
        assert_eq!(found.state.node(), node);
        let without = State { bolt: None, ..found.state };
        without.node() == node
    }

    fn what_is_written_is_read(state: State) -> bool {
        let found = read(&write(&state));
        assert_eq!(found.verdict(), Tail::Clean, "{:?}", found.files);
        found.state == state
    }

    fn any_cut_is_classified(entries: Vec<Entry>, seed: usize) -> TestResult {
        let state = State { entries, ..State::default() };
        let files = write(&state);
        let bytes = files.get(FIRST).unwrap();
        let cut = seed % (bytes.len() + 1);
        let mut ends = state.entries.iter().scan(0, |end, entry| {
            *end += entry.size();
            Some(*end)
        });
        let tail = if cut == 0 || ends.any(|end| end == cut) { Tail::Clean } else { Tail::Torn };
        TestResult::from_bool(shown(&[(FIRST, &bytes[..cut])]).1 == tail)
    }

    fn any_bytes_have_an_answer(parts: Vec<Vec<u8>>, real: bool) -> bool {
        let names = [FIRST, SECOND, "raft.db", "snapshot-1-1.snap", "snapshot-1-1.snap.meta"];
        let real = real.then(|| [segment(1..3), segment(3..4), bolt_file()]);
        let fronts = real.unwrap_or_default();
        let fronts = fronts.into_iter().chain([Vec::new(), Vec::new()]);
        let parts: Vec<_> = fronts.zip(parts).map(|(front, part)| [front, part].concat()).collect();
        answers_anything(&KeyVal, &names, &parts);
        true
    }
}
