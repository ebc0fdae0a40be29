//! Streams, widths and what is listed.

use super::{command, json, narrow, run};
use serde_json::Value;
use std::process::Stdio;

#[test]
fn without_a_command_it_runs_and_people_read_stderr() {
    let ran = run(&["--ops", "2"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.contains("held, exhaustive: payload under posix\n"), "{}", ran.stderr);
    for what in ["crash states", "recoveries", "control", "caught", "never reached", "keep-new"] {
        assert!(ran.stderr.contains(what), "no {what:?} in\n{}", ran.stderr);
    }
    assert!(!ran.stderr.contains('\x1b'), "colours where nobody sees them");
    narrow(&ran.stderr);
}

#[test]
fn lists_are_data() {
    let (code, engines) = json(&["list", "engines", "--json"]);
    assert_eq!(code, 0);
    let first = &engines[0];
    assert_eq!((&first["engine"], &first["expected"]), (&"payload".into(), &"held".into()));
    assert_eq!((&first["rule"], &first["bug"]), (&Value::Null, &Value::Null));
    assert_eq!(first["models"].as_array().expect("a list").len(), 7);
    let (_, all) = json(&["list", "--format", "json"]);
    for (what, name) in [
        ("models", "posix"),
        ("faults", "keep-new"),
        ("commands", "replay"),
        ("engines", "payload"),
        ("bugs", "ACK-1"),
    ] {
        let text = all[what].to_string();
        assert!(text.contains(name), "no {name} among {what}: {text}");
        let human = run(&["list", what]);
        assert!(human.stdout.contains(name) && human.stderr.is_empty());
        narrow(&human.stdout);
    }
}

#[test]
fn engines_are_listed_with_what_is_expected_of_them() {
    let (_, engines) = json(&["list", "engines", "--format", "json"]);
    let engines = engines.as_array().expect("a list");
    assert!(engines.len() > 100, "{}", engines.len());
    for engine in engines {
        for key in ["engine", "expected", "rule", "bug", "models"] {
            assert!(engine.get(key).is_some(), "no {key} in {engine}");
        }
        assert!(!engine["models"].as_array().expect("a list").is_empty(), "{engine}");
        let is_bug = engine["expected"] != "held";
        assert_eq!(engine["rule"].is_string(), is_bug, "{engine}");
    }
}

#[test]
fn bugs_are_listed_with_their_engine() {
    let (code, bugs) = json(&["list", "bugs", "--format", "json"]);
    let bugs = bugs.as_array().expect("a list");
    assert_eq!((code, bugs.len()), (0, 78));
    assert_eq!((&bugs[0]["bug"], &bugs[0]["engine"]), (&"ACK-1".into(), &"museum/ack-1".into()));
    assert_eq!(bugs[77]["bug"], "PORT-2");
    let keys = ["bug", "title", "source", "rule", "models", "needs", "engine"];
    for bug in bugs {
        let found: Vec<&String> = bug.as_object().expect("an object").keys().collect();
        assert_eq!(found, keys);
        assert!(bug["title"].is_string() && bug["source"].is_string(), "{bug}");
        assert!(bug["engine"].is_string() && bug["rule"].is_string(), "{bug}");
    }
    let needs = |id| bugs.iter().find(|bug| bug["bug"] == id).map(|bug| &bug["needs"]);
    assert_eq!(needs("ERR-1"), Some(&"keep-new".into()));
    let human = run(&["list", "bugs"]).stdout;
    assert!(human.contains("museum/ack-1 (P1)") && human.contains("museum/time-7 ("));
    narrow(&human);
}

#[test]
fn many_runs_end_in_a_few_lines() {
    let all = ["run", "--engine", "museum/dir-1", "--model", "all", "--crashes", "1"];
    let ran = run(&all);
    let (_, table) = ran.stderr.split_once("by disk model").expect("a table of the models");
    let lines: Vec<&str> = table.lines().skip(1).map(str::trim).collect();
    assert!(lines[0].starts_with("posix ") && lines[0].contains("violated"), "{table}");
    assert!(table.contains("durable before"), "{table}");
    let strict = lines.iter().find(|line| line.starts_with("strict ")).expect("a line");
    assert!(strict.contains("held") && strict.ends_with(" -"), "{table}");
    narrow(&ran.stderr);
    let one = run(&["run", "--engine", "museum/dir-1", "--crashes", "1"]);
    assert!(!one.stderr.contains("by disk model") && !one.stderr.contains("as expected"));
    let many = ["run", "--engine", "museum/dir-1*", "--model", "posix", "--crashes", "1"];
    assert!(run(&many).stderr.ends_with("\n2 as expected, 0 not\n"));
    let dropped = run(&[&many[..], &["--expect", "held"]].concat()).stderr;
    let end = "\n1 as expected, 1 not (museum/dir-1 under posix: violated)\n";
    assert!(dropped.ends_with(end), "{dropped}");
}

#[test]
fn help_fits_into_80_columns_and_names_every_exit_code() {
    for command in
        [None, Some("run"), Some("replay"), Some("inspect"), Some("list"), Some("litmus")]
    {
        for flag in ["-h", "--help"] {
            let args: Vec<&str> = command.into_iter().chain([flag]).collect();
            let ran = run(&args);
            assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{args:?}");
            assert!(ran.stdout.contains("Usage: highwater"));
            narrow(&ran.stdout);
        }
    }
    let help = run(&["--help"]).stdout;
    for code in ["0", "2", "4", "5", "70", "75", "100", "102", "103", "104"] {
        assert!(help.contains(&format!("{code} ")), "no {code} in\n{help}");
    }
}

#[test]
fn nobody_reading_is_no_panic() {
    for args in [&["list", "--json"][..], &["run", "--ops", "1", "--format", "json"]] {
        let mut child = command(args);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it exits");
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
