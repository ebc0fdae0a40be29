//! `highwater audit`: each sync call site is left out in turn: necessary, or redundant?

use crate::args::{AuditArgs, Format};
use crate::exit::{self, Done, Failure};
use crate::human::{table, text_of};
use crate::out::{data, json, note, thousands, wrapped};
use crate::progress::Watch;
use crate::run::{models_for, read_workload, unknown_engine};
use highwater_models::threads::Plan;
use highwater_models::{Barrier, Case, Engine, Job, Setup, Workload, matching};
use highwater_sim::{Campaign, Model, Settings, SyncKind, Verdict};
use serde::Serialize;

/// What the audit says of an engine under one model.
#[derive(Serialize)]
struct Report {
    engine: &'static str,
    model: String,
    syncs: Vec<Row>,
}

/// One sync call site.
#[derive(Serialize)]
struct Row {
    site: String,
    sync: &'static str,
    calls: u64,
    verdict: &'static str,
    needed_by: Option<String>,
    broken: Option<String>,
    missing: Vec<String>,
    reason: Option<&'static str>,
    states: Option<String>,
    exhaustive: bool,
}

/// Audits everything that was selected.
pub(crate) fn audit(args: &AuditArgs) -> Done {
    let engines = matching(&args.engine);
    if engines.is_empty() {
        return Err(unknown_engine(&args.engine));
    }
    let workload = args.workload.as_deref().map(read_workload).transpose()?;
    let workloads: Vec<_> = workload.into_iter().collect();
    let mut reports = Vec::new();
    for engine in engines {
        for model in models_for(&args.model, engine) {
            let audited = one(args, engine, model, &workloads);
            let report = audited.map_err(|why| Failure::new(exit::VIOLATED, why))?;
            if args.format == Format::Human {
                note(&human(&report));
            }
            reports.push(report);
        }
    }
    if args.format == Format::Json {
        data(&match &reports[..] {
            [one] => json(one),
            all => json(&all),
        })?;
    }
    let redundant = |row: &Row| row.verdict == "redundant" && row.reason.is_none();
    let any = reports.iter().flat_map(|report| &report.syncs).any(redundant);
    Ok(if any && args.require_necessary { exit::VIOLATED } else { exit::HELD })
}

fn one(
    args: &AuditArgs,
    engine: &'static Engine,
    model: Model,
    workloads: &[highwater_models::Workload],
) -> Result<Report, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.map_or(cores, usize::from);
    let settings = Settings { model, threads, ..engine.campaign().settings };
    let label = format!("{} {model}", engine.name);
    let verdict = verdict_with_all(engine, &settings);
    if verdict != Verdict::Held {
        return Err(format!(
            "{0} under {model} is {verdict} with all its syncs: first see \
             `highwater run --engine {0}`",
            engine.name
        ));
    }
    let watch = Watch::start(label, crate::args::Budget::All, args.format == Format::Human);
    let barriers = engine.audit(workloads, &settings, &mut |stage| watch.stage(&stage));
    drop(watch);
    let syncs = barriers.into_iter().map(Row::new).collect();
    Ok(Report { engine: &engine.name, model: model.to_string(), syncs })
}

/// What breaks with all its syncs says nothing about one of them.
fn verdict_with_all(engine: &Engine, settings: &Settings) -> Verdict {
    let settings = Settings { crashes: settings.crashes.min(2), ..settings.clone() };
    let campaign = Campaign { settings, failures: Vec::new(), control: false };
    let case = Case { workload: Workload::standard(4), setup: Setup::default() };
    let job = Job { campaign, case, plan: Plan::ALONE };
    engine.run(&job, &mut |_| ()).verdict
}

impl Row {
    fn new(barrier: Barrier) -> Row {
        let verdict = if barrier.needed.is_some() { "necessary" } else { "redundant" };
        let (needed_by, broken, missing) = match barrier.needed {
            Some((disaster, broken, missing)) => (Some(disaster), Some(broken), missing),
            None => (None, None, Vec::new()),
        };
        Row {
            site: barrier.site,
            sync: if barrier.sync == SyncKind::Dir { "directory" } else { "file" },
            calls: barrier.calls,
            verdict,
            needed_by,
            broken,
            missing,
            reason: barrier.reason,
            states: barrier.states.map(|states| states.to_string()),
            exhaustive: barrier.exhaustive,
        }
    }
}

fn human(report: &Report) -> String {
    let mut text = format!("{} under {}: syncs left out in turn\n", report.engine, report.model);
    let mut table = table();
    for row in &report.syncs {
        let why = match (&row.needed_by, row.reason) {
            (Some(disaster), _) => format!("found by: {disaster}"),
            (None, _) => {
                let states = row.states.as_ref().map_or("?".into(), thousands);
                let all = if row.exhaustive { "all" } else { "some of the" };
                format!("{all} {states} states held without it")
            }
        };
        table.add_row([format!(" {}", row.verdict), format!("{} ({})", row.site, row.sync), why]);
    }
    text += &text_of(&table);
    for row in &report.syncs {
        if let Some(broken) = &row.broken {
            text += &format!("\nWithout {}\n", row.site);
            text += &wrapped("  ", broken);
            row.missing.iter().for_each(|missing| text += &wrapped("  ", missing));
        } else if let Some(reason) = row.reason {
            text += &format!("\nWhy {} is there\n", row.site);
            text += &wrapped("  ", reason);
        }
    }
    text
}
