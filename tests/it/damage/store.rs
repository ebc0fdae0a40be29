//! What is asked of a damaged store, whichever view of the log it is.

use super::{State, state};
use highwater::{
    Error, Journal, KvStore, Lsn, Options, PayloadStore, RecoveryReport, TestClock, Value,
};
use highwater_sim::SimFs;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

pub(crate) trait Store: Sized {
    type State: Clone + Debug + PartialEq;

    fn recover(disk: &SimFs, options: &Options) -> Result<Self, Error>;

    fn look(disk: &SimFs) -> Result<Self, Error>;

    fn report(&self) -> &RecoveryReport;

    /// The last LSN.
    fn appended(&self) -> Lsn;

    /// All of it, read.
    fn state(&self) -> Self::State;

    /// What an inspection counts, if callers can count it too.
    fn live(&self) -> Option<u64>;

    fn check_invariants(&self);

    /// An operation, and what it makes of the state.
    fn work(&self, state: &mut Self::State);
}

impl Store for PayloadStore {
    type State = State;

    fn recover(disk: &SimFs, options: &Options) -> Result<PayloadStore, Error> {
        super::open(disk, options)
    }

    fn look(disk: &SimFs) -> Result<PayloadStore, Error> {
        PayloadStore::open_read_only(Arc::new(disk.clone()))
    }

    fn report(&self) -> &RecoveryReport {
        self.report()
    }

    fn appended(&self) -> Lsn {
        self.positions().appended()
    }

    fn state(&self) -> State {
        state(self)
    }

    fn live(&self) -> Option<u64> {
        Some(self.len() as u64)
    }

    fn check_invariants(&self) {
        self.check_invariants();
    }

    fn work(&self, state: &mut State) {
        self.store(99, b"after the damage").unwrap();
        state.insert(99, b"after the damage".to_vec());
    }
}

/// What a key-value store shows: its time, how many keys it holds, and those that are there, each
/// with its value, when it expires and its version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KvState {
    now: i64,
    len: usize,
    there: BTreeMap<Vec<u8>, (Value, Option<i64>, u64)>,
}

impl Store for KvStore {
    type State = KvState;

    /// With a clock that has been set back to the beginning: the time is the log's.
    fn recover(disk: &SimFs, options: &Options) -> Result<KvStore, Error> {
        let clock = Arc::new(TestClock::new(0));
        KvStore::open_with(Arc::new(disk.clone()), options.clone(), clock, 3)
    }

    fn look(disk: &SimFs) -> Result<KvStore, Error> {
        KvStore::open_read_only(Arc::new(disk.clone()), Arc::new(TestClock::new(0)))
    }

    fn report(&self) -> &RecoveryReport {
        self.report()
    }

    fn appended(&self) -> Lsn {
        self.positions().appended()
    }

    fn state(&self) -> KvState {
        let entry = |key: Vec<u8>| {
            let entry = self.entry(&key).unwrap();
            (key, (entry.value, entry.expires, entry.version))
        };
        let there = self.keys().into_iter().map(entry).collect();
        KvState { now: self.now(), len: self.len(), there }
    }

    fn live(&self) -> Option<u64> {
        Some(self.len() as u64)
    }

    fn check_invariants(&self) {
        self.check_invariants();
    }

    fn work(&self, state: &mut KvState) {
        self.set("work", "after the damage".into(), None).unwrap();
        state.there.insert(b"work".to_vec(), ("after the damage".into(), None, 1));
        state.len += 1;
    }
}

/// What a journal shows from its slowest cursor on; below it, a clean-up lets records go. A record
/// that is refused as corrupt is `None`, and so is what may be one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct JournalState {
    pub(super) last: u64,
    pub(super) cursors: BTreeMap<String, Lsn>,
    pub(super) records: BTreeMap<u64, Option<Vec<u8>>>,
}

fn refused<T>(read: Result<T, Error>) -> Option<T> {
    match read {
        Ok(read) => Some(read),
        Err(Error::Corrupt(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

impl Store for Journal {
    type State = JournalState;

    fn recover(disk: &SimFs, options: &Options) -> Result<Journal, Error> {
        Journal::open(Arc::new(disk.clone()), options.clone())
    }

    fn look(disk: &SimFs) -> Result<Journal, Error> {
        Journal::open_read_only(Arc::new(disk.clone()))
    }

    fn report(&self) -> &RecoveryReport {
        self.report()
    }

    fn appended(&self) -> Lsn {
        self.positions().appended()
    }

    /// Read one by one, and by a reader, which stops at the first that is refused.
    fn state(&self) -> JournalState {
        let (last, cursors) = (self.last().0, self.cursors());
        let from = cursors.values().min().copied().unwrap_or(Lsn(1)).max(self.first());
        let read = |lsn| match refused(self.read(Lsn(lsn))) {
            Some(None) => None, // a cursor's
            read => Some((lsn, read.flatten())),
        };
        let records: BTreeMap<_, _> = (from.0..=last).filter_map(read).collect();
        let mut reader = self.reader(from);
        for (lsn, record) in &records {
            let next = refused(reader.next_record());
            assert_eq!(next, record.clone().map(|bytes| Some((Lsn(*lsn), bytes))));
            if next.is_none() {
                return JournalState { last, cursors, records };
            }
        }
        assert_eq!(reader.next_record().unwrap(), None);
        JournalState { last, cursors, records }
    }

    fn live(&self) -> Option<u64> {
        None
    }

    fn check_invariants(&self) {
        self.check_invariants();
    }

    fn work(&self, state: &mut JournalState) {
        state.last = self.append(b"after the damage").unwrap().lsn.0;
        state.records.insert(state.last, Some(b"after the damage".to_vec()));
    }
}
