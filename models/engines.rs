//! What can be run by name: the store and its views, the museum, and the seeds on trial.

use crate::museum::{PIECES, Piece};
use crate::outcome::{lines, run, run_threads, walk_twice};
use crate::payload::{GOES_ON, POISONED};
use crate::seeds::{Trial, trials};
use crate::threads::{CONCURRENT, Concurrent, Plan, Schedule, Scheduled, Scores};
use crate::views::{VIEWS, View};
use crate::{Case, Outcome, PayloadSubject, Task, Token, Walks};
use highwater::Row;
use highwater_sim::{Campaign, Easy, Model, Rule, Stage, Verdict};
use std::sync::LazyLock;

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// How far, under which model, with which faults.
    pub campaign: Campaign,
    /// On what; a piece of the museum has a workload of its own.
    pub case: Case,
    /// Of an engine with threads: under which schedules. (Its seed is the campaign's.)
    pub plan: Plan,
}

/// What an engine is made of.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Payload,
    /// A small engine on a workload of its own.
    Easy {
        subject: fn() -> Easy,
        card: Card,
    },
    /// Several callers at once.
    Threads {
        subject: fn() -> Scheduled,
        card: ThreadsCard,
    },
}

/// What a small engine is judged by.
#[derive(Clone, Copy, Debug)]
enum Card {
    Piece { piece: &'static Piece, twin: bool },
    Trial(&'static Trial),
    View(&'static View),
}

impl Card {
    fn campaign(self) -> Campaign {
        match self {
            Card::Piece { piece, twin } => piece.campaign(twin),
            Card::Trial(trial) => trial.campaign(),
            Card::View(view) => view.campaign(),
        }
    }
}

/// What an engine with threads is judged by.
#[derive(Clone, Copy, Debug)]
enum ThreadsCard {
    Piece {
        piece: &'static Piece,
        twin: bool,
    },
    /// A store of this project, or one with a flaw.
    Own(&'static Concurrent),
}

/// A subject that an engine is made of.
pub(crate) enum Exhibit {
    Store,
    Piece(Easy),
    Threads(Scheduled),
}

/// Something that can be explored.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Its name on the command line and in tokens.
    pub name: String,
    /// What it is, in one line.
    pub about: &'static str,
    /// How the exploration must end, under the models that it states.
    pub expected: Verdict,
    /// The promise that it is expected to break.
    pub rule: Option<Rule>,
    /// The bug of the catalogue that it has, or that it is the correct twin of.
    pub bug: Option<&'static str>,
    /// The models that it is judged under.
    pub models: &'static [Model],
    kind: Kind,
}

static ENGINES: LazyLock<Vec<Engine>> = LazyLock::new(|| {
    let payload = Engine {
        name: "payload".into(),
        about: "the payload store of this project",
        expected: Verdict::Held,
        rule: None,
        bug: None,
        models: &Model::ALL,
        kind: Kind::Payload,
    };
    let threads = CONCURRENT.iter().map(|concurrent| Engine {
        name: concurrent.name.into(),
        about: concurrent.about,
        expected: concurrent.expected,
        rule: concurrent.rule,
        models: &[Model::Posix],
        kind: Kind::Threads { subject: concurrent.subject, card: ThreadsCard::Own(concurrent) },
        ..payload.clone()
    });
    let threads: Vec<Engine> = threads.collect();
    let views = VIEWS.iter().map(|view| Engine {
        name: view.name.into(),
        about: view.about,
        kind: Kind::Easy { subject: view.subject, card: Card::View(view) },
        ..payload.clone()
    });
    let views: Vec<Engine> = views.collect();
    let museum = PIECES.iter().flat_map(|piece| [false, true].map(|twin| exhibit(piece, twin)));
    let seeds = trials().iter().flat_map(|trial| {
        [Some(trial.engine), trial.twin]
            .into_iter()
            .zip([false, true])
            .filter_map(|(subject, twin)| Some(on_trial(trial, subject?, twin)))
    });
    [payload].into_iter().chain(threads).chain(views).chain(museum).chain(seeds).collect()
});

fn exhibit(piece: &'static Piece, twin: bool) -> Engine {
    let bad = if piece.broken { Verdict::Broken } else { Verdict::Violated };
    Engine {
        name: format!("museum/{}{}", piece.id(), if twin { "/twin" } else { "" }),
        about: if twin { "the same without the bug" } else { piece.title },
        expected: if twin { Verdict::Held } else { bad },
        rule: (!twin).then_some(piece.rule),
        bug: Some(piece.bug),
        models: piece.shows,
        kind: match piece.threads {
            None => {
                let subject = if twin { piece.twin } else { piece.engine };
                Kind::Easy { subject, card: Card::Piece { piece, twin } }
            }
            Some(both) => Kind::Threads {
                subject: both[usize::from(twin)],
                card: ThreadsCard::Piece { piece, twin },
            },
        },
    }
}

fn on_trial(trial: &'static Trial, subject: fn() -> Easy, twin: bool) -> Engine {
    let rule = trial.rule.filter(|_| !twin);
    Engine {
        name: format!("seeds/{}{}", trial.name, if twin { "/twin" } else { "" }),
        about: if twin { "the same, mended" } else { trial.about },
        expected: match rule {
            None => Verdict::Held,
            Some(_) if trial.broken => Verdict::Broken,
            Some(_) => Verdict::Violated,
        },
        rule,
        bug: None,
        models: trial.shows,
        kind: Kind::Easy { subject, card: Card::Trial(trial) },
    }
}

/// All engines, in the order in which they are listed.
///
/// ```
/// let names: Vec<&str> =
///     highwater_models::engines().iter().map(|engine| engine.name.as_str()).collect();
/// assert!(names.contains(&"payload") && names.contains(&"museum/ack-1/twin"));
/// ```
pub fn engines() -> &'static [Engine] {
    &ENGINES
}

/// The engine of that name.
pub fn engine(name: &str) -> Option<&'static Engine> {
    ENGINES.iter().find(|engine| engine.name == name)
}

/// The engines whose names fit a pattern, in which `*` stands for anything.
///
/// ```
/// let museum = highwater_models::matching("museum/*");
/// assert!(museum.len() > 1 && museum.iter().all(|engine| engine.name.starts_with("museum/")));
/// ```
pub fn matching(pattern: &str) -> Vec<&'static Engine> {
    ENGINES.iter().filter(|engine| fits(pattern, &engine.name)).collect()
}

fn fits(pattern: &str, name: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(before) else { return false };
    (0..=name.len()).any(|at| name.is_char_boundary(at) && fits(rest, &name[at..]))
}

impl Engine {
    /// What it is judged by unless somebody asks for something else.
    pub fn campaign(&self) -> Campaign {
        match self.kind {
            Kind::Payload | Kind::Threads { card: ThreadsCard::Own(_), .. } => Campaign::default(),
            Kind::Easy { card, .. } => card.campaign(),
            Kind::Threads { card: ThreadsCard::Piece { piece, twin }, .. } => piece.campaign(twin),
        }
    }

    /// Under which schedules it is judged, if its callers are several threads.
    pub fn plan(&self) -> Plan {
        match self.kind {
            Kind::Payload | Kind::Easy { .. } => Plan::default(),
            Kind::Threads { card: ThreadsCard::Piece { piece, .. }, .. } => piece.plan(),
            Kind::Threads { card: ThreadsCard::Own(concurrent), .. } => concurrent.plan(),
        }
    }

    /// Whether it brings its own workload.
    pub fn is_piece(&self) -> bool {
        !matches!(self.kind, Kind::Payload)
    }

    /// Whether its callers are several threads, and it is run under schedules.
    pub fn is_threaded(&self) -> bool {
        matches!(self.kind, Kind::Threads { .. })
    }

    /// How the exploration must end under `model`.
    pub fn expected_under(&self, model: Model) -> Verdict {
        if self.models.contains(&model) { self.expected } else { Verdict::Held }
    }

    /// What its reach counters can count, so that what was never reached can be named.
    pub fn reaches(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Payload => payload_reaches(),
            Kind::Easy { .. } | Kind::Threads { .. } => Vec::new(),
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
        match self.kind {
            Kind::Payload => {
                let subject = PayloadSubject::new(job.case.clone());
                run(&self.name, job, &subject, stage, |subject| {
                    let ops = subject.case().workload.ops();
                    (Task::Store(subject.case().clone()), lines(ops))
                })
            }
            Kind::Easy { subject, .. } => run(&self.name, job, &subject(), stage, |subject| {
                (Task::Piece(subject.kept().to_vec()), lines(subject.acts()))
            }),
            Kind::Threads { subject, .. } => run_threads(&self.name, job, &subject(), stage),
        }
    }

    pub(crate) fn exhibit(&self) -> Exhibit {
        match self.kind {
            Kind::Payload => Exhibit::Store,
            Kind::Easy { subject, .. } => Exhibit::Piece(subject()),
            Kind::Threads { subject, .. } => Exhibit::Threads(subject()),
        }
    }

    /// The operations of its own workload, an operation a line; none for a store.
    pub fn workload(&self) -> Vec<String> {
        match self.kind {
            Kind::Payload => Vec::new(),
            Kind::Easy { subject, .. } => lines(subject().acts()),
            Kind::Threads { subject, .. } => subject().program().lines(),
        }
    }

    /// Walks a token's trail twice. That the token names this engine is the caller's business: a
    /// bug's trail may be walked on its correct twin.
    ///
    /// # Errors
    /// The token's workload is none of this engine's.
    pub fn replay(&self, token: &Token) -> Result<Walks, String> {
        match (self.kind, &token.task) {
            (Kind::Payload, Task::Store(case)) => {
                let subject = PayloadSubject::new(case.clone());
                Ok(walk_twice(&subject, token, lines(case.workload.ops())))
            }
            (Kind::Easy { subject, .. }, Task::Piece(kept)) => {
                let subject = subject();
                self.has(kept, subject.acts().len())?;
                let subject = subject.keeping(kept);
                Ok(walk_twice(&subject, token, lines(subject.acts())))
            }
            (Kind::Threads { subject, .. }, Task::Threads(kept, schedule)) => {
                self.replay_under(subject(), kept, schedule, token)
            }
            _ => Err(format!("the token's workload is none for {}", self.name)),
        }
    }

    fn replay_under(
        &self,
        subject: Scheduled,
        kept: &[usize],
        schedule: &Schedule,
        token: &Token,
    ) -> Result<Walks, String> {
        self.has(kept, subject.program().size())?;
        let scores = Scores::default();
        let subject = subject.keeping(kept).under(schedule).scored(&scores);
        let mut walks = walk_twice(&subject, token, subject.program().lines());
        let skipped = scores.lock().expect("nobody panics with it").iter().any(|s| s.skipped);
        if skipped && walks.first.diverged.is_none() {
            let why = format!("the schedule {schedule} asks for a thread that cannot go on there");
            walks.first.diverged = Some(why);
        }
        Ok(walks)
    }

    /// Whether there are operations with these numbers.
    fn has(&self, kept: &[usize], count: usize) -> Result<(), String> {
        match kept.iter().all(|nth| *nth < count) {
            true => Ok(()),
            false => Err(format!("the token's workload: {} has {count} operations", self.name)),
        }
    }
}

/// The recovery table but for the two rows that only damage leads to, and what a failed sync leads
/// to.
fn payload_reaches() -> Vec<&'static str> {
    let rows = Row::ALL.into_iter().filter(|row| !matches!(row, Row::R6Corrupt | Row::R7Gap));
    rows.map(Row::name).chain([POISONED, GOES_ON]).collect()
}
