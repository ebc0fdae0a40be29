//! `highwater run`: verdicts, budgets and their exit codes.

use super::{json, narrow, run};

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
    let all: Vec<String> = highwater_sim::Model::ALL.iter().map(ToString::to_string).collect();
    assert_eq!((code, models), (0, all.iter().map(String::as_str).collect()));
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
    assert!(report["states_total"].is_null(), "{report:#}");
    assert!(report["states_covered"].is_string(), "{report:#}");
    assert!(began.elapsed().as_secs() < 60, "a budget of 200 ms took {:?}", began.elapsed());
    let reason = report["reason"].as_str().expect("a sentence");
    assert!(reason.contains("--budget") && reason.contains("without failures"), "{reason}");
    let ran = run(&[&args[..], &["--require-complete"]].concat());
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains(" why            the budget (--budget) ended"), "{}", ran.stderr);
    narrow(&ran.stderr);
}

/// Of a run that is held and not exhaustive; one that is has none.
#[test]
fn partial_says_why() {
    let of = |args: &str| {
        let args: Vec<&str> = args.split(' ').chain(["--format", "json"]).collect();
        let (code, report) = json(&args);
        assert_eq!((code, &report["verdict"]), (0, &"held".into()), "{args:?}");
        (report["exhaustive"] == true, report["reason"].as_str().map(String::from))
    };
    assert_eq!(of("run --ops 2 --crashes 1"), (true, None));
    let (exhaustive, reason) = of("run --ops 3 --crashes 1 --node-limit 1");
    let reason = reason.expect("a sentence");
    assert!(!exhaustive && reason.contains("--node-limit 1,"), "{reason}");
    assert!(reason.contains("without failures, keep-dirty"), "{reason}");
    // Sectors of many grains: a torn one has more mixes than are tried.
    let torn = "run --ops 2 --crashes 1 --faults none --device sector=4096,tear=subset";
    let (exhaustive, reason) = of(torn);
    assert!(!exhaustive && reason.expect("a sentence").contains("torn sector"));
    let all = ["run", "--ops", "3", "--crashes", "1", "--node-limit", "1"];
    let human = run(&all).stderr;
    assert!(human.starts_with("held, partial: payload under posix\n  why  "), "{human}");
    narrow(&human);
}

/// The budget is also looked at while the disks of one schedule are explored.
#[test]
fn a_budget_ends_a_schedule_early() {
    let args = ["run", "--engine", "payload-threads", "--no-control", "--format", "json"];
    let (_, report) = json(&[&args[..], &["--budget", "100ms"]].concat());
    assert_eq!(
        (&report["verdict"], &report["exhaustive"]),
        (&"inconclusive".into(), &false.into())
    );
    assert!(report["preemption_bound"].is_null() && report["states_total"].is_null(), "{report:#}");
    assert!(report["elapsed_s"].as_f64().expect("seconds") < 20.0, "{report:#}");
}

#[test]
fn an_audit_of_a_broken_engine_is_refused() {
    for engine in ["museum/ack-1", "museum/dir-1"] {
        let args = ["audit", "--engine", engine, "--model", "posix", "--format", "json"];
        let ran = run(&args);
        assert_eq!((ran.code, ran.stdout.as_str()), (100, ""), "{engine}: {}", ran.stderr);
        assert!(ran.stderr.contains("violated with all its syncs"), "{}", ran.stderr);
    }
}

#[test]
fn where_no_power_is_lost_there_is_no_control() {
    let engine = "seeds/velesdb/flush-only";
    let (code, report) = json(&["run", "--engine", engine, "--model", "posix", "--format", "json"]);
    assert_eq!((code, &report["verdict"]), (0, &"held".into()));
    assert!(report["control_caught"].is_null());
}
