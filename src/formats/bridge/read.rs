//! A folder: which snapshot counts, which records come after it, and what that makes.

use super::replay::{self, Entries};
use super::snapshot::{self, Snapshot};
use super::wal::{self, Log, Record};
use super::{Entry, State};
use crate::Files;
use crate::report::{Examined, FileReport, Likeness, Line, Tail};

/// What a file is, by its name. Logs are in the order in which they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// `wal-<seconds>.log`: closed at that time.
    Rotated(u64),
    /// `wal-current-new.log`, while a rotation is under way.
    New,
    /// `wal-current.log`.
    Current,
    /// `snapshot-<seconds>.snap`.
    Snapshot,
    /// A snapshot that was not finished.
    Temporary,
    Foreign,
}

impl Kind {
    fn of(path: &str) -> Kind {
        let digits = |text: &str| match text.bytes().all(|b| b.is_ascii_digit()) {
            true => text.parse().ok(),
            false => None::<u64>,
        };
        if let Some(name) = path.strip_prefix("wal-").and_then(|name| name.strip_suffix(".log")) {
            return match name {
                "current" => Kind::Current,
                "current-new" => Kind::New,
                name => digits(name).map_or(Kind::Foreign, Kind::Rotated),
            };
        }
        let Some(name) = path.strip_prefix("snapshot-") else { return Kind::Foreign };
        let (name, kind) = match name.strip_suffix(".snap") {
            Some(name) => (name, Kind::Snapshot),
            None => (name.strip_suffix(".tmp").unwrap_or(""), Kind::Temporary),
        };
        digits(name.strip_suffix(".snap").unwrap_or(name)).map_or(Kind::Foreign, |_| kind)
    }

    /// Of a file with these bytes: names of 16 digits are KeyVal's too, and of a rotation that was
    /// cut short only the name may be there.
    fn of_file(path: &str, bytes: &[u8]) -> Kind {
        match Kind::of(path) {
            Kind::Rotated(_) if path.len() == "wal-.log".len() + 16 => {
                if wal::begins_like_one(bytes) { Kind::of(path) } else { Kind::Foreign }
            }
            Kind::New if !wal::has_header(bytes) => Kind::Temporary,
            kind => kind,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Rotated(_) | Kind::New | Kind::Current => "log",
            Kind::Snapshot => "snapshot",
            Kind::Temporary => "temporary",
            Kind::Foreign => "foreign",
        }
    }
}

/// Whether a folder looks like one of these.
pub(super) fn likeness(files: &Files) -> Likeness {
    let one = |(path, bytes): (&str, &[u8])| {
        let (likes, header) = match Kind::of_file(path, bytes) {
            Kind::Snapshot => (snapshot::is_one(bytes), snapshot::HEADER),
            Kind::Temporary | Kind::Foreign => return Likeness::None,
            _ => {
                let likes = wal::begins_like_one(bytes) || !wal::scan(bytes).records.is_empty();
                (likes, wal::HEADER)
            }
        };
        let empty = bytes.len() < header || bytes.iter().all(|byte| *byte == 0);
        match (likes, empty) {
            (true, _) => Likeness::Content,
            (false, true) => Likeness::Name,
            (false, false) => Likeness::None,
        }
    };
    files.iter().map(one).max().unwrap_or(Likeness::None)
}

/// A log of the folder.
struct Named<'a> {
    path: &'a str,
    kind: Kind,
    size: usize,
    log: Log,
}

/// Reads a folder. Expiry is judged at `at`, or at the newest time that an intact record or the
/// snapshot gives.
pub fn read(files: &Files, at: Option<i64>) -> Examined<State> {
    let mut found = Examined::<State>::default();
    let mut logs = Vec::new();
    let mut newest: Option<(usize, Snapshot)> = None;
    for (path, bytes) in files.iter() {
        let kind = Kind::of_file(path, bytes);
        let mut report =
            FileReport { path: path.into(), kind: kind.name(), ..FileReport::default() };
        match kind {
            Kind::Rotated(_) | Kind::New | Kind::Current => {
                let log = wal::scan(bytes);
                report.records = log.sound() as u64;
                (report.tail, report.offset) = (log.tail, log.offset as u64);
                report.reason = log.reason.clone();
                logs.push(Named { path, kind, size: bytes.len(), log });
            }
            Kind::Snapshot => match snapshot::decode(bytes) {
                Ok(snapshot) => {
                    report.records = snapshot.entries.len() as u64;
                    report.offset = bytes.len() as u64;
                    found.dump.extend(snapshot_lines(path, bytes.len(), &snapshot));
                    let index = found.files.len();
                    if newest.as_ref().is_none_or(|(_, one)| one.created < snapshot.created) {
                        newest = Some((index, snapshot));
                    }
                }
                Err(bad) => {
                    // FM2: a bad snapshot is passed over, and said.
                    found.lost.push(format!("{path} is passed over: {}", bad.reason));
                    (report.tail, report.offset) = (bad.tail, bad.offset as u64);
                    report.reason = Some(bad.reason);
                }
            },
            Kind::Temporary | Kind::Foreign => report.offset = bytes.len() as u64,
        }
        found.files.push(report);
    }
    logs.sort_by_key(|named| named.kind);
    for Named { path, size, log, .. } in logs.iter().filter(|named| named.log.reason.is_some()) {
        let unread = size.saturating_sub(log.offset);
        found.lost.push(format!("{path} is bad at {}, {unread} bytes before its end", log.offset));
    }
    found.dump.extend(logs.iter().flat_map(log_lines));
    corrupt_before_later_ones(&logs, &mut found);
    let start = newest.map(|(index, snapshot)| Start::new(index, snapshot, &logs, &mut found));
    found.state = replay_all(&logs, start, at, &mut found.lost);
    found
}

/// A log that ends badly is not torn if records of later logs are intact.
fn corrupt_before_later_ones(logs: &[Named<'_>], found: &mut Examined<State>) {
    let last = logs.iter().rposition(|named| !named.log.records.is_empty()).unwrap_or(0);
    for named in logs[..last.min(logs.len())].iter().filter(|named| named.log.ends_badly) {
        report_of(found, named.path).tail = Tail::Corrupt;
    }
}

fn report_of<'a>(found: &'a mut Examined<State>, path: &str) -> &'a mut FileReport {
    let report = found.files.iter_mut().find(|report| report.path == path);
    report.expect("each log has its report")
}

/// The snapshot that counts, and what of the logs it covers.
struct Start {
    snapshot: Snapshot,
    /// The log that was written to then, and up to where.
    position: Option<(usize, u64)>,
}

impl Start {
    /// The log that was written to then is the last that has a record from before.
    fn new(
        index: usize,
        snapshot: Snapshot,
        logs: &[Named<'_>],
        found: &mut Examined<State>,
    ) -> Start {
        let Snapshot { created, log_position, .. } = snapshot;
        let before = |record: &Record| record.timestamp <= created;
        let current = logs.iter().rposition(|named| named.log.records.iter().any(before));
        let position = current.filter(|current| logs[*current].log.has_boundary(log_position));
        let start = Start { snapshot, position: position.map(|log| (log, log_position)) };
        let Some(Named { path, size, log, .. }) = current.map(|current| &logs[current]) else {
            return start;
        };
        if start.position.is_some() || log.reason.is_some() {
            return start;
        }
        let by = found.files[index].path.clone();
        if log_position > *size as u64 {
            let report = report_of(found, path);
            report.tail = report.tail.max(Tail::Torn);
            report.reason = Some(format!("{by} expected {log_position} bytes, there are {size}"));
            found.lost.push(format!("{path} has lost its end, which {by} covers"));
        } else {
            let report = &mut found.files[index];
            (report.tail, report.offset) = (Tail::Corrupt, 32);
            report.reason = Some(format!("no record of {path} ends at {log_position}"));
            found.lost.push(format!("{by} gives no position: it counts by its time alone"));
        }
        start
    }

    fn covers(&self, log: usize, record: &Record) -> bool {
        let by_position = |(current, position)| current == log && (record.offset as u64) < position;
        record.timestamp <= self.snapshot.created || self.position.is_some_and(by_position)
    }
}

/// The state after the snapshot and the records that it does not cover.
fn replay_all(
    logs: &[Named<'_>],
    start: Option<Start>,
    at: Option<i64>,
    lost: &mut Vec<String>,
) -> State {
    let mut records: Vec<Placed<'_>> = Vec::new();
    let mut behind_hole = false;
    for (log, named) in logs.iter().enumerate() {
        for record in &named.log.records {
            behind_hole |= record.behind_hole;
            records.push(Placed { log, record, behind_hole: std::mem::take(&mut behind_hole) });
        }
        behind_hole |= named.log.ends_badly;
    }
    let is_covered = |placed: &Placed<'_>| {
        start.as_ref().is_some_and(|start| start.covers(placed.log, placed.record))
    };
    let is_next = |placed: &Placed<'_>| {
        let position = start.as_ref().and_then(|start| start.position);
        position == Some((placed.log, placed.record.offset as u64))
    };
    // FM2: what stands behind a bad place is not shown, unless the place is one that the snapshot
    // goes over: then nothing is missing in between.
    let reached = records.iter().rposition(|placed| is_covered(placed) || is_next(placed));
    let reached = reached.map_or(0, |last| last + 1);
    let cut = records[reached..].iter().position(|placed| placed.behind_hole);
    let end = cut.map_or(records.len(), |cut| reached + cut);
    if end < records.len() {
        let count = records.len() - end;
        lost.push(format!("{count} intact records behind a bad place are not shown"));
    }
    let newest = records.iter().map(|placed| placed.record.timestamp).max();
    let newest = newest.max(start.as_ref().map(|start| start.snapshot.created));
    let at = at.or(newest).unwrap_or(0);
    let replayed: Vec<_> = records[..end].iter().filter(|placed| !is_covered(placed)).collect();
    let mut entries = start.map_or_else(Entries::new, |start| start.snapshot.entries);
    for Placed { record, .. } in replayed {
        replay::apply(&mut entries, record.timestamp, &record.op);
    }
    entries.retain(|_, entry: &mut Entry| entry.is_live(at));
    State { at, entries }
}

/// A record of the folder.
struct Placed<'a> {
    /// Which log it is in.
    log: usize,
    record: &'a Record,
    /// Whether there are bytes right before it, in its log or at the end of one before, that could
    /// not be read.
    behind_hole: bool,
}

fn snapshot_lines(path: &str, size: usize, snapshot: &Snapshot) -> [Line; 2] {
    let line = |offset: usize, end: usize, what| Line {
        path: path.into(),
        offset: offset as u64,
        size: (end - offset) as u64,
        what,
    };
    let Snapshot { created, log_position, entries } = snapshot;
    let header = format!("header: created at {created} ns, position {log_position} of the log");
    let body = format!("{} entries in their shards", entries.len());
    [line(0, snapshot::HEADER, header), line(snapshot::HEADER, size, body)]
}

fn log_lines(named: &Named<'_>) -> Vec<Line> {
    let line = |offset: usize, size: usize, what| Line {
        path: named.path.into(),
        offset: offset as u64,
        size: size as u64,
        what,
    };
    let created = named.log.created.map(|created| format!("header: created at {created} s"));
    let header = created.map(|what| line(0, wal::HEADER, what));
    let record = |record: &Record| {
        let what = format!("at {} ns: {}", record.timestamp, record.op.summary());
        line(record.offset, record.size, what)
    };
    header.into_iter().chain(named.log.records.iter().map(record)).collect()
}
