//! `highwater run`: engines under disk models, and a verdict for each.

use crate::args::{Faults, Format, Models, RunArgs};
use crate::exit::{self, Done, Failure};
use crate::human;
use crate::out::{data, json, note, thousands};
use crate::progress::Watch;
use crate::report::Report;
use highwater_models::{Case, Engine, Job, Outcome, Setup, Workload, engine, engines};
use highwater_sim::{Campaign, Model, Settings, Stage, Verdict};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// The most bytes a workload file may have.
const FILE_MAX: u64 = 64 << 20;

/// Runs everything that was selected.
pub(crate) fn run(args: &RunArgs) -> Done {
    let engine = engine(&args.engine).ok_or_else(|| unknown_engine(&args.engine))?;
    let (name, workload) = workload(args)?;
    if workload.ops().is_empty() {
        return Err(Failure::new(exit::NOTHING, format!("{name} has no operations")));
    }
    let setup = Setup { durability: args.durability, ..Setup::default() };
    let case = Case { workload, setup };
    let mut reports = Vec::new();
    let mut codes = Vec::new();
    for model in models(&args.model) {
        let job = Job { campaign: campaign(args, model), case: case.clone() };
        let (outcome, elapsed) = explore(args, engine, &job);
        let report = Report::new(engine, &job, &name, &outcome, elapsed);
        let text = human::report(&report, outcome.counterexample.as_ref(), &setup_in_words(&job));
        if args.format == Format::Human {
            note(&text);
        }
        if let Some(dir) = &args.out {
            keep_finding(dir, &report, &text)?;
        }
        codes.push(code(args, &report, &outcome));
        reports.push(report);
    }
    let document = match &reports[..] {
        [one] => json(one),
        all => json(&all),
    };
    if args.format == Format::Json {
        data(&document)?;
    }
    if let Some(dir) = &args.out {
        write(&dir.join("report.json"), &document)?;
    }
    Ok(exit::worst(codes))
}

/// What to say of an engine that is not there.
pub(crate) fn unknown_engine(name: &str) -> Failure {
    let names: Vec<&str> = engines().iter().map(|engine| engine.name).collect();
    Failure::usage(format!("there is no engine {name:?}: there is {}", names.join(", ")))
}

/// The models that are asked for, weakest first.
pub(crate) fn models(args: &[Models]) -> Vec<Model> {
    let wanted = |model: &Model| {
        args.iter()
            .any(|arg| matches!(arg, Models::All) || matches!(arg, Models::One(m) if m == model))
    };
    Model::ALL.into_iter().filter(wanted).collect()
}

/// The workload and what to call it.
fn workload(args: &RunArgs) -> Result<(String, Workload), Failure> {
    let Some(path) = &args.workload else {
        return Ok((format!("standard {}", args.ops), Workload::standard(args.ops.into())));
    };
    let name = path.display().to_string();
    let bytes = if name == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().take(FILE_MAX + 1).read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::metadata(path).and_then(|file| match file.len() {
            0..=FILE_MAX => std::fs::read(path),
            _ => Ok(vec![0; FILE_MAX as usize + 1]),
        })
    };
    let bytes = bytes.map_err(|e| Failure::usage(format!("{name}: {e}")))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(Failure::usage(format!("{name}: more than {} bytes", thousands(FILE_MAX))));
    }
    let text = std::str::from_utf8(&bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::usage(format!("{name}: line {line}: not UTF-8"))
    })?;
    match Workload::from_file_text(text) {
        Ok(workload) => Ok((name, workload)),
        Err(error) => Err(Failure::usage(format!("{name}: {error}"))),
    }
}

fn campaign(args: &RunArgs, model: Model) -> Campaign {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let settings = Settings {
        model,
        crashes: args.crashes,
        seed: args.seed,
        node_limit: args.node_limit,
        deaf: args.drop_syncs,
        threads: args.threads.map_or(cores, usize::from),
        ..Settings::default()
    };
    let families = args.faults.iter().filter_map(|fault| match fault {
        Faults::Sync(family) if !args.drop_syncs => Some(*family),
        _ => None,
    });
    let control = !args.no_control && !args.drop_syncs;
    Campaign { settings, failures: families.collect(), control }
}

fn setup_in_words(job: &Job) -> String {
    let Setup { durability, segment_size, .. } = &job.case.setup;
    format!("mode {durability:?}, segments of {} bytes", thousands(segment_size))
}

/// Runs one job; the time is that of the exploration alone.
fn explore(args: &RunArgs, engine: &Engine, job: &Job) -> (Outcome, Duration) {
    let draw = args.format == Format::Human;
    let label = format!("{} {}", engine.name, job.campaign.settings.model);
    let watch = Watch::start(label, args.budget, draw);
    let mut elapsed = Duration::ZERO;
    let mut current: Option<(Instant, bool)> = None;
    let mut over = |next: Option<&Stage>| {
        if let Some((began, true)) = current {
            elapsed += began.elapsed();
        }
        let counts = |stage: &Stage| stage.name != "control" && stage.name != "shrinking";
        current = next.map(|stage| (Instant::now(), counts(stage)));
    };
    let outcome = engine.run(job, &mut |stage| {
        over(Some(&stage));
        watch.stage(&stage);
    });
    over(None);
    (outcome, elapsed)
}

/// The exit code of one run.
fn code(args: &RunArgs, report: &Report, outcome: &Outcome) -> u8 {
    let verdict = outcome.verdict;
    if let Some(expected) = args.expect {
        return match exit::of(verdict) {
            _ if verdict == expected => exit::HELD,
            exit::HELD if verdict == Verdict::Inconclusive => exit::INCOMPLETE,
            exit::HELD => exit::BLIND,
            code => code,
        };
    }
    let unreached: Vec<&String> =
        args.require_reach.iter().filter(|name| !report.reached(name)).collect();
    for name in &unreached {
        note(&format!("highwater: {name} was never reached\n"));
    }
    let incomplete = args.require_complete && !(verdict == Verdict::Held && report.exhaustive);
    match exit::of(verdict) {
        exit::HELD if incomplete || !unreached.is_empty() => exit::INCOMPLETE,
        code => code,
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = std::fs::write(path, text);
    written.map_err(|e| Failure::new(exit::ENVIRONMENT, format!("{}: {e}", path.display())))
}

/// Writes a finding's text beside the report.
fn keep_finding(dir: &Path, report: &Report, text: &str) -> Result<(), Failure> {
    let made = std::fs::create_dir_all(dir);
    made.map_err(|e| Failure::new(exit::ENVIRONMENT, format!("{}: {e}", dir.display())))?;
    if report.findings.is_empty() {
        return Ok(());
    }
    let engine = report.engine.replace('/', "-");
    write(&dir.join(format!("finding-{engine}-{}.txt", report.model)), text)
}
