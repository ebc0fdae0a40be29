//! A state, as files that the original reads.

use super::{State, bolt, snapshot, wal};
use crate::Files;

/// The segments and the snapshots of a state; with `raft.db`, the segments are in the folder below,
/// as the original's persistence layer has them.
///
/// ```
/// use highwater_formats::keyval::{Entry, LOG, State, read, write};
///
/// let entry = Entry { kind: LOG, index: 1, term: 1, timestamp: 1_700_000_000, data: b"x".into() };
/// let state = State { entries: vec![entry], ..State::default() };
/// assert_eq!(read(&write(&state)).state, state);
/// ```
pub fn write(state: &State) -> Files {
    let mut segments = vec![Vec::new()];
    for entry in &state.entries {
        let full = |segment: &Vec<u8>| segment.len() + entry.size() > wal::SEGMENT_MAX;
        if segments.last().is_some_and(|last| full(last) && !last.is_empty()) {
            segments.push(Vec::new());
        }
        segments.last_mut().into_iter().for_each(|segment| entry.encode(segment));
    }
    let folder = if state.bolt.is_some() { "wal/" } else { "" };
    let segments = segments.into_iter().enumerate();
    let name = |number| format!("{folder}wal-{number:016}.log");
    let mut files: Files = segments.map(|(number, bytes)| (name(number), bytes)).collect();
    if let Some(bolt) = &state.bolt {
        files.put("raft.db", bolt::encode(bolt));
    }
    for snapshot in &state.snapshots {
        let name = snapshot::name(&snapshot.meta);
        files.put(format!("{name}.meta"), serde_json::json!(snapshot.meta).to_string());
        files.put(name, snapshot.data.clone());
    }
    files
}
