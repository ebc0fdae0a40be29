//! The lives of one store on one disk: what a crash may leave of it, and where it lands.

use super::long::{End, Fate, Setup};
use super::run::Checked;
use super::switch::{Crash, Switch};
use highwater::{Durability, Error, Level, Options, Positions, RecoveryReport, Tail};
use highwater_sim::{FaultFs, FaultPlan, Reach, SimFs};
use highwater_vfs::Vfs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A state of the store, after the record of an LSN.
pub(super) trait State: Clone {
    fn lsn(&self) -> u64;
}

/// The states that a crash may leave, oldest first: the first is durable. What was shown after a
/// recovery is a promise, so it is alone then.
#[derive(Debug)]
struct Worlds<S> {
    states: Vec<S>,
    /// The oldest that the cache holds, and that the death of the process may leave.
    flushed: usize,
}

/// A disk, what may be on it, and the life that is lived on it.
pub(super) struct Lives<S> {
    setup: Setup,
    disk: SimFs,
    switch: Switch,
    worlds: Worlds<S>,
    /// The last tick that was due, in this life.
    ticked: Option<Duration>,
    pub(super) reach: Reach,
}

impl<S: State> Lives<S> {
    pub(super) fn new(setup: Setup, empty: S) -> Lives<S> {
        let disk = SimFs::new(setup.model);
        let switch = cut(&disk, setup.fate);
        let worlds = Worlds { states: vec![empty], flushed: 0 };
        Lives { setup, disk, switch, worlds, ticked: None, reach: Reach::new() }
    }

    pub(super) fn reached(&mut self, what: &'static str, count: u64) {
        *self.reach.entry(what).or_default() += count;
    }

    /// The disk, for a store that only looks.
    pub(super) fn aside(&self) -> Arc<dyn Vfs> {
        Arc::new(self.disk.clone())
    }

    pub(super) fn segments(&self) -> usize {
        let names = self.disk.list(Path::new("")).unwrap();
        names.iter().filter(|name| name.ends_with(".log")).count()
    }

    /// A store, opened again if the power is cut meanwhile.
    pub(super) fn open<T>(
        &mut self,
        open: impl Fn(Arc<dyn Vfs>, Options) -> Result<T, Error>,
        report: impl Fn(&T) -> &RecoveryReport,
    ) -> Checked<T> {
        loop {
            let opened = open(Arc::new(self.switch.clone()), self.setup.options.clone());
            if self.is_over() {
                drop(opened);
                self.reached("cut within a recovery", 1);
                self.end(End::Drop, None, Fate::NONE)?;
                continue;
            }
            let store = opened.map_err(|error| format!("open: {error}"))?;
            self.land(report(&store))?;
            return Ok(store);
        }
    }

    /// Whether the crash has come that was this life's fate.
    pub(super) fn is_over(&self) -> bool {
        self.switch.left().is_some()
    }

    pub(super) fn newest(&self) -> &S {
        self.worlds.states.last().expect("there is always one")
    }

    /// An operation is on its way that would lead to this state.
    pub(super) fn attempt(&mut self, state: S) {
        self.worlds.states.push(state);
    }

    /// The operation came to nothing.
    pub(super) fn withdraw(&mut self) {
        self.worlds.states.pop();
    }

    pub(super) fn acknowledge(&mut self, level: Level) {
        let newest = self.worlds.states.len() - 1;
        match level {
            Level::Buffered => {}
            Level::Flushed => self.worlds.flushed = newest,
            Level::Durable => self.durable(self.newest().lsn()),
        }
    }

    /// What the store says in passing is a promise too.
    pub(super) fn published(&mut self, positions: &Positions) -> Checked<()> {
        let (durable, written) = (positions.durable().0, positions.written().0);
        let (appended, newest) = (positions.appended().0, self.newest().lsn());
        if appended != newest {
            return Err(format!("LSN {appended} is the last, not {newest}"));
        }
        if let Some(most) = self.setup.options.sync_after.filter(|most| appended - durable >= *most)
        {
            return Err(format!("S8: LSN {durable} is durable, {appended} appended, not {most}"));
        }
        self.durable(durable);
        let flushed = self.worlds.states.partition_point(|state| state.lsn() < written);
        self.worlds.flushed = self.worlds.flushed.max(flushed);
        Ok(())
    }

    fn durable(&mut self, lsn: u64) {
        let before = self.worlds.states.partition_point(|state| state.lsn() < lsn);
        self.worlds.states.drain(..before);
        self.worlds.flushed = self.worlds.flushed.saturating_sub(before);
    }

    /// What a tick at this time has to make durable.
    pub(super) fn is_due(&mut self, now: Duration) -> bool {
        let Durability::Interval(interval) = self.setup.options.durability else { return false };
        let before = *self.ticked.get_or_insert(now);
        let passed = now.checked_sub(before);
        if passed.is_none_or(|passed| passed >= interval) {
            self.ticked = Some(now);
        }
        passed.is_some_and(|passed| passed >= interval)
    }

    /// What the mode makes of an `Ok`.
    pub(super) fn owed(&self) -> Level {
        match self.setup.options.durability {
            Durability::Fsync => Level::Durable,
            Durability::FlushOnly => Level::Flushed,
            Durability::None | Durability::Interval(_) => Level::Buffered,
        }
    }

    /// The life is over, by this end if not by the crash that was its fate; the next one has this.
    pub(super) fn end(
        &mut self,
        end: End,
        closed: Option<Result<(), Error>>,
        next: Fate,
    ) -> Checked<()> {
        self.reached("lives", 1);
        let crash = match (self.switch.left(), end, closed) {
            (Some(left), ..) => {
                self.disk = left;
                self.reached("cut within", 1);
                Some(self.setup.fate.crash)
            }
            (None, _, Some(Err(error))) => return Err(format!("close: {error}")),
            (None, End::Crash(crash), _) => {
                self.disk = crash.of(&self.disk);
                Some(crash)
            }
            (None, _, Some(Ok(()))) => {
                self.acknowledge(Level::Durable);
                None
            }
            (None, ..) => None,
        };
        match crash {
            Some(Crash::Power(_)) => {
                self.reached("power cuts", 1);
                self.worlds.flushed = 0;
            }
            Some(Crash::Kill) => self.reached("kills", 1),
            None => {}
        }
        (self.setup.fate, self.ticked) = (next, None);
        self.switch = cut(&self.disk, next);
        Ok(())
    }

    /// A store that was opened shows the state of one LSN, which from now on is the only one.
    fn land(&mut self, report: &RecoveryReport) -> Checked<()> {
        if let Some(name) = report.damaged_snapshots.first().or(report.foreign.first()) {
            return Err(format!("P5 false alarm, or P12: {name} is reported"));
        }
        self.reached("torn tails", u64::from(matches!(report.tail, Tail::Torn { .. })));
        self.reached("recoveries that copied", u64::from(report.copied > 0));
        self.reached("snapshots used", u64::from(report.snapshot.0 > 0));
        self.reached("obsolete files removed", report.removed.len() as u64);
        let lost = self.newest().lsn() - report.last.0.min(self.newest().lsn());
        self.reached("recoveries that lost what was not durable", u64::from(lost > 0));
        let state = self.seen(report.last.0)?.clone();
        self.worlds = Worlds { states: vec![state], flushed: 0 };
        Ok(())
    }

    /// The state of an LSN, which must be one that may be on the disk.
    pub(super) fn seen(&self, lsn: u64) -> Checked<&S> {
        let may_be = &self.worlds.states[self.worlds.flushed..];
        may_be.iter().find(|state| state.lsn() == lsn).ok_or_else(|| {
            let (first, last) = (may_be[0].lsn(), self.newest().lsn());
            format!("P1 or P4: LSN {lsn} is the last, and LSN {first} to {last} may be")
        })
    }
}

fn cut(disk: &SimFs, fate: Fate) -> Switch {
    let faults = FaultFs::on_sim(disk, FaultPlan::default());
    Switch::new(faults, disk.clone(), fate.crash, fate.at)
}
