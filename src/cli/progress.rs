//! Who looks at a run from outside: draws how far it is, and ends it when its budget does.

use crate::args::Budget;
use crate::out::{note, thousands};
use highwater_sim::{Stage, progress_of};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the budget is looked at.
const TICK: Duration = Duration::from_millis(5);
/// How long the control may go on when the budget is used up: a verdict without it is worth less.
const GRACE: Duration = Duration::from_secs(10);

/// A thread that watches one run.
#[derive(Debug)]
pub(crate) struct Watch {
    stages: Option<Sender<Stage>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts watching; with `draw`, people see it.
    pub(crate) fn start(label: String, budget: Budget, draw: bool) -> Watch {
        let (sender, stages) = channel();
        let watcher =
            Watcher { label, budget, start: Instant::now(), past: 0, bar: bar(draw), draw };
        let thread = std::thread::spawn(move || watcher.watch(&stages));
        Watch { stages: Some(sender), thread: Some(thread) }
    }

    /// A part of the run begins.
    pub(crate) fn stage(&self, stage: &Stage) {
        if let Some(stages) = &self.stages {
            // If the watcher is gone there is nobody to tell.
            let _ = stages.send(stage.clone());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stages = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A bar on a terminal, nothing elsewhere.
fn bar(draw: bool) -> ProgressBar {
    let target = match draw && std::io::stderr().is_terminal() {
        true => ProgressDrawTarget::stderr(),
        false => ProgressDrawTarget::hidden(),
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let style = ProgressStyle::with_template("{prefix} [{bar:20}] {pos}/{len} {msg}");
    bar.with_style(style.expect("the template is right"))
}

struct Watcher {
    label: String,
    budget: Budget,
    start: Instant,
    /// Recoveries of the stages that are over.
    past: u64,
    bar: ProgressBar,
    draw: bool,
}

impl Watcher {
    fn watch(mut self, stages: &Receiver<Stage>) {
        let mut current = Stage::default();
        let mut began = self.start;
        let mut drawn = self.start;
        loop {
            match stages.recv_timeout(TICK) {
                Ok(stage) => {
                    self.past += progress_of(&current).2;
                    (current, began) = (stage, Instant::now());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.bar.finish_and_clear(),
            }
            let grace = current.name == "control" && began.elapsed() < GRACE;
            if self.used_up(&current) && !grace {
                current.progress.stop.store(true, Ordering::Relaxed);
            }
            let pace = if self.bar.is_hidden() { 1_000 } else { 100 };
            if self.draw && drawn.elapsed() >= Duration::from_millis(pace) {
                drawn = Instant::now();
                self.show(&current);
            }
        }
    }

    fn used_up(&self, current: &Stage) -> bool {
        match self.budget {
            Budget::All => false,
            Budget::Time(time) => self.start.elapsed() >= time,
            Budget::Recoveries(count) => self.past + progress_of(current).2 >= count,
        }
    }

    fn show(&self, stage: &Stage) {
        let (done, units, recoveries) = progress_of(stage);
        let message = format!("{} recoveries", thousands(self.past + recoveries));
        if self.bar.is_hidden() {
            let (label, name) = (&self.label, &stage.name);
            note(&format!("{label}: {name}, {done} of {units} crash points, {message}\n"));
            return;
        }
        self.bar.set_prefix(format!("{} {:<10}", self.label, stage.name));
        self.bar.set_length(units as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(message);
        self.bar.tick();
    }
}
