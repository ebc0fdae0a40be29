//! The page of the JSON documents says what the commands print: every field that a command prints
//! stands on the page with its type, and every field of the page is printed by some command.

use super::convert::{generated, import};
use super::formats::{folder, inspect};
use super::{json, root};
use highwater::{
    Durability, Journal, KvStore, Lsn, Options, PayloadStore, TestClock, Value as Held,
};
use highwater_formats::{Codec, Files, bridge, keyval, stemedb};
use highwater_vfs::OsFs;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// Of each heading, the type of each field.
type Page = BTreeMap<String, BTreeMap<String, String>>;

fn page() -> Page {
    let text = fs::read_to_string(root().join("docs/json.md")).expect("the page");
    let (mut page, mut heading) = (Page::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            heading = name.to_string();
        } else if let Some(row) = line.strip_prefix("| `") {
            let (field, rest) = row.split_once("` | ").expect("a field");
            let (types, _) = rest.split_once(" | ").expect("a type");
            let fields = page.entry(heading.clone()).or_default();
            assert_eq!(fields.insert(field.into(), types.into()), None, "{heading}: {field} twice");
        }
    }
    page
}

fn is_a(value: &Value, one: &str) -> bool {
    let all = |test: fn(&Value) -> bool| value.as_array().is_some_and(|all| all.iter().all(test));
    match one {
        "any" => true,
        "null" => value.is_null(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array of string" => all(Value::is_string),
        "array of object" => all(Value::is_object),
        _ => panic!("no type {one:?}"),
    }
}

/// The page, and which of its fields were printed.
struct Reader {
    page: Page,
    printed: BTreeSet<(String, String)>,
}

impl Reader {
    /// A document, or an array of them, that is described under some headings.
    fn read(&mut self, headings: &[&str], document: &Value) {
        match document {
            Value::Array(all) => all.iter().for_each(|one| self.read(headings, one)),
            Value::Object(_) => self.object(headings, "", document),
            _ => panic!("{headings:?}: no document: {document}"),
        }
    }

    fn object(&mut self, headings: &[&str], path: &str, object: &Value) {
        let gap = if path.is_empty() { "" } else { "." };
        for (name, value) in object.as_object().expect("an object") {
            let said = format!("{path}{gap}{name}");
            let data = format!("{path}{gap}*");
            let found = [said.clone(), data].into_iter().find_map(|field| {
                let of = |heading: &&&str| self.page[**heading].contains_key(&field);
                headings.iter().rfind(of).map(|heading| (heading.to_string(), field))
            });
            let (heading, field) =
                found.unwrap_or_else(|| panic!("{said} is not on the page: {headings:?}"));
            let types = self.page[&heading][&field].clone();
            let fits = types.split(" or ").any(|one| is_a(value, one));
            assert!(fits, "{heading}: {field} is {types}, and this is none: {value}");
            self.printed.insert((heading, field.clone()));
            match value {
                _ if types == "any" => {}
                Value::Object(_) => self.object(headings, &field, value),
                Value::Array(all) if all.iter().all(Value::is_object) => {
                    all.iter().for_each(|one| self.object(headings, &format!("{field}[]"), one));
                }
                _ => {}
            }
        }
    }

    fn run(&mut self, headings: &[&str], args: &str) -> Value {
        let args: Vec<&str> = args.split(' ').chain(["--format", "json"]).collect();
        let (_, document) = json(&args);
        self.read(headings, &document);
        document
    }

    fn inspected(&mut self, kind: &[&str], dir: &Path) {
        let (_, document) = inspect(dir, &[]);
        self.read(&[&["inspect"], kind].concat(), &document);
    }
}

#[test]
fn the_page_of_json_says_what_is_printed() {
    let mut reader = Reader { page: page(), printed: BTreeSet::new() };
    explorations(&mut reader);
    for what in ["engines", "bugs", "models", "faults", "commands"] {
        let heading = match what {
            "engines" | "bugs" => format!("list {what}"),
            _ => "list models, list faults, list commands".to_string(),
        };
        reader.run(&[&heading], &format!("list {what}"));
        let (_, all) = json(&["list", "--format", "json"]);
        reader.read(&[&heading], &all[what]);
        assert_eq!(all.as_object().expect("an object").len(), 5);
    }
    stores(&mut reader);
    other_systems(&mut reader);
    let on_page = reader
        .page
        .iter()
        .flat_map(|(heading, fields)| fields.keys().map(|field| (heading.clone(), field.clone())));
    let never: Vec<_> = on_page.filter(|field| !reader.printed.contains(field)).collect();
    assert!(never.is_empty(), "on the page, and never printed: {never:?}");
}

fn explorations(reader: &mut Reader) {
    reader.run(&["run"], "run --ops 2 --crashes 1");
    reader.run(&["run"], "run --ops 1 --crashes 1 --model all --faults none --no-control");
    reader.run(&["run"], "run --engine museum/ack-1 --model posix --crashes 1");
    let threads = "run --engine museum/race-1/twin --model posix --crashes 1 --no-control";
    reader.run(&["run"], threads);
    let broken = reader.run(&["run"], "run --ops 2 --drop-syncs");
    let token = broken["findings"][0]["token"].as_str().expect("a token");
    reader.run(&["replay"], &format!("replay {token}"));
    reader.run(&["replay"], "replay hw1.payload.posix.none.1.fsync_2048_2.p1-x16.p999_");
    reader.run(&["audit"], "audit --engine museum/ack-1/twin --model posix");
    reader.run(&["litmus"], "litmus --model strict,posix");
}

/// Our own, of each kind: filled, and one that is refused.
fn stores(reader: &mut Reader) {
    let dir = tempfile::tempdir().expect("a folder");
    let new = |name: &str| {
        let path = dir.path().join(name);
        fs::create_dir(&path).expect("a folder");
        (Arc::new(OsFs::open(&path).expect("the folder")), path)
    };
    let options = || Options { durability: Durability::Fsync, ..Options::default() };
    let ours = "inspect: highwater";
    let (disk, path) = new("payloads");
    let store = PayloadStore::open(disk, options()).expect("a store");
    store.store_batch(&[(1, b"{}"), (2, b"\xff")]).expect("a put");
    store.close().expect("a close");
    drop(store);
    reader.inspected(&[ours, "inspect: a payload store"], &path);
    let log = path.join("0000000000000001-00000001.log");
    let mut bytes = fs::read(&log).expect("the log");
    bytes[60] ^= 1;
    fs::write(&log, bytes).expect("a write");
    reader.inspected(&[ours], &path);
    let (disk, path) = new("keys");
    let store = KvStore::open(disk, options(), Arc::new(TestClock::new(1))).expect("a store");
    store.set("k", Held::Int(7), None).expect("a put");
    store.set([0xff], Held::Null, Some(std::time::Duration::from_secs(1))).expect("a put");
    store.close().expect("a close");
    reader.inspected(&[ours, "inspect: a key-value store"], &path);
    let (disk, path) = new("journal");
    let journal = Journal::open(disk, options()).expect("a journal");
    journal.append(b"one").expect("an append");
    journal.set_cursor("me", Lsn(1)).expect("a cursor");
    journal.close().expect("a close");
    reader.inspected(&[ours, "inspect: a journal"], &path);
    let (_, path) = new("nothing");
    fs::write(path.join("notes.txt"), "nobody's").expect("a file");
    let (code, document) = inspect(&path, &[]);
    assert_eq!(code, 4);
    reader.read(&["inspect", "inspect: nothing that is known"], &document);
}

/// Files of each, and a Raft store from those of a Raft node.
fn other_systems(reader: &mut Reader) {
    let to = tempfile::tempdir().expect("a folder");
    let of = |format: &str| match format {
        "velesdb" | "velesdb-plan" => "inspect: velesdb, velesdb-plan".to_string(),
        _ => format!("inspect: {format}"),
    };
    let mut inspect = |format: &str, files: &Files| {
        reader.inspected(&["inspect: another system", &of(format)], folder(files).path());
    };
    for (format, files) in (0..8).flat_map(generated) {
        inspect(format, &files);
    }
    for (format, files) in strange() {
        inspect(format, &files);
    }
    let (from, store) = (folder(&generated(0)[4].1), to.path().join("raft"));
    assert_eq!(import(from.path(), &store, &[]).code, 0);
    reader.inspected(&["inspect: a Raft store"], &store);
    let purged = highwater_raft::LogId { index: 1, term: 1 };
    let raft = OsFs::open(&store).expect("the folder");
    let raft = highwater_raft::RaftStore::open(Arc::new(raft), Default::default());
    raft.expect("a store").purge_to(purged).expect("a purge");
    reader.inspected(&["inspect: a Raft store"], &store);
}

/// What the generated ones do not have: a payload that is no JSON, a lock, what a database and a
/// snapshot's members are, bytes behind another header.
fn strange() -> [(&'static str, Files); 4] {
    let mut raw = b"\xc3\x07\0\0\0\0\0\0\0\x01\0\0\0?".to_vec();
    raw.extend(crc32fast::hash(&raw).to_le_bytes());
    let value = bridge::Value::String("me".into());
    let lock = bridge::Entry { value, expires: Some(i64::MAX), version: 1, lock: true };
    let locked = bridge::State { at: 1, entries: [("l".into(), lock)].into() };
    let mut snapshot = keyval::Snapshot::new(1, 1, "2023-11-14T22:13:20Z", b"x".to_vec());
    snapshot.meta.configuration = Some(b"n1".to_vec());
    snapshot.meta.checksum_crc32 = Some(crc32fast::hash(b"x"));
    let log = vec![keyval::LogEntry { term: 1, index: 1, data: None, kind: 2 }];
    let (term, voted_for, meta) = (Some(1), Some(b"n1".to_vec()), Some(snapshot.meta.clone()));
    let bolt = Some(keyval::Bolt { term, voted_for, log, snapshot: meta });
    let metadata = keyval::METADATA;
    let vote =
        keyval::Entry { kind: metadata, index: 0, term: 1, timestamp: 0, data: b"n1".to_vec() };
    let node = keyval::State { entries: vec![vote], snapshots: vec![snapshot], bolt };
    let records = vec![stemedb::Record { offset: 0, payload: b"one".to_vec() }];
    let journal = stemedb::write(&stemedb::State { records }, 1 << 20).expect("a journal");
    let (name, bytes) = journal.iter().next().expect("a segment");
    let bare = (1..bytes.len()).map(|from| [(name, &bytes[from..])].into_iter().collect());
    let has_layout = |files: &Files| !stemedb::Stemedb.examine(files, None).more.is_empty();
    [
        ("velesdb", [("payloads.log", raw)].into_iter().collect()),
        ("data-bridge-kv", bridge::write(&locked, bridge::Form::Both)),
        ("keyval", keyval::write(&node)),
        ("stemedb", bare.into_iter().find(has_layout).expect("records without a header")),
    ]
}
