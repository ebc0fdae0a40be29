//! Findings and their tokens.

use super::{json, narrow, run};

/// A token of what breaks if every sync is dropped.
fn token() -> String {
    let (code, report) = json(&["run", "--ops", "2", "--drop-syncs", "--format", "json"]);
    assert_eq!(code, 100);
    report["findings"][0]["token"].as_str().expect("a token").to_string()
}

#[test]
fn a_finding_is_reported_and_replayed() {
    let args = ["run", "--ops", "3", "--drop-syncs"];
    let (code, report) = json(&[&args[..], &["--format", "json"]].concat());
    let finding = &report["findings"][0];
    assert_eq!((code, &report["verdict"]), (100, &"violated".into()));
    assert_eq!((&finding["rule"], &finding["ops"]), (&"P1".into(), &1.into()));
    assert_eq!(finding["workload"][0], "put 1 x1");
    assert_eq!(finding["reproduced"], true);
    assert!(finding["missing"][0].as_str().expect("a sentence").contains("sync"));
    let token = finding["token"].as_str().expect("a token");
    let human = run(&args);
    assert_eq!((human.code, human.stdout.as_str()), (100, ""));
    assert!(human.stderr.starts_with("violated: payload under posix\n"), "{}", human.stderr);
    let line = format!("\nhighwater replay {token}\n");
    assert!(human.stderr.ends_with(&line), "{}", human.stderr);
    assert!(human.stderr.contains("POWER LOSS") && human.stderr.contains("P1 loss"));
    narrow(&human.stderr);
    let replayed = run(&["replay", token]);
    assert_eq!((replayed.code, replayed.stdout.as_str()), (100, ""));
    assert!(replayed.stderr.contains("P1 loss") && replayed.stderr.contains("POWER LOSS"));
    narrow(&replayed.stderr);
    let (code, replayed) = json(&["replay", token, "--format", "json"]);
    assert_eq!(
        (code, &replayed["verdict"], &replayed["rule"]),
        (100, &"violated".into(), &"P1".into())
    );
    assert_eq!(replayed["token"], token);
}

#[test]
fn a_replay_of_something_else_is_told_apart() {
    let token = token();
    // The same trail with syncs that work: other choices, or none.
    let repaired = token.replace(".deaf.", ".none.");
    assert!([0, 102].contains(&run(&["replay", &repaired]).code));
    let held = run(&["replay", "hw1.payload.posix.none.1.fsync_2048_2.p1-x16.p4_"]);
    assert_eq!(held.code, 0, "{}", held.stderr);
    let gone = run(&["replay", "hw1.payload.posix.none.1.fsync_2048_2.p1-x16.p999_"]);
    assert_eq!(gone.code, 102, "{}", gone.stderr);
    assert!(gone.stderr.contains("none to cut before 999"), "{}", gone.stderr);
    // One put begins one operation: there is no ninth to be early for.
    let early = "hw1.payload.posix.none.1.fsync_2048_2.p1-x16.p4e9_";
    let (code, replayed) = json(&["replay", early, "--format", "json"]);
    assert_eq!((code, &replayed["verdict"]), (102, &"diverged".into()), "{replayed:#}");
    assert!(replayed["diverged"].is_string() && replayed["rule"].is_null(), "{replayed:#}");
    // A departure that nobody can follow is no proof that a bug is gone.
    for threads in ["~4t3", "~4t0"] {
        let race = format!("hw1.museum~race-1.posix.none.1.threads.1-2{threads}.p12_");
        let lost = run(&["replay", &race]);
        assert_eq!(lost.code, 102, "{race}: {}", lost.stderr);
        assert!(lost.stderr.contains("cannot go on there"), "{}", lost.stderr);
    }
    for (token, what) in [
        ("", "begins with hw1"),
        ("hw1.payload", "2 parts"),
        ("hw1.other.posix.none.1.fsync_2048_2.p1-x16.p4_", "there is no engine \"other\""),
        (
            "hw1.payload.posix.none.1.fsync_2048_2.p1-y16.p4_",
            "the token's workload: line 1, column",
        ),
        ("hw1.payload.posix.none.1.fsync_2048_2.p1-x16.4_", "the token's trail"),
    ] {
        let ran = run(&["replay", token]);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{token}");
        assert!(ran.stderr.contains(what), "{token}: {}", ran.stderr);
    }
}
