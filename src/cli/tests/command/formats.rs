//! `inspect` on the files of other systems.

use super::{json, narrow, root, run};
use highwater_formats::stemedb::{self, Record};
use highwater_formats::veles::{Dialect, State, write};
use highwater_formats::{Files, Tail};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files on the real disk.
pub(crate) fn folder(files: &Files) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (path, bytes) in files.iter() {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    dir
}

fn veles(dialect: Dialect) -> Files {
    let payloads = [(7, b"{\"a\": 1}".to_vec()), (8, b"\"eight\"".to_vec())];
    write(&State { payloads: payloads.into() }, dialect).expect("JSON")
}

/// Every byte of a folder, and of those below it.
pub(crate) fn image(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut image = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => image.extend(self::image(&path)),
            false => drop(image.insert(path.clone(), fs::read(&path).expect("a file"))),
        }
    }
    image
}

pub(crate) fn inspect(dir: &Path, more: &[&str]) -> (i32, Value) {
    let path = dir.to_str().expect("a name");
    json(&[&["inspect", path, "--format", "json"], more].concat())
}

#[test]
fn the_system_is_recognised_by_content() {
    for (dialect, system) in [(Dialect::Current, "velesdb"), (Dialect::Plan, "velesdb-plan")] {
        let dir = folder(&veles(dialect));
        fs::write(dir.path().join("notes.txt"), "not theirs").expect("a file");
        let before = image(dir.path());
        let (code, seen) = inspect(dir.path(), &[]);
        assert_eq!((code, &seen["system"]), (0, &system.into()));
        assert_eq!((&seen["verdict"], &seen["state"]["7"]), (&"clean".into(), &json!({"a": 1})));
        let log = &seen["files"][0];
        assert_eq!((&log["path"], &log["records"]), (&"payloads.log".into(), &2.into()));
        assert_eq!((&log["tail"], &log["reason"]), (&"clean".into(), &Value::Null));
        assert_eq!(seen["foreign"], json!(["notes.txt"]));
        let ran = run(&["inspect", dir.path().to_str().expect("a name")]);
        assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
        assert!(ran.stdout.starts_with(&format!("system: {system}\nverdict: clean\nentries: 2\n")));
        assert!(ran.stdout.contains("store 7: {\\\"a\\\": 1}"), "{}", ran.stdout);
        narrow(&ran.stdout);
        assert_eq!(image(dir.path()), before, "an inspection changes nothing");
    }
}

#[test]
fn a_journal_is_a_list_of_records() {
    let records = vec![Record { offset: 256, payload: b"one".to_vec() }];
    let dir = folder(&stemedb::write(&stemedb::State { records }, 1 << 20).expect("a journal"));
    let (code, seen) = inspect(dir.path(), &[]);
    assert_eq!((code, &seen["system"], &seen["verdict"]), (0, &"stemedb".into(), &"clean".into()));
    assert_eq!(seen["state"], json!([{"offset": 256, "payload_hex": "6f6e65"}]));
    let ran = run(&["inspect", dir.path().to_str().expect("a name")]);
    assert!(ran.stdout.contains("records: 1\n"), "{}", ran.stdout);
    narrow(&ran.stdout);
}

#[test]
fn damage_has_an_exit_code() {
    let files = veles(Dialect::Current);
    let log = files.get("payloads.log").expect("a log").to_vec();
    let with = |log: &[u8]| folder(&[("payloads.log", log)].into_iter().collect());
    let torn = with(&log[..log.len() - 3]);
    let (code, seen) = inspect(torn.path(), &[]);
    assert_eq!((code, &seen["verdict"]), (0, &Tail::Torn.name().into()));
    assert_eq!((&seen["files"][0]["offset"], &seen["state"]["8"]), (&25.into(), &Value::Null));
    let mut damaged = log.clone();
    damaged[15] ^= 1;
    let corrupt = with(&damaged);
    for more in [&[][..], &["--as", "velesdb"]] {
        let (code, seen) = inspect(corrupt.path(), more);
        assert_eq!((code, &seen["verdict"], &seen["state"]), (100, &"corrupt".into(), &json!({})));
    }
    let name = corrupt.path().join("payloads.log");
    let ran = run(&["inspect", name.to_str().expect("a name")]);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    assert!(ran.stdout.contains("at offset 0: the record's checksum is"), "{}", ran.stdout);
    narrow(&ran.stdout);
}

#[test]
fn what_is_not_recognised_or_more_than_one_is_said() {
    // A delete as both dialects write it.
    let both = folder(&[("payloads.log", b"\x02\x07\0\0\0\0\0\0\0")].into_iter().collect());
    let (code, seen) = inspect(both.path(), &[]);
    assert_eq!((code, &seen["verdict"]), (4, &"unrecognised".into()));
    assert_eq!(seen["candidates"], json!(["velesdb", "velesdb-plan"]));
    let ran = run(&["inspect", both.path().to_str().expect("a name")]);
    assert!(
        ran.code == 4 && ran.stdout.is_empty() && ran.stderr.contains("--as"),
        "{}",
        ran.stderr
    );
    narrow(&ran.stderr);
    for system in ["velesdb", "velesdb-plan"] {
        let (code, seen) = inspect(both.path(), &["--as", system]);
        assert_eq!((code, &seen["system"], &seen["state"]), (0, &system.into(), &json!({})));
    }
    // Nothing but a name.
    for (name, system, verdict) in [
        ("payloads.log", "velesdb", "clean"),
        ("0000000000000000.wal", "stemedb", "torn"),
        ("wal-0000000000000000.log", "keyval", "clean"),
        ("wal-current.log", "data-bridge-kv", "torn"),
    ] {
        let (code, seen) = inspect(folder(&[(name, b"")].into_iter().collect()).path(), &[]);
        assert_eq!((code, &seen["system"]), (0, &system.into()), "{name}");
        assert_eq!(seen["verdict"], verdict, "{name}");
    }
    let text = folder(&[("payloads.log", b"a text file")].into_iter().collect());
    let (code, seen) = inspect(text.path(), &[]);
    assert_eq!((code, &seen["candidates"]), (4, &json!([])));
    assert_eq!((&seen["system"], &seen["foreign"]), (&Value::Null, &json!(["payloads.log"])));
    let path = text.path().to_str().expect("a name");
    assert_eq!(run(&["inspect", path, "--as", "nothing"]).code, 2);
    assert_eq!(run(&["inspect", "no/such/folder", "--as", "velesdb"]).code, 2);
}

#[cfg(unix)]
#[test]
fn links_and_folders_further_down_are_named_and_not_followed() {
    let dir = folder(&veles(Dialect::Current));
    fs::create_dir_all(dir.path().join("a/b/c")).expect("folders");
    std::os::unix::fs::symlink("/", dir.path().join("link")).expect("a link");
    let (code, seen) = inspect(dir.path(), &[]);
    assert_eq!((code, &seen["foreign"]), (0, &json!(["a/b", "link"])));
}

#[test]
fn golden_folders_are_inspected_and_not_changed() {
    let golden = root().join("../shared/golden");
    if !golden.exists() {
        eprintln!("SKIPPED: no {}", golden.display());
        return;
    }
    let before = image(&golden);
    for (case, code, system, verdict) in [
        ("velesdb/crc-basic", 0, "velesdb", "clean"),
        ("velesdb/legacy-basic", 0, "velesdb", "clean"),
        ("velesdb-plan/plan-basic", 0, "velesdb-plan", "clean"),
        ("velesdb/damaged/zero-tail-12", 0, "velesdb", "torn"),
        ("velesdb/damaged/flip-len-grow-1", 100, "velesdb", "corrupt"),
        ("keyval/persist-basic", 0, "keyval", "clean"),
        ("keyval/damaged/zero-tail-64", 0, "keyval", "torn"),
        ("data-bridge-kv/wal-basic", 0, "data-bridge-kv", "clean"),
        ("data-bridge-kv/damaged/cut-tail-12", 0, "data-bridge-kv", "torn"),
    ] {
        let (ran, seen) = inspect(&golden.join(case), &[]);
        assert_eq!((ran, &seen["system"]), (code, &system.into()), "{case}");
        assert_eq!(seen["verdict"], verdict, "{case}");
        if let Ok(expected) = fs::read(golden.join(case).join("expected.json")) {
            let expected: Value = serde_json::from_slice(&expected).expect("JSON");
            assert_eq!(seen["state"], expected["entries"], "{case}");
        }
    }
    assert_eq!(inspect(&golden.join("velesdb/damaged/text-file"), &[]).0, 4);
    assert!(image(&golden) == before, "an inspection changes nothing");
}
