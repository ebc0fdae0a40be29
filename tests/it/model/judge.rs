//! Comparing what a store shows with what its callers were told.

use super::history::Op;
use super::run::{Checked, Open, Run};
use super::switch::Switch;
use highwater::{Durability, Error, PayloadStore, Tail};
use highwater_sim::{FaultFs, Level, Map, Recovered};

pub(super) fn promised(level: highwater::Level) -> Level {
    match level {
        highwater::Level::Buffered => Level::Buffered,
        highwater::Level::Flushed => Level::Flushed,
        highwater::Level::Durable => Level::Durable,
    }
}

pub(super) fn state(store: &PayloadStore) -> Result<Map, Error> {
    let read = |id| Ok((id, store.retrieve(id)?.unwrap_or_default()));
    store.ids().into_iter().map(read).collect()
}

fn print(map: &Map) -> Recovered {
    let mut recovered = Recovered::default();
    map.iter().for_each(|(id, bytes)| recovered.add(*id, bytes));
    recovered
}

impl Run<'_> {
    pub(super) fn report(&mut self, store: &PayloadStore) -> Checked<()> {
        let report = store.report().clone();
        self.tell(|| format!("opened: {report:?}"));
        if let Some(name) = report.damaged_snapshots.first().or(report.foreign.first()) {
            return Err(format!("P5 false alarm, or P12: {name} is reported"));
        }
        self.reached("torn tails", u64::from(matches!(report.tail, Tail::Torn { .. })));
        self.reached("recoveries that copied", u64::from(report.copied > 0));
        self.reached("snapshots used", u64::from(report.snapshot.0 > 0));
        self.reached("files removed", report.removed.len() as u64);
        Ok(())
    }

    /// A recovered state must be in the window, which narrows to it; false if it cannot be read,
    /// for which there must be an excuse.
    pub(super) fn landed(
        &mut self,
        store: &PayloadStore,
        excused: impl Fn() -> bool,
    ) -> Checked<bool> {
        let map = match state(store) {
            Ok(map) => map,
            Err(Error::Io { .. }) if excused() => return Ok(false),
            Err(e) => return Err(format!("after recovery: {e}")),
        };
        let landed = self.window.land(print(&map), || Ok(map.clone()));
        landed.map_err(|broken| format!("{}: {}", broken.rule, broken.what))?;
        Ok(true)
    }

    /// What a reader of a working store sees: the newest state, and nothing else.
    pub(super) fn newest(&self, map: &Map) -> bool {
        let mut window = self.window.clone();
        window.acknowledge(Level::Durable);
        window.land(print(map), || Ok(Map::new())).is_ok()
    }

    /// After a failure: what is seen, and that nothing goes on; a checkpoint alone may.
    pub(super) fn failed(
        &mut self,
        op: &Op,
        attempted: bool,
        open: &mut Open,
        switch: &Switch,
        faults: &FaultFs,
    ) -> Checked<()> {
        self.reached("operations that failed", 1);
        self.seen(open, attempted, self.owed(op))?;
        match open.store.flush() {
            Err(Error::Poisoned) => open.poisoned = true,
            Ok(_) if matches!(op, Op::Checkpoint) => {
                self.reached("goes on after a failed checkpoint", 1);
                self.window.acknowledge(Level::Durable);
            }
            // It was not the log that had failed, and now it is.
            Err(Error::Io { .. }) if failed(switch, faults) => open.poisoned = true,
            other => return Err(format!("P9: after a failure a flush gave {other:?}")),
        }
        Ok(())
    }

    /// P10: a reader of a store that has failed sees the state before the operation or after it;
    /// if after, and it was to be durable, then it has now been promised. What cannot be read is
    /// said by an error.
    fn seen(&mut self, open: &mut Open, attempted: bool, level: Level) -> Checked<()> {
        open.shown = state(&open.store).ok();
        let Some(map) = &open.shown else { return Ok(()) };
        let mut before = self.window.clone();
        if attempted {
            before.refused();
        }
        before.acknowledge(Level::Durable);
        if before.land(print(map), || Ok(Map::new())).is_ok() {
            return Ok(());
        }
        if attempted && self.newest(map) {
            if level == Level::Durable {
                self.reached("seen although failed", 1);
                self.window.acknowledge(level);
            }
            return Ok(());
        }
        Err(format!("P10: after a failure a reader sees {:?}", map.keys()))
    }

    /// What the mode makes of an `Ok`.
    pub(super) fn owed(&self, op: &Op) -> Level {
        match (op, self.history.options.durability) {
            (Op::Flush | Op::Checkpoint, _) => Level::Durable,
            (Op::Deferred(_), _) | (_, Durability::None | Durability::Interval(_)) => {
                Level::Buffered
            }
            (_, Durability::FlushOnly) => Level::Flushed,
            (_, Durability::Fsync) => Level::Durable,
        }
    }
}

/// Whether the engine has an excuse.
pub(super) fn failed(switch: &Switch, faults: &FaultFs) -> bool {
    switch.left().is_some() || !faults.reach().is_empty()
}
