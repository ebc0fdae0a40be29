//! The Raft store: journal, redb and snapshots on one disk.
//!
//! Keys: an entry's payload begins with its own, as a leader's proposal has an identity that its
//! index is not; term and vote, and the snapshot, are values of two more. What an operation does to
//! the log is said by keys, so that a workload that is shrunk still means something.

use super::options;
use highwater_raft::{Entry, Error, HardState, LogId, Options, RaftStore};
use highwater_sim::{Act, Easy, Kv};
use highwater_vfs::Vfs;
use std::io;
use std::sync::Arc;

/// Where term and vote stand.
const VOTE: u64 = 1000;
/// Where the snapshot stands.
const SNAPSHOT: u64 = 1001;

fn told(error: Error) -> io::Error {
    io::Error::other(error.to_string())
}

fn strange(what: impl Into<String>) -> io::Error {
    io::Error::other(what.into())
}

struct Engine {
    disk: Arc<dyn Vfs>,
    store: RaftStore,
    /// The log as it was read last, and before which change of ours that was.
    read: Option<Vec<(u64, Entry)>>,
}

impl Engine {
    /// The keys of the log with their entries, and whether they are a log at all.
    fn log(&mut self) -> io::Result<&[(u64, Entry)]> {
        if self.read.is_none() {
            self.store.check_invariants();
            let entries = self.store.entries(..).map_err(told)?;
            let (mut keys, mut before) = (Vec::new(), self.store.purged());
            for entry in entries {
                let id = entry.id;
                let next = |b: LogId| b.index + 1 == id.index && b.term <= id.term;
                if !before.is_none_or(next) || self.store.term(id.index) != Some(id.term) {
                    return Err(strange(format!("{id:?} follows {before:?}")));
                }
                before = Some(id);
                let key = entry.payload.first_chunk().ok_or_else(|| strange("an entry of ours"))?;
                keys.push((u64::from_le_bytes(*key), entry));
            }
            if before != self.store.last() {
                return Err(strange(format!("the last entry is {before:?}")));
            }
            self.read = Some(keys);
        }
        Ok(self.read.as_deref().expect("it was just read"))
    }

    fn append(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        let term = self.store.hard_state().current_term;
        let mut index = self.store.last().map_or(0, |last| last.index);
        let entry = |(key, value): &(u64, &[u8])| {
            index += 1;
            let term = term.max(self.store.last().map_or(0, |last| last.term));
            Entry { id: LogId { index, term }, payload: [&key.to_le_bytes(), *value].concat() }
        };
        self.store.append(&items.iter().map(entry).collect::<Vec<Entry>>()).map_err(told)
    }

    /// The ids of the entries with these keys.
    fn ids(&mut self, keys: &str) -> io::Result<Vec<LogId>> {
        let keys: Vec<u64> = keys.split(' ').filter_map(|key| key.parse().ok()).collect();
        let log = self.log()?.iter();
        Ok(log.filter(|(key, _)| keys.contains(key)).map(|(_, entry)| entry.id).collect())
    }

    fn snapshot(&mut self, data: &[u8]) -> io::Result<()> {
        let mut writer = self.store.begin_snapshot().map_err(told)?;
        data.chunks(5).try_for_each(|piece| writer.write(piece)).map_err(told)?;
        let last = self.store.last().unwrap_or_default();
        writer.finish(last, b"configuration", 7).map(drop).map_err(told)
    }

    fn read_snapshot(&self) -> io::Result<Option<Vec<u8>>> {
        let Some(mut reader) = self.store.open_snapshot().map_err(told)? else { return Ok(None) };
        if reader.meta().configuration != b"configuration" {
            return Err(strange("another configuration"));
        }
        let mut data = vec![0; reader.meta().size as usize];
        reader.read(&mut data).map_err(told)?;
        Ok(Some(data))
    }

    /// No file is there that nobody needs (P12), but folders, which cannot be removed.
    fn files(&self) -> io::Result<()> {
        let names = self.disk.list("".as_ref())?;
        let files: Vec<&String> = names.iter().filter(|name| !name.starts_with("log-")).collect();
        let expected = 1 + usize::from(self.store.snapshot().is_some());
        match files.len() == expected {
            true => Ok(()),
            false => Err(strange(format!("{files:?} are there"))),
        }
    }
}

impl Kv for Engine {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Engine> {
        let options = Options { snapshots_kept: 1, ..options() };
        let store = RaftStore::open(Arc::clone(&disk), options).map_err(told)?;
        let engine = Engine { disk, store, read: None };
        engine.files()?;
        Ok(engine)
    }

    /// Appends an entry.
    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.read = None;
        self.append(&[(key, value)])
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        match key {
            VOTE => {
                let HardState { current_term, voted_for } = self.store.hard_state();
                let value = |node: Vec<u8>| [&current_term.to_le_bytes()[..], &node].concat();
                Ok(voted_for.map(value))
            }
            SNAPSHOT => self.read_snapshot(),
            key => {
                let found = self.log()?.iter().find(|(k, _)| *k == key);
                Ok(found.map(|(_, entry)| entry.payload[8..].to_vec()))
            }
        }
    }

    fn special(&mut self, what: &str) -> io::Result<()> {
        let (what, of) = what.split_once(' ').unwrap_or((what, ""));
        let changed = match what {
            "vote" => {
                let (term, node) = of.split_once(" for ").ok_or(io::ErrorKind::Unsupported)?;
                let current_term = term.parse().map_err(|_| io::ErrorKind::Unsupported)?;
                let voted_for = Some(node.as_bytes().to_vec());
                self.store.save_hard_state(HardState { current_term, voted_for }).map_err(told)
            }
            "cut" | "purge" => match (what, &self.ids(of)?[..]) {
                ("cut", [first, ..]) => self.store.truncate_from(first.index).map_err(told),
                ("purge", [.., last]) => self.store.purge_to(*last).map_err(told),
                // None of them is there; a store that works says so, too.
                _ => self.store.truncate_from(u64::MAX).map_err(told),
            },
            "snapshot" => self.snapshot(of.as_bytes()),
            _ => Err(io::ErrorKind::Unsupported.into()),
        };
        self.read = None;
        changed
    }

    fn close(&mut self) -> io::Result<()> {
        self.store.close().map_err(told)
    }
}

fn vote(what: &'static str, term: u64, node: &str) -> Act {
    let value = [&term.to_le_bytes()[..], node.as_bytes()].concat();
    Act::Special(what, vec![(VOTE, Some(value))])
}

fn snapshot(what: &'static str) -> Act {
    let (_, data) = what.split_once(' ').expect("a word, and its data");
    Act::Special(what, vec![(SNAPSHOT, Some(data.as_bytes().to_vec()))])
}

fn gone(what: &'static str) -> Act {
    let keys = what.split(' ').filter_map(|key| key.parse().ok());
    Act::Special(what, keys.map(|key| (key, None)).collect())
}

/// A node's life, or the first `ops` of it: it votes, appends, is contradicted by a leader, writes
/// snapshots, purges. Later lives append, and vote again.
pub fn raft(ops: usize) -> Easy {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 40]);
    let mut acts = vec![
        vote("vote 1 for a", 1, "a"),
        put(1),
        put(2),
        gone("cut 2"),
        vote("vote 2 for b", 2, "b"),
        put(3),
        snapshot("snapshot one"),
        gone("purge 1"),
        put(4),
        snapshot("snapshot another"),
        Act::Reopen,
        gone("purge 1 2 3 4"),
        put(5),
    ];
    acts.truncate(ops);
    let between = vec![Act::Put(u64::MAX, vec![b'z'; 40]), vote("vote 9 for c", 9, "c")];
    Easy::new::<Engine>(acts).between(between)
}
