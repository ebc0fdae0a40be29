//! From a violation to something a person can read: the smallest workload, the fewest crashes and
//! the simplest choices that break the same promise, walked twice, with the change that was lost.

use crate::explore::Explorer;
use crate::promise::{Broken, Rule};
use crate::remedy::{Patient, Remedy};
use crate::replay::{Lost, Replayed, replay};
use crate::subject::Subject;
use crate::trail::Trail;
use crate::window::LOST;
use crate::{Found, Settings};
use std::fmt;

/// A minimal counterexample.
#[derive(Clone, Debug)]
pub struct Finding<S> {
    /// What broke.
    pub broken: Broken,
    /// The shrunk subject.
    pub subject: S,
    /// The settings under which `trail` walks.
    pub settings: Settings,
    /// The shrunk trail.
    pub trail: Trail,
    /// What it does, call by call.
    pub replayed: Replayed,
    /// Whether two walks along the trail did the same and broke the same promise.
    pub reproduced: bool,
    /// Which syncs would have kept the promise; `None` if that was not asked or is not known.
    pub remedy: Option<Remedy>,
}

/// Recoveries that one attempt to shrink may cost in a unit of work.
const ATTEMPT: u64 = 20_000;

fn attempt<S: Subject>(subject: &S, settings: &Settings, broken: &Broken) -> Option<Found> {
    let settings = Settings { unit_limit: ATTEMPT, ..settings.clone() };
    let found = Explorer::new(settings).run(subject).found?;
    (found.broken.rule == broken.rule).then_some(found)
}

/// Shrinks what was found for `subject` under `settings`.
pub fn shrink<S: Subject + Clone>(subject: &S, settings: &Settings, found: &Found) -> Finding<S> {
    let whole = (subject, settings);
    let mut subject = subject.clone();
    let mut settings = settings.clone();
    let mut found = found.clone();
    for crashes in 0..settings.crashes {
        let fewer = Settings { crashes, ..settings.clone() };
        if let Some(smaller) = attempt(&subject, &fewer, &found.broken) {
            (settings, found) = (fewer, smaller);
            break;
        }
    }
    'again: loop {
        for smaller in subject.smaller() {
            if let Some(same) = attempt(&smaller, &settings, &found.broken) {
                (subject, found) = (smaller, same);
                continue 'again;
            }
        }
        break;
    }
    let trail = simplest(&subject, &settings, &found);
    let blind = Settings { locate: None, ..settings.clone() };
    let first = replay(&subject, &blind, &trail);
    let second = replay(&subject, &blind, &trail);
    let broken = first.broken.clone().unwrap_or_else(|| found.broken.clone());
    let reproduced = first == second && first.broken.is_some() && first.diverged.is_none();
    let patient = Patient { small: (&subject, &blind), whole };
    let remedy = if reproduced { patient.remedy(&trail, &first, broken.rule) } else { None };
    let mut replayed = first;
    if settings.locate.is_some() {
        let places = replay(&subject, &settings, &trail).lost;
        for (lost, with_place) in replayed.lost.iter_mut().zip(places) {
            lost.at = with_place.at;
        }
    }
    Finding { broken, subject, settings, trail, replayed, reproduced, remedy }
}

/// Sets choices to 0, the newest value, wherever the same promise still breaks.
fn simplest<S: Subject>(subject: &S, settings: &Settings, found: &Found) -> Trail {
    let same = |replayed: &Replayed| {
        replayed.diverged.is_none()
            && replayed.broken.as_ref().is_some_and(|b| b.rule == found.broken.rule)
    };
    let mut best = found.trail.clone();
    let mut improved = true;
    while improved {
        improved = false;
        for life in 0..best.lives.len() {
            let mut at = 0;
            while at < best.lives.get(life).map_or(0, |l| l.choices.len()) {
                let taken = best.lives[life].choices[at].taken;
                for simpler in 0..taken {
                    let mut candidate = best.clone();
                    candidate.lives[life].choices[at].taken = simpler;
                    let replayed = replay(subject, settings, &candidate);
                    if same(&replayed) && replayed.trail.size() < best.size() {
                        best = replayed.trail;
                        improved = true;
                        break;
                    }
                }
                at += 1;
            }
        }
    }
    best
}

impl<S> Finding<S> {
    /// The changes that had to be durable and were not: the call and its line, what it had to
    /// precede, and the sync that was missing.
    pub fn missing(&self) -> Vec<String> {
        let edge = |lost: &Lost| {
            let before = match &lost.outlived_by {
                Some(later) => format!("`{later}`"),
                None => match self.broken.rule {
                    Rule::P1Loss => match self.broken.what.strip_prefix(LOST) {
                        Some(operations) => format!("the acknowledgement of {operations}"),
                        None => "its acknowledgement".into(),
                    },
                    Rule::P10Visibility | Rule::P7Idempotence => "anybody has seen it".into(),
                    _ => "what relies on it".into(),
                },
            };
            let at = lost.at.as_ref().map_or(String::new(), |at| format!(" at {at}"));
            let (call, sync, why) = (&lost.call, lost.sync, lost.allowed_by);
            format!("`{call}`{at} must be durable before {before}: no {sync} covered it ({why})")
        };
        self.replayed.lost.iter().map(edge).collect()
    }
}

impl<S> fmt::Display for Finding<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.broken.rule, self.broken.what)?;
        write!(f, "{}", self.replayed.trace)?;
        for missing in self.missing() {
            writeln!(f, "missing: {missing}")?;
        }
        if let Some(remedy) = &self.remedy {
            writeln!(f, "remedy: {remedy}")?;
        }
        writeln!(f, "trail: {}", self.trail)
    }
}
