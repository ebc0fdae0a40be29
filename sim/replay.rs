//! Walking one trail again, with everything written down.

use crate::disk::Disk;
use crate::explore::{judge, live_safely, seen_by};
use crate::fs::{Moment, SimFs};
use crate::order::{CellRef, DROPPED, Event, KEPT};
use crate::promise::Broken;
use crate::record::{Recorder, Taking};
use crate::subject::{Life, Subject, Told};
use crate::trail::{CrashKind, Trail};
use crate::{CallKind, Choices, Settings, Trace};
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
    /// A later change that survived it, if one did.
    pub outlived_by: Option<String>,
    /// Which freedom of the disk model allowed it.
    pub allowed_by: &'static str,
    /// The line of the engine that made the call, if anybody can say.
    pub at: Option<String>,
}

impl Lost {
    /// Whether a call of this kind made the change.
    pub(crate) fn is_by(&self, kind: CallKind) -> bool {
        let word = self.call.split(' ').next().unwrap_or_default();
        word == kind.to_string().replace('-', "_")
    }
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
            state.locate = settings.locate;
            state.watch = Some(Box::new(recorder.clone()));
            state.may_fail = settings.may_fail(nth as u32, last);
        }
        let reach = RefCell::default();
        let view = Life {
            nth: nth as u32,
            last: last && !settings.decays(),
            alone: last && settings.decays(),
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
        let under_way = trace.text(nth, cut.at.call).unwrap_or("a write").to_string();
        trace.cut(cut.at.call, cut.at.early > 0);
        trace.remark(match cut.at.kind {
            CrashKind::Power => format!("POWER LOSS before call {}", cut.at.call),
            CrashKind::Kill if cut.at.part > 0 => {
                format!("KILL in `{under_way}` after {} of its sectors", cut.at.part)
            }
            CrashKind::Kill => format!("KILL before call {}", cut.at.call),
        });
        disk = cut.disk;
        promise = cut.told;
    }
    let diverged = Some("the trail ends with a crash".to_string());
    Replayed { broken: None, trace, lost, diverged, trail: walked }
}

/// Names what of former lives is dropped on `disk`, and what a failed sync lost.
fn note_lost(disk: &Disk, trace: &Trace, lost: &mut Vec<Lost>) {
    let name = |event: &Event| {
        trace.text(event.call.0 as usize, event.call.1).unwrap_or("a change").to_string()
    };
    let mut add = |event: &Event, outlived_by: Option<&Event>, allowed_by| {
        let (life, call) = (event.call.0 as usize, name(event));
        let sync = match event.cells[0] {
            Some(CellRef::Name(..)) => "sync_dir",
            _ => "sync",
        };
        let outlived_by = outlived_by.map(name).filter(|later| *later != call);
        let at = trace.place(life, event.call.1).map(str::to_string);
        if !lost.iter().any(|l| (l.life, &l.call) == (life, &call)) {
            lost.push(Lost { life, call, sync, outlived_by, allowed_by, at });
        }
    };
    for past in &disk.pasts {
        let is = |event: &Event, status| {
            event.alternatives == 0 && disk.status[past.at + event.id as usize] == status
        };
        let kept = || past.frozen.events().filter(|event| is(event, KEPT));
        for event in past.frozen.events().filter(|event| is(event, DROPPED)) {
            let later = kept().find(|later| later.id > event.id);
            add(event, later, freedom(event, later));
        }
    }
    for event in &disk.lost {
        add(event, None, "a failed sync loses what it would have covered");
    }
}

/// The freedom of a disk model that lets `later` survive without `event`: a row of the table in
/// `docs/fault-model.md`.
fn freedom(event: &Event, later: Option<&Event>) -> &'static str {
    use CellRef::{Length, Name, Sector};
    let Some(later) = later else { return "what no sync has covered may be lost" };
    let same = event.cells[0].map(CellRef::ino) == later.cells[0].map(CellRef::ino);
    match (event.cells[0], later.cells[0]) {
        (Some(Sector(..)), Some(Length(_))) if same => "no order of data before the size",
        (Some(Sector(..)), Some(Name(..))) => "no order of data before the rename or the name",
        (Some(Sector(..)), _) => "no order of overwrites with anything else",
        (Some(Length(_)), Some(Name(..))) => {
            "a name does not wait for the length that a write puts off"
        }
        (Some(Name(..)), Some(Name(..))) if same => "no order of the operations of one directory",
        (Some(Name(..)), Some(Name(..)) | Some(Length(_))) => "no order of all metadata",
        (Some(Name(..)), _) => "no order of names before data",
        _ => "no order of all metadata",
    }
}
