//! What the log and its snapshot say of each other.

use super::record::{Bad, Log, Record};
use super::snapshot::{self, Snapshot};
use super::{Dialect, LOG, SNAPSHOT, Scan, State, TEMPORARY};
use crate::{Examined, FileReport, Files, Line, Tail};

/// In the record of a store: from its start to its length, which is where an index points.
const TO_LENGTH: u64 = 9;

pub(super) fn judge(files: &Files, dialect: Dialect) -> Examined<State> {
    let bytes = files.get(LOG).unwrap_or_default();
    let log = Log::new(bytes, dialect);
    let scan = Scan::new(&log);
    let mut examined = Examined::<State> { dump: dump(&log, &scan), ..Examined::default() };
    let mut index = None;
    for (path, bytes) in files.iter() {
        let report = match path {
            LOG => log_report(&log, &scan),
            SNAPSHOT => {
                let (report, found) = snapshot_report(bytes);
                index = found;
                report
            }
            TEMPORARY => FileReport::unread(path, "temporary"),
            _ => FileReport::unread(path, "foreign"),
        };
        examined.files.push(report);
    }
    if let Some(snapshot) = &index {
        compare(snapshot, &scan, files.get(LOG).is_some(), &mut examined.files);
        examined.dump.push(Line {
            path: SNAPSHOT.into(),
            offset: 0,
            size: files.get(SNAPSHOT).unwrap_or_default().len() as u64,
            what: format!(
                "index of {} ids in the first {} bytes of the log",
                snapshot.offsets.len(),
                snapshot.position
            ),
        });
    }
    let live = scan.index(u64::MAX).into_iter();
    let payload = |record: &Record| bytes[record.payload.clone().unwrap_or_default()].to_vec();
    examined.state.payloads = live.map(|(id, record)| (id, payload(record))).collect();
    let stopped = examined.files.iter().filter(|file| file.tail != Tail::Clean);
    let said = stopped.map(|file| match file.kind {
        "log" => format!("{} bytes of {LOG} are not shown", bytes.len() - scan.end),
        _ => format!("{} is passed over: the log is read from its start", file.path),
    });
    examined.lost = said.collect();
    examined
}

fn log_report(log: &Log<'_>, scan: &Scan) -> FileReport {
    let (tail, reason) = match &scan.bad {
        None => (Tail::Clean, None),
        Some(bad) => match log.proof(scan.end + 1) {
            None => (Tail::Torn, Some(bad.to_string())),
            Some(at) => (Tail::Corrupt, Some(format!("{bad}; a record at {at} is intact"))),
        },
    };
    FileReport {
        path: LOG.into(),
        kind: "log",
        records: scan.records.len() as u64,
        tail,
        offset: scan.end as u64,
        reason,
    }
}

fn snapshot_report(bytes: &[u8]) -> (FileReport, Option<Snapshot>) {
    let mut report = FileReport::unread(SNAPSHOT, "snapshot");
    match snapshot::decode(bytes) {
        Ok(snapshot) => {
            report.records = snapshot.offsets.len() as u64;
            report.offset = bytes.len() as u64;
            (report, Some(snapshot))
        }
        Err((tail, offset, reason)) => {
            (FileReport { tail, offset, reason: Some(reason), ..report }, None)
        }
    }
}

/// An intact snapshot that contradicts the log is of another log; one that goes further than the
/// log shows that the log has lost what it once had.
fn compare(snapshot: &Snapshot, scan: &Scan, there: bool, files: &mut [FileReport]) {
    let known = scan.index(snapshot.position);
    let points_at = |record: &Record| record.start as u64 + TO_LENGTH;
    let whole = snapshot.position <= scan.end as u64;
    let mut ids = snapshot.offsets.iter();
    let wrong = ids.find(|(id, offset)| match known.get(id) {
        Some(record) => points_at(record) != **offset && (whole || **offset < scan.end as u64),
        None => whole || **offset < scan.end as u64,
    });
    let missing = known.keys().find(|id| whole && !snapshot.offsets.contains_key(id));
    let position = snapshot.position;
    let corrupt = |file: &mut FileReport, why: String| {
        file.tail = Tail::Corrupt;
        file.reason = Some(why);
    };
    for file in files {
        match (file.path.as_str(), wrong, missing) {
            (SNAPSHOT, Some((id, offset)), _) => {
                file.offset = 0;
                corrupt(file, format!("it has id {id} at {offset} of the log, which has it not"));
            }
            (SNAPSHOT, None, Some(id)) => {
                file.offset = 0;
                corrupt(file, format!("it has no id {id}, which the log has before {position}"));
            }
            (SNAPSHOT, None, None) if !there && position > 0 => {
                corrupt(file, format!("it is of {position} bytes of a log that is not there"));
            }
            (LOG, None, None) if !whole => {
                let why = file.reason.take().unwrap_or_else(|| "the log ends".into());
                corrupt(file, format!("{why}; the snapshot is of its first {position} bytes"));
            }
            _ => {}
        }
    }
}

fn dump(log: &Log<'_>, scan: &Scan) -> Vec<Line> {
    let line = |start: usize, size: usize, what: String| Line {
        path: LOG.into(),
        offset: start as u64,
        size: size as u64,
        what,
    };
    let records = scan.records.iter().map(|record| {
        let Record { start, size, marker, id, payload } = record;
        let unchecked = if *marker < 0x80 && !log.proves(record) { ", no checksum" } else { "" };
        let what = match payload {
            Some(payload) => {
                let text = crate::report::preview(&log.bytes[payload.clone()]);
                format!("store {id}: {text}")
            }
            None => format!("delete {id}{unchecked}"),
        };
        line(*start, *size, what)
    });
    let rest = scan
        .bad
        .as_ref()
        .map(|bad: &Bad| line(scan.end, log.bytes.len() - scan.end, format!("! {bad}")));
    records.chain(rest).collect()
}
