//! `highwater run`: engines under disk models, and a verdict for each.

use crate::args::{Faults, Format, Models, RunArgs};
use crate::exit::{self, Done, Failure};
use crate::human;
use crate::out::{complain, data, json, note, thousands};
use crate::progress::Watch;
use crate::report::Report;
use crate::summary;
use highwater_models::{Case, Engine, Job, Outcome, Setup, Workload, engines, matching};
use highwater_sim::{Campaign, Model, Settings, Stage, Verdict};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// The most bytes a workload file may have.
const FILE_MAX: u64 = 64 << 20;

/// Runs everything that was selected.
pub(crate) fn run(args: &RunArgs) -> Done {
    let engines = matching(&args.engine);
    let Some(first) = engines.first() else { return Err(unknown_engine(&args.engine)) };
    let own = args.workload.is_some() || args.ops.is_some() || args.durability.is_some();
    if own && engines.iter().any(|engine| engine.is_piece()) {
        let what = "brings its own workload: no --workload, --ops or --durability";
        return Err(Failure::usage(format!("{} {what}", first.name)));
    }
    let (name, workload) = workload(args)?;
    if workload.ops().is_empty() {
        return Err(Failure::new(exit::NOTHING, format!("{name} has no operations")));
    }
    let setup = Setup { durability: args.durability.unwrap_or_default(), ..Setup::default() };
    let case = Case { workload, setup };
    if let Some(dir) = &args.out {
        let made = std::fs::create_dir_all(dir);
        made.map_err(|e| Failure::new(exit::ENVIRONMENT, format!("{}: {e}", dir.display())))?;
    }
    let mut reports: Vec<Report> = Vec::new();
    let mut codes = Vec::new();
    let mut surprises = Vec::new();
    for engine in &engines {
        let first = reports.len();
        for model in models_for(&args.model, engine) {
            let campaign = campaign(args, engine, model);
            let job = Job { campaign, case: case.clone(), plan: engine.plan() };
            let (outcome, elapsed) = explore(args, engine, &job);
            let workload = match engine.is_piece() {
                true => ("its own", engine.workload().len()),
                false => (name.as_str(), job.case.workload.ops().len()),
            };
            let report = Report::new(engine, &job, workload, &outcome, elapsed);
            if outcome.verdict != expected(args, engine, model) {
                surprises.push(format!("{} under {model}: {}", engine.name, outcome.verdict));
            }
            let setup = setup_in_words(engine, &job);
            let text = human::report(&report, outcome.counterexample.as_ref(), &setup);
            if args.format == Format::Human {
                // Of many engines a line each, and the same story is told once.
                let told = reports[first..].iter().any(|r| r.tells_the_same_as(&report));
                let brief = engines.len() > 1 || told;
                note(if brief { summary::line(&report) } else { text.clone() }.as_str());
            }
            if let Some(dir) = &args.out {
                keep_finding(dir, &report, &text)?;
            }
            codes.push(code(args, engine, model, &report, &outcome));
            reports.push(report);
        }
        if args.format == Format::Human && engines.len() == 1 && reports.len() > 1 {
            note(&summary::by_model(&reports[first..]));
        }
    }
    let surprised = args.expect.is_some() && !surprises.is_empty();
    if args.format == Format::Human && (engines.len() > 1 || surprised) {
        note(&summary::as_expected(reports.len(), &surprises));
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
    let count = engines().len();
    let what = format!("there is no engine {name:?}: `highwater list engines` names all {count}");
    if name.contains('*') { Failure::new(exit::NOTHING, what) } else { Failure::usage(what) }
}

/// The models that were asked for; else those of an engine's card; else the default.
pub(crate) fn models_for(args: &[Models], engine: &Engine) -> Vec<Model> {
    match args {
        [] if engine.is_piece() => engine.models.to_vec(),
        [] => vec![Model::Posix],
        _ => models(args),
    }
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
        let ops = args.ops.unwrap_or(8);
        return Ok((format!("standard {ops}"), Workload::standard(ops.into())));
    };
    Ok((path.display().to_string(), read_workload(path)?))
}

/// Reads a workload file, or stdin.
pub(crate) fn read_workload(path: &Path) -> Result<Workload, Failure> {
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
    Workload::from_file_text(text).map_err(|error| Failure::usage(format!("{name}: {error}")))
}

/// What an engine is judged by, but for what the command line says.
fn campaign(args: &RunArgs, engine: &Engine, model: Model) -> Campaign {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let usual = engine.campaign();
    let settings = Settings {
        model,
        device: args.device.unwrap_or(usual.settings.device),
        crashes: args.crashes,
        seed: args.seed,
        node_limit: args.node_limit,
        deaf: args.drop_syncs,
        locate: Some(highwater_models::stack::locate),
        threads: args.threads.map_or(cores, usize::from),
        ..usual.settings
    };
    let asked = args.faults.iter().filter_map(|fault| match fault {
        Faults::One(failure) => Some(*failure),
        Faults::None => None,
    });
    let failures = match (args.drop_syncs, args.faults.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => usual.failures,
        (false, false) => asked.collect(),
    };
    let control = usual.control && !args.no_control && !args.drop_syncs;
    Campaign { settings, failures, control }
}

fn setup_in_words(engine: &Engine, job: &Job) -> String {
    if engine.is_piece() {
        return String::new();
    }
    let Setup { durability, segment_size, .. } = &job.case.setup;
    format!(", mode {durability:?}, segments of {} bytes", thousands(segment_size))
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

/// What was said to come out, by the command line or else by the engine's card.
fn expected(args: &RunArgs, engine: &Engine, model: Model) -> Verdict {
    args.expect.flatten().unwrap_or_else(|| engine.expected_under(model))
}

/// The exit code of one run.
fn code(args: &RunArgs, engine: &Engine, model: Model, report: &Report, outcome: &Outcome) -> u8 {
    let verdict = outcome.verdict;
    if args.expect.is_some() {
        let expected = expected(args, engine, model);
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
        complain(&format!("{name} was never reached"));
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
    if report.findings.is_empty() {
        return Ok(());
    }
    let engine = report.engine.replace('/', "-");
    write(&dir.join(format!("finding-{engine}-{}.txt", report.model)), text)
}
