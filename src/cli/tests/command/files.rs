//! What is read from files, what is written to them, and what is only looked at.

use super::{json, narrow, root, run};
use highwater::{Options, PayloadStore};
use serde_json::{Value, json as object};
use std::path::Path;
use std::sync::Arc;

#[test]
fn files_are_read_or_refused_with_a_position() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text, code, what) in [
        ("a.txt", "put 1 x3\nputt 2 x3\n", 2, "a.txt: line 2, column 1: expected an operation"),
        ("b.json", "[{\"ops\": [[\"store\", 1]]}]", 2, "b.json: at [0].ops[0]: expected"),
        ("c.json", "[{\"ops\": [", 2, "c.json: line 1, column 10: expected JSON: EOF"),
        ("d.txt", "# nothing to do\n", 4, "d.txt has no operations"),
        ("e.json", "[]", 4, "e.json has no operations"),
        ("f.txt", "put 1 \"é\"\ndelete 1\n", 0, "held, exhaustive"),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        let ran = run(&["run", "--workload", path.to_str().expect("a name")]);
        assert_eq!(ran.code, code, "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(what), "{name}: {}", ran.stderr);
    }
    std::fs::write(dir.path().join("g.txt"), b"flush\n\xff\n").expect("a file");
    let ran = run(&["run", "--workload", dir.path().join("g.txt").to_str().expect("a name")]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("g.txt: line 2: not UTF-8"), "{}", ran.stderr);
    assert_eq!(run(&["run", "--workload", "no/such/file"]).code, 2);
    assert_eq!(run(&["run", "--workload", dir.path().to_str().expect("a name")]).code, 2);
}

#[test]
fn the_workloads_of_the_project_and_the_golden_ones_are_held() {
    let golden = "../shared/golden/velesdb/crc-reopen/ops.json";
    for file in ["docs/workloads/reopen.txt", "docs/workloads/batch.json", golden] {
        if !root().join(file).exists() && file == golden {
            eprintln!("SKIPPED: no {golden}");
            continue;
        }
        let (code, report) =
            json(&["run", "--crashes", "1", "--workload", file, "--format", "json"]);
        assert_eq!((code, &report["verdict"]), (0, &"held".into()), "{file}");
        assert_eq!(
            (&report["exhaustive"], &report["control_caught"]),
            (&true.into(), &true.into())
        );
    }
}

#[test]
fn reports_are_kept_and_a_folder_that_cannot_be_made_is_the_environments_fault() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("new/folder");
    let name = out.to_str().expect("a name");
    let ran = run(&["run", "--ops", "1", "--drop-syncs", "--out", name]);
    assert_eq!(ran.code, 100, "{}", ran.stderr);
    let report = std::fs::read_to_string(out.join("report.json")).expect("the report");
    let report: Value = serde_json::from_str(&report).expect("a document");
    assert_eq!(report["verdict"], "violated");
    let text = std::fs::read_to_string(out.join("finding-payload-posix.txt")).expect("the finding");
    assert!(text.contains("highwater replay hw1."), "{text}");
    let under_a_file = out.join("report.json/x");
    let ran = run(&["run", "--ops", "1", "--out", under_a_file.to_str().expect("a name")]);
    assert_eq!(ran.code, 75, "{}", ran.stderr);
}

/// A store on the real disk with two payloads, closed.
fn store(dir: &Path) {
    let vfs = Arc::new(highwater_vfs::OsFs::open(dir).expect("the folder"));
    let store = PayloadStore::open(vfs, Options::default()).expect("a store");
    store.store(7, b"seven").expect("a put");
    store.store(8, b"eight").expect("a put");
    store.close().expect("a close");
}

#[test]
fn inspection_shows_and_changes_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_str().expect("a name");
    assert_eq!(run(&["inspect", path]).code, 4, "an empty folder is no store");
    store(dir.path());
    let log = dir.path().join("0000000000000001-00000001.log");
    let before = std::fs::read(&log).expect("the log");
    let ran = run(&["inspect", path]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
    assert!(ran.stdout.contains("verdict: clean") && ran.stdout.contains("R2 clean"));
    narrow(&ran.stdout);
    let (code, document) = json(&["inspect", log.to_str().expect("a name"), "--format", "json"]);
    assert_eq!((code, &document["verdict"], &document["live"]), (0, &"clean".into(), &2.into()));
    assert_eq!(document["files"][0]["records"], 2);
    assert_eq!((&document["system"], &document["state"]), (&"highwater".into(), &object!({})));
    assert_eq!(document["bytes"], object!({"7": "736576656e", "8": "6569676874"}));
    assert_eq!(std::fs::read(&log).expect("the log"), before, "an inspection changes nothing");
    // A bit of the first record: the mark at the end proves that it was durable.
    let mut damaged = before.clone();
    damaged[60] ^= 1;
    std::fs::write(&log, &damaged).expect("a write");
    for target in [path, log.to_str().expect("a name")] {
        let ran = run(&["inspect", target]);
        assert_eq!(ran.code, 100, "{}", ran.stdout);
        narrow(&ran.stdout);
    }
    assert_eq!(std::fs::read(&log).expect("the log"), damaged);
    let other = dir.path().join("notes.txt");
    std::fs::write(&other, "not ours").expect("a file");
    assert_eq!(run(&["inspect", other.to_str().expect("a name")]).code, 4);
    assert_eq!(run(&["inspect", "no/such/folder"]).code, 2);
}

/// Above 16 KiB the bytes are asked for, and every file is named nevertheless.
#[test]
fn of_a_large_folder_the_bytes_are_shown_to_whoever_asks() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().to_str().expect("a name");
    let vfs = Arc::new(highwater_vfs::OsFs::open(dir.path()).expect("the folder"));
    let options = Options { segment_size: 10_000, ..Options::default() };
    let store = PayloadStore::open(vfs, options).expect("a store");
    for id in 0..3 {
        store.store(id, &[7; 8_000]).expect("a put");
    }
    store.close().expect("a close");
    let shown = |more: &[&str]| run(&[&["inspect", path], more].concat()).stdout;
    let (brief, whole) = (shown(&[]), shown(&["--bytes"]));
    for text in [&brief, &whole] {
        assert_eq!(text.matches(".log ").count() - text.matches(".log  of ").count(), 3, "{text}");
        narrow(text);
    }
    assert!(brief.contains("more than 16 KiB") && brief.contains("--bytes"), "{brief}");
    assert!(brief.contains("--format json"), "{brief}");
    assert!(!whole.contains("16 KiB") && whole.lines().count() > brief.lines().count(), "{whole}");
    let (_, brief) = json(&["inspect", path, "--format", "json"]);
    let (_, whole) = json(&["inspect", path, "--bytes", "--format", "json"]);
    let dumps = |seen: &Value| seen["dumps"].as_object().expect("by file").len();
    assert_eq!((dumps(&brief), dumps(&whole)), (0, 3));
    assert_eq!(brief["bytes"], whole["bytes"]);
}
