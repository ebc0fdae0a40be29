//! Litmus programs from the command line.

use super::{json, narrow, root, run};
use serde_json::Value;

const MODELS: [&str; 7] =
    ["posix", "ext4-writeback", "ext4-ordered", "ext4-journal", "xfs", "btrfs", "strict"];

#[test]
fn all_programs_agree_and_people_read_it_on_stderr() {
    let ran = run(&["litmus"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    narrow(&ran.stderr);
    assert!(ran.stderr.contains("agree\n") && !ran.stderr.contains("DISAGREE"), "{}", ran.stderr);
    assert!(ran.stderr.contains("sqlite-journal-delete: "), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\x1b'), "colours where nobody sees them");
    let one = run(&["litmus", "--model", "xfs,posix"]);
    assert_eq!(one.code, 0);
    assert!(one.stderr.contains("2 models: all "), "{}", one.stderr);
}

#[test]
fn the_answers_are_one_document() {
    let (code, document) = json(&["litmus", "--format", "json"]);
    assert_eq!(code, 0);
    let rows = document.as_array().expect("an array");
    let programs = std::fs::read_dir(root().join("models/litmus")).expect("the programs");
    let name = |f: std::io::Result<std::fs::DirEntry>| {
        f.expect("a file").file_name().into_string().expect("a name")
    };
    let programs: Vec<String> = programs.map(name).filter(|n| n.ends_with(".litmus")).collect();
    assert!(programs.len() >= 30);
    for file in programs {
        let of = |model: &str| rows.iter().any(|row| row["file"] == *file && row["model"] == model);
        assert!(MODELS.into_iter().all(of), "{file:?}");
    }
    for row in rows {
        let keys: Vec<&String> = row.as_object().expect("an object").keys().collect();
        let all = [
            "program",
            "file",
            "ask",
            "any_point",
            "model",
            "allowed",
            "reached",
            "complete",
            "states",
            "states_found",
            "agrees",
            "witness",
        ];
        assert_eq!(keys, all);
        assert_eq!((&row["complete"], &row["agrees"]), (&true.into(), &true.into()), "{row}");
        assert_eq!(row["allowed"], row["reached"], "{row}");
        let number =
            |key: &str| row[key].as_str().expect("digits").parse::<u128>().expect("digits");
        assert!(number("states") >= 1 && number("states_found") <= number("states"));
        assert_eq!(number("states_found") > 0, row["reached"] == true, "{row}");
        assert_eq!(row["witness"] == Value::Null, row["reached"] == false, "{row}");
    }
}

const WRONG: &str = "title: t\nsource: s\ndo:\n  create a\n  append a \"x\"\n  sync a\n\
                     ask: gone\n  not exists a\n  allowed: strict\n  forbidden: rest\n";

#[test]
fn a_program_that_the_disk_contradicts_exits_100_and_a_disk_is_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("wrong.litmus");
    std::fs::write(&path, WRONG).expect("a file");
    let name = path.to_str().expect("a name");
    let ran = run(&["litmus", name]);
    assert_eq!(ran.code, 100);
    narrow(&ran.stderr);
    for what in [
        "gone                                F!    F     F     F     F     F     A!",
        "DISAGREE wrong under posix\n  forbidden, but found: gone\n    nothing\n",
        "DISAGREE wrong under strict\n  allowed, but none of 1 crash states has it: gone\n",
        "1 program, 1 question, 7 models: 2 of 7 answers DISAGREE",
    ] {
        assert!(ran.stderr.contains(what), "no {what:?} in\n{}", ran.stderr);
    }
    let (code, rows) = json(&["litmus", name, "--format", "json", "--model", "posix"]);
    assert_eq!((code, rows.as_array().expect("rows").len()), (100, 1));
    assert_eq!((&rows[0]["file"], &rows[0]["agrees"]), (&name.into(), &false.into()));
    assert_eq!((&rows[0]["states"], &rows[0]["states_found"]), (&"2".into(), &"1".into()));
    assert_eq!(run(&["litmus", name, "--model", "xfs"]).code, 0);
    // Of two disks one is asked, where the file is there: nothing is found, nothing disagrees.
    let ran = run(&["litmus", name, "--model", "posix", "--limit", "1"]);
    assert!(ran.code == 0 && ran.stderr.contains("F~"), "{}", ran.stderr);
}

#[test]
fn files_that_are_no_programs_are_refused_with_a_position() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text, what) in [
        (
            "a.litmus",
            WRONG.replace("append", "apend"),
            "a.litmus: line 5, column 3: expected a call",
        ),
        ("b.litmus", String::new(), "b.litmus: line 1, column 1: expected a title"),
        (
            "c.litmus",
            WRONG.replace("rest", "xfs"),
            "c.litmus: line 7, column 1: expected every disk",
        ),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file");
        let ran = run(&["litmus", path.to_str().expect("a name")]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(what), "{}", ran.stderr);
    }
    let path = dir.path().join("d.litmus");
    std::fs::write(&path, b"title: t\n\xff\n").expect("a file");
    let ran = run(&["litmus", path.to_str().expect("a name")]);
    assert!(ran.code == 2 && ran.stderr.contains("d.litmus: line 2: not UTF-8"), "{}", ran.stderr);
    for missing in ["no/such.litmus", dir.path().to_str().expect("a name")] {
        assert_eq!(run(&["litmus", missing]).code, 2, "{missing}");
    }
    assert_eq!(run(&["litmus", "--model", "ext9"]).code, 2);
}

/// The page's example answers as the page says.
#[test]
fn the_example_of_the_page_is_what_it_says() {
    let page = std::fs::read_to_string(root().join("docs/litmus.md")).expect("the page");
    let program = page.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("example.litmus");
    std::fs::write(&path, program.expect("a program")).expect("a file");
    let ran = run(&["litmus", path.to_str().expect("a name")]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let shown = page.split("    $ highwater litmus example.litmus\n").nth(1).expect("a session");
    let shown = shown.lines().take_while(|line| line.starts_with("    ")).map(|line| &line[4..]);
    let table: Vec<&str> = ran.stderr.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(table, shown.collect::<Vec<_>>());
}
