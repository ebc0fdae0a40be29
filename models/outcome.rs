//! What came of a run, whatever the engine: the figures, the counterexample, the walks of a token.

use crate::threads::{self, Plan, Scheduled, Schedules};
use crate::{Job, Task, Token};
use highwater_sim::{
    Broken, Failure, Remedy, Replayed, Report, Settings, Stage, Subject, Tally, Verdict, replay,
};

/// A minimal counterexample, whatever the engine.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What broke.
    pub broken: Broken,
    /// One word that walks there again; it holds the shrunk workload and the trail.
    pub token: Token,
    /// What happens on the way.
    pub replayed: Replayed,
    /// The shrunk workload, an operation a line.
    pub workload: Vec<String>,
    /// The changes that had to be durable and were not, each with the sync that is missing.
    pub missing: Vec<String>,
    /// Which syncs would have kept the promise; `None` if that is not known.
    pub remedy: Option<Remedy>,
    /// Whether two walks did the same.
    pub reproduced: bool,
}

/// What a campaign on an engine found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The answer.
    pub verdict: Verdict,
    /// Whether every crash state was covered.
    pub exhaustive: bool,
    /// Recoveries of all explorations but the control's.
    pub recoveries: u64,
    /// The exploration without failures.
    pub tally: Tally,
    /// The explorations in which something fails.
    pub failures: Vec<(Failure, Tally)>,
    /// Whether the control was caught; `None` if it did not run.
    pub control_caught: Option<bool>,
    /// The counterexample, if there is one.
    pub counterexample: Option<Counterexample>,
    /// Of an engine with threads: how many schedules were tried. All figures are sums over them.
    pub schedules: Option<Schedules>,
}

/// A trail walked twice.
#[derive(Clone, Debug)]
pub struct Walks {
    /// What was run, an operation a line.
    pub workload: Vec<String>,
    /// What the first walk did.
    pub first: Replayed,
    /// What the second did.
    pub second: Replayed,
}

impl Walks {
    /// Whether the trail fits the engine, and leads to the same place every time.
    pub fn agree(&self) -> bool {
        self.first == self.second && self.first.diverged.is_none()
    }
}

pub(crate) fn lines<T: ToString>(operations: &[T]) -> Vec<String> {
    operations.iter().map(ToString::to_string).collect()
}

/// Runs a campaign on a subject; `task` says what a token holds of it.
pub(crate) fn run<S: Subject + Clone>(
    name: &str,
    job: &Job,
    subject: &S,
    stage: &mut dyn FnMut(Stage),
    task: impl Fn(&S) -> (Task, Vec<String>),
) -> Outcome {
    outcome(name, job.campaign.run(subject, stage), task)
}

/// Runs a campaign on a program of several threads, over the schedules of the job's plan.
pub(crate) fn run_threads(
    name: &str,
    job: &Job,
    subject: &Scheduled,
    stage: &mut dyn FnMut(Stage),
) -> Outcome {
    let plan = Plan { seed: job.campaign.settings.seed, ..job.plan };
    let ran = threads::run(&job.campaign, plan, subject, stage);
    let task = |subject: &Scheduled| {
        let (kept, schedule) = (subject.kept().to_vec(), subject.schedule());
        (Task::Threads(kept, schedule), subject.program().lines())
    };
    Outcome { schedules: Some(ran.schedules), ..outcome(name, ran.report, task) }
}

fn outcome<S>(name: &str, report: Report<S>, task: impl Fn(&S) -> (Task, Vec<String>)) -> Outcome {
    let (exhaustive, recoveries) = (report.exhaustive(), report.recoveries());
    let counterexample = report.finding.map(|finding| {
        let (task, workload) = task(&finding.subject);
        Counterexample {
            token: Token::new(name, &finding.settings, task, finding.trail.clone()),
            workload,
            missing: finding.missing(),
            remedy: finding.remedy,
            broken: finding.broken,
            replayed: finding.replayed,
            reproduced: finding.reproduced,
        }
    });
    Outcome {
        verdict: report.verdict,
        exhaustive,
        recoveries,
        tally: report.tally,
        failures: report.failures,
        control_caught: report.control_caught,
        counterexample,
        schedules: None,
    }
}

pub(crate) fn walk_twice<S: Subject>(subject: &S, token: &Token, workload: Vec<String>) -> Walks {
    let settings: Settings = token.settings();
    let walk = || {
        let mut walked = replay(subject, &settings, &token.trail);
        if walked.diverged.is_none() && walked.trail != token.trail {
            walked.diverged = Some(format!("it walks {} instead", walked.trail));
        }
        walked
    };
    Walks { workload, first: walk(), second: walk() }
}
