//! The Raft store, and KeyVal's format.

use super::{VIEW_OF_RAFT, View, failed, hex};
use crate::exit::Failure;
use crate::out::{note, wrapped};
use highwater::Error;
use highwater_formats::Files;
use highwater_formats::keyval::{
    LOG, LogEntry, METADATA, Node, SNAPSHOT, Snapshot, State, read, write,
};
use highwater_raft::{Entry, HardState, LogId, Options, RaftStore, SnapshotMeta};
use highwater_vfs::Vfs;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Term and vote, a log, a snapshot.
pub(super) struct Raft;

/// KeyVal's entries of another kind than 0, and those without data, are payloads that begin so:
/// then the kind in eight bytes, whether there are data in one, and the data. Little-endian.
const KIND: &[u8] = b"\0keyval\0";

fn payload(LogEntry { data, kind, .. }: &LogEntry) -> Vec<u8> {
    match data {
        Some(data) if *kind == 0 && !data.starts_with(KIND) => data.clone(),
        data => {
            let has_data = u8::from(data.is_some());
            let data = data.as_deref().unwrap_or_default();
            [KIND, &kind.to_le_bytes(), &[has_data], data].concat()
        }
    }
}

fn log_entry(Entry { id, payload }: Entry) -> LogEntry {
    let told = payload.strip_prefix(KIND).and_then(|rest| {
        let (kind, rest) = rest.split_first_chunk()?;
        let (has_data, data) = rest.split_first()?;
        Some((i64::from_le_bytes(*kind), (*has_data == 1).then(|| data.to_vec())))
    });
    let (kind, data) = told.unwrap_or((0, Some(payload)));
    LogEntry { term: id.term, index: id.index, data, kind }
}

/// An error of the Raft store: those of its own say that the files do not fit.
fn refused(error: highwater_raft::Error) -> Failure {
    let message = error.to_string();
    match error {
        highwater_raft::Error::Store(error) => Failure { message, ..failed(error) },
        _misfit => Failure::usage(message),
    }
}

/// Nanoseconds since 1970.
fn nanoseconds(time: &str) -> Option<u64> {
    let time: Timestamp = time.parse().ok()?;
    u64::try_from(time.as_nanosecond()).ok()
}

fn save(store: &RaftStore, snapshot: &Snapshot) -> Result<LogId, Failure> {
    let Snapshot { meta, data } = snapshot;
    let last = LogId { index: meta.index, term: meta.term };
    let created = nanoseconds(&meta.created_at).ok_or_else(|| {
        let (found, index) = (&meta.created_at, meta.index);
        Failure::usage(format!("snapshot {index}: created at {found:?}, which is no time"))
    })?;
    let mut writer = store.begin_snapshot().map_err(refused)?;
    writer.write(data).map_err(refused)?;
    let configuration = meta.configuration.as_deref().unwrap_or_default();
    writer.finish(last, configuration, created).map_err(refused)?;
    Ok(last)
}

fn saved(store: &RaftStore) -> Result<Option<Snapshot>, Failure> {
    let Some(mut reader) = store.open_snapshot().map_err(refused)? else { return Ok(None) };
    let SnapshotMeta { last, configuration, created, size, .. } = reader.meta().clone();
    let misfit = || Failure::usage(format!("the snapshot was created at {created} ns: no time"));
    let created = Timestamp::from_nanosecond(created.into()).map_err(|_| misfit())?;
    let size = usize::try_from(size).expect("it was verified, and fits into memory");
    let mut data = vec![0; size];
    reader.read(&mut data).map_err(refused)?;
    let mut snapshot = Snapshot::new(last.index, last.term, &created.to_string(), data);
    snapshot.meta.configuration = (!configuration.is_empty()).then_some(configuration);
    Ok(Some(snapshot))
}

/// Says what the log holds that is no part of a node.
fn left_out(state: &State, node: &Node) {
    let say = |why: String| note(&wrapped("not imported: ", &why));
    let kinds = [LOG, METADATA, SNAPSHOT];
    match state.entries.iter().filter(|entry| !kinds.contains(&entry.kind)).count() {
        0 => {}
        count => say(format!("{count} records of kinds that the original's Raft layer ignores")),
    }
    let covered = node.snapshot.as_ref().map_or(0, |snapshot| snapshot.meta.index);
    let named = state.entries.iter().rfind(|entry| entry.kind == SNAPSHOT);
    if let Some(entry) = named.filter(|entry| entry.index > covered) {
        say(format!(
            "the snapshot of index {}: the log names it, and it is not there",
            entry.index
        ));
    }
}

impl View for Raft {
    fn name(&self) -> &'static str {
        VIEW_OF_RAFT
    }

    fn formats(&self) -> &'static [&'static str] {
        &["keyval"]
    }

    fn state(&self, store: Arc<dyn Vfs>, _at: Option<i64>) -> Result<Map<String, Value>, Error> {
        let shown = RaftStore::open_read_only(store).and_then(|store| match &store {
            None => Ok(shown(&HardState::default(), None, &[], None)),
            Some(store) => {
                let (hard, snapshot) = (store.hard_state(), store.snapshot());
                let entries = store.entries(..)?;
                Ok(shown(&hard, store.purged(), &entries, snapshot.as_ref()))
            }
        });
        shown.map_err(|error| match error {
            highwater_raft::Error::Store(error) => error,
            other => unreachable!("reading is refused for no other reason: {other}"),
        })
    }

    fn import(&self, files: &Files, _format: &str, new: Arc<dyn Vfs>) -> Result<u64, Failure> {
        let state = read(files).state;
        let node = state.node();
        left_out(&state, &node);
        let Node { term, voted_for, log, snapshot } = node;
        let store = RaftStore::open(new, Options::default()).map_err(refused)?;
        let id = |entry: &LogEntry| LogId { index: entry.index, term: entry.term };
        let entry = |entry| Entry { id: id(entry), payload: payload(entry) };
        store.append(&log.iter().map(entry).collect::<Vec<_>>()).map_err(refused)?;
        if let Some(snapshot) = &snapshot {
            let covered = save(&store, snapshot)?;
            if store.last().is_none_or(|last| last.index < covered.index) {
                store.purge_to(covered).map_err(refused)?; // the next entry follows it
            }
        }
        // A node has seen the term of its last entry, whatever its metadata say; then it may have
        // voted for anybody, and votes for nobody until a later term.
        let voted_for = (!voted_for.is_empty()).then_some(voted_for);
        let seen = store.last().map_or(0, |last| last.term);
        let hard = match seen > term {
            true => HardState { current_term: seen + 1, voted_for: None },
            false => HardState { current_term: term, voted_for },
        };
        if seen > term {
            let why = format!("term {term}: the log has term {seen}; the node begins in the next");
            note(&wrapped("not imported: ", &why));
        }
        store.save_hard_state(hard).map_err(refused)?;
        store.close().map_err(refused)?;
        Ok(log.len() as u64 + u64::from(snapshot.is_some()))
    }

    /// KeyVal's log begins at 1. The time of its records is the snapshot's: a log has none.
    fn export(&self, store: Arc<dyn Vfs>, _format: &str) -> Result<Files, Failure> {
        let Some(store) = RaftStore::open_read_only(store).map_err(refused)? else {
            return Ok(write(&Node::default().to_state(0)));
        };
        let HardState { current_term: term, voted_for } = store.hard_state();
        if voted_for.as_ref().is_some_and(Vec::is_empty) {
            return Err(Failure::usage("the vote is for a node without a name"));
        }
        let entries = store.entries(..).map_err(refused)?;
        let snapshot = saved(&store)?;
        let covered = snapshot.as_ref().map_or(0, |snapshot| snapshot.meta.index);
        if let Some(purged) = store.purged().filter(|purged| purged.index > covered) {
            let index = purged.index;
            return Err(Failure::usage(format!("the log was purged to {index}: it begins at 1")));
        }
        let seconds = store.snapshot().map_or(0, |meta| meta.created / 1_000_000_000);
        let log = entries.into_iter().map(log_entry).collect();
        let node = Node { term, voted_for: voted_for.unwrap_or_default(), log, snapshot };
        node.fits().map_err(|why| Failure::usage(why.to_string()))?;
        Ok(write(&node.to_state(i64::try_from(seconds).unwrap_or(i64::MAX))))
    }
}

/// The fields of a report.
fn shown(
    hard: &HardState,
    purged: Option<LogId>,
    entries: &[Entry],
    snapshot: Option<&SnapshotMeta>,
) -> Map<String, Value> {
    let position = |id: LogId| json!({ "index": id.index, "term": id.term });
    let voted_for = hard.voted_for.as_deref().map(hex);
    let entry = |Entry { id, payload }: &Entry| {
        let payload = hex(payload);
        json!({ "index": id.index, "term": id.term, "payload_hex": payload })
    };
    let snapshot = snapshot.map(|meta| {
        json!({
            "index": meta.last.index,
            "term": meta.last.term,
            "configuration_hex": hex(&meta.configuration),
            "created_ns": meta.created,
            "size": meta.size,
            "sha256": hex(&meta.sha256),
        })
    });
    Map::from_iter([
        ("hard_state".into(), json!({ "term": hard.current_term, "voted_for_hex": voted_for })),
        ("purged".into(), json!(purged.map(position))),
        ("snapshot".into(), json!(snapshot)),
        ("state".into(), entries.iter().map(entry).collect()),
    ])
}

#[cfg(test)]
mod tests {
    use super::{Entry, KIND, LogEntry, LogId, log_entry, nanoseconds, payload};

    #[test]
    fn every_entry_of_keyval_has_its_payload() {
        let tricky = [KIND, &[0; 9], b"x"].concat();
        for data in [None, Some(vec![]), Some(b"set x".to_vec()), Some(KIND.to_vec()), Some(tricky)]
        {
            for kind in [0, 1, 3, -1] {
                let entry = LogEntry { term: 2, index: 7, data: data.clone(), kind };
                let id = LogId { index: 7, term: 2 };
                let bytes = payload(&entry);
                assert_eq!(log_entry(Entry { id, payload: bytes }), entry);
            }
        }
        let plain = LogEntry { term: 1, index: 1, data: Some(b"set x".to_vec()), kind: 0 };
        assert_eq!(payload(&plain), b"set x", "the usual one is itself");
    }

    #[test]
    fn times_are_those_of_rfc_3339() {
        assert_eq!(nanoseconds("1970-01-01T01:00:00.5+01:00"), Some(500_000_000));
        assert_eq!(nanoseconds("1969-12-31T23:59:59Z"), None);
        assert_eq!(nanoseconds("yesterday"), None);
    }
}
