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
    ] {
        let text = all[what].to_string();
        assert!(text.contains(name), "no {name} among {what}: {text}");
        let human = run(&["list", what]);
        assert!(human.stdout.contains(name) && human.stderr.is_empty());
        narrow(&human.stdout);
    }
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
