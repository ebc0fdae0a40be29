//! What is asked of the store after one of its operations has failed.

use super::step::{BETWEEN, Step};
use super::{PayloadSubject, newest, promised, read_all, unexpected, whole};
use crate::Op;
use highwater::{Error, PayloadStore};
use highwater_sim::{Halt, Level, Life, Map, Promise, Rule, Window};

/// A failed operation left a handle that refuses everything.
pub(crate) const POISONED: &str = "P9 poisoned";
/// A checkpoint failed before it touched the log, and the store went on.
pub(crate) const GOES_ON: &str = "P9 goes on after a failed checkpoint";

impl PayloadSubject {
    /// An operation that failed is unknown. All but a checkpoint must leave a poisoned handle; a
    /// checkpoint may have failed before it touched the log, and then the store may go on.
    pub(super) fn failed(
        &self,
        step: &Step,
        error: &Error,
        store: &PayloadStore,
        life: &Life<'_, Window>,
    ) -> Result<(), Halt> {
        life.remark(|| format!("failed: {error}"));
        match error {
            Error::TooLarge { .. } => {
                life.told.tell(Window::refused);
                return Ok(());
            }
            // As in `gave_up`.
            Error::Io { .. } => life.told.tell(Window::power_cut),
            _ => return Err(unexpected(&step.op.to_string(), error)),
        }
        self.seen(step, store, life)?;
        let (put, effect) = (&self.between[0], &self.between[0].effect);
        life.told.tell(|window| effect.iter().for_each(|effect| window.attempt(effect)));
        let may_go_on = step.op == Op::Checkpoint;
        match store.store(put.items[0].0, &put.items[0].1) {
            Err(Error::Poisoned) => {
                life.told.tell(Window::refused);
                life.reached(POISONED);
            }
            Ok(ack) if may_go_on => {
                let level = promised(ack.level).max(self.put_level());
                life.remark(|| format!("{} goes on: acknowledged {level:?}", put.op));
                life.told.tell(|window| window.acknowledge(level));
                life.reached(GOES_ON);
                return Ok(());
            }
            other => {
                let what = format!("after {} had failed, a put gave {other:?}", step.op);
                return Err(Halt::broken(Rule::P9FailStop, what));
            }
        }
        refuses_all(store, &step.op)?;
        Err(Halt::Failed(format!("{}: {error}", step.op)))
    }

    /// What a reader sees after a failed operation: the state before it; or the state after it,
    /// and if the operation was to be durable, then that has now been promised (P10).
    fn seen(&self, step: &Step, store: &PayloadStore, life: &Life<'_, Window>) -> Result<(), Halt> {
        // A failed sync may have taken buffered bytes out of the cache. That they cannot be read
        // any more is said by an error, and an error is no answer that anybody relies on.
        let Ok(state) = read_all(store) else { return Ok(()) };
        let shows = |window: Window| newest(window).land(state, || Ok(Map::new())).is_ok();
        let told = life.told.tell(|window| window.clone());
        let mut before = told.clone();
        if step.effect.is_some() {
            before.refused();
            if shows(before) {
                return Ok(());
            }
            if shows(told.clone()) {
                if self.level(&step.op) == Level::Durable {
                    life.remark(|| "a reader sees what has failed: promised".to_string());
                    life.told.tell(|window| window.acknowledge(Level::Durable));
                }
                return Ok(());
            }
        }
        Ok(newest(told).land(state, || whole(store))?)
    }
}

/// P9: a poisoned handle acknowledges nothing.
fn refuses_all(store: &PayloadStore, failed: &Op) -> Result<(), Halt> {
    let after = [
        ("a checkpoint", store.create_snapshot().map(drop)),
        ("a flush", store.flush().map(drop)),
        ("an empty batch", store.store_batch(&[]).map(drop)),
        ("a deferred batch", store.store_batch_deferred(&[(1, b"x")]).map(drop)),
        ("a delete", store.delete(BETWEEN).map(drop)),
    ];
    for (what, result) in after {
        if !matches!(result, Err(Error::Poisoned)) {
            let what = format!("after {failed} had failed, {what} gave {result:?}");
            return Err(Halt::broken(Rule::P9FailStop, what));
        }
    }
    Ok(())
}
