//! The segments one after the other: where each stops, and where the state does.

use super::layout::{self, HEADER, Layout};
use super::segment::{OVERHEAD, Segment};
use super::{Record, State};
use crate::report::preview;
use crate::search::Behind;
use crate::{Examined, FileReport, Files, Line, Tail};

pub(super) fn read(files: &Files) -> Examined<State> {
    let mut examined = Examined::<State>::default();
    let segments = segments(files);
    let layout = layout::find(&segments);
    let mut journal = Journal { end: None, open: true };
    for (index, segment) in segments.iter().enumerate() {
        let (before, size) = (examined.state.records.len(), segment.bytes.len());
        let report = match &layout {
            Ok(layout) => {
                let mut report = journal.add(segment, layout, &mut examined);
                // What a bad record is depends on what comes after it.
                let later = segments[index + 1..].iter().find(|s| has_records(s, layout));
                if let (Tail::Torn, Some(later)) = (report.tail, later) {
                    report.tail = Tail::Corrupt;
                    let why = report.reason.take().unwrap_or_default();
                    report.reason = Some(format!("{why}; {} has intact records", later.path));
                }
                report
            }
            Err(why) => {
                journal.open = false;
                let tail = if size < HEADER { Tail::Torn } else { Tail::Corrupt };
                let reason = Some(why.clone());
                FileReport { tail, reason, ..FileReport::unread(segment.path, "log") }
            }
        };
        if report.tail != Tail::Clean {
            let rest = size as u64 - report.offset;
            examined.lost.push(format!("{rest} bytes of {} are not shown", report.path));
        } else if !journal.open && examined.state.records.len() == before && report.records > 0 {
            let text = format!("{} records of {} follow what is bad", report.records, report.path);
            examined.lost.push(text);
        }
        examined.files.push(report);
    }
    let others = files.iter().filter(|(path, bytes)| Segment::new(path, bytes).is_none());
    examined.files.extend(others.map(|(path, _)| FileReport::unread(path, "foreign")));
    examined.files.sort_by(|a, b| a.path.cmp(&b.path));
    if let Ok(Layout { header, scope, own: false, .. }) = layout {
        let found = format!("a header of {header} bytes, checksums over {}", scope.name());
        examined.more.push(("layout", found.into()));
    }
    examined
}

/// In the order of their offsets, which is that of their names.
pub(super) fn segments(files: &Files) -> Vec<Segment<'_>> {
    files.iter().filter_map(|(path, bytes)| Segment::new(path, bytes)).collect()
}

fn has_records(segment: &Segment<'_>, layout: &Layout) -> bool {
    segment.record(layout.header, layout.scope).is_ok()
}

/// What has been read so far.
struct Journal {
    /// Where the next segment has to begin; `None` before the first.
    end: Option<u64>,
    /// FM2: whether nothing bad has been met yet.
    open: bool,
}

impl Journal {
    fn add(
        &mut self,
        segment: &Segment<'_>,
        layout: &Layout,
        examined: &mut Examined<State>,
    ) -> FileReport {
        let Segment { path, base, bytes, .. } = segment;
        let mut report = FileReport::unread(*path, "log");
        let line = |at: usize, size: usize, what: String| Line {
            path: (*path).into(),
            offset: at as u64,
            size: size as u64,
            what,
        };
        let bad = |report: &mut FileReport, tail, at: usize, reason: String| {
            (report.tail, report.offset, report.reason) = (tail, at as u64, Some(reason));
        };
        let fault = match layout.own {
            true => layout::fault(segment),
            false if bytes.len() < layout.header => {
                Some(format!("the header has {} bytes", layout.header))
            }
            false => None,
        };
        let gap = self.end.filter(|end| end != base);
        if let Some(fault) = fault {
            let tail = if bytes.len() < layout.header { Tail::Torn } else { Tail::Corrupt };
            bad(&mut report, tail, 0, fault);
            self.open = false;
        } else if let Some(end) = gap {
            let reason = format!("it begins at {base} of the journal, which is known up to {end}");
            bad(&mut report, Tail::Corrupt, 0, reason);
            self.open = false;
        }
        if layout.header > 0 {
            let size = layout.header.min(bytes.len());
            let what = report.reason.as_ref().map_or("header".into(), |why| format!("! {why}"));
            examined.dump.push(line(0, size, what));
        }
        let mut at = layout.header.min(bytes.len());
        while at < bytes.len() && report.tail == Tail::Clean {
            match segment.record(at, layout.scope) {
                Ok(payload) => {
                    let skipped = if layout.counted { 0 } else { layout.header };
                    let offset = base.wrapping_add((at - skipped) as u64);
                    let size = OVERHEAD + payload.len();
                    let what = format!("record {offset}: {}", preview(payload));
                    examined.dump.push(line(at, size, what));
                    if self.open {
                        let payload = payload.to_vec();
                        examined.state.records.push(Record { offset, payload });
                    }
                    report.records += 1;
                    at += size;
                }
                Err(why) => {
                    let (tail, behind) = match segment.behind(at, layout.scope) {
                        Behind::Nothing => (Tail::Torn, String::new()),
                        Behind::Frame(at) => {
                            (Tail::Corrupt, format!("; a record at {at} is intact"))
                        }
                        Behind::Unknown => (Tail::Corrupt, "; too much behind it to say".into()),
                    };
                    examined.dump.push(line(at, bytes.len() - at, format!("! {why}")));
                    bad(&mut report, tail, at, format!("{why}{behind}"));
                    self.open = false;
                }
            }
        }
        if report.tail == Tail::Clean {
            report.offset = bytes.len() as u64;
        }
        let skipped = if layout.counted { 0 } else { layout.header.min(bytes.len()) };
        self.end = Some(base.wrapping_add((bytes.len() - skipped) as u64));
        report
    }
}
