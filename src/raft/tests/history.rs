//! Long histories against a log that is a map: whatever was done, it is found again.

use highwater_raft::{Entry, HardState, LogId, Options, RaftStore};
use highwater_tests::{Arbitrary, Gen, check};
use highwater_vfs::{OsFs, Vfs};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a node does. Every one makes sense at any time: counts are counted from the ends.
#[derive(Clone, Debug)]
enum Op {
    Append(u8),
    Cut(u8),
    Purge(u8),
    /// A snapshot from elsewhere, so many entries ahead.
    Ahead(u8),
    /// A snapshot from elsewhere that ends at an entry so far on, but in a later term or, where
    /// that is none of a node's own, in an earlier one.
    Other(u8, bool),
    Vote,
    Snapshot(u8),
    Reopen,
}

impl Arbitrary for Op {
    fn arbitrary(g: &mut Gen) -> Op {
        let few = u8::arbitrary(g) % 6;
        match u8::arbitrary(g) % 18 {
            0..6 => Op::Append(few),
            6..8 => Op::Cut(few),
            8..10 => Op::Purge(few),
            10 => Op::Ahead(few),
            11..13 => Op::Vote,
            13 => Op::Snapshot(few),
            14 | 15 => Op::Other(few, bool::arbitrary(g)),
            _ => Op::Reopen,
        }
    }
}

/// The reference.
#[derive(Default)]
struct Model {
    hard: HardState,
    log: BTreeMap<u64, (u64, Vec<u8>)>,
    purged: Option<LogId>,
    snapshot: Option<(LogId, Vec<u8>)>,
}

impl Model {
    fn last(&self) -> Option<LogId> {
        let last = self.log.last_key_value();
        last.map(|(index, (term, _))| LogId { index: *index, term: *term }).or(self.purged)
    }

    fn purge(&mut self, to: LogId) {
        self.log = self.log.split_off(&(to.index + 1));
        self.purged = Some(to);
    }

    fn is_found_in(&self, store: &RaftStore) {
        store.check_invariants();
        assert_eq!((store.hard_state(), store.purged()), (self.hard.clone(), self.purged));
        assert_eq!(store.last(), self.last());
        let entries = self.log.iter().map(|(index, (term, payload))| {
            let id = LogId { index: *index, term: *term };
            Entry { id, payload: payload.clone() }
        });
        assert_eq!(store.entries(..).unwrap(), entries.collect::<Vec<_>>());
        let found = store.open_snapshot().unwrap().map(|mut reader| {
            let mut data = vec![0; reader.meta().size as usize + 1];
            let size = reader.read(&mut data).unwrap();
            data.truncate(size);
            (reader.meta().last, data)
        });
        assert_eq!(found, self.snapshot);
    }

    fn step(&mut self, op: &Op, store: &RaftStore, nth: usize) {
        let (term, last) = (self.hard.current_term, self.last().map_or(0, |last| last.index));
        match *op {
            Op::Append(count) => {
                let payload = |k| vec![nth as u8; 7 * usize::from(k)];
                let entries: Vec<Entry> = (1..=count)
                    .map(|k| LogId { index: last + u64::from(k), term })
                    .zip((1..=count).map(payload))
                    .map(|(id, payload)| Entry { id, payload })
                    .collect();
                store.append(&entries).unwrap();
                let new = entries.into_iter().map(|e| (e.id.index, (e.id.term, e.payload)));
                self.log.extend(new);
            }
            Op::Cut(count) => {
                let first = self.log.first_key_value().map_or(last + 1, |(index, _)| *index);
                let from = (last + 1).saturating_sub(u64::from(count)).max(first);
                store.truncate_from(from).unwrap();
                drop(self.log.split_off(&from));
            }
            Op::Purge(count) => {
                let Some((index, (term, _))) = self.log.iter().nth(usize::from(count)) else {
                    return;
                };
                let to = LogId { index: *index, term: *term };
                store.purge_to(to).unwrap();
                self.purge(to);
            }
            Op::Ahead(count) => {
                let to = LogId { index: last + u64::from(count) + 1, term };
                store.purge_to(to).unwrap();
                self.purge(to);
            }
            Op::Other(count, later) => {
                let Some((&index, (before, _))) = self.log.iter().nth(usize::from(count)) else {
                    return;
                };
                let to = match before.checked_sub(1).filter(|_| !later) {
                    Some(term) => LogId { index, term },
                    None => {
                        self.hard = HardState { current_term: term + 1, voted_for: None };
                        store.save_hard_state(self.hard.clone()).unwrap();
                        LogId { index, term: term + 1 }
                    }
                };
                store.purge_to(to).unwrap();
                self.log.clear();
                self.purged = Some(to);
            }
            Op::Vote => {
                self.hard = HardState { current_term: term + 1, voted_for: Some(vec![nth as u8]) };
                store.save_hard_state(self.hard.clone()).unwrap();
            }
            Op::Snapshot(size) => {
                let at = self.last().unwrap_or_default();
                if self.snapshot.as_ref().is_some_and(|(before, _)| at.index < before.index) {
                    return;
                }
                let data = vec![nth as u8; 1000 * usize::from(size)];
                let mut writer = store.begin_snapshot().unwrap();
                writer.write(&data).unwrap();
                writer.finish(at, b"", 0).unwrap();
                self.snapshot = Some((at, data));
            }
            Op::Reopen => {}
        }
    }
}

#[test]
fn a_history_is_found_again() {
    fn lived(ops: Vec<Op>) {
        let dir = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Vfs> = Arc::new(OsFs::open(dir.path()).unwrap());
        let options = Options { segment_size: 512, ..Options::default() };
        let open = || RaftStore::open(Arc::clone(&disk), options.clone()).unwrap();
        let (mut store, mut model) = (open(), Model::default());
        for (nth, op) in ops.iter().enumerate() {
            model.step(op, &store, nth);
            if matches!(op, Op::Reopen) {
                if nth % 2 == 0 {
                    store.close().unwrap();
                }
                drop(store);
                store = open();
            }
            model.is_found_in(&store);
        }
    }
    check(lived as fn(Vec<Op>));
}
