//! `import` and `export`: there and back, whole or not at all, and the source as it was.

use super::formats::{folder, image, inspect};
use super::{Ran, narrow, run};
use highwater::{Durability, Journal, KvStore, Lsn, Options, PayloadStore, TestClock, Value};
use highwater_formats::bridge::{self, Form};
use highwater_formats::keyval;
use highwater_formats::stemedb::{self, Record};
use highwater_formats::veles::{self, Dialect};
use highwater_formats::{Codec, Files, codecs};
use highwater_raft::{Entry, LogId, RaftStore};
use highwater_tests::{Arbitrary, Gen};
use highwater_vfs::OsFs;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;

fn text(path: &Path) -> &str {
    path.to_str().expect("a name")
}

pub(crate) fn import(from: &Path, into: &Path, more: &[&str]) -> Ran {
    run(&[&["import", text(from), "--into", text(into)], more].concat())
}

fn export(from: &Path, format: &str, into: &Path) -> Ran {
    run(&["export", text(from), "--as", format, "--into", text(into)])
}

/// Any payloads that are JSON, any records, any values by key; at least one of each, for a store
/// that never held anything has no file.
pub(crate) fn generated(seed: u8) -> [(&'static str, Files); 5] {
    let mut g = Gen::from_size_and_seed(2 + usize::from(seed % 40), seed.into());
    let texts = Vec::<(u64, String)>::arbitrary(&mut g).into_iter().chain([(7, "x".into())]);
    let payloads = texts.map(|(id, text)| (id, serde_json::json!([text]).to_string().into()));
    let payloads = veles::State { payloads: payloads.collect() };
    let mut records: Vec<Record> = Vec::new();
    for payload in Vec::<Vec<u8>>::arbitrary(&mut g).into_iter().chain([b"x".to_vec()]) {
        let offset = records.last().map_or(0, Record::end);
        records.push(Record { offset, payload });
    }
    let numbers = Vec::<(u64, i64, Option<u32>)>::arbitrary(&mut g).into_iter();
    let entries = numbers.chain([(7, 7, None)]).enumerate().map(|(n, (key, number, left))| {
        let inner = bridge::Value::Map([("n".into(), bridge::Value::Int(number))].into());
        let value = if n % 2 == 0 { inner } else { bridge::Value::Float(number as f64) };
        let expires = left.map(|left| (1000 + 1 + i64::from(left)) * SECOND);
        // What has a time to live is in the log, which does not say how often it was set.
        let version = if expires.is_some() { 1 } else { 2 + n as u64 };
        (key.to_string(), bridge::Entry { value, expires, version, lock: false })
    });
    let entries = bridge::State { at: 1000 * SECOND, entries: entries.collect() };
    [
        ("velesdb", veles::write(&payloads, Dialect::Current).expect("JSON")),
        ("velesdb-plan", veles::write(&payloads, Dialect::Plan).expect("JSON")),
        ("stemedb", stemedb::write(&stemedb::State { records }, 1000).expect("a journal")),
        ("data-bridge-kv", bridge::write(&entries, Form::Both)),
        ("keyval", keyval::write(&node(&mut g).to_state(SNAPSHOT_AT))),
    ]
}

/// When every generated snapshot of a Raft node was made, in seconds since 1970.
const SNAPSHOT_AT: i64 = 1_700_000_000;

/// Any log, of every kind of entry; a snapshot of its beginning, or ahead of all of it. Its term is
/// later than both: of no other does the vote survive.
fn node(g: &mut Gen) -> keyval::Node {
    let mut term = 1;
    let entries = Vec::<(bool, i8, Option<Vec<u8>>)>::arbitrary(g).into_iter();
    let entries = entries.chain([(false, 0, Some(b"x".to_vec()))]);
    let log = (1..).zip(entries).map(|(index, (is_later, kind, data))| {
        term += u64::from(is_later);
        keyval::LogEntry { term, index, data, kind: kind.into() }
    });
    let log: Vec<_> = log.collect();
    let (ahead, data) = (bool::arbitrary(g), Vec::<u8>::arbitrary(g));
    let log = if ahead { Vec::new() } else { log };
    let (index, in_term) = log.first().map_or((7, 3), |first| (first.index, first.term));
    let data = [data, b"x".to_vec()].concat();
    let term = term.max(in_term);
    let mut snapshot = keyval::Snapshot::new(index, in_term, "2023-11-14T22:13:20.5Z", data);
    snapshot.meta.configuration = bool::arbitrary(g).then(|| b"n1".to_vec());
    let voted_for = if bool::arbitrary(g) { b"n1".to_vec() } else { Vec::new() };
    keyval::Node { term: term + 1, voted_for, log, snapshot: Some(snapshot) }
}

fn codec(format: &str) -> &'static dyn Codec {
    *codecs().iter().find(|codec| codec.name() == format).expect("a codec")
}

/// What an export holds, as its codec reads it.
fn read(dir: &Path, format: &str) -> serde_json::Value {
    let files = image(dir)
        .into_iter()
        .map(|(path, bytes)| (text(path.strip_prefix(dir).expect("below it")).to_string(), bytes));
    let examined = codec(format).examine(&files.collect(), None);
    assert_eq!(examined.verdict().name(), "clean");
    examined.state
}

#[test]
fn what_is_imported_and_exported_is_the_same() {
    for seed in 0..8 {
        for (format, files) in generated(seed) {
            let (from, to) = (folder(&files), tempfile::tempdir().expect("a folder"));
            let (store, back) = (to.path().join("store"), to.path().join("back"));
            let before = image(from.path());
            let ran = import(from.path(), &store, &[]);
            assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{format}: {}", ran.stderr);
            assert_eq!(image(from.path()), before, "{format}: the source was touched");
            let right = codec(format).examine(&files, None).state;
            let (code, seen) = inspect(&store, &[]);
            assert_eq!((code, &seen["verdict"]), (0, &"clean".into()), "{format}");
            let held = image(&store);
            let ran = export(&store, format, &back);
            assert_eq!(ran.code, 0, "{format}: {}", ran.stderr);
            assert_eq!(image(&store), held, "{format}: an export changes nothing");
            assert_eq!(read(&back, format), right, "{format} {seed}");
            if format == "data-bridge-kv" {
                let versions = |seen: &serde_json::Value| {
                    let keys = seen["keys"].as_object().expect("keys").iter();
                    keys.map(|(key, it)| (key.clone(), it["version"].clone())).collect::<Vec<_>>()
                };
                let twice = to.path().join("twice");
                assert_eq!(import(&back, &twice, &[]).code, 0);
                assert_eq!(versions(&inspect(&twice, &[]).1), versions(&seen), "{seed}");
                assert!(versions(&seen).iter().any(|(_, version)| *version != 1), "{seed}");
                fs::remove_dir_all(&twice).expect("it is there");
            }
            match format {
                "stemedb" => {}
                "keyval" => assert_eq!(
                    image(&back),
                    image(from.path())
                        .into_iter()
                        .map(|(path, bytes)| {
                            (back.join(path.strip_prefix(from.path()).expect("below it")), bytes)
                        })
                        .collect(),
                    "{seed}: byte for byte"
                ),
                _ => assert_eq!(seen["state"], right, "{format} {seed}"),
            }
            assert_eq!(fs::read_dir(to.path()).expect("a folder").count(), 2, "nothing is left");
        }
    }
}

/// A lease that ends between the last record and now, and one that had ended before.
#[test]
fn expiry_is_judged_when_it_was_recorded() {
    let entry = |expires: i64| bridge::Entry {
        value: bridge::Value::String("me".into()),
        expires: Some(expires * SECOND),
        version: 1,
        lock: true,
    };
    let entries = [("gone".into(), entry(900)), ("held".into(), entry(1100))];
    let state = bridge::State { at: 1000 * SECOND, entries: entries.into() };
    for form in [Form::Both, Form::Log, Form::Snapshot] {
        let (from, to) = (folder(&bridge::write(&state, form)), tempfile::tempdir().expect("one"));
        let store = to.path().join("store");
        assert_eq!(import(from.path(), &store, &[]).code, 0);
        let (_, seen) = inspect(&store, &[]);
        assert_eq!(seen["state"], serde_json::json!({"held": {"String": "me"}}), "{form:?}");
        assert_eq!(seen["keys"]["held"]["expires_ns"], 1100 * SECOND, "{form:?}");
        let (_, later) = inspect(&store, &["--at", &(1100 * SECOND).to_string()]);
        assert_eq!(later["state"], serde_json::json!({}), "{form:?}");
    }
}

#[test]
fn damage_is_refused_or_left_behind() {
    let payloads = [(1, b"1".to_vec()), (2, b"2".to_vec()), (3, b"3".to_vec())];
    let files = veles::write(&veles::State { payloads: payloads.into() }, Dialect::Current);
    let log = files.expect("JSON").get("payloads.log").expect("a log").to_vec();
    let to = tempfile::tempdir().expect("a folder");
    let import_of = |log: &[u8], name: &str, more: &[&str]| {
        let from = folder(&[("payloads.log", log)].into_iter().collect());
        import(from.path(), &to.path().join(name), more)
    };
    let ran = import_of(&log[..log.len() - 1], "torn", &[]);
    assert_eq!(ran.code, 0, "a torn tail is no damage: {}", ran.stderr);
    assert!(ran.stderr.contains("torn at 36") && ran.stderr.contains("not imported"));
    narrow(&ran.stderr);
    let mut damaged = log.clone();
    damaged[20] ^= 1;
    let ran = import_of(&damaged, "refused", &[]);
    assert_eq!((ran.code, to.path().join("refused").exists()), (100, false), "{}", ran.stderr);
    let ran = import_of(&damaged, "taken", &["--damage", "quarantine"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (_, seen) = inspect(&to.path().join("taken"), &[]);
    assert_eq!(seen["state"], serde_json::json!({"1": 1}));
    // Intact, but nothing that VelesDB could show.
    let mut raw = b"\xc3\x07\0\0\0\0\0\0\0\x01\0\0\0?".to_vec();
    raw.extend(crc32fast::hash(&raw).to_le_bytes());
    let log = [log, raw].concat();
    assert_eq!(import_of(&log, "raw", &[]).code, 100);
    assert_eq!(import_of(&log, "raw", &["--damage", "quarantine"]).code, 0);
    let (_, seen) = inspect(&to.path().join("raw"), &[]);
    assert_eq!((&seen["live"], &seen["bytes"]), (&3.into(), &serde_json::json!({})));
}

#[test]
fn a_place_that_is_taken_is_left_alone() {
    let dir = tempfile::tempdir().expect("a folder");
    let from = folder(&generated(1)[0].1);
    let taken = dir.path().join("taken");
    fs::create_dir(&taken).expect("a folder");
    assert_eq!(import(from.path(), &taken, &["--as", "velesdb"]).code, 0, "an empty one will do");
    let before = image(&taken);
    for into in [taken.as_path(), from.path()] {
        let ran = import(from.path(), into, &["--as", "velesdb"]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert_eq!(export(&taken, "velesdb", into).code, 2);
    }
    assert_eq!(image(&taken), before);
    let file = taken.join(before.keys().next().expect("a file"));
    assert_eq!(import(from.path(), &file, &["--as", "velesdb"]).code, 2);
    let empty = tempfile::tempdir().expect("a folder");
    assert_eq!(export(&taken, "velesdb", &taken.join("below")).code, 2, "within the store");
    let new = dir.path().join("new");
    assert_eq!(import(empty.path(), &new, &[]).code, 4);
    assert_eq!(export(empty.path(), "velesdb", &new).code, 4);
    assert_eq!(import(&taken, &new, &[]).code, 2, "it is a store already");
    assert_eq!(import(Path::new("no/such/folder"), &new, &[]).code, 2);
    assert_eq!(export(Path::new("no/such/folder"), "velesdb", &new).code, 2);
    assert_eq!(export(&taken, "nothing", &new).code, 2);
    assert!(!new.exists());
}

/// There would be a folder without a file, that nobody takes for a store.
#[test]
fn an_import_of_nothing_is_refused() {
    let empty = [
        veles::write(&veles::State::default(), Dialect::Current).expect("JSON"),
        bridge::write(&bridge::State::default(), Form::Log),
        stemedb::write(&stemedb::State::default(), 1000).expect("a journal"),
    ];
    for (files, name) in empty.iter().zip(["velesdb", "data-bridge-kv", "stemedb"]) {
        let (from, to) = (folder(files), tempfile::tempdir().expect("a folder"));
        let ran = import(from.path(), &to.path().join("store"), &["--as", name]);
        assert_eq!(ran.code, 4, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains("holds nothing to import"), "{name}: {}", ran.stderr);
        assert_eq!(fs::read_dir(to.path()).expect("a folder").count(), 0, "nothing is left");
    }
    // A node that never had an entry has a term all the same.
    let from = folder(&keyval::write(&keyval::State::default()));
    let to = tempfile::tempdir().expect("a folder");
    let store = to.path().join("store");
    assert_eq!(import(from.path(), &store, &[]).code, 0);
    assert_eq!(inspect(&store, &[]).1["view"], "a Raft store");
}

/// A log with a gap: the files are sound, and no Raft store takes it.
#[test]
fn an_import_that_fails_leaves_nothing() {
    let entry = |index| keyval::LogEntry { term: 1, index, data: None, kind: 2 };
    let node = keyval::Node { log: vec![entry(1), entry(3)], ..keyval::Node::default() };
    let files = keyval::write(&node.to_state(0));
    let (from, to) = (folder(&files), tempfile::tempdir().expect("a folder"));
    let ran = import(from.path(), &to.path().join("store"), &[]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("index 3"), "{}", ran.stderr);
    assert_eq!(fs::read_dir(to.path()).expect("a folder").count(), 0, "nothing is left");
    let beside = to.path().join("store.unfinished");
    fs::create_dir(&beside).expect("what a dead import leaves");
    let ran = import(from.path(), &to.path().join("store"), &[]);
    assert_eq!(ran.code, 75, "{}", ran.stderr);
    assert!(ran.stderr.contains("remove it") && beside.exists(), "{}", ran.stderr);
}

/// Of what is asked for there is no file.
#[test]
fn a_system_that_is_not_there_is_not_made_up() {
    let [(_, files), ..] = generated(1); // VelesDB's
    let (from, to) = (folder(&files), tempfile::tempdir().expect("a folder"));
    assert_eq!(import(from.path(), &to.path().join("new"), &["--as", "keyval"]).code, 4);
    assert_eq!(inspect(from.path(), &["--as", "keyval"]).0, 4);
    assert_eq!(fs::read_dir(to.path()).expect("a folder").count(), 0);
}

/// A view, a payload, a key or a value that the format cannot say.
#[test]
fn what_does_not_fit_exits_2() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir(&path).expect("a folder");
        Arc::new(OsFs::open(&path).expect("the folder"))
    };
    let options = || Options { durability: Durability::None, ..Options::default() };
    let payloads = PayloadStore::open(disk("payloads"), options()).expect("a store");
    payloads.store(7, b"no JSON").expect("a put");
    payloads.close().expect("a close");
    let kv = |name: &str| {
        let clock = Arc::new(TestClock::new(SECOND));
        KvStore::open(disk(name), options(), clock).expect("a store")
    };
    let keys = kv("keys");
    keys.set(b"\xff", Value::Int(1), Some(Duration::from_secs(1))).expect("a set");
    keys.close().expect("a close");
    let large = kv("large");
    let text = Value::String("x".repeat(11 << 20));
    large.set("long", text, Some(Duration::from_secs(1))).expect("a set");
    large.close().expect("a close");
    let decimals = kv("decimals");
    decimals.set("pi", Value::List(vec![Value::Decimal("3.14".into())]), None).expect("a set");
    decimals.close().expect("a close");
    let journal = Journal::open(disk("journal"), options()).expect("a journal");
    journal.append(b"one").expect("a record");
    journal.set_cursor("me", Lsn(1)).expect("a cursor");
    journal.append(b"two").expect("a record");
    journal.close().expect("a close");
    let raft = RaftStore::open(disk("raft"), options()).expect("a store");
    let id = |index| LogId { index, term: 1 };
    raft.append(&[Entry { id: id(1), payload: b"one".to_vec() }]).expect("an entry");
    raft.close().expect("a close");
    let purged = RaftStore::open(disk("purged"), options()).expect("a store");
    purged.purge_to(id(4)).expect("a purge");
    purged.append(&[Entry { id: id(5), payload: b"five".to_vec() }]).expect("an entry");
    purged.close().expect("a close");
    drop((payloads, keys, large, decimals, journal, raft, purged));
    let out = dir.path().join("out");
    for (store, format, code) in [
        ("payloads", "velesdb", 2),
        ("payloads", "velesdb-plan", 2),
        ("payloads", "stemedb", 2),
        ("payloads", "data-bridge-kv", 2),
        ("keys", "data-bridge-kv", 2),
        ("keys", "velesdb", 2),
        ("large", "data-bridge-kv", 2),
        ("decimals", "data-bridge-kv", 2),
        ("journal", "velesdb", 2),
        ("journal", "keyval", 2),
        ("raft", "stemedb", 2),
        ("purged", "keyval", 2),
        ("journal", "stemedb", 0),
    ] {
        let ran = export(&dir.path().join(store), format, &out);
        assert_eq!((ran.code, out.exists()), (code, code == 0), "{store} {format}: {}", ran.stderr);
    }
    let right = serde_json::json!([
        {"offset": 0, "payload_hex": "6f6e65"}, {"offset": 43, "payload_hex": "74776f"},
    ]);
    assert_eq!(read(&out, "stemedb"), right);
    let (code, seen) = inspect(&dir.path().join("raft"), &[]);
    assert_eq!(
        (code, &seen["view"], &seen["hard_state"]["term"]),
        (0, &"a Raft store".into(), &0.into())
    );
    let one = serde_json::json!([{"index": 1, "term": 1, "payload_hex": "6f6e65"}]);
    assert_eq!((&seen["state"], &seen["snapshot"]), (&one, &serde_json::Value::Null));
    let (_, seen) = inspect(&dir.path().join("purged"), &[]);
    assert_eq!(seen["purged"], serde_json::json!({"index": 4, "term": 1}));
    let (code, seen) = inspect(&dir.path().join("keys"), &[]);
    assert_eq!((code, &seen["view"]), (0, &"a key-value store".into()));
    assert_eq!(seen["bytes"], serde_json::json!({"ff": {"Int": 1}}));
    let (code, seen) = inspect(&dir.path().join("journal"), &[]);
    assert_eq!((code, &seen["cursors"]), (0, &serde_json::json!({"me": 1})));
    assert_eq!(seen["state"][1], serde_json::json!({"lsn": 3, "payload_hex": "74776f"}));
}

/// What a node cannot be, and what is no part of one.
#[test]
fn what_of_keyval_is_not_taken_is_said() {
    let entry =
        |kind, index, term| keyval::Entry { kind, index, term, timestamp: 0, data: b"n1".to_vec() };
    let entries =
        [(keyval::METADATA, 0, 2), (keyval::LOG, 1, 3), (9, 7, 7), (keyval::SNAPSHOT, 1, 3)];
    let entries = entries.map(|(kind, index, term)| entry(kind, index, term)).to_vec();
    let files = keyval::write(&keyval::State { entries, ..keyval::State::default() });
    let (from, to) = (folder(&files), tempfile::tempdir().expect("a folder"));
    let store = to.path().join("store");
    let ran = import(from.path(), &store, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("not imported: ").count(), 3, "{}", ran.stderr);
    narrow(&ran.stderr);
    let (_, seen) = inspect(&store, &[]);
    let hard = serde_json::json!({"term": 4, "voted_for_hex": null});
    assert_eq!((&seen["hard_state"], &seen["snapshot"]), (&hard, &serde_json::Value::Null));
    assert_eq!(seen["state"][0]["term"], 3);
}

/// Each file of a Raft store in turn.
#[test]
fn damage_to_a_raft_store_is_seen() {
    let data = Some(b"set x".to_vec());
    let log = vec![keyval::LogEntry { term: 1, index: 1, data, kind: 0 }];
    let snapshot = keyval::Snapshot::new(1, 1, "2023-11-14T22:13:20.5Z", b"x".to_vec());
    let (voted_for, snapshot) = (b"n1".to_vec(), Some(snapshot));
    let node = keyval::Node { term: 2, voted_for, log, snapshot };
    let files = keyval::write(&node.to_state(SNAPSHOT_AT));
    let (from, to) = (folder(&files), tempfile::tempdir().expect("a folder"));
    let store = to.path().join("store");
    assert_eq!(import(from.path(), &store, &[]).code, 0);
    let whole = image(&store);
    let people = run(&["inspect", text(&store)]);
    assert!(people.stdout.starts_with("system: highwater, a Raft store\nverdict: clean\nterm: "));
    narrow(&people.stdout);
    fs::write(store.join("metadata.redb.new"), "").expect("what a crash left");
    assert_eq!(inspect(&store, &[]).0, 0);
    let out = to.path().join("out");
    for (path, bytes) in &whole {
        let mut damaged = bytes.clone();
        match path.ends_with("metadata.redb") {
            true => damaged[64..320].fill(0xff), // both of its commits
            false => damaged[40 % bytes.len()] ^= 4,
        }
        fs::write(path, damaged).expect("a file");
        let (code, seen) = inspect(&store, &[]);
        assert_eq!((code, &seen["verdict"]), (100, &"corrupt".into()), "{path:?}: {seen}");
        let name = text(path.strip_prefix(&store).expect("below it"));
        let files = seen["files"].as_array().expect("a list");
        let file = files.iter().find(|file| file["path"] == name).expect("the file");
        assert_eq!(file["tail"], "corrupt", "{seen}");
        assert!(file["reason"].is_string(), "{seen}");
        let ran = export(&store, "keyval", &out);
        assert_eq!((ran.code, out.exists()), (100, false), "{path:?}: {}", ran.stderr);
        fs::write(path, bytes).expect("a file");
    }
    fs::remove_file(store.join("metadata.redb")).expect("a file");
    assert_eq!(inspect(&store, &[]).1["verdict"], "corrupt", "a log without metadata");
}
