//! Walking one trail again, with everything written down.

use crate::disk::Disk;
use crate::explore::{judge, live_safely, seen_by};
use crate::fs::{Moment, SimFs};
use crate::order::{CellRef, DROPPED};
use crate::promise::Broken;
use crate::record::{Recorder, Taking};
use crate::subject::{Life, Subject, Told};
use crate::trail::{CrashKind, Trail};
use crate::{Choices, Settings, Trace};
use std::cell::RefCell;

/// A change that a crash took away, in the lives of a trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The life that made the change, from 0.
    pub life: usize,
    /// The call that made it.
    pub call: String,
    /// The sync that would have kept it.
    pub sync: &'static str,
}

/// What a trail does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// What it breaks, if anything.
    pub broken: Option<Broken>,
    /// All calls and remarks.
    pub trace: Trace,
    /// The changes that crashes took away.
    pub lost: Vec<Lost>,
    /// Why the trail does not fit the subject, if it does not.
    pub diverged: Option<String>,
    /// The trail that was really walked: as given, without choices that nobody asked for.
    pub trail: Trail,
}

/// Walks `trail` again.
pub fn replay<S: Subject>(subject: &S, settings: &Settings, trail: &Trail) -> Replayed {
    let mut trace = Trace::default();
    let mut walked = Trail::default();
    let mut lost = Vec::new();
    let settings = &settings.clone().fitting();
    let mut disk = settings.disk();
    let mut promise = S::Promise::default();
    for (nth, life) in trail.lives.iter().enumerate() {
        trace.begin();
        let told = Told::new(promise);
        let taking = Taking {
            power: false,
            kill: false,
            every: false,
            end_only: false,
            only: life.cut,
            after_failure: false,
        };
        let recorder = Recorder::new(taking, told.clone());
        let fs = SimFs::on(disk, Choices::replay(life.choices.clone()));
        let last = nth == settings.crashes as usize;
        {
            let mut state = fs.lock();
            state.deaf = settings.is_deaf();
            state.trace = Some(trace);
            state.watch = Some(Box::new(recorder.clone()));
            state.may_fail = settings.may_fail(nth as u32, last);
        }
        let reach = RefCell::default();
        let view = Life {
            nth: nth as u32,
            last: last && !settings.decays(),
            disk: seen_by(&fs, settings),
            told: &told,
            reach: &reach,
            remarks: Some(&fs),
        };
        let result = live_safely(subject, &view);
        drop(view);
        let broken = judge(&result, &fs, settings);
        let mut state = fs.lock();
        let call = state.calls;
        let moment = Moment { call, is_sync: false, write: None, choices: &state.choices };
        recorder.end(&state.disk, &moment);
        trace = state.trace.take().unwrap_or_default();
        note_lost(&state.disk, &trace, &mut lost);
        let mut done = life.clone();
        done.choices = state.choices.trail().to_vec();
        let early = broken.is_some() && life.cut.is_some();
        let cut = recorder.take().pop();
        let diverged = match (&cut, life.cut) {
            (None, Some(at)) if !early => {
                Some(format!("life {}: only {call} calls, none to cut before {}", nth + 1, at.call))
            }
            _ if state.choices.diverged() && cut.is_none() => {
                Some(format!("life {}: other choices than the trail holds", nth + 1))
            }
            _ => None,
        };
        let end = early || life.cut.is_none() || diverged.is_some();
        if end {
            done.cut = None;
            walked.lives.push(done);
            return Replayed { broken, trace, lost, diverged, trail: walked };
        }
        let cut = cut.expect("a life that is cut has a cut");
        // A life goes on behind its cut; what it chose there is not part of the trail.
        done.choices.truncate(cut.choices.len());
        walked.lives.push(done);
        trace.cut(cut.at.call);
        trace.remark(match cut.at.kind {
            CrashKind::Power => format!("POWER LOSS before call {}", cut.at.call),
            CrashKind::Kill if cut.at.part > 0 => {
                format!("KILL in call {} after {} sectors", cut.at.call, cut.at.part)
            }
            CrashKind::Kill => format!("KILL before call {}", cut.at.call),
        });
        disk = cut.disk;
        promise = cut.told;
    }
    let diverged = Some("the trail ends with a crash".to_string());
    Replayed { broken: None, trace, lost, diverged, trail: walked }
}

/// Names what of former lives is dropped on `disk`.
fn note_lost(disk: &Disk, trace: &Trace, lost: &mut Vec<Lost>) {
    for past in &disk.pasts {
        for event in past.frozen.events() {
            if event.alternatives == 0 && disk.status[past.at + event.id as usize] == DROPPED {
                let life = event.call.0 as usize;
                let sync = match event.cells[0] {
                    Some(CellRef::Name(..)) => "sync_dir",
                    _ => "sync",
                };
                let call = trace.text(life, event.call.1).unwrap_or("a change").to_string();
                let entry = Lost { life, call, sync };
                if !lost.contains(&entry) {
                    lost.push(entry);
                }
            }
        }
    }
}
