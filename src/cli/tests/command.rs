//! The command as its users see it: exit codes, streams, formats, positions in error messages.

use highwater::{Options, PayloadStore};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_highwater"));
    command.args(args).current_dir(root()).stdin(Stdio::null());
    command
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn run(args: &[&str]) -> Ran {
    ran(&mut command(args))
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is text");
    let code = output.status.code().expect("it exits");
    Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn json(args: &[&str]) -> (i32, Value) {
    let Ran { code, stdout, stderr } = run(args);
    let value = serde_json::from_str(&stdout);
    (code, value.unwrap_or_else(|e| panic!("{args:?}: {e}\n{stdout}\n{stderr}")))
}

fn narrow(text: &str) {
    for line in text.lines().filter(|line| !line.starts_with("highwater replay hw1")) {
        assert!(line.chars().count() <= 80, "wider than 80 columns: {line}");
    }
}

/// A token of what breaks if every sync is dropped.
fn token() -> String {
    let (code, report) = json(&["run", "--ops", "2", "--drop-syncs", "--format", "json"]);
    assert_eq!(code, 100);
    report["findings"][0]["token"].as_str().expect("a token").to_string()
}

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
fn a_report_is_one_document_with_all_its_fields() {
    let (code, report) = json(&["run", "--ops", "3", "--model", "strict", "--format", "json"]);
    assert_eq!(code, 0);
    let fields = [
        "engine",
        "model",
        "workload",
        "seed",
        "crashes",
        "verdict",
        "exhaustive",
        "crash_points",
        "recoveries",
        "states_covered",
        "states_total",
        "recoveries_per_s",
        "elapsed_s",
        "control_caught",
        "reach",
        "findings",
    ];
    for field in fields {
        assert!(report.get(field).is_some(), "no {field} in {report:#}");
    }
    assert_eq!((&report["engine"], &report["model"]), (&"payload".into(), &"strict".into()));
    assert_eq!((&report["verdict"], &report["exhaustive"]), (&"held".into(), &true.into()));
    assert_eq!(report["control_caught"], true);
    let total = report["states_total"].as_str().expect("decimal digits");
    assert_eq!(report["states_covered"].as_str(), Some(total));
    assert!(total.parse::<u128>().expect("decimal digits") > 10);
    assert!(report["findings"].as_array().expect("a list").is_empty());
    let (code, reports) =
        json(&["run", "--ops", "1", "--model", "all", "--no-control", "--format", "json"]);
    let reports = reports.as_array().expect("a list");
    let models: Vec<&str> = reports.iter().filter_map(|report| report["model"].as_str()).collect();
    assert_eq!((code, models), (0, vec!["posix", "ext4-ordered", "strict"]));
}

#[test]
fn threads_change_nothing_but_the_time() {
    let of = |threads: &str| {
        let (_, mut report) =
            json(&["run", "--ops", "4", "--threads", threads, "--format", "json"]);
        for timing in ["recoveries_per_s", "elapsed_s"] {
            report.as_object_mut().expect("an object").remove(timing);
        }
        report
    };
    let one = of("1");
    assert_eq!(one, of("2"));
    assert_eq!(one, of("3"));
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
fn wrong_flags_exit_2_and_expectations_have_codes() {
    for args in [
        &["run", "--model", "zfs"][..],
        &["run", "--ops", "0"],
        &["run", "--crashes", "0"],
        &["run", "--threads", "0"],
        &["run", "--budget", "soon"],
        &["run", "--engine", "nothing"],
        &["run", "--faults", "some"],
        &["run", "--durability", "always"],
        &["run", "--expect", "fine"],
        &["run", "--ops", "3", "--workload", "x"],
        &["fly"],
        &["replay"],
        &["list", "birds"],
    ] {
        let ran = run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{args:?}");
        assert!(!ran.stderr.is_empty());
    }
    let tiny = ["run", "--ops", "1", "--crashes", "1", "--faults", "none"];
    for (more, code) in [
        (&["--expect", "held"][..], 0),
        (&["--expect", "violated"], 103),
        (&["--require-complete"], 0),
        (&["--require-reach", "R1"], 0),
        (&["--require-reach", "R1 new"], 0),
        (&["--require-reach", "R99"], 5),
    ] {
        let ran = run(&[&tiny[..], more].concat());
        assert_eq!(ran.code, code, "{more:?}: {}", ran.stderr);
    }
    assert_eq!(run(&["run", "--ops", "1", "--drop-syncs", "--expect", "violated"]).code, 0);
    assert_eq!(run(&["run", "--ops", "1", "--drop-syncs", "--expect", "held"]).code, 100);
}

#[test]
fn a_budget_ends_a_run_early() {
    let args = ["run", "--ops", "30", "--crashes", "3", "--budget", "200ms", "--faults", "none"];
    let began = std::time::Instant::now();
    let (code, report) = json(&[&args[..], &["--format", "json"]].concat());
    assert_eq!((code, &report["verdict"]), (0, &"inconclusive".into()));
    assert_eq!(report["exhaustive"], false);
    assert!(began.elapsed().as_secs() < 60, "a budget of 200 ms took {:?}", began.elapsed());
    let ran = run(&[&args[..], &["--require-complete"]].concat());
    assert_eq!(ran.code, 5, "{}", ran.stderr);
}

#[test]
fn lists_are_data() {
    let (code, engines) = json(&["list", "engines", "--json"]);
    assert_eq!(code, 0);
    let first = &engines[0];
    assert_eq!((&first["engine"], &first["expected"]), (&"payload".into(), &"held".into()));
    assert_eq!((&first["rule"], &first["bug"]), (&Value::Null, &Value::Null));
    assert_eq!(first["models"].as_array().expect("a list").len(), 3);
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
    for command in [None, Some("run"), Some("replay"), Some("inspect"), Some("list")] {
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

/// A store on the real disk with two payloads, closed.
fn store(dir: &Path) {
    let vfs = Arc::new(highwater_vfs::OsFs::open(dir).expect("the folder"));
    let mut store = PayloadStore::open(vfs, Options::default()).expect("a store");
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
