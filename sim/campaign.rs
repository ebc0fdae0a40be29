//! A verdict: the exploration, the failed syncs, and the control that shows that it can fail.

use crate::explore::Explorer;
use crate::finding::{Finding, shrink};
use crate::subject::Subject;
use crate::{Count, FailedSync, Failure, Progress, Settings, Tally};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The answer to "does this engine keep its promises?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Yes, in everything that was explored.
    Held,
    /// No; there is a counterexample.
    Violated,
    /// The budget ended before the plan.
    Inconclusive,
    /// With every sync dropped it was not caught either: the workload or the check is blind.
    Blind,
    /// It fails without any crash.
    Broken,
    /// It did something else when asked to repeat itself: it is not deterministic.
    Diverged,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Held => "held",
            Verdict::Violated => "violated",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Blind => "blind",
            Verdict::Broken => "broken",
            Verdict::Diverged => "diverged",
        })
    }
}

/// What a campaign runs.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// The exploration without failures.
    pub settings: Settings,
    /// Further explorations in which one thing fails; their states are not counted.
    pub failures: Vec<Failure>,
    /// Whether the control runs: every sync dropped, something must be found.
    pub control: bool,
}

impl Default for Campaign {
    fn default() -> Campaign {
        let failures = FailedSync::TOLD.map(Failure::Sync).to_vec();
        Campaign { settings: Settings::default(), failures, control: true }
    }
}

/// What a campaign found.
#[derive(Clone, Debug)]
pub struct Report<S> {
    /// The answer.
    pub verdict: Verdict,
    /// The exploration without failures.
    pub tally: Tally,
    /// The explorations in which something fails.
    pub failures: Vec<(Failure, Tally)>,
    /// Whether the control was caught; `None` if it did not run or nothing is promised Durable.
    pub control_caught: Option<bool>,
    /// The minimal counterexample.
    pub finding: Option<Finding<S>>,
}

impl<S> Report<S> {
    /// Whether every crash state was covered.
    pub fn exhaustive(&self) -> bool {
        let whole = |t: &Tally| t.exhaustive && !t.out_of_budget;
        let covered = |c: Count| c.is_some() && c == self.tally.states_total;
        whole(&self.tally)
            && covered(self.tally.states_covered)
            && self.failures.iter().all(|(_, t)| whole(t))
    }

    /// Recoveries of all explorations but the control's.
    pub fn recoveries(&self) -> u64 {
        self.tally.recoveries + self.failures.iter().map(|(_, t)| t.recoveries).sum::<u64>()
    }
}

/// Which part of a campaign runs, for whoever draws it.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    /// What it is doing: "exploring", "keep-new", "control", "shrinking".
    pub name: String,
    /// How far it is.
    pub progress: Arc<Progress>,
}

impl Campaign {
    /// Runs it all.
    ///
    /// ```
    /// # use highwater_sim::{Campaign, Easy, Kv, Verdict};
    /// # use highwater_vfs::Vfs;
    /// # use std::{io, sync::Arc};
    /// # struct Nothing;
    /// # impl Kv for Nothing {
    /// #     fn open(_: Arc<dyn Vfs>) -> io::Result<Self> { Ok(Nothing) }
    /// #     fn put(&mut self, _: u64, _: &[u8]) -> io::Result<()> { Ok(()) }
    /// #     fn get(&mut self, _: u64) -> io::Result<Option<Vec<u8>>> { Ok(None) }
    /// # }
    /// // An engine that stores nothing fails without any crash.
    /// let report = Campaign::default().run(&Easy::puts::<Nothing>(2), &mut |_| ());
    /// assert_eq!(report.verdict, Verdict::Broken);
    /// ```
    pub fn run<S: Subject + Clone>(&self, subject: &S, stage: &mut dyn FnMut(Stage)) -> Report<S> {
        let explore = |name: String, settings: &Settings, stage: &mut dyn FnMut(Stage)| {
            let explorer = Explorer::new(settings.clone());
            stage(Stage { name, progress: explorer.progress() });
            explorer.run(subject)
        };
        let tally = explore("exploring".into(), &self.settings, stage);
        let mut report = Report {
            verdict: Verdict::Held,
            tally,
            failures: Vec::new(),
            control_caught: None,
            finding: None,
        };
        let mut bad = (report.tally.found.clone(), self.settings.clone());
        let mut diverged = report.tally.diverged;
        for &family in &self.failures {
            if bad.0.is_some() || diverged {
                break;
            }
            let settings = Settings { failure: Some(family), ..self.settings.clone() };
            let tally = explore(family.to_string(), &settings, stage);
            diverged |= tally.diverged;
            bad = (tally.found.clone(), settings);
            report.failures.push((family, tally));
        }
        if let (Some(found), settings) = bad {
            stage(Stage { name: "shrinking".into(), ..Stage::default() });
            let finding = shrink(subject, &settings, &found);
            let without_crash = finding.trail.lives.len() == 1 && settings.failure.is_none();
            report.verdict = match (finding.reproduced, without_crash) {
                (false, _) => Verdict::Diverged,
                (true, true) => Verdict::Broken,
                (true, false) => Verdict::Violated,
            };
            report.finding = Some(finding);
            return report;
        }
        if diverged {
            report.verdict = Verdict::Diverged;
            return report;
        }
        if self.control && subject.promises_durable() {
            let settings = Settings { deaf: true, ..self.settings.clone() };
            let control = explore("control".into(), &settings, stage);
            if control.found.is_none() && control.out_of_budget {
                report.verdict = Verdict::Inconclusive;
                return report;
            }
            report.control_caught = Some(control.found.is_some());
            if control.found.is_none() {
                report.verdict = Verdict::Blind;
                return report;
            }
        }
        if report.tally.out_of_budget || report.failures.iter().any(|(_, t)| t.out_of_budget) {
            report.verdict = Verdict::Inconclusive;
        }
        report
    }
}

/// How far a stage is: units done, units in all, recoveries.
pub fn progress_of(stage: &Stage) -> (usize, usize, u64) {
    let load = |n: &AtomicUsize| n.load(Ordering::Relaxed);
    let progress = &stage.progress;
    (load(&progress.done), load(&progress.units), progress.recoveries.load(Ordering::Relaxed))
}
