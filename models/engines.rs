//! What can be run by name.
//!
//! An engine is a line in [`engines()`]: a name, what is expected of it, and a type that can be
//! made of a [`Case`]. Everything behind that line is the same for all of them.

use crate::payload::{GOES_ON, POISONED};
use crate::{Case, PayloadSubject, Token};
use highwater::Row;
use highwater_sim::{
    Broken, Campaign, FailedSync, Model, Replayed, Report, Rule, Stage, Subject, Tally, Verdict,
    replay,
};

/// A subject that can be made of a case, and taken apart again after it was shrunk.
pub trait Plugged: Subject + Clone {
    /// The subject of a case.
    fn plug(case: &Case) -> Self;

    /// The case it came from.
    fn case(&self) -> &Case;
}

impl Plugged for PayloadSubject {
    fn plug(case: &Case) -> PayloadSubject {
        PayloadSubject::new(case.clone())
    }

    fn case(&self) -> &Case {
        PayloadSubject::case(self)
    }
}

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// How far, under which model, with which faults.
    pub campaign: Campaign,
    /// On what.
    pub case: Case,
}

/// A minimal counterexample, whatever the engine.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// What broke.
    pub broken: Broken,
    /// One word that walks there again; it holds the shrunk workload and the trail.
    pub token: Token,
    /// What happens on the way.
    pub replayed: Replayed,
    /// The changes that had to be durable and were not, each with the sync that is missing.
    pub missing: Vec<String>,
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
    /// The explorations with a failed sync.
    pub failures: Vec<(FailedSync, Tally)>,
    /// Whether the control was caught; `None` if it did not run.
    pub control_caught: Option<bool>,
    /// The counterexample, if there is one.
    pub counterexample: Option<Counterexample>,
}

/// A trail walked twice.
#[derive(Clone, Debug)]
pub struct Walks {
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

/// Something that can be explored.
#[derive(Clone, Copy, Debug)]
pub struct Engine {
    /// Its name on the command line and in tokens.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// How the exploration must end.
    pub expected: Verdict,
    /// The promise that it is expected to break.
    pub rule: Option<Rule>,
    /// The bug of the catalogue that it has, or that it is the correct twin of.
    pub bug: Option<&'static str>,
    /// The models that it is judged under.
    pub models: &'static [Model],
    /// What its reach counters can count, so that what was never reached can be named.
    pub reaches: fn() -> Vec<&'static str>,
    run: fn(&'static str, &Job, &mut dyn FnMut(Stage)) -> Outcome,
    replay: fn(&Token) -> Walks,
}

static ENGINES: [Engine; 1] = [Engine {
    reaches: payload_reaches,
    ..Engine::of::<PayloadSubject>("payload", "the payload store of this project", Verdict::Held)
}];

/// The recovery table but for the two rows that only damage leads to, and what a failed sync leads
/// to.
fn payload_reaches() -> Vec<&'static str> {
    let rows = Row::ALL.into_iter().filter(|row| !matches!(row, Row::R6Corrupt | Row::R7Gap));
    rows.map(Row::name).chain([POISONED, GOES_ON]).collect()
}

/// All engines, in the order in which they are listed.
///
/// ```
/// let names: Vec<&str> = highwater_models::engines().iter().map(|e| e.name).collect();
/// assert!(names.contains(&"payload"));
/// ```
pub fn engines() -> &'static [Engine] {
    &ENGINES
}

/// The engine of that name.
pub fn engine(name: &str) -> Option<&'static Engine> {
    ENGINES.iter().find(|engine| engine.name == name)
}

impl Engine {
    const fn of<S: Plugged>(name: &'static str, about: &'static str, expected: Verdict) -> Engine {
        Engine {
            name,
            about,
            expected,
            rule: None,
            bug: None,
            models: &Model::ALL,
            reaches: Vec::new,
            run: run::<S>,
            replay: walk_twice::<S>,
        }
    }

    /// Runs a campaign; `stage` is told whenever a part of it begins.
    ///
    /// ```
    /// use highwater_models::{Job, Workload, engine};
    /// let mut job = Job::default();
    /// job.case.workload = Workload::standard(2);
    /// let outcome = engine("payload").unwrap().run(&job, &mut |_| ());
    /// assert_eq!(outcome.verdict.to_string(), "held");
    /// assert_eq!(outcome.control_caught, Some(true));
    /// ```
    pub fn run(&self, job: &Job, stage: &mut dyn FnMut(Stage)) -> Outcome {
        (self.run)(self.name, job, stage)
    }

    /// Walks a token's trail twice. That the token names this engine is the caller's business: a
    /// bug's trail may be walked on its correct twin.
    pub fn replay(&self, token: &Token) -> Walks {
        (self.replay)(token)
    }
}

fn run<S: Plugged>(name: &'static str, job: &Job, stage: &mut dyn FnMut(Stage)) -> Outcome {
    let report: Report<S> = job.campaign.run(&S::plug(&job.case), stage);
    let (exhaustive, recoveries) = (report.exhaustive(), report.recoveries());
    let counterexample = report.finding.map(|finding| {
        let case = finding.subject.case().clone();
        Counterexample {
            token: Token::new(name, &finding.settings, case, finding.trail.clone()),
            missing: finding.missing(),
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
    }
}

fn walk_twice<S: Plugged>(token: &Token) -> Walks {
    let (subject, settings) = (S::plug(&token.case), token.settings());
    let walk = || replay(&subject, &settings, &token.trail);
    Walks { first: walk(), second: walk() }
}
