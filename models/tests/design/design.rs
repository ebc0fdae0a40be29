//! The lives of one store: work, crash, recovery in two steps, and what must hold of them.

use super::disk::{Disk, Item, Lsn, Name};
use super::engine::{Checkpoint, Engine};
use super::flaw::Flaw;
use super::recovery::{self, Found, id, life_of, look};
use stateright::{Model, Property};

/// How far recovery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Stage {
    Create,
    SyncName,
    Copy,
    SyncCopies,
    Show,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Process {
    /// Cut down, at that point.
    Down(At),
    Recovers(Stage, Found),
    /// What recovery has shown; it removes these files before it lets anybody work.
    Removes(Vec<Name>, Engine),
    Works(Engine),
}

/// Where a crash came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Birth,
    Work,
    Sync,
    Checkpoint,
    Prune,
    Rotation,
    Copying,
    Removing,
}

/// A promise that was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    Loss,
    Invention,
    FalseAlarm,
    Taken,
    Changed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) disk: Disk,
    pub(crate) process: Process,
    /// Which life made each record that this life has appended or was shown.
    pub(crate) written: Vec<u8>,
    /// How many of them are promised.
    pub(crate) promised: Lsn,
    pub(crate) life: u8,
    pub(crate) appends: u8,
    pub(crate) broken: Option<Broken>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Append,
    Defer,
    Sync,
    Synced,
    Rotate,
    SyncDirectory,
    Snapshot,
    Checkpoint,
    Kill,
    /// The changes of names and the items that are kept, a bit each.
    PowerCut(u32, u32),
    Open,
    Recover,
    Remove,
}

/// How much happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Design {
    pub(crate) flaw: Option<Flaw>,
    pub(crate) appends: u8,
    pub(crate) crashes: u8,
    /// Records that a segment has room for.
    pub(crate) room: u8,
    /// Changes of names persist in order, as in most journals.
    pub(crate) ordered: bool,
}

impl Process {
    fn at(&self) -> At {
        match self {
            Process::Down(at) => *at,
            Process::Recovers(..) => At::Copying,
            Process::Removes(..) => At::Removing,
            Process::Works(engine) => match &engine.checkpoint {
                Checkpoint::Pruning(_) => At::Prune,
                Checkpoint::None if engine.active.is_some() && !engine.named => At::Rotation,
                Checkpoint::None if engine.syncing.is_some() => At::Sync,
                Checkpoint::None => At::Work,
                _ => At::Checkpoint,
            },
        }
    }
}

impl Design {
    fn is_flawed(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn work(&self, state: &State, engine: &Engine, steps: &mut Vec<Step>) {
        if engine.may_append() && state.appends < self.appends {
            steps.extend([Step::Append, Step::Defer]);
        }
        if engine.may_sync() {
            steps.push(Step::Sync);
        }
        if engine.syncing.is_some() {
            steps.push(Step::Synced);
        }
        if engine.may_rotate(self.flaw) && state.appends < self.appends {
            steps.push(Step::Rotate);
        }
        if engine.active.is_some() && !engine.named {
            steps.push(Step::SyncDirectory);
        }
        if engine.may_checkpoint() {
            steps.push(Step::Snapshot);
        }
        if engine.checkpoint != Checkpoint::None {
            steps.push(Step::Checkpoint);
        }
    }

    fn cuts(&self, state: &State, steps: &mut Vec<Step>) {
        let (names, items) = state.disk.undecided();
        for kept in 0..1u32 << names {
            let is_prefix = (kept + 1).is_power_of_two();
            if self.ordered && !is_prefix {
                continue;
            }
            for data in 0..1u32 << items {
                if state.disk.power_cut(kept, data).is_some() {
                    steps.push(Step::PowerCut(kept, data));
                }
            }
        }
    }

    /// One call of recovery, or what it shows.
    fn recover(&self, state: &mut State, stage: Stage, found: &Found) -> Process {
        let (from, epoch) = (found.proven + 1, found.epoch + 1);
        let copies = Name::Segment(from, epoch);
        let next = match stage {
            Stage::Create => {
                state.disk.create(copies);
                match self.flaw {
                    Some(Flaw::CopyNameNotSynced) => Stage::Copy,
                    _ => Stage::SyncName,
                }
            }
            Stage::SyncName => {
                state.disk.sync_directory();
                Stage::Copy
            }
            Stage::Copy => {
                let (mut through, mut durable) = (found.last, found.proven);
                through += u8::from(self.is_flawed(Flaw::CopiesMiscounted));
                if self.is_flawed(Flaw::CopiesStated) {
                    durable = found.last;
                }
                let header = Item::Header { through, durable };
                let frames = found.records.range(from..).map(|(lsn, life)| Item::Frame {
                    lsn: *lsn,
                    life: *life,
                    durable: found.proven,
                });
                state.disk.write(copies, [header].into_iter().chain(frames));
                if self.is_flawed(Flaw::RemovedEarly) {
                    overridden(found, from).into_iter().for_each(|n| state.disk.remove(n));
                }
                Stage::SyncCopies
            }
            Stage::SyncCopies => {
                state.disk.sync(copies);
                Stage::Show
            }
            Stage::Show => return self.show(state, found),
        };
        Process::Recovers(next, found.clone())
    }

    fn show(&self, state: &mut State, found: &Found) -> Process {
        let copied = found.proven < found.last && !self.is_flawed(Flaw::NotCopied);
        let (from, epoch) = (found.proven + 1, found.epoch + 1);
        let mut engine = Engine {
            appended: found.last,
            durable: found.last,
            next_epoch: epoch,
            index: found.index.clone(),
            slots: found.slots.clone(),
            snapshots: found.snapshots.clone(),
            room: self.room,
            ..Engine::default()
        };
        let mut names: Vec<Name> =
            state.disk.names().filter(|name| matches!(name, Name::Temporary(..))).collect();
        names.extend(&found.unfounded);
        if copied {
            (engine.active, engine.named) = (Some((from, epoch)), true);
            engine.next_epoch += 1;
            for position in engine.index.values_mut().filter(|(lsn, _)| *lsn >= from) {
                position.1 = epoch;
            }
            names.extend(overridden(found, from));
            engine.slots.retain(|_, (first, _)| *first < from);
            engine.slots.values_mut().for_each(|(_, last)| *last = (*last).min(from - 1));
            engine.slots.insert(epoch, (from, found.last));
        }
        names.extend(&found.overridden);
        names.retain(|name| state.disk.has(*name));
        let kept = engine.slots.keys().copied();
        let newest = kept.chain(engine.snapshots.iter().map(|s| s.epoch())).max().unwrap_or(0);
        // The newest epoch stays in a name.
        let removable = |name: &Name| !matches!(name, Name::Segment(..)) || name.epoch() < newest;
        let (now, later) = names.into_iter().partition(removable);
        engine.obsolete = later;
        state.broken = self.judge(state, found, &engine);
        state.written.truncate(usize::from(found.last));
        state.promised = found.last;
        match Vec::is_empty(&now) {
            true => Process::Works(engine),
            false => Process::Removes(now, engine),
        }
    }

    fn judge(&self, state: &State, found: &Found, engine: &Engine) -> Option<Broken> {
        if found.last < state.promised {
            return Some(Broken::Loss);
        }
        if usize::from(found.last) > state.written.len() {
            return Some(Broken::Invention);
        }
        for wanted in 0..recovery::IDS {
            let lsn = (1..=found.last).rev().find(|lsn| id(*lsn) == wanted);
            let shown = engine.index.get(&wanted);
            if shown.map(|(lsn, _)| *lsn) != lsn {
                return Some(Broken::Invention);
            }
            let Some(&(lsn, epoch)) = shown else { continue };
            if life_of(&state.disk, lsn, epoch) != Some(state.written[usize::from(lsn) - 1]) {
                return Some(Broken::Invention);
            }
        }
        self.changed(&state.disk, found.last)
    }

    /// Recovered once more, as long as nothing has been lost, it is the same.
    fn changed(&self, disk: &Disk, last: Lsn) -> Option<Broken> {
        let again = look(disk, self.flaw);
        let same = again.last == last && !again.refused && !again.missing;
        (!same).then_some(Broken::Changed)
    }
}

/// Segments of former lives of which everything is copied now.
fn overridden(found: &Found, from: Lsn) -> Vec<Name> {
    let slots = found.slots.iter().filter(|(_, (first, _))| *first >= from);
    slots.map(|(epoch, (first, _))| Name::Segment(*first, *epoch)).collect()
}

impl Model for Design {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let process = Process::Down(At::Birth);
        let (disk, written) = (Disk::default(), Vec::new());
        let (promised, life, appends, broken) = (0, 0, 0, None);
        vec![State { disk, process, written, promised, life, appends, broken }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.broken.is_some() {
            return;
        }
        match &state.process {
            Process::Down(_) => return steps.push(Step::Open),
            Process::Recovers(..) => steps.push(Step::Recover),
            Process::Removes(..) => steps.push(Step::Remove),
            Process::Works(engine) => self.work(state, engine, steps),
        }
        if state.life <= self.crashes {
            steps.push(Step::Kill);
            self.cuts(state, steps);
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        let State { disk, process, written, promised, life, appends, broken } = &mut state;
        match (step, &mut *process) {
            (Step::Kill, _) => *process = Process::Down(last.process.at()),
            (Step::PowerCut(names, items), _) => {
                *disk = last.disk.power_cut(names, items)?;
                *process = Process::Down(last.process.at());
            }
            (Step::Open, _) => {
                *life += 1;
                let found = look(disk, self.flaw);
                *broken = match (found.refused, found.missing) {
                    (_, true) => Some(Broken::Taken),
                    (true, _) => Some(Broken::FalseAlarm),
                    _ => None,
                };
                let copies = found.proven < found.last && !self.is_flawed(Flaw::NotCopied);
                let stage = if copies { Stage::Create } else { Stage::Show };
                *process = Process::Recovers(stage, found);
            }
            (Step::Recover, Process::Recovers(stage, found)) => {
                let (stage, found) = (*stage, found.clone());
                let next = self.recover(&mut state, stage, &found);
                state.process = next;
            }
            (Step::Remove, Process::Removes(names, engine)) => {
                disk.remove(names.remove(0));
                if names.is_empty() {
                    *broken = self.changed(disk, engine.appended);
                    *process = Process::Works(engine.clone());
                }
            }
            (step, Process::Works(engine)) => match step {
                Step::Append | Step::Defer => {
                    engine.append(*life, step == Step::Defer, self.flaw);
                    written.push(*life);
                    *appends += 1;
                }
                Step::Sync => {
                    engine.sync(disk);
                    if self.is_flawed(Flaw::AcknowledgedEarly) {
                        *promised = engine.appended;
                    }
                }
                Step::Synced => {
                    engine.synced(disk);
                    *promised = engine.durable.max(*promised);
                }
                Step::Rotate => engine.rotate(disk, self.flaw),
                Step::SyncDirectory => {
                    disk.sync_directory();
                    engine.named = true;
                }
                Step::Snapshot => engine.write_snapshot(disk),
                Step::Checkpoint => engine.go_on(disk, self.flaw),
                _ => return None,
            },
            _ => return None,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = vec![
            Property::always("what is promised is kept", |_, s: &State| {
                s.broken != Some(Broken::Loss)
            }),
            Property::always("nothing is invented, and there is no hole", |_, s: &State| {
                s.broken != Some(Broken::Invention)
            }),
            Property::always("a crash is no corruption", |_, s: &State| {
                s.broken != Some(Broken::FalseAlarm)
            }),
            Property::always("nothing is removed that is needed", |_, s: &State| {
                s.broken != Some(Broken::Taken)
            }),
            Property::always("recovering twice is recovering once", |_, s: &State| {
                s.broken != Some(Broken::Changed)
            }),
        ];
        if self.flaw.is_none() {
            all.extend(reached());
        }
        all
    }
}

/// States without which the model would say nothing.
fn reached() -> Vec<Property<Design>> {
    fn down(state: &State, at: At) -> bool {
        state.process == Process::Down(at)
    }
    vec![
        Property::sometimes("crash in a prune", |_, s| down(s, At::Prune)),
        Property::sometimes("crash in a checkpoint", |_, s| down(s, At::Checkpoint)),
        Property::sometimes("crash in a sync", |_, s| down(s, At::Sync)),
        Property::sometimes("crash in a rotation", |_, s| down(s, At::Rotation)),
        Property::sometimes("crash in a recovery", |_, s| down(s, At::Copying)),
        Property::sometimes("crash while recovery removes", |_, s| down(s, At::Removing)),
        Property::sometimes(
            "two rotations",
            |_, s: &State| matches!(&s.process, Process::Works(e) if e.slots.len() > 2),
        ),
        Property::sometimes("copies in two lives", |_, s: &State| {
            let copies = |name: Name| match s.disk.items(name).first() {
                Some(Some(Item::Header { through, .. })) => {
                    matches!(name, Name::Segment(first, _) if *through >= first)
                }
                _ => false,
            };
            s.disk.names().filter(|name| copies(*name)).count() > 1
        }),
        Property::sometimes(
            "a torn log with records to copy",
            |_, s: &State| matches!(&s.process, Process::Recovers(Stage::Copy, f) if f.torn),
        ),
        Property::sometimes(
            "a segment without all its copies",
            |_, s: &State| matches!(&s.process, Process::Recovers(_, f) if !f.unfounded.is_empty()),
        ),
        Property::sometimes("a record that another life's replaces", |_, s: &State| {
            s.written.windows(2).any(|pair| pair[0] < pair[1])
                && usize::from(s.appends) > s.written.len()
        }),
        Property::sometimes("recovery from a snapshot and the log behind it", |_, s: &State| {
            matches!(&s.process, Process::Works(e)
                if !e.snapshots.is_empty() && e.newest == 0 && e.appended > e.index.len() as u8)
        }),
    ]
}
