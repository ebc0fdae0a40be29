//! What becomes of each single bit of each format that is flipped: `docs/formats/flips.md`.
//!
//! After a change: `UPDATE_DOCS=1 cargo test -p highwater-tests --test it flips`.

use crate::damage::{disk, image, open, options, state};
use highwater::inspect::{FileKind, Verdict, inspect};
use highwater_formats::bridge::{self, Bridge};
use highwater_formats::keyval::{self, KeyVal};
use highwater_formats::stemedb::{self, Stemedb};
use highwater_formats::veles::{self, Dialect};
use highwater_formats::{
    Codec, Examined, FileReport, Files, Flips, Likeness, Tail, codecs, flips_of,
};
use highwater_sim::{Model, SimFs};
use serde_json::{Value, json};
use std::path::Path;

/// Our own store, asked like the others.
#[derive(Debug)]
struct Native;

impl Codec for Native {
    fn name(&self) -> &'static str {
        "highwater"
    }

    fn likeness(&self, _: &Files) -> Likeness {
        Likeness::Content
    }

    /// The verdict of an inspection, and the payloads if the store opens.
    fn examine(&self, files: &Files, _: Option<i64>) -> Examined<Value> {
        let image = files.iter().map(|(path, bytes)| (path.to_owned(), bytes.to_vec())).collect();
        let fs = disk(&image);
        let tail = match inspect(&fs).unwrap().verdict {
            Verdict::Clean => Tail::Clean,
            Verdict::Torn => Tail::Torn,
            Verdict::Corrupt => Tail::Corrupt,
        };
        let files = vec![FileReport { tail, ..FileReport::default() }];
        let shown = (tail == Tail::Clean).then(|| open(&fs, &options(1 << 20)).unwrap());
        let state = json!(shown.map(|store| state(&store)));
        Examined { files, state, ..Examined::default() }
    }
}

/// What all of them hold: eight payloads of sixteen bytes.
fn payloads() -> impl Iterator<Item = (u64, Vec<u8>)> {
    (1..=8).map(|id| (id, format!("\"payload no. {id:02}\"").into_bytes()))
}

const SECONDS: i64 = 1_700_000_000;

/// A file of a sample, as it is called in the table.
struct Row {
    codec: &'static dyn Codec,
    file: &'static str,
    files: Files,
    path: String,
}

/// The file of a sample whose name ends like this, and of the others those that `beside` names.
fn row(
    codec: &'static dyn Codec,
    file: &'static str,
    sample: &Files,
    end: &str,
    beside: &str,
) -> Row {
    let found = sample.iter().find(|(path, _)| path.ends_with(end));
    let path = found.expect("the sample has such a file").0.to_owned();
    let is_wanted = |(other, _): &(&str, &[u8])| *other == path || beside.contains(other);
    let files = sample.iter().filter(is_wanted).map(|(path, bytes)| (path, bytes.to_vec()));
    Row { codec, file, files: files.collect(), path }
}

fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = native_rows().into();
    let state = veles::State { payloads: payloads().collect() };
    let [veles, plan] = [Dialect::Current, Dialect::Plan].map(|d| veles::write(&state, d).unwrap());
    let legacy = payloads().flat_map(|(id, payload)| {
        let length = payload.len() as u32;
        [&[1][..], &id.to_le_bytes(), &length.to_le_bytes(), &payload].concat()
    });
    let legacy = [("payloads.log", legacy.collect::<Vec<_>>())].into_iter().collect();
    rows.push(row(&Dialect::Current, "log", &veles, "payloads.log", ""));
    rows.push(row(&Dialect::Current, "index", &veles, "payloads.snapshot", "payloads.log"));
    rows.push(row(&Dialect::Current, "log up to 1.5.1", &legacy, "payloads.log", ""));
    rows.push(row(&Dialect::Plan, "log", &plan, "payloads.log", ""));
    rows.extend(keyval_rows());
    let records = payloads().scan(0, |offset, (_, payload)| {
        let record = stemedb::Record { offset: *offset, payload };
        *offset = record.end();
        Some(record)
    });
    let journal = stemedb::State { records: records.collect() };
    let journal = stemedb::write(&journal, 1 << 20).unwrap();
    rows.push(row(&Stemedb, "segment", &journal, ".wal", ""));
    rows.extend(bridge_rows());
    rows
}

fn native_rows() -> [Row; 2] {
    let fs = SimFs::new(Model::Posix);
    let store = open(&fs, &options(1 << 20)).unwrap();
    for (id, payload) in payloads() {
        store.store(id, &payload).unwrap();
    }
    store.create_snapshot().unwrap();
    store.close().unwrap();
    let is_ours = inspect(&fs).unwrap().files.iter().all(|file| file.kind != FileKind::Foreign);
    assert!(is_ours);
    let files: Files = image(&fs).into_iter().collect();
    let all = files.iter().map(|(path, _)| path).collect::<String>();
    [("segment", ".log"), ("snapshot", ".snap")]
        .map(|(file, end)| row(&Native, file, &files, end, &all))
}

fn keyval_rows() -> [Row; 4] {
    let entry = |(index, data)| keyval::LogEntry { term: 1, index, data: Some(data), kind: 0 };
    let created = "2023-11-14T22:13:20Z";
    let machine = payloads().flat_map(|(_, payload)| payload).collect();
    let node = keyval::Node {
        term: 1,
        voted_for: b"node-1".into(),
        log: payloads().map(entry).collect(),
        snapshot: Some(keyval::Snapshot::new(8, 1, created, machine)),
    };
    let files = keyval::write(&node.to_state(SECONDS));
    [("segment", ".log"), ("snapshot", ".snap"), ("its description", ".meta"), ("Bolt file", ".db")]
        .map(|(file, end)| row(&KeyVal, file, &files, end, "snapshot-8-1.snap.meta"))
}

fn bridge_rows() -> [Row; 2] {
    let entry = |(id, payload): (u64, Vec<u8>)| {
        let value = bridge::Value::Bytes(payload);
        (id.to_string(), bridge::Entry { value, expires: None, version: 1, lock: false })
    };
    let at = SECONDS * 1_000_000_000;
    let state = bridge::State { at, entries: payloads().map(entry).collect() };
    let log = bridge::write(&state, bridge::Form::Log);
    let snapshot = bridge::write(&state, bridge::Form::Snapshot);
    [row(&Bridge, "log", &log, ".log", ""), row(&Bridge, "snapshot", &snapshot, ".snap", "")]
}

fn cells(flips: Flips) -> String {
    let Flips { corrupt, torn, silent, harmless } = flips;
    let percent = 100.0 * silent as f64 / flips.total() as f64;
    format!("{} | {corrupt} | {torn} | {silent} ({percent:.1} %) | {harmless}", flips.total())
}

#[test]
fn flips_of_each_format_are_counted_on_the_page() {
    let line = |row: &Row| {
        let counted = cells(flips_of(row.codec, &row.files, &row.path));
        format!("| {} | {} | {counted} |\n", row.codec.name(), row.file)
    };
    let table: String = rows().iter().map(line).collect();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats/flips.md");
    let old = std::fs::read_to_string(&page).unwrap();
    let begin = "|---|---|---|---|---|---|---|\n";
    let (head, rest) = old.split_once(begin).expect("the table's head");
    let (_, tail) = rest.split_once("\n\n").expect("its end");
    let new = format!("{head}{begin}{table}\n{tail}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&page, &new).unwrap();
    } else {
        assert!(old == new, "run it again with UPDATE_DOCS=1: the table is\n{table}");
    }
}

/// The originals' own files: what their readers said of each flipped bit stands in the page.
#[test]
fn flips_of_the_originals_files_are_as_the_page_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/golden");
    let page = include_str!("../../docs/formats/flips.md");
    for (system, case) in [
        ("velesdb", "crc-basic"),
        ("velesdb-plan", "plan-basic"),
        ("keyval", "wal-basic"),
        ("data-bridge-kv", "wal-basic"),
    ] {
        let Ok(folder) = std::fs::read_dir(root.join(system).join(case)) else {
            println!("SKIPPED: {system}/{case} is absent");
            continue;
        };
        let logs = folder.map(|entry| entry.unwrap().path());
        let log = logs.into_iter().find(|path| path.extension().is_some_and(|end| end == "log"));
        let log = log.unwrap();
        let path = log.file_name().unwrap().to_str().unwrap().to_owned();
        let files = [(path.clone(), std::fs::read(&log).unwrap())].into_iter().collect();
        let codec = codecs().iter().find(|codec| codec.name() == system).unwrap();
        let flips = flips_of(*codec, &files, &path);
        let (bits, said, silent) = (flips.total(), flips.detected(), flips.silent);
        let counted = format!("{bits} | {said} | 0 | {silent} | {}", flips.harmless);
        assert!(page.contains(&format!("| {system}/{case} | ours | {counted} |")), "{counted}");
    }
}
