//! The journal as it should be: records by position, cursors, and what a clean-up may take; and
//! what may be done with it.

use super::lives::State;
use super::long::{self, End, Fate, Setup, fate, setup};
use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::ReferenceStateMachine;
use std::collections::BTreeMap;
use std::time::Duration;

const CURSORS: [&str; 3] = ["slow", "fast", ""];

#[derive(Clone, Debug)]
pub(super) enum Op {
    /// So many bytes; the rest follows from the position.
    Append {
        size: usize,
        hashed: bool,
        deferred: bool,
    },
    SetCursor(&'static str, u64),
    RemoveCursor(&'static str),
    CleanUp,
    Flush,
    Tick(Duration),
    /// A reader that stays reads so many records more.
    Read(usize),
    /// It is put there.
    Seek(u64),
    /// Opened to be read, beside the journal that is open.
    Look,
    End(End, Fate),
}

/// What the log comes to, if nothing of it is removed.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) lsn: u64,
    pub(super) records: BTreeMap<u64, Vec<u8>>,
    pub(super) cursors: BTreeMap<String, u64>,
}

/// The bytes of the record at a position.
pub(super) fn record(lsn: u64, size: usize) -> Vec<u8> {
    (0..size).map(|at| (lsn as usize * 31 + at) as u8).collect()
}

impl State for Log {
    fn lsn(&self) -> u64 {
        self.lsn
    }
}

impl Log {
    /// The state after an operation, if it has an effect.
    pub(super) fn after(&self, op: &Op) -> Option<Log> {
        let mut after = self.clone();
        after.lsn += 1;
        match op {
            Op::Append { size, .. } => {
                drop(after.records.insert(after.lsn, record(after.lsn, *size)));
            }
            Op::SetCursor(name, at) => {
                after.cursors.insert((*name).into(), (*at).max(1));
            }
            Op::RemoveCursor(name) => drop(after.cursors.remove(*name)),
            Op::CleanUp => {} // it says what it lets go, if that is anything
            _ => return None,
        }
        Some(after)
    }

    /// What is below it may go: what all cursors have passed.
    pub(super) fn slowest(&self) -> u64 {
        self.cursors.values().min().copied().unwrap_or(0)
    }

    pub(super) fn last(&self) -> u64 {
        self.records.keys().next_back().copied().unwrap_or(0)
    }
}

/// The reference: no crash takes anything from it.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) setup: Setup,
    log: Log,
}

impl ReferenceStateMachine for Reference {
    type State = Reference;
    type Transition = Op;

    fn init_state() -> BoxedStrategy<Reference> {
        setup().prop_map(|setup| Reference { setup, log: Log::default() }).boxed()
    }

    /// Cursors are mostly set near the end, sometimes back, sometimes where nothing is yet.
    fn transitions(state: &Reference) -> BoxedStrategy<Op> {
        let end = state.log.lsn;
        let near = end.saturating_sub(8)..=end + 1;
        let somewhere = move || prop_oneof![4 => near.clone(), 1 => 0..=end + 4];
        let set: Vec<&str> = state.log.cursors.keys().map(String::as_str).collect();
        let set: Vec<&'static str> =
            CURSORS.into_iter().filter(|name| set.contains(name)).collect();
        let removed = if set.is_empty() { CURSORS.to_vec() } else { set };
        let size = prop_oneof![4 => 0..60usize, 2 => 0..200usize, 1 => 0..700usize];
        let append = (size, any::<bool>(), prop_oneof![3 => Just(false), 1 => Just(true)]);
        prop_oneof![
            12 => append.prop_map(|(size, hashed, deferred)| Op::Append { size, hashed, deferred }),
            4 => (select(&CURSORS[..]), somewhere()).prop_map(|(name, at)| Op::SetCursor(name, at)),
            1 => select(removed).prop_map(Op::RemoveCursor),
            4 => Just(Op::CleanUp),
            2 => Just(Op::Flush),
            1 => (0..60u64).prop_map(|nanos| Op::Tick(Duration::from_nanos(nanos))),
            3 => (1..6usize).prop_map(Op::Read),
            2 => somewhere().prop_map(Op::Seek),
            1 => Just(Op::Look),
            3 => (long::end(), fate()).prop_map(|(end, fate)| Op::End(end, fate)),
        ]
        .boxed()
    }

    fn apply(mut state: Reference, op: &Op) -> Reference {
        if let Some(after) = state.log.after(op) {
            state.log = after;
        }
        state
    }
}
