//! Gathering the facts: list, load the newest valid snapshot, walk the log. Writes nothing.
//!
//! Invariants
//! - R8: a frame counts once, in the segment that the override rule gives it to.

use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::entry::entries;
use crate::format::name::{Kind, Name};
use crate::limits::FRAME_HEADER;
use crate::log::open;
use crate::log::scan::{Bad, Scan};
use crate::recovery::EPOCH_MAX;
use crate::recovery::plan::{Facts, Piece, effective};
use crate::recovery::quarantine::name_before;
use crate::snapshot;
use crate::view::{Place, View, other_view};
use highwater_vfs::{OpenMode, Vfs};
use std::collections::BTreeMap;
use std::path::Path;

/// Where a frame stands that may have to be copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Milestone {
    pub(crate) lsn: Lsn,
    pub(crate) slot: u32,
    pub(crate) offset: u64,
}

/// Frames that nothing has proven durable yet: every one while they are few, every second, fourth,
/// … when they become many, so that a log without statements costs no memory a frame.
#[derive(Debug)]
pub(crate) struct Milestones {
    pub(crate) list: Vec<Milestone>,
    /// A power of two.
    stride: u64,
}

const MILESTONES_MAX: usize = 4096;

/// Changes are gathered and applied together: the processor then waits for several of a map's cache
/// lines at once.
const APPLY_AT_ONCE: usize = 256;

impl Milestones {
    /// A frame has passed; `fresh` for the first of a segment, where one must be able to start.
    fn pass(&mut self, milestone: Milestone, statement: Lsn, fresh: bool) {
        if !fresh && milestone.lsn.0 & (self.stride - 1) != 0 {
            return; // not `is_multiple_of`: a division a frame
        }
        if self.list.len() >= 64 && self.list[32].lsn <= statement {
            // Frames before the statement are not wanted, but one to start from.
            let after = self.list.partition_point(|m| m.lsn <= statement);
            self.list.drain(..after - 1);
        }
        if self.list.len() >= MILESTONES_MAX {
            self.stride *= 2;
            let stride = self.stride;
            let mut slot = u32::MAX;
            self.list.retain(|m| {
                let first = std::mem::replace(&mut slot, m.slot) != m.slot;
                first || m.lsn.0.is_multiple_of(stride)
            });
        }
        self.list.push(milestone);
    }

    /// Where to start in order to meet `lsn`.
    pub(crate) fn before(&self, lsn: Lsn) -> Option<Milestone> {
        self.list.iter().rev().find(|m| m.lsn <= lsn).copied()
    }
}

/// Where the log ended, if not cleanly.
#[derive(Clone, Debug)]
pub(crate) struct BadEnd {
    pub(crate) file: String,
    pub(crate) offset: u64,
    pub(crate) why: Bad,
    /// Bytes from there to the end of the file.
    pub(crate) discarded: u64,
}

impl BadEnd {
    /// Whether the file is sound, and the one that belongs before it is not there: a frame out of
    /// its turn stands behind a header.
    pub(crate) fn is_hole(&self) -> bool {
        matches!(self.why, Bad::Sequence(_)) && self.offset == 0
    }
}

/// Everything that was found.
#[derive(Debug)]
pub(crate) struct Found<V> {
    pub(crate) facts: Facts,
    pub(crate) state: V,
    pub(crate) milestones: Milestones,
    pub(crate) bad_end: Option<BadEnd>,
    /// The file and the offset in it where the log ends.
    pub(crate) log_end: Option<(String, u64)>,
    /// All names that are ours, and the others.
    pub(crate) names: Vec<Name>,
    pub(crate) foreign: Vec<String>,
    /// Valid snapshots' candidates, newest first: the names.
    pub(crate) snapshots: Vec<Name>,
    /// Bytes of the one that was loaded.
    pub(crate) snapshot_size: u64,
    /// Damaged files under a snapshot's final name.
    pub(crate) spoiled: Vec<Name>,
    /// Segments of which nothing counts, because they were never founded.
    pub(crate) unfounded: Vec<Name>,
    /// Segments of which nothing counts, because a later one overrides them.
    pub(crate) overridden: Vec<Name>,
    pub(crate) replayed: u64,
    /// Bytes of log that were replayed.
    pub(crate) growth: u64,
    pub(crate) max_epoch: u32,
}

impl<V> Found<V> {
    /// Whether it is a segment of which nothing counts.
    pub(crate) fn is_dead(&self, name: &Name) -> bool {
        self.unfounded.contains(name) || self.overridden.contains(name)
    }
}

/// Lists the directory and walks all that counts.
pub(crate) fn gather<V: View>(vfs: &dyn Vfs) -> Result<Found<V>> {
    let list = vfs.list(Path::new("")).map_err(Error::io("list", ""))?;
    let mut found = Found {
        facts: Facts {
            snapshot: Lsn(0),
            log_first: Lsn(0),
            end: Lsn(1),
            bad: false,
            statement: Lsn(0),
        },
        state: V::default(),
        milestones: Milestones { list: Vec::new(), stride: 1 },
        bad_end: None,
        log_end: None,
        names: Vec::with_capacity(list.len()),
        foreign: Vec::new(),
        snapshots: Vec::new(),
        snapshot_size: 0,
        spoiled: Vec::new(),
        unfounded: Vec::new(),
        overridden: Vec::new(),
        replayed: 0,
        growth: 0,
        max_epoch: 0,
    };
    let mut segments = Vec::new();
    for text in list {
        let Some(name) = Name::parse(&text) else {
            let believed = |name: &Name| name.epoch < EPOCH_MAX;
            let aside = name_before(&text).filter(believed).map_or(0, |name| name.epoch);
            found.max_epoch = found.max_epoch.max(aside); // QR5
            found.foreign.push(text);
            continue;
        };
        found.names.push(name);
        found.max_epoch = found.max_epoch.max(name.epoch);
        match name.kind {
            Kind::Segment => segments.push((name, text)),
            Kind::Snapshot => found.snapshots.push(name),
            Kind::Temporary => {}
        }
    }
    segments.sort_unstable_by_key(|(name, _)| name.epoch);
    let begins: BTreeMap<u32, Lsn> = segments.iter().map(|(n, _)| (n.epoch, n.lsn)).collect();
    let resume = load_snapshot(vfs, &mut found, &begins)?;
    walk(vfs, &mut found, segments, resume)?;
    for slot in found.state.slots_mut().iter_mut() {
        slot.present = begins.contains_key(&slot.epoch);
    }
    Ok(found)
}

type ResumeAt = Option<crate::format::snapshot::Resume>;

/// The newest valid snapshot; the damaged ones before it are remembered. `begins` are the segments
/// that are there, by epoch: a snapshot that knows another beginning of one is no snapshot of them.
fn load_snapshot<V: View>(
    vfs: &dyn Vfs,
    found: &mut Found<V>,
    begins: &BTreeMap<u32, Lsn>,
) -> Result<ResumeAt> {
    let fits = |state: &V| {
        state.slots().iter().all(|s| begins.get(&s.epoch).is_none_or(|first| *first == s.first))
    };
    found.snapshots.sort_unstable_by_key(|n| std::cmp::Reverse((n.lsn, n.epoch)));
    while let Some(&name) = found.snapshots.get(found.spoiled.len()) {
        let loaded = snapshot::load(vfs, name, &name.text())?;
        if let Some(loaded) = loaded.filter(|loaded| fits(&loaded.state)) {
            found.state = loaded.state;
            found.snapshot_size = loaded.size;
            found.facts.snapshot = name.lsn;
            found.facts.end = name.lsn.next();
            found.snapshots.drain(..found.spoiled.len());
            return Ok(loaded.header.resume);
        }
        // A final name appears only over durable bytes, and after the log was synced up to its
        // LSN: so the name of a damaged snapshot is a statement still.
        found.facts.statement = found.facts.statement.max(name.lsn);
        found.spoiled.push(name);
    }
    found.snapshots.clear();
    Ok(None)
}

fn walk<V: View>(
    vfs: &dyn Vfs,
    found: &mut Found<V>,
    segments: Vec<(Name, String)>,
    resume: ResumeAt,
) -> Result<()> {
    let mut scans = Vec::with_capacity(segments.len());
    let mut pieces = Vec::with_capacity(segments.len());
    let snapshot = found.facts.snapshot;
    for (at, (name, text)) in segments.iter().enumerate() {
        // A segment that the snapshot covers to its end needs no look: the resume position lies in
        // a later one, or the next one begins at or before the LSN that is wanted next.
        let resumed = resume.is_some_and(|r| name.epoch < r.epoch && name.lsn <= snapshot);
        if resumed {
            pieces.push(Piece { first: name.lsn, founded: true });
            scans.push(None);
            continue;
        }
        let file = open(vfs, text, OpenMode::Read)?;
        let scan = Scan::begin(file, name.lsn, name.epoch).map_err(Error::io("read", text))?;
        let mut scan = scan;
        if let Some(view) = scan.header.map(|h| h.view).filter(|view| *view != V::KIND.code()) {
            return Err(other_view(text, V::KIND, view));
        }
        let here = resume.filter(|r| r.epoch == name.epoch && r.offset > 0);
        let founded = found_out(&mut scan, here.is_some()).map_err(Error::io("read", text))?;
        if let Some(resume) = here {
            scan.resume_at(u64::from(resume.offset), snapshot.next());
        }
        pieces.push(Piece { first: name.lsn, founded });
        scans.push(Some((at, scan)));
    }
    let ranges = effective(&pieces);
    let counts = |i: &usize| ranges[*i].0 < ranges[*i].1;
    let dead = (0..ranges.len()).filter(|i| !counts(i));
    let (overridden, unfounded): (Vec<_>, Vec<_>) = dead.partition(|&i| pieces[i].founded);
    found.overridden = overridden.into_iter().map(|i| segments[i].0).collect();
    found.unfounded = unfounded.into_iter().map(|i| segments[i].0).collect();
    let first = (0..ranges.len()).filter(counts).map(|i| ranges[i].0).min();
    found.facts.log_first = first.unwrap_or(Lsn(0));
    let mut order: Vec<usize> = (0..ranges.len()).filter(counts).collect();
    order.sort_unstable_by_key(|&i| ranges[i].0);
    for i in order {
        let slot = found.state.slots_mut().number(ranges[i].0, segments[i].0.epoch);
        let Some((at, scan)) = &mut scans[i] else {
            found.state.slots_mut()[slot].last = ranges[i].1.previous().min(snapshot);
            continue;
        };
        let text = &segments[*at].1;
        replay(found, scan, ranges[i].1, text).map_err(Error::io("read", text))?;
    }
    // Whatever could not be replayed may still say what was durable.
    for (i, scan) in scans.iter_mut().enumerate() {
        let Some((at, scan)) = scan else { continue };
        let text = &segments[*at].1;
        let blocked = !counts(&i) || found.bad_end.is_some();
        if scan.bad.is_some() || blocked && scan.offset < scan.reader.size {
            scan.search_statements().map_err(Error::io("read", text))?;
        }
        found.facts.statement = found.facts.statement.max(scan.statement);
        // A hole that this segment should have filled was met at the next one already; the place to
        // name is here.
        let hole = found.bad_end.as_ref().is_some_and(BadEnd::is_hole);
        let fills = hole && scan.first == found.facts.end;
        if pieces[i].founded || found.bad_end.is_some() && !fills {
            continue;
        }
        let (file, why) = (text.clone(), scan.bad.unwrap_or(Bad::Header));
        let offset = scan.header.map_or(0, |_| scan.offset.min(scan.reader.size));
        let discarded = scan.reader.size;
        found.facts.bad = true;
        found.bad_end = Some(BadEnd { file, offset, why, discarded });
    }
    Ok(())
}

/// Whether a segment's header and all its copies are intact.
fn found_out(scan: &mut Scan, vouched: bool) -> std::io::Result<bool> {
    if vouched {
        return Ok(true); // the snapshot has what it said, whatever has become of it since
    }
    let Some(header) = scan.header else { return Ok(false) };
    if header.copied_through < header.first {
        return Ok(true);
    }
    while scan.next <= header.copied_through {
        if scan.frame(Lsn(u64::MAX))?.is_none() {
            return Ok(false);
        }
    }
    scan.rewind();
    Ok(true)
}

/// Applies the frames of a segment that count and are due (R8).
fn replay<V: View>(
    found: &mut Found<V>,
    scan: &mut Scan,
    limit: Lsn,
    text: &str,
) -> std::io::Result<()> {
    if found.bad_end.is_some() || scan.first > found.facts.end {
        // A hole before it: its frames are out of reach.
        if found.bad_end.is_none() {
            let (file, offset) = (text.to_string(), 0);
            let (why, discarded) = (Bad::Sequence(scan.first), scan.reader.size);
            found.facts.bad = true;
            found.bad_end = Some(BadEnd { file, offset, why, discarded });
        }
        return Ok(());
    }
    let slot = found.state.slots_mut().number(scan.first, scan.epoch);
    found.state.slots_mut()[slot].file = Some(scan.reader.file.clone());
    let mut changes: Vec<V::Change> = Vec::new();
    let (mut fresh, before) = (true, found.replayed);
    while let Some(frame) = scan.frame(limit)? {
        let (lsn, offset) = (frame.header.lsn, frame.offset);
        if lsn >= found.facts.end {
            // R8: `limit` and the end so far leave each LSN to one segment.
            for (at, entry) in entries(frame.payload) {
                let offset = (offset as usize + FRAME_HEADER + at) as u32;
                let change = V::change(&entry, Place { lsn, slot, offset });
                changes.push(change.ok_or_else(|| unknown(lsn))?);
            }
            found.facts.end = lsn.next();
            found.replayed += 1;
            found.growth += frame.header.size();
            let milestone = Milestone { lsn, slot, offset };
            let statement = scan.statement;
            found.milestones.pass(milestone, statement, std::mem::take(&mut fresh));
        }
        if changes.len() >= APPLY_AT_ONCE {
            // The rest of this segment may bring as many again as it has brought so far.
            let rest = (scan.reader.size / scan.offset) * (found.replayed - before);
            found.state.replay(&mut changes, rest);
        }
    }
    found.state.replay(&mut changes, 0);
    found.facts.statement = found.facts.statement.max(scan.statement);
    found.state.slots_mut()[slot].last = scan.next.previous();
    found.log_end = Some((text.to_string(), scan.offset));
    let Some(why) = scan.bad else {
        scan.reader.release(); // there may be thousands of segments
        return Ok(());
    };
    let discarded = scan.reader.size - scan.offset.min(scan.reader.size);
    let (file, offset) = (text.to_string(), scan.offset);
    found.facts.bad = true;
    found.bad_end = Some(BadEnd { file, offset, why, discarded });
    Ok(())
}

/// Its checksums hold: so somebody wrote it, who knows more than this version.
fn unknown(lsn: Lsn) -> std::io::Error {
    let what = format!("LSN {lsn} holds an entry that this version does not know");
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}
