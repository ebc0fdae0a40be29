//! Reports for people: the verdict first, then the figures, then what is to be done.

use crate::out::{coloured, thousands, wrapped};
use crate::report::Report;
use comfy_table::{ContentArrangement, Table, presets::NOTHING};
use highwater_models::Counterexample;
use highwater_sim::{Broken, Replayed};

/// A table without lines that fits into the width; cells that do not are wrapped.
pub(crate) fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(crate::out::WIDTH as u16);
    table
}

/// The table as text, without the spaces at the ends of its lines.
pub(crate) fn text_of(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A run's report.
pub(crate) fn report(report: &Report, found: Option<&Counterexample>, setup: &str) -> String {
    let Report { engine, model, .. } = report;
    let good = report.verdict == "held";
    let kind = match (good, report.exhaustive, report.schedules) {
        // Every disk, but not every schedule there is.
        (true, true, Some(tried)) => format!(", every disk of {} schedules", thousands(tried)),
        (true, true, None) => ", exhaustive".into(),
        (true, false, _) => ", partial".into(),
        (false, ..) => String::new(),
    };
    let mut text = coloured(&report.verdict, good);
    text += &format!("{kind}: {engine} under {model}\n");
    let mut table = table();
    for (key, value) in rows(report, setup) {
        table.add_row([format!(" {key}"), value]);
    }
    text += &text_of(&table);
    if let Some(found) = found {
        text += &counterexample(found);
    }
    text
}

fn rows(report: &Report, setup: &str) -> Vec<(&'static str, String)> {
    let count = |states: &Option<String>| states.as_ref().map_or("?".into(), thousands);
    let (covered, total) = (count(&report.states_covered), count(&report.states_total));
    let rate = thousands(report.recoveries_per_s);
    let (recoveries, seconds) = (thousands(report.recoveries), report.elapsed_s);
    let crashes = report.crashes;
    let s = if crashes == 1 { "" } else { "es" };
    let why = report.reason.iter().map(|reason| ("why", reason.clone()));
    let mut rows: Vec<(&str, String)> = why.collect();
    rows.extend([
        ("workload", format!("{}: {} operations{setup}", report.workload, report.operations)),
        ("crash states", format!("{covered} of {total} covered, {crashes} crash{s} in a run")),
        ("crash points", format!("{} in the first life", thousands(report.crash_points))),
        ("recoveries", format!("{recoveries} in {seconds:.2} s: {rate} a second")),
        (
            "",
            format!(
                "{} met again, at most {} choices in one",
                thousands(report.memo_hits),
                report.choices_max
            ),
        ),
    ]);
    if let Some(tried) = report.schedules {
        let different = thousands(report.schedules_different.unwrap_or_default());
        let complete = report.preemption_bound.map_or(String::new(), |bound| {
            format!(", all with at most {bound} preemptions among them")
        });
        let tried = thousands(tried);
        rows.push(("schedules", format!("{tried} tried, {different} different{complete}")));
    }
    if report.device != "plain" {
        rows.push(("device", report.device.clone()));
    }
    let families = report.failures.iter().map(|f| {
        let part = if f.exhaustive { "" } else { " (partial)" };
        let outside = if f.outside_the_promise { ", outside the promise" } else { "" };
        format!("{} {} recoveries{part}{outside}", f.failure, thousands(f.recoveries))
    });
    let families: Vec<String> = families.collect();
    if !families.is_empty() {
        rows.push(("what failed", families.join("; ")));
    }
    let control = match report.control_caught {
        Some(true) => "caught: with all syncs dropped a promise breaks",
        Some(false) => "NOT caught: with all syncs dropped nothing seems to break",
        None => "did not run",
    };
    rows.push(("control", control.to_string()));
    let reached = report.reach.iter().filter(|(_, count)| **count > 0);
    let reached: Vec<String> = reached.map(|(w, n)| format!("{w}: {}", thousands(n))).collect();
    rows.push(("reached", reached.join("; ")));
    let never = report.never_reached();
    if !never.is_empty() {
        rows.push(("never reached", never.join("; ")));
    }
    rows
}

fn counterexample(found: &Counterexample) -> String {
    let token = &found.token;
    let mut text = format!("\n{}", broken(&found.broken));
    text += "\nThe smallest workload that shows it\n";
    text += &workload(&found.workload);
    text += &trace(&found.replayed);
    if !found.missing.is_empty() {
        text += "\nWhat was missing\n";
        found.missing.iter().for_each(|missing| text += &wrapped("  ", missing));
    }
    if let Some(remedy) = &found.remedy {
        text += "\nWhat would help (simulated)\n";
        text += &wrapped("  ", &remedy.to_string());
    }
    if !found.reproduced {
        text += "\nA second walk did something else: the engine is not deterministic.\n";
    }
    text + &format!("\nhighwater replay {token}\n")
}

/// The operations, numbered as reports name them.
pub(crate) fn workload(operations: &[String]) -> String {
    let ops = operations.iter().enumerate();
    ops.map(|(n, op)| wrapped(&format!("  {:>4}  ", n + 1), op)).collect()
}

/// What happened, call by call.
fn trace(replayed: &Replayed) -> String {
    let mut text = String::from("\nWhat happens\n");
    for line in replayed.trace.to_string().lines() {
        let indent = line.find(|c: char| !c.is_whitespace() && !c.is_ascii_digit()).unwrap_or(0);
        text += &wrapped(&format!("  {}", &line[..indent]), &line[indent..]);
    }
    text
}

/// What happened, and what a crash took away.
pub(crate) fn walk(replayed: &Replayed) -> String {
    let mut text = trace(replayed);
    if !replayed.lost.is_empty() {
        text += "\nLost\n";
    }
    for lost in &replayed.lost {
        let what =
            format!("{} (life {}): no {} had covered it", lost.call, lost.life + 1, lost.sync);
        text += &wrapped("  ", &what);
    }
    text
}

/// A broken promise in a paragraph.
pub(crate) fn broken(broken: &Broken) -> String {
    wrapped("", &format!("{}: {}", broken.rule, broken.what))
}
