//! A verdict over schedules: each one that differs from the others in what the disk and the callers
//! see is explored as far as the [`Campaign`] says, with its failures and its control.
//!
//! A schedule is first *probed*: the program runs under it without any crash, in all ways in which
//! a failure may hit it. Two schedules under which the disk is asked and the callers are told the
//! same, in the same order, have the same crash states and the same promises; the second one is not
//! explored again.

use super::conductor::{Score, Way};
use super::schedule::Schedule;
use super::search::{Plan, Search, Task};
use super::subject::{Scheduled, Scores};
use highwater_sim::{
    Campaign, Explorer, Failure, Finding, Found, Progress, Settings, Stage, Subject, Tally,
    Verdict, fingerprint_of, shrink,
};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// How many schedules were tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedules {
    /// All of them.
    pub tried: u64,
    /// Those that differ in what the disk and the callers see, and were explored.
    pub different: u64,
    /// The number of preemptions up to which none was left out.
    pub complete: Option<u32>,
}

/// What a campaign over schedules found.
#[derive(Clone, Debug)]
pub struct Report {
    /// As [`highwater_sim::Report`] has it; figures are sums over schedules.
    pub report: highwater_sim::Report<Scheduled>,
    /// Over which.
    pub schedules: Schedules,
}

/// So many schedules are probed, then explored side by side; what they have been through is known
/// to the next wave. It is the same for any number of threads, and so are the figures.
const WAVE: usize = 4;

/// Of the schedules under which all syncs are dropped, until that is noticed.
const CONTROLS: u64 = 32;

/// An exploration that is worth it: of which failure, of all those of the campaign, and how.
struct Job {
    settings: Settings,
    failure: Option<usize>,
    subject: Scheduled,
    /// It was broken before any crash.
    found: Option<Found>,
}

/// The figures of a job, and the crash points that it has been through.
type Explored = (Tally, BTreeSet<u128>);

struct Running<'a> {
    campaign: &'a Campaign,
    progress: Arc<Progress>,
    seen: BTreeSet<(Option<usize>, u128)>,
    /// The crash points that earlier waves have been through: without a failure, then with each.
    known: Vec<BTreeSet<u128>>,
    schedules: Schedules,
    report: highwater_sim::Report<Scheduled>,
    bad: Option<(Scheduled, Settings, Found)>,
}

/// Runs it all.
pub fn run(
    campaign: &Campaign,
    plan: Plan,
    subject: &Scheduled,
    stage: &mut dyn FnMut(Stage),
) -> Report {
    let progress: Arc<Progress> = Arc::default();
    stage(Stage { name: "schedules".into(), progress: Arc::clone(&progress) });
    let mut running = Running::new(campaign, progress);
    running.explore(plan, subject);
    if let Some((subject, settings, found)) = running.bad.take() {
        stage(Stage { name: "shrinking".into(), ..Stage::default() });
        running.finding(smallest(plan, &subject, &settings, &found));
    } else if running.report.tally.diverged {
        running.report.verdict = Verdict::Diverged;
    } else {
        stage(Stage { name: "control".into(), ..Stage::default() });
        running.control(plan, subject);
    }
    Report { report: running.report, schedules: running.schedules }
}

/// Whether anything is found. It is not shrunk, and no control runs, so this is cheaper than a
/// verdict.
pub fn finds(campaign: &Campaign, plan: Plan, subject: &Scheduled) -> bool {
    let mut running = Running::new(campaign, Arc::default());
    running.explore(plan, subject);
    running.bad.is_some()
}

impl<'a> Running<'a> {
    fn new(campaign: &'a Campaign, progress: Arc<Progress>) -> Running<'a> {
        let failures = campaign.failures.iter().map(|failure| (*failure, none()));
        let report = highwater_sim::Report {
            verdict: Verdict::Held,
            tally: none(),
            failures: failures.collect(),
            control_caught: None,
            finding: None,
        };
        let (seen, schedules, bad) = (BTreeSet::new(), Schedules::default(), None);
        let known = vec![BTreeSet::new(); campaign.failures.len() + 1];
        Running { campaign, progress, seen, known, schedules, report, bad }
    }

    fn failing(&self, nth: Option<usize>) -> Option<Failure> {
        match nth {
            Some(nth) => Some(self.campaign.failures[nth]),
            None => self.campaign.settings.failure,
        }
    }

    /// Explores schedule after schedule, to the first finding.
    fn explore(&mut self, plan: Plan, subject: &Scheduled) {
        let mut search = Search::new(plan);
        loop {
            let mut jobs = Vec::new();
            let mut tried = 0;
            while tried < WAVE && jobs.last().is_none_or(|job: &Job| job.found.is_none()) {
                let Some(task) = search.next() else { break };
                tried += 1;
                self.probe(&mut search, &task, subject, &mut jobs);
            }
            self.schedules.tried += tried as u64;
            self.progress.units.fetch_add(jobs.len(), Ordering::Relaxed);
            self.carry_out(jobs);
            let stopped = self.progress.stop.load(Ordering::Relaxed);
            self.report.tally.out_of_budget |= stopped;
            if tried == 0 || stopped || self.bad.is_some() || self.report.tally.diverged {
                break;
            }
        }
        let whole = self.bad.is_none() && !self.report.tally.out_of_budget;
        self.schedules.complete = search.complete().filter(|_| whole);
    }

    /// Runs the program under a schedule without a crash, and says what is worth exploring.
    fn probe(
        &mut self,
        search: &mut Search,
        task: &Task,
        subject: &Scheduled,
        jobs: &mut Vec<Job>,
    ) {
        let mut way = task.way.clone();
        let mut different = false;
        for nth in [None].into_iter().chain((0..self.campaign.failures.len()).map(Some)) {
            let failure = self.failing(nth);
            let settings = Settings { failure, ..self.campaign.settings.clone() };
            let (found, scores) = probe(&subject.going(way.clone()), &settings);
            scores.iter().for_each(|score| search.learn(task, score));
            if let (Way::Random(_) | Way::Pct { .. }, Some(score)) = (&way, scores.first()) {
                way = Way::Follow(score.schedule()); // S4
            }
            let prints: Vec<u128> = scores.iter().map(|score| score.print).collect();
            let subject = subject.going(way.clone());
            let broken = found.is_some();
            if self.seen.insert((nth, fingerprint_of(&prints))) || broken {
                different |= nth.is_none();
                jobs.push(Job { settings, failure: nth, subject, found });
            }
            if broken {
                break;
            }
        }
        self.schedules.different += u64::from(different);
    }

    /// Explores jobs side by side; their figures count in order, up to the first that finds.
    fn carry_out(&mut self, jobs: Vec<Job>) {
        let (next, first_bad) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
        let done: Mutex<Vec<(usize, Explored)>> = Mutex::default();
        let work = || {
            while let Some((nth, job)) = take(&next, &jobs) {
                if nth > first_bad.load(Ordering::Relaxed) {
                    continue;
                }
                let (tally, new) = job.explored(&self.known[job.known()], &self.progress);
                if tally.found.is_some() {
                    first_bad.fetch_min(nth, Ordering::Relaxed);
                }
                self.progress.done.fetch_add(1, Ordering::Relaxed);
                done.lock().expect("no worker panics").push((nth, (tally, new)));
            }
        };
        std::thread::scope(|scope| {
            (1..self.campaign.settings.threads.min(jobs.len())).for_each(|_| {
                scope.spawn(work);
            });
            work();
        });
        let mut done = done.into_inner().expect("no worker panics");
        done.sort_by_key(|(nth, _)| *nth);
        for (nth, (tally, new)) in done {
            let job = &jobs[nth];
            self.known[job.known()].extend(new);
            match job.failure {
                None => self.report.tally.add(&tally),
                Some(failure) => self.report.failures[failure].1.add(&tally),
            }
            self.report.tally.diverged |= tally.diverged;
            if let Some(found) = tally.found {
                self.bad = Some((job.subject.clone(), job.settings.clone(), found));
            }
            if self.bad.is_some() || tally.diverged {
                break;
            }
        }
    }

    fn finding(&mut self, finding: Finding<Scheduled>) {
        let alone = finding.trail.lives.len() == 1 && finding.settings.failure.is_none();
        self.report.verdict = match (finding.reproduced, alone) {
            (false, _) => Verdict::Diverged,
            (true, true) => Verdict::Broken,
            (true, false) => Verdict::Violated,
        };
        self.report.finding = Some(finding);
    }

    /// With every sync dropped something is found, under one of the first schedules.
    fn control(&mut self, plan: Plan, subject: &Scheduled) {
        let out_of_budget = self.report.tally.out_of_budget;
        if self.campaign.control && subject.promises_durable() {
            let settings = Settings { deaf: true, ..self.campaign.settings.clone() };
            let campaign = Campaign { settings, failures: Vec::new(), control: false };
            let first = usize::try_from(CONTROLS).unwrap_or(usize::MAX);
            let plan = Plan { systematic: first.min(plan.systematic), random: 0, pct: 0, ..plan };
            let mut deaf = Running::new(&campaign, Arc::default());
            deaf.explore(plan, subject);
            let caught = deaf.bad.is_some();
            self.report.control_caught = Some(caught);
            if !caught {
                self.report.verdict = Verdict::Blind;
                return;
            }
        }
        let partly = |(_, tally): &(Failure, Tally)| tally.out_of_budget;
        if out_of_budget || self.report.failures.iter().any(partly) {
            self.report.verdict = Verdict::Inconclusive;
        }
    }
}

/// The figures of nothing, to which others can be added.
fn none() -> Tally {
    Tally { states_covered: Some(0), states_total: Some(0), exhaustive: true, ..Tally::default() }
}

fn take<'a>(next: &AtomicUsize, jobs: &'a [Job]) -> Option<(usize, &'a Job)> {
    let nth = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(nth).map(|job| (nth, job))
}

impl Job {
    fn known(&self) -> usize {
        self.failure.map_or(0, |nth| nth + 1)
    }

    fn explored(&self, known: &BTreeSet<u128>, whole: &Progress) -> Explored {
        match &self.found {
            Some(found) => (Tally { found: Some(found.clone()), ..none() }, BTreeSet::new()),
            None => {
                let settings = Settings { threads: 1, ..self.settings.clone() };
                Explorer::new(settings).within(whole).run_beyond(&self.subject, known)
            }
        }
    }
}

/// The first life under a schedule, in all ways in which it can go without a crash.
fn probe(subject: &Scheduled, settings: &Settings) -> (Option<Found>, Vec<Score>) {
    let scores = Scores::default();
    let (power, kill, threads) = (false, false, 1);
    let settings = Settings { power, kill, threads, ..settings.clone() };
    let tally = Explorer::new(settings).run(&subject.scored(&scores));
    let scores = std::mem::take(&mut *scores.lock().expect("nobody panics with it"));
    (tally.found, scores)
}

/// The fewest operations, preemptions and choices that break the same promise. A program with an
/// operation less has other schedules: they are searched anew, from the simplest on.
fn smallest(
    plan: Plan,
    subject: &Scheduled,
    settings: &Settings,
    found: &Found,
) -> Finding<Scheduled> {
    let settings = Settings { threads: 1, ..settings.clone() };
    let mut finding = shrink(subject, &settings, found);
    if !finding.reproduced {
        return finding;
    }
    'again: loop {
        let count = finding.subject.kept().len();
        for nth in 0..count {
            let kept: Vec<usize> = (0..count).filter(|at| *at != nth).collect();
            let fewer = finding.subject.keeping(&kept);
            if let Some(smaller) = hunt(plan, &fewer, &finding, settings.threads) {
                finding = smaller;
                continue 'again;
            }
        }
        return finding;
    }
}

/// Schedules that an attempt to shrink may try.
const ATTEMPT: usize = 500;

/// The same promise broken by another program, under any schedule.
fn hunt(
    plan: Plan,
    subject: &Scheduled,
    old: &Finding<Scheduled>,
    threads: usize,
) -> Option<Finding<Scheduled>> {
    let settings = Settings { threads, ..old.settings.clone() };
    let campaign = Campaign { settings, failures: Vec::new(), control: false };
    let plan = Plan { systematic: plan.systematic.min(ATTEMPT), random: 0, pct: 0, ..plan };
    let mut running = Running::new(&campaign, Arc::default());
    running.explore(plan, &subject.under(&Schedule::default()));
    let (subject, settings, found) = running.bad?;
    if found.broken.rule != old.broken.rule {
        return None;
    }
    let finding = shrink(&subject, &settings, &found);
    finding.reproduced.then_some(finding)
}
