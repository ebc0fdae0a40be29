//! The report of a run as data.

use crate::reason;
use highwater_models::{Counterexample, Engine, Job, Outcome};
use highwater_sim::{Remedy, Rule};
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// What one engine did under one disk model. All but `recoveries_per_s` and `elapsed_s` depends on
/// the engine and the settings alone, not on threads or time.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The engine's name.
    pub(crate) engine: &'static str,
    /// The disk model.
    pub(crate) model: String,
    /// The device under it.
    pub(crate) device: String,
    /// Where the operations come from.
    pub(crate) workload: String,
    /// How many there are.
    pub(crate) operations: usize,
    /// What `Ok` means.
    pub(crate) setup: String,
    /// The seed of the random trails.
    pub(crate) seed: u64,
    /// Crashes in one run.
    pub(crate) crashes: u32,
    /// The answer.
    pub(crate) verdict: String,
    /// Whether every crash state was covered.
    pub(crate) exhaustive: bool,
    /// Why it is inconclusive, or held and not exhaustive; null otherwise.
    pub(crate) reason: Option<String>,
    /// Crash points of the first life.
    pub(crate) crash_points: u64,
    /// Recoveries executed and judged, the control's not among them.
    pub(crate) recoveries: u64,
    /// Nodes that were met again.
    pub(crate) memo_hits: u64,
    /// The most choices one recovery made.
    pub(crate) choices_max: usize,
    /// Crash states judged, in decimal digits; null if they could not be counted.
    pub(crate) states_covered: Option<String>,
    /// Crash states there are.
    pub(crate) states_total: Option<String>,
    /// A rate.
    pub(crate) recoveries_per_s: u64,
    /// Seconds of exploration: without the control, without shrinking.
    pub(crate) elapsed_s: f64,
    /// Whether dropped syncs were noticed; null if nobody looked or nothing is promised.
    pub(crate) control_caught: Option<bool>,
    /// Of an engine with threads: the schedules that were tried; all figures are sums over them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schedules: Option<u64>,
    /// Those that differ in what the disk and the callers see: the others were not explored again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) schedules_different: Option<u64>,
    /// The number of preemptions up to which no schedule was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preemption_bound: Option<u32>,
    /// The explorations in which something fails; their states are not counted.
    pub(crate) failures: Vec<Family>,
    /// What was reached how often; 0 for what never was.
    pub(crate) reach: BTreeMap<String, u64>,
    /// What broke.
    pub(crate) findings: Vec<Finding>,
}

/// The exploration of one kind of failure.
#[derive(Debug, Serialize)]
pub(crate) struct Family {
    /// Which.
    pub(crate) failure: String,
    /// Whether all is asked of an engine there but what the disk has made impossible.
    pub(crate) outside_the_promise: bool,
    /// Recoveries executed and judged.
    pub(crate) recoveries: u64,
    /// Whether nothing was left out.
    pub(crate) exhaustive: bool,
}

/// A counterexample.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// The promise, such as `P1`.
    pub(crate) rule: String,
    /// What was found, in one sentence.
    pub(crate) title: String,
    /// One word that walks there again.
    pub(crate) token: String,
    /// Operations of the shrunk workload.
    pub(crate) ops: usize,
    /// Choices of the shrunk trail.
    pub(crate) choices: usize,
    /// How often it was met: an exploration ends at its first finding.
    pub(crate) occurrences: u64,
    /// The changes that had to be durable and were not.
    pub(crate) missing: Vec<String>,
    /// Syncs that would have kept the promise; empty if none would, null if that is not known.
    pub(crate) remedy: Option<Vec<String>>,
    /// The shrunk workload, an operation a line.
    pub(crate) workload: Vec<String>,
    /// Whether two walks did the same.
    pub(crate) reproduced: bool,
}

/// The number of a promise: `P1` of `P1 loss`.
pub(crate) fn number_of(rule: Rule) -> String {
    rule.to_string().split(' ').next().unwrap_or_default().to_string()
}

impl Finding {
    fn new(found: &Counterexample) -> Finding {
        Finding {
            rule: number_of(found.broken.rule),
            title: found.broken.what.clone(),
            token: found.token.to_string(),
            ops: found.workload.len(),
            choices: found.token.trail.size().1,
            occurrences: 1,
            missing: found.missing.clone(),
            remedy: found.remedy.as_ref().map(|remedy| match remedy {
                Remedy::Syncs(syncs) => syncs.iter().map(ToString::to_string).collect(),
                Remedy::NoSync => Vec::new(),
            }),
            workload: found.workload.clone(),
            reproduced: found.reproduced,
        }
    }
}

impl Report {
    /// The report of an outcome that took `elapsed`.
    pub(crate) fn new(
        engine: &'static Engine,
        job: &Job,
        workload: (&str, usize),
        outcome: &Outcome,
        elapsed: Duration,
    ) -> Report {
        let (settings, tally) = (&job.campaign.settings, &outcome.tally);
        let count = |count: Option<u128>| count.map(|states| states.to_string());
        let seconds = elapsed.as_secs_f64();
        let family = |(failure, tally): &(highwater_sim::Failure, highwater_sim::Tally)| Family {
            failure: failure.to_string(),
            outside_the_promise: failure.outside_the_promise(),
            recoveries: tally.recoveries,
            exhaustive: tally.exhaustive && !tally.out_of_budget,
        };
        Report {
            engine: &engine.name,
            model: settings.model.to_string(),
            device: settings.device.to_string(),
            workload: workload.0.to_string(),
            operations: workload.1,
            setup: if engine.is_piece() { String::new() } else { job.case.setup.to_string() },
            seed: settings.seed,
            crashes: settings.crashes,
            verdict: outcome.verdict.to_string(),
            exhaustive: outcome.exhaustive,
            reason: reason::of(outcome, settings),
            crash_points: tally.crash_points,
            recoveries: outcome.recoveries,
            memo_hits: tally.memo_hits,
            choices_max: tally.choices_max,
            states_covered: count(tally.states_covered),
            states_total: count(tally.states_total),
            recoveries_per_s: (outcome.recoveries as f64 / seconds.max(1e-9)) as u64,
            elapsed_s: (seconds * 1e3).round() / 1e3,
            control_caught: outcome.control_caught,
            schedules: outcome.schedules.map(|schedules| schedules.tried),
            schedules_different: outcome.schedules.map(|schedules| schedules.different),
            preemption_bound: outcome.schedules.and_then(|schedules| schedules.complete),
            failures: outcome.failures.iter().map(family).collect(),
            reach: reach(engine, outcome),
            findings: outcome.counterexample.iter().map(Finding::new).collect(),
        }
    }

    /// Whether both found the same promise broken in the same engine.
    pub(crate) fn tells_the_same_as(&self, other: &Report) -> bool {
        let rules = |r: &Report| r.findings.iter().map(|f| f.rule.clone()).collect::<Vec<_>>();
        self.engine == other.engine && !self.findings.is_empty() && rules(self) == rules(other)
    }

    /// What could have been reached and was not.
    pub(crate) fn never_reached(&self) -> Vec<&str> {
        let never = self.reach.iter().filter(|(_, count)| **count == 0);
        never.map(|(what, _)| what.as_str()).collect()
    }

    /// Whether something of this name, or whose first word it is, was reached.
    pub(crate) fn reached(&self, name: &str) -> bool {
        let named = |what: &str| what == name || what.split(' ').next() == Some(name);
        self.reach.iter().any(|(what, count)| *count > 0 && named(what))
    }
}

/// The counters of all explorations together.
fn reach(engine: &Engine, outcome: &Outcome) -> BTreeMap<String, u64> {
    let mut reach: BTreeMap<String, u64> =
        engine.reaches().into_iter().map(|what| (what.to_string(), 0)).collect();
    let tallies = outcome.failures.iter().map(|(_, tally)| tally).chain([&outcome.tally]);
    for (what, count) in tallies.flat_map(|tally| &tally.reach) {
        *reach.entry((*what).to_string()).or_default() += count;
    }
    reach
}
