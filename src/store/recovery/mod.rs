//! Recovery: scan, plan, execute. The scan only reads, the plan is a pure table, and only the
//! execution writes: into files of its own.
//!
//! Invariants
//! - R9: a life never appends to, truncates or syncs a file of a former life. After a failed sync
//!   the cache may show bytes and names that the medium never got, and a second sync of them says
//!   `Ok` and writes nothing; so what no statement proves durable is copied into a fresh segment,
//!   and that is synced, before anything is shown.

mod clean;
pub(crate) mod facts;
pub(crate) mod plan;
mod quarantine;
mod report;

use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::entry::entries;
use crate::format::name::{Kind, Name};
use crate::log::open;
use crate::log::scan::{Bad, Scan};
use crate::log::writer::{Sizes, Writer};
use crate::view::{Place, View};
use clean::{newest_kept, overridden, take_back};
use facts::{BadEnd, Found, gather};
use highwater_vfs::{OpenMode, Vfs};
use plan::{Plan, plan};
use std::sync::Arc;

pub(crate) use clean::remove_obsolete;
pub use plan::Row;
pub(crate) use quarantine::quarantine;
pub use report::{Loss, RecoveryReport, Tail};

/// The highest epoch that is believed.
const EPOCH_MAX: u32 = u32::MAX / 2;

/// A store's insides after recovery.
pub(crate) struct Recovered<V> {
    pub(crate) state: V,
    pub(crate) writer: Writer,
    pub(crate) report: RecoveryReport,
    /// Snapshots in the directory, newest first.
    pub(crate) snapshots: Vec<Name>,
    /// Bytes of the one that was loaded.
    pub(crate) snapshot_size: u64,
    /// Files to remove as soon as that is safe (R10).
    pub(crate) obsolete: Vec<Name>,
}

pub(crate) fn recover<V: View>(vfs: &Arc<dyn Vfs>, sizes: Sizes) -> Result<Recovered<V>> {
    let (mut found, plan) = decide::<V>(&**vfs)?;
    let next_epoch = found.max_epoch + 1; // no more than EPOCH_MAX
    let mut writer = Writer::new(Arc::clone(vfs), sizes, plan.last, next_epoch);
    let mut report = report(&found, &plan);
    let temporary = found.names.iter().filter(|n| n.kind == Kind::Temporary);
    let mut obsolete: Vec<Name> = temporary.copied().collect();
    obsolete.append(&mut found.unfounded);
    if let Some(from) = plan.copy_from {
        let newest = newest_kept(found.state.slots(), &found.snapshots);
        report.copied = copy(&mut writer, &mut found, from, plan.last).inspect_err(|_| {
            take_back(&**vfs, &writer, Name::segment(from, next_epoch), &mut obsolete, newest);
        })?;
        obsolete.extend(overridden(found.state.slots_mut(), from));
    }
    // R12: only now. What overrides them may have been in the cache and nowhere else.
    obsolete.append(&mut found.overridden);
    writer.show(found.growth);
    let Found { state, snapshots, snapshot_size, .. } = found;
    let newest = newest_kept(state.slots(), &snapshots);
    report.removed = remove_obsolete(&**vfs, &mut obsolete, newest)?;
    Ok(Recovered { state, writer, report, snapshots, snapshot_size, obsolete })
}

/// Shows what [`recover`] would, without writing anything: what is not proven stays where it is.
pub(crate) fn look<V: View>(vfs: &Arc<dyn Vfs>) -> Result<Recovered<V>> {
    let (found, plan) = decide::<V>(&**vfs)?;
    Ok(shown(vfs, found, &plan))
}

fn shown<V: View>(vfs: &Arc<dyn Vfs>, found: Found<V>, plan: &Plan) -> Recovered<V> {
    let mut report = report(&found, plan);
    let proven = plan.copy_from.map_or(plan.last, Lsn::previous);
    report.unproven = plan.last.0 - proven.0;
    let writer = Writer::refusing(Arc::clone(vfs), plan.last, proven);
    let Found { state, snapshots, snapshot_size, .. } = found;
    Recovered { state, writer, report, snapshots, snapshot_size, obsolete: Vec::new() }
}

/// Scan and plan; refused if the plan says so.
fn decide<V: View>(vfs: &dyn Vfs) -> Result<(Found<V>, Plan)> {
    let mut found = gather(vfs)?;
    let plan = plan(&found.facts);
    refuse(&found, &plan)?;
    open_referenced(vfs, &mut found)?;
    Ok((found, plan))
}

fn report<V>(found: &Found<V>, plan: &Plan) -> RecoveryReport {
    let tail = match &found.bad_end {
        None => Tail::Clean,
        Some(BadEnd { file, offset, discarded, .. }) => {
            Tail::Torn { file: file.clone(), offset: *offset, discarded: *discarded }
        }
    };
    RecoveryReport {
        rows: vec![plan.row.name()],
        snapshot: found.facts.snapshot,
        last: plan.last,
        replayed: found.replayed,
        copied: 0,
        unproven: 0,
        tail,
        damaged_snapshots: found.spoiled.iter().map(Name::text).collect(),
        lost: None,
        removed: Vec::new(),
        foreign: found.foreign.clone(),
    }
}

/// The rows that refuse.
pub(crate) fn refuse<V>(found: &Found<V>, plan: &Plan) -> Result<()> {
    let facts = &found.facts;
    if let Some(name) = found.names.iter().find(|name| name.epoch >= EPOCH_MAX) {
        // Nobody opens a store so often, and the next epoch must still have a name.
        let expected = format!("an epoch below {EPOCH_MAX}");
        return Err(Error::corrupt(name.text(), 0, expected, format!("epoch {}", name.epoch)));
    }
    match plan.row {
        Row::R7Gap => {
            let missing =
                format!("LSN {} to {}", facts.snapshot.next(), facts.log_first.previous());
            let actual = format!("a log that begins at LSN {}", facts.log_first);
            let gone = || format!("{actual}: a segment before it is missing, or a snapshot");
            Err(match (found.spoiled.first(), &found.bad_end) {
                (Some(damaged), _) => Error::corrupt(damaged.text(), 0, missing, actual),
                (None, Some(bad)) if bad.why == Bad::Header => corrupt_at(bad, missing),
                (None, _) => Error::corrupt("the log", 0, missing, gone()),
            })
        }
        Row::R6Corrupt => {
            let proof = facts.statement.max(facts.snapshot);
            let expected = format!("LSN {} (LSN {proof} was durable)", facts.end);
            let damaged = found.spoiled.first().filter(|s| s.lsn >= facts.end && !facts.bad);
            Err(match (&found.bad_end, damaged) {
                (_, Some(name)) => Error::corrupt(name.text(), 0, expected, "a damaged snapshot"),
                (None, None) => {
                    let (file, offset) = found.log_end.clone().unwrap_or(("the log".into(), 0));
                    let actual = "the end of the log: a segment after it is missing, or cut off";
                    Error::corrupt(file, offset, expected, actual)
                }
                (Some(bad), None) if bad.is_hole() => missing(found, bad, expected),
                (Some(bad), None) => corrupt_at(bad, expected),
            })
        }
        _ => Ok(()),
    }
}

/// Between two segments something is not there. It is met at the second one; which of the two ways
/// it went nobody knows.
fn missing<V>(found: &Found<V>, next: &BadEnd, expected: String) -> Error {
    let (first, file) = (found.facts.end, &next.file);
    let Bad::Sequence(lsn) = next.why else { return corrupt_at(next, expected) };
    let gone = format!("LSN {lsn}: a segment that begins with LSN {first} is missing");
    let actual = match &found.log_end {
        Some((before, end)) => {
            format!("{gone} between {before} and {file}, or the first was cut off at offset {end}")
        }
        None => format!("{gone} before {file}"),
    };
    Error::corrupt(file.clone(), next.offset, expected, actual)
}

fn corrupt_at(bad: &BadEnd, expected: String) -> Error {
    let (expected, actual) = match bad.why {
        Bad::Header if bad.offset == 0 => {
            (format!("the segment of {expected}"), "no intact segment header".to_string())
        }
        Bad::Header => (format!("the frame of {expected}"), "no intact frame header".to_string()),
        Bad::Payload { expected: stored, actual } if stored == actual => {
            (format!("zeros as padding in {expected}"), "other bytes".to_string())
        }
        Bad::Payload { expected: stored, actual } => (
            format!("checksum {stored:#010x} over the payload of {expected}"),
            format!("checksum {actual:#010x}"),
        ),
        Bad::Cut => (format!("the payload of {expected}"), "the end of the file".to_string()),
        Bad::Sequence(lsn) => (expected, format!("LSN {lsn}")),
    };
    Error::corrupt(bad.file.clone(), bad.offset, expected, actual)
}

/// Opens the segments that hold live payloads; one that is gone is a gap in the data.
pub(crate) fn open_referenced<V: View>(vfs: &dyn Vfs, found: &mut Found<V>) -> Result<()> {
    for slot in found.state.slots_mut().iter_mut() {
        if slot.live > 0 && slot.file.is_none() {
            let name = slot.name();
            if !slot.present {
                let expected = format!("a segment with {} live payloads", slot.live);
                return Err(Error::corrupt(name, 0, expected, "no such file"));
            }
            slot.file = Some(open(vfs, &name, OpenMode::Read)?);
        }
    }
    Ok(())
}

/// The slot of the segment that was just begun.
fn enter<V: View>(writer: &Writer, state: &mut V) -> u32 {
    let active = writer.active.as_ref().expect("just begun");
    let slot = state.slots_mut().number(active.first, active.epoch);
    let entered = &mut state.slots_mut()[slot];
    (entered.file, entered.present) = (Some(Arc::clone(&active.file)), true);
    slot
}

/// R9.
fn copy<V: View>(writer: &mut Writer, found: &mut Found<V>, from: Lsn, last: Lsn) -> Result<u64> {
    writer.begin_copies(from, last, from.previous())?; // R9: a segment of this life
    let slot = enter(writer, &mut found.state);
    let mut next = from;
    while next <= last {
        let start = found.milestones.before(next).expect("a frame that was replayed has one");
        let source = &found.state.slots()[start.slot];
        let (name, limit) = (source.name(), source.last.next());
        let file = source.file.clone().expect("a scanned segment is open");
        let mut scan = Scan::begin(file, source.first, source.epoch).map_err(read(&name))?;
        scan.resume_at(start.offset, start.lsn);
        let before = next;
        while let Some(frame) = scan.frame(limit).map_err(read(&name))? {
            let lsn = frame.header.lsn;
            if lsn < next {
                continue;
            }
            let to = writer.copy(lsn, frame.payload)?;
            for (at, entry) in entries(frame.payload) {
                let offset = (to + at as u64) as u32;
                found.state.moved(&entry, Place { lsn, slot, offset });
            }
            next = lsn.next();
        }
        if next == before {
            let expected = format!("the frame of LSN {next}, as it was a moment ago");
            return Err(Error::corrupt(name, start.offset, expected, "other bytes"));
        }
    }
    writer.sync()?;
    Ok(last.0 + 1 - from.0)
}

fn read(name: &str) -> impl FnOnce(std::io::Error) -> Error {
    Error::io("read", name)
}
