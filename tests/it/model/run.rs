//! Living a history, with everything checked against the window of what callers were told.

use super::history::{History, Life, Op};
use super::judge::{failed, promised, state};
use super::switch::{Crash, Switch};
use highwater::{Ack, Error, PayloadStore};
use highwater_sim::{
    Choices, Effect, FaultEffect, FaultFs, Level, Map, Pattern, Promise, Reach, SimFs, Window,
};
use highwater_vfs::Vfs;
use std::path::Path;
use std::sync::Arc;

/// A promise that was not kept, as text.
pub(crate) type Checked<T> = Result<T, String>;

pub(crate) struct Run<'a> {
    pub(super) history: &'a History,
    pub(crate) window: Window,
    pub(crate) reach: Reach,
    /// What happened, line by line, if anybody wants to know.
    pub(crate) story: Option<String>,
    /// Operations so far, in all lives: the source of their bytes.
    nth: usize,
}

/// One open store, and the disk below.
pub(super) struct Open {
    pub(super) store: PayloadStore,
    /// Set once a call has failed and the store has refused the next one.
    pub(super) poisoned: bool,
    /// What a reader saw then, if it could be read.
    pub(super) shown: Option<Map>,
}

impl Open {
    fn new(store: PayloadStore) -> Open {
        Open { store, poisoned: false, shown: None }
    }
}

fn bytes(nth: usize, item: usize, size: usize) -> Vec<u8> {
    let seed = nth * 31 + item * 7;
    (0..size).map(|at| (seed + at * (1 + nth % 5)) as u8).collect()
}

impl<'a> Run<'a> {
    pub(crate) fn new(history: &'a History) -> Run<'a> {
        Run { history, window: Window::default(), reach: Reach::new(), story: None, nth: 0 }
    }

    pub(super) fn reached(&mut self, what: &'static str, count: u64) {
        *self.reach.entry(what).or_default() += count;
    }

    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            *story += &line();
            story.push('\n');
        }
    }

    /// The whole history, and one last life in which nothing fails.
    pub(crate) fn live(&mut self) -> Checked<()> {
        let empty = SimFs::new(self.history.model);
        let mut disk = empty.power_cut(Choices::pattern(Pattern::KeepAll));
        for (nth, life) in self.history.lives.iter().enumerate() {
            disk = self.life(&disk, life).map_err(|e| format!("life {}: {e}", nth + 1))?;
        }
        let store = PayloadStore::open(Arc::new(disk), self.history.options.clone());
        let store = store.map_err(|e| format!("the last recovery: {e}"))?;
        self.landed(&store, || false).map(drop)
    }

    fn life(&mut self, disk: &SimFs, life: &Life) -> Checked<SimFs> {
        let faults = FaultFs::on_sim(disk, life.faults.clone());
        let switch = Switch::new(faults.clone(), disk.clone(), life.crash, life.at);
        let lived = self.lived(&switch, &faults, life);
        let fired = faults.reach();
        fired.into_iter().for_each(|(what, count)| self.reached(what, count));
        lived?;
        self.forget(&faults);
        let cut = switch.left().is_some();
        self.tell(|| format!("the life ends: {:?}, within: {cut}", life.crash));
        let (all, crash) = (self.reach.get("lives").copied().unwrap_or(0) + 1, life.crash);
        self.reach.insert("lives", all);
        self.reached(if cut { "cut within" } else { "cut at the end" }, 1);
        if let Crash::Power(_) = crash {
            self.window.power_cut();
            self.reached("power cuts", 1);
        } else {
            self.reached("kills", 1);
        }
        Ok(switch.left().unwrap_or_else(|| crash.of(disk)))
    }

    /// A failed sync has let the cache go: V12 promises nothing of what was not durable, so what
    /// was only flushed may be gone for readers of this very process.
    fn forget(&mut self, faults: &FaultFs) {
        let lets_go = |what| matches!(what, FaultEffect::FailedSync(_));
        if faults.fired().iter().any(|fault| lets_go(fault.what)) {
            self.window.power_cut();
        }
    }

    /// Until the end of the life, by its last operation, a failure or the crash.
    fn lived(&mut self, switch: &Switch, faults: &FaultFs, life: &Life) -> Checked<()> {
        let Some(mut open) = self.open(switch, faults)? else { return Ok(()) };
        for op in &life.ops {
            self.nth += 1;
            match op {
                Op::Reopen | Op::CloseReopen => {
                    if matches!(op, Op::CloseReopen) {
                        match open.store.close() {
                            Ok(()) if open.poisoned => return Err("a poisoned close".into()),
                            Ok(()) => self.window.acknowledge(Level::Durable),
                            Err(_) if open.poisoned || failed(switch, faults) => {}
                            Err(e) => return Err(format!("close: {e}")),
                        }
                    } else {
                        drop(open.store);
                    }
                    self.forget(faults);
                    match self.open(switch, faults)? {
                        Some(opened) => open = opened,
                        None => return Ok(()),
                    }
                }
                op => self.op(op, &mut open, switch, faults).map_err(|e| format!("{op:?}: {e}"))?,
            }
            if switch.left().is_some() {
                return Ok(());
            }
            open.store.check_invariants();
        }
        let list = faults.list(Path::new("")).unwrap_or_default();
        let segments = list.iter().filter(|name| name.ends_with(".log")).count() as u64;
        self.reached("lives that end with several segments", u64::from(segments > 1));
        Ok(())
    }

    /// Opens the store, twice; `None` if that failed, as it may after a fault or a crash.
    fn open(&mut self, switch: &Switch, faults: &FaultFs) -> Checked<Option<Open>> {
        let mut landed = false;
        loop {
            let disk: Arc<dyn Vfs> = Arc::new(switch.clone());
            match PayloadStore::open(disk, self.history.options.clone()) {
                Ok(store) => {
                    self.report(&store)?;
                    if !self.landed(&store, || failed(switch, faults))? {
                        return Ok(None);
                    }
                    // P7: the same again, in half of the lives.
                    if landed || self.nth % 2 == 1 {
                        return Ok(Some(Open::new(store)));
                    }
                    landed = true;
                }
                Err(Error::Corrupt(what)) => return Err(format!("P5 false alarm: {what}")),
                Err(_) if failed(switch, faults) => {
                    self.reached("opens that failed", 1);
                    return Ok(None);
                }
                Err(e) => return Err(format!("open: {e}, and nothing had failed")),
            }
        }
    }

    fn op(&mut self, op: &Op, open: &mut Open, switch: &Switch, faults: &FaultFs) -> Checked<()> {
        let name = format!("operation {} ({op:?})", self.nth);
        let attempts = self.changes(op);
        if let Some(changes) = &attempts {
            self.window.attempt(&Effect::new(name, changes.clone()));
        }
        let items: Vec<(u64, &[u8])> = attempts
            .iter()
            .flatten()
            .filter_map(|(id, bytes)| Some((*id, bytes.as_deref()?)))
            .collect();
        let store = &mut open.store;
        let done = match op {
            Op::Put(id, _) => store.store(*id, items[0].1).map(Some),
            Op::Delete(id) => store.delete(*id),
            Op::Batch(_) => store.store_batch(&items).map(Some),
            Op::Deferred(_) => store.store_batch_deferred(&items).map(Some),
            Op::Flush => store.flush().map(Some),
            _ => {
                let level = highwater::Level::Durable;
                store.create_snapshot().map(|lsn| Some(Ack { lsn, level }))
            }
        };
        self.tell(|| format!("{op:?}: {done:?}"));
        match done {
            Ok(_) if switch.left().is_some() => return Ok(()), // nobody was left to be told
            Ok(_) if open.poisoned => return Err("P9: acknowledged by a poisoned store".into()),
            Ok(Some(ack)) => {
                let level = promised(ack.level);
                if level < self.owed(op) {
                    return Err(format!("acknowledged as {level:?} only"));
                }
                self.window.acknowledge(level);
                let failed = open.store.checkpoint_error().is_some();
                self.reached("acknowledged after a failed checkpoint", u64::from(failed));
            }
            Ok(None) => self.window.refused(),
            Err(Error::Poisoned) if open.poisoned => {
                self.reached("refused when poisoned", 1);
                if attempts.is_some() {
                    self.window.refused();
                }
                let (Ok(map), Some(shown)) = (state(&open.store), &open.shown) else {
                    return Ok(());
                };
                let changed = || format!("a reader sees {:?} now", map.keys());
                return if map == *shown { Ok(()) } else { Err(changed()) };
            }
            Err(Error::Io { .. }) if failed(switch, faults) && !open.poisoned => {
                self.forget(faults);
                if switch.left().is_some() {
                    return Ok(());
                }
                return self.failed(op, attempts.is_some(), open, switch, faults);
            }
            Err(e) => return Err(format!("{e}, and nothing had failed")),
        }
        match state(&open.store) {
            Ok(map) if self.newest(&map) => Ok(()),
            Ok(map) => Err(format!("a reader sees {:?}", map.keys())),
            Err(Error::Io { .. }) if failed(switch, faults) => Ok(()),
            Err(e) => Err(format!("a reader is told: {e}")),
        }
    }

    fn changes(&self, op: &Op) -> Option<Vec<(u64, Option<Vec<u8>>)>> {
        let item =
            |(at, &(id, size)): (usize, &(u64, usize))| (id, Some(bytes(self.nth, at, size)));
        match op {
            Op::Put(id, size) => Some(vec![(*id, Some(bytes(self.nth, 0, *size)))]),
            Op::Delete(id) => Some(vec![(*id, None)]),
            Op::Batch(items) | Op::Deferred(items) => {
                Some(items.iter().enumerate().map(item).collect())
            }
            _ => None,
        }
    }
}
