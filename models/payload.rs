//! The payload store as the explorer's subject.
//!
//! The first life runs the workload; every other one recovers, compares all that it finds with what
//! the callers were told, and works on. What is asked of the store beyond "no error":
//!
//! - every payload of every id is read, after each operation and after each recovery;
//! - a failed operation leaves a handle that refuses everything (P9), and if a reader can see its
//!   effect all the same, then that effect has been promised (P10);
//! - what a recovery showed is promised, so the recovery after the next crash must find it; where
//!   no crash follows, the store is opened again (P7);
//! - no recovery says that anything is damaged (P5), or leaves files that it does not know (P12).

mod failed;
mod step;

pub(crate) use failed::{GOES_ON, POISONED};

use crate::{Case, Op};
use highwater::{Ack, Durability, Error, PayloadStore};
use highwater_sim::{Broken, Halt, Level, Life, Map, Promise, Recovered, Rule, Subject, Window};
use std::sync::Arc;
use step::{LIVES, Step, between, steps};

/// A workload on the payload store.
///
/// ```
/// use highwater_models::{Case, PayloadSubject, Workload};
/// use highwater_sim::{Explorer, Settings};
/// let case = Case { workload: Workload::standard(2), ..Case::default() };
/// let tally = Explorer::new(Settings::default()).run(&PayloadSubject::new(case));
/// assert_eq!((tally.found, tally.exhaustive), (None, true));
/// ```
#[derive(Clone, Debug)]
pub struct PayloadSubject {
    case: Case,
    options: highwater::Options,
    steps: Vec<Step>,
    /// What later lives do between two crashes, by the number of the life.
    between: Vec<Step>,
}

fn promised(level: highwater::Level) -> Level {
    match level {
        highwater::Level::Buffered => Level::Buffered,
        highwater::Level::Flushed => Level::Flushed,
        highwater::Level::Durable => Level::Durable,
    }
}

/// An error of the store, where none was caused by us: damage is a false alarm.
fn unexpected(doing: &str, error: &Error) -> Halt {
    match error {
        Error::Corrupt(_) => Halt::broken(Rule::P5FalseAlarm, format!("{doing}: {error}")),
        _ => Halt::Failed(format!("{doing}: {error}")),
    }
}

/// The store's whole state, as a fingerprint: this is what every recovery pays for.
fn read_all(store: &PayloadStore) -> Result<Recovered, Halt> {
    let mut recovered = Recovered::default();
    let mut bytes = Vec::with_capacity(64);
    for id in store.ids() {
        match store.retrieve_into(id, &mut bytes) {
            Ok(true) => recovered.add(id, &bytes),
            Ok(false) => {
                let what = format!("id {id} is listed and has no payload");
                return Err(Halt::broken(Rule::P4Invention, what));
            }
            Err(error) => return Err(unexpected(&format!("retrieve {id}"), &error)),
        }
    }
    Ok(recovered)
}

/// The same as a map, to say what is wrong with it.
fn whole(store: &PayloadStore) -> Result<Map, Broken> {
    let read = |id| match store.retrieve(id) {
        Ok(bytes) => Ok((id, bytes.unwrap_or_default())),
        Err(error) => Err(Broken::new(Rule::P6Silence, format!("retrieve: {error}"))),
    };
    store.ids().into_iter().map(read).collect()
}

/// Compares the state with what `window` allows, and narrows it to that.
fn land(store: &PayloadStore, window: &mut Window) -> Result<(), Halt> {
    let recovered = read_all(store)?;
    Ok(window.land(recovered, || whole(store))?)
}

/// The callers' view of a store that works: all operations so far, nothing else.
fn newest(mut window: Window) -> Window {
    window.acknowledge(Level::Durable);
    window
}

impl PayloadSubject {
    /// The subject of a case.
    pub fn new(case: Case) -> PayloadSubject {
        let (options, steps) = (case.setup.options(), steps(case.workload.ops()));
        PayloadSubject { options, steps, between: (0..LIVES).map(between).collect(), case }
    }

    /// What it runs.
    pub fn case(&self) -> &Case {
        &self.case
    }

    fn open(&self, life: &Life<'_, Window>) -> Result<PayloadStore, Halt> {
        let opened = PayloadStore::open(Arc::clone(&life.disk), self.options.clone());
        let store = opened.map_err(|error| self.gave_up("open", &error, life))?;
        let report = store.report();
        report.rows.iter().for_each(|row| life.reached(row));
        life.remark(|| format!("opened: {}", report.rows.join(", ")));
        if let Some(name) = report.damaged_snapshots.first() {
            let what = format!("{name} is reported as damaged");
            return Err(Halt::broken(Rule::P5FalseAlarm, what));
        }
        if let Some(name) = report.foreign.first() {
            let what = format!("{name} is left behind, and nobody knows it");
            return Err(Halt::broken(Rule::P12Space, what));
        }
        Ok(store)
    }

    /// The store is gone with an error. A failed sync may take away what was only flushed, cache
    /// and all (V12): from then on it is as unknown as after a power cut.
    fn gave_up(&self, doing: &str, error: &Error, life: &Life<'_, Window>) -> Halt {
        if matches!(error, Error::Io { .. }) {
            life.told.tell(Window::power_cut);
        }
        unexpected(doing, error)
    }

    /// What the mode promises of an operation, even if the acknowledgement says less.
    fn level(&self, op: &Op) -> Level {
        match op {
            Op::Flush | Op::Checkpoint | Op::Reopen => Level::Durable,
            Op::Deferred(_) => Level::Buffered,
            Op::Put { .. } | Op::Delete { .. } | Op::Batch(_) => self.put_level(),
        }
    }

    fn put_level(&self) -> Level {
        match self.options.durability {
            Durability::Fsync => Level::Durable,
            Durability::FlushOnly => Level::Flushed,
            Durability::None | Durability::Interval(_) => Level::Buffered,
        }
    }

    /// The first life.
    fn work(&self, life: &Life<'_, Window>) -> Result<(), Halt> {
        let mut store = self.open(life)?;
        for step in &self.steps {
            life.remark(|| step.op.to_string());
            if step.op == Op::Reopen {
                store.close().map_err(|error| self.gave_up("close", &error, life))?;
                life.told.tell(|window| window.acknowledge(Level::Durable));
                life.remark(|| "closed".to_string());
                store = self.open(life)?;
            } else {
                self.step(step, &store, life)?;
            }
            store.check_invariants();
            land(&store, &mut newest(life.told.tell(|window| window.clone())))?;
        }
        Ok(())
    }

    fn step(&self, step: &Step, store: &PayloadStore, life: &Life<'_, Window>) -> Result<(), Halt> {
        if let Some(effect) = &step.effect {
            life.told.begin(|window| window.attempt(effect));
        }
        let items: Vec<(u64, &[u8])> = step.items.iter().map(|(id, b)| (*id, &b[..])).collect();
        let done: Result<Option<Ack>, Error> = match &step.op {
            Op::Put { id, .. } => store.store(*id, items[0].1).map(Some),
            Op::Delete { id } => store.delete(*id),
            Op::Batch(_) => store.store_batch(&items).map(Some),
            Op::Deferred(_) => store.store_batch_deferred(&items).map(Some),
            Op::Flush => store.flush().map(Some),
            Op::Checkpoint | Op::Reopen => {
                let level = highwater::Level::Durable;
                store.create_snapshot().map(|lsn| Some(Ack { lsn, level }))
            }
        };
        match done {
            Ok(Some(ack)) => {
                let level = promised(ack.level).max(self.level(&step.op));
                life.remark(|| format!("acknowledged {:?} at LSN {}", level, ack.lsn));
                life.told.tell(|window| window.acknowledge(level));
                Ok(())
            }
            Ok(None) => {
                life.remark(|| "nothing to delete".to_string());
                life.told.tell(Window::refused);
                if step.present {
                    let what = format!("{}: nothing there, although it was stored", step.op);
                    return Err(Halt::broken(Rule::P1Loss, what));
                }
                Ok(())
            }
            Err(error) => self.failed(step, &error, store, life),
        }
    }

    /// Every later life.
    fn recover(&self, life: &Life<'_, Window>) -> Result<(), Halt> {
        let mut store = self.open(life)?;
        life.remark(|| format!("recovered ids {:?}", store.ids()));
        let recovered = read_all(&store)?;
        life.told.tell(|window| window.land(recovered, || whole(&store)))?;
        if life.last {
            if life.nth > 1 {
                return Ok(()); // the crash before this life did the same
            }
            drop(store);
            life.remark(|| "once more".to_string());
            store = self.open(life)?;
            return self.same(&store, life, Rule::P7Idempotence);
        }
        let put = &self.between[(life.nth as usize).min(self.between.len() - 1)];
        life.remark(|| put.op.to_string());
        self.step(put, &store, life).map_err(|halt| match halt {
            Halt::Failed(what) => Halt::Stuck(what),
            other => other,
        })?;
        self.same(&store, life, Rule::P8Progress)
    }

    /// The state must be the newest; if it is another, `rule` is broken.
    fn same(&self, store: &PayloadStore, life: &Life<'_, Window>, rule: Rule) -> Result<(), Halt> {
        let state = read_all(store)?;
        let landed = match self.options.durability {
            // All is durable: there is only one state to land in, and no need for a copy.
            Durability::Fsync => life.told.tell(|window| window.land(state, || whole(store))),
            _ => newest(life.told.tell(|window| window.clone())).land(state, || whole(store)),
        };
        let again =
            |broken: Broken| Halt::broken(rule, format!("{}: {}", broken.rule, broken.what));
        landed.map_err(again)
    }
}

impl Subject for PayloadSubject {
    type Promise = Window;

    fn live(&self, life: &Life<'_, Window>) -> Result<(), Halt> {
        match life.nth {
            0 => self.work(life),
            _ => self.recover(life),
        }
    }

    /// Whether anything that changes the state is ever acknowledged as durable in the first life.
    fn promises_durable(&self) -> bool {
        let mut changed = false;
        self.steps.iter().any(|step| {
            changed |= !step.items.is_empty() || step.present;
            let asks = self.level(&step.op) == Level::Durable;
            let logs = !matches!(step.op, Op::Delete { .. }) || step.present;
            changed && asks && logs
        })
    }

    fn smaller(&self) -> Vec<PayloadSubject> {
        let smaller = self.case.workload.smaller().into_iter();
        let case = |workload| Case { workload, setup: self.case.setup.clone() };
        smaller.map(|workload| PayloadSubject::new(case(workload))).collect()
    }
}

#[cfg(test)]
mod tests;
