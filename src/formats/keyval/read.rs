//! A folder: the segments in order, the snapshots that are whole, `raft.db`.

use super::snapshot::{self, Part, Wrong};
use super::wal::{self, Segment};
use super::{State, bolt, pages};
use crate::Files;
use crate::report::{Examined, FileReport, Likeness, Line, Tail};

/// Where the original's persistence layer keeps the log, below its folder.
const FOLDER: &str = "wal/";
/// Digits of a segment's number.
const DIGITS: usize = 16;

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `wal-<16 digits>.log`, here or in the folder below.
    Segment(u64, bool),
    Snapshot(Part),
    Bolt,
    Foreign,
}

impl Kind {
    fn of(path: &str) -> Kind {
        let (name, is_below) = match path.strip_prefix(FOLDER) {
            Some(name) => (name, true),
            None => (path, false),
        };
        let number = name.strip_prefix("wal-").and_then(|name| name.strip_suffix(".log"));
        let digits = number.filter(|n| n.len() == DIGITS && n.bytes().all(|b| b.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse().ok());
        match (number, snapshot::part(name)) {
            (Some(number), _) => Kind::Segment(number, is_below),
            (None, Some(part)) => Kind::Snapshot(part),
            (None, None) if name == "raft.db" && !is_below => Kind::Bolt,
            (None, None) => Kind::Foreign,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Segment(..) => "log",
            Kind::Snapshot(Part::Data) => "snapshot",
            Kind::Snapshot(Part::Meta) => "snapshot metadata",
            Kind::Snapshot(Part::Temporary) => "temporary",
            Kind::Bolt => "bolt",
            Kind::Foreign => "foreign",
        }
    }
}

/// Whether a folder looks like one of these.
pub(super) fn likeness(files: &Files) -> Likeness {
    let one = |(path, bytes): (&str, &[u8])| {
        let likes = match Kind::of(path) {
            Kind::Segment(..) => wal::begins_like_one(bytes) || wal::scan(bytes).has_intact,
            Kind::Snapshot(Part::Meta) => snapshot::meta(bytes).is_ok(),
            Kind::Bolt => pages::begins_like_one(bytes),
            Kind::Snapshot(_) | Kind::Foreign => return Likeness::None,
        };
        let short = bytes.len() < wal::RECORD_MIN || bytes.iter().all(|byte| *byte == 0);
        match (likes, short) {
            (true, _) => Likeness::Content,
            (false, true) => Likeness::Name,
            (false, false) => Likeness::None,
        }
    };
    files.iter().map(one).max().unwrap_or(Likeness::None)
}

/// Reads a folder.
pub fn read(files: &Files) -> Examined<State> {
    let mut found = Examined::<State>::default();
    let is_here = |(path, _): (&str, &[u8])| matches!(Kind::of(path), Kind::Segment(_, false));
    // One of the two folders has the log.
    let is_below = !files.iter().any(is_here);
    let mut segments = Vec::new();
    for (path, bytes) in files.iter() {
        let kind = match Kind::of(path) {
            Kind::Segment(_, below) if below != is_below => {
                found.lost.push(format!("{path} is of another log, and not read"));
                Kind::Foreign
            }
            kind => kind,
        };
        found.files.push(FileReport {
            path: path.into(),
            kind: kind.name(),
            offset: bytes.len() as u64,
            ..FileReport::default()
        });
        let index = found.files.len() - 1;
        match kind {
            Kind::Segment(number, _) => segments.push((index, number, wal::scan(bytes))),
            Kind::Bolt => read_bolt(bytes, index, &mut found),
            Kind::Snapshot(_) | Kind::Foreign => {}
        }
    }
    read_segments(segments, &mut found);
    read_snapshots(files, &mut found);
    found
}

/// The entries up to the first bad place: in a segment, or where one is missing.
fn read_segments(mut segments: Vec<(usize, u64, Segment)>, found: &mut Examined<State>) {
    segments.sort_by_key(|(_, number, _)| *number);
    let last_intact = segments.iter().rposition(|(_, _, segment)| segment.has_intact);
    let (mut expected, mut ended, mut hidden) = (0, false, 0);
    for (place, (index, number, segment)) in segments.into_iter().enumerate() {
        let report = &mut found.files[index];
        found.dump.extend(lines(&report.path, &segment));
        let count = segment.entries.len();
        report.records = count as u64;
        let unread = report.offset - segment.offset as u64;
        (report.tail, report.offset) = (segment.tail, segment.offset as u64);
        report.reason = segment.reason;
        if report.reason.is_some() {
            let FileReport { path, offset, .. } = report;
            found.lost.push(format!("{path} is bad at {offset}, {unread} bytes before its end"));
        }
        if number != expected {
            (report.tail, report.offset) = (Tail::Corrupt, 0);
            report.reason = Some(format!("segment {expected} is absent, this is {number}"));
            ended = true;
        }
        if report.tail == Tail::Torn && last_intact > Some(place) {
            report.tail = Tail::Corrupt;
        }
        // FM2: nothing behind the first bad place is shown.
        if ended {
            hidden += count;
        } else {
            found.state.entries.extend(segment.entries);
        }
        ended |= report.tail != Tail::Clean;
        expected = number.saturating_add(1);
    }
    if hidden > 0 {
        found.lost.push(format!("{hidden} intact records behind a bad place are not shown"));
    }
}

fn lines(path: &str, segment: &Segment) -> Vec<Line> {
    let mut offset = 0;
    let line = |entry: &wal::Entry| {
        let size = entry.size() as u64;
        let name = match entry.kind {
            super::LOG => "log entry",
            super::METADATA => "metadata",
            super::SNAPSHOT => "snapshot metadata",
            _ => "entry of an unknown kind",
        };
        let what = format!(
            "{name} {}, term {}, {} bytes, at {} s",
            entry.index,
            entry.term,
            entry.data.len(),
            entry.timestamp
        );
        offset += size;
        Line { path: path.into(), offset: offset - size, size, what }
    };
    segment.entries.iter().map(line).collect()
}

fn read_bolt(bytes: &[u8], index: usize, found: &mut Examined<State>) {
    let report = &mut found.files[index];
    let bad = match bolt::decode(bytes) {
        Ok((bolt, other)) => {
            report.records = bolt.log.len() as u64;
            found.state.bolt = Some(bolt);
            // A meta page is written while the other one counts.
            other.map(|bad| pages::Bad { tail: Tail::Torn, ..bad })
        }
        Err(bad) => {
            found.lost.push(format!("{} is passed over: {}", report.path, bad.reason));
            Some(bad)
        }
    };
    if let Some(bad) = bad {
        (report.tail, report.offset) = (bad.tail, bad.offset as u64);
        report.reason = Some(bad.reason);
    }
}

/// Each `.meta` with its data, and data without one.
fn read_snapshots(files: &Files, found: &mut Examined<State>) {
    for index in 0..found.files.len() {
        let path = found.files[index].path.clone();
        let wrong = match Kind::of(&path) {
            Kind::Snapshot(Part::Meta) => {
                let name = path.rsplit('/').next().unwrap_or_default();
                let data = files.get(path.trim_end_matches(".meta"));
                match snapshot::decode(name, files.get(&path).unwrap_or_default(), data) {
                    Ok(snapshot) => {
                        found.files[index].records = 1;
                        found.state.snapshots.push(snapshot);
                        continue;
                    }
                    Err(wrong) => wrong,
                }
            }
            Kind::Snapshot(Part::Data) if files.get(&format!("{path}.meta")).is_none() => {
                let reason = "its .meta is absent".into();
                Wrong { part: Part::Meta, tail: Tail::Torn, offset: 0, reason }
            }
            _ => continue,
        };
        // FM2: a bad snapshot is passed over, and said.
        found.lost.push(format!("{path} is passed over: {}", wrong.reason));
        let is_of_data = |file: &FileReport| path.strip_suffix(".meta") == Some(&*file.path);
        let place = match wrong.part {
            Part::Data => found.files.iter().position(is_of_data).unwrap_or(index),
            _ => index,
        };
        let report = &mut found.files[place];
        (report.tail, report.offset) = (wrong.tail, wrong.offset as u64);
        report.reason = Some(wrong.reason);
    }
    found.state.snapshots.sort_by_key(|snapshot| (snapshot.meta.index, snapshot.meta.term));
}
