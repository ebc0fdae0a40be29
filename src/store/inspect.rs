//! Looking at a store's directory without changing a byte of it: what each file is, where its
//! frames stop and why, and what recovery would do. [`dump`] shows one file byte range by byte
//! range; `docs/format.md` says what the ranges mean.
//!
//! The facts and the plan are recovery's own: what is shown is what opening the store would decide.

use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::name::{Kind, Name};
use crate::index::Index;
use crate::journal::Records;
use crate::kv::Shards;
use crate::log::open;
use crate::log::scan::{Bad, Scan};
use crate::recovery::facts::{Found, gather};
use crate::recovery::plan::{Plan, Row, plan};
use crate::recovery::{open_referenced, refuse};
use crate::snapshot::load;
use crate::view::View;
use highwater_vfs::{OpenMode, Vfs};
use std::path::Path;

pub use crate::dump::dump;
pub use crate::inspection::{FileKind, FileReport, FileTail, Inspection, PlanReport, Verdict};

/// Reads a store's directory; changes nothing, opens nothing for writing.
///
/// # Errors
/// [`Error::Io`] if the disk fails; [`Error::OtherView`] if the files are of a kind of store that
/// this version does not know, or of several. Damage is no error here: see [`Inspection::verdict`].
///
/// # Example
/// ```
/// use highwater::inspect::{Verdict, dump, inspect};
/// use highwater::{Options, PayloadStore};
/// # let dir = std::env::temp_dir().join(format!("highwater-inspect-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir)?;
/// let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(&dir)?);
/// let mut store = PayloadStore::open(disk.clone(), Options::default())?;
/// store.store(7, b"seven")?;
/// store.close()?;
/// let found = inspect(&*disk)?;
/// assert_eq!((found.verdict, found.live, found.plan.row), (Verdict::Clean, 1, "R2 clean"));
/// assert!(dump(&*disk, &found.files[0].name)?.contains("first LSN 1"));
/// # std::fs::remove_dir_all(&dir)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn inspect(vfs: &dyn Vfs) -> Result<Inspection> {
    let mut found = inspect_as::<Index>(vfs);
    for other in [inspect_as::<Shards>, inspect_as::<Records>] {
        if !matches!(found, Err(Error::OtherView { .. })) {
            break;
        }
        found = other(vfs);
    }
    found
}

fn inspect_as<V: View>(vfs: &dyn Vfs) -> Result<Inspection> {
    let mut found = gather::<V>(vfs)?;
    let plan = plan(&found.facts);
    let refused = refuse(&found, &plan).and_then(|()| open_referenced(vfs, &mut found));
    let refused = match refused {
        Ok(()) => None,
        Err(Error::Corrupt(corruption)) => Some(corruption),
        Err(other) => return Err(other),
    };
    let ours = found.names.iter().map(|name| file(vfs, *name, &found));
    let mut files = ours.collect::<Result<Vec<_>>>()?;
    for name in &found.foreign {
        files.push(foreign(vfs, name));
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let damaged = refused.is_some() || files.iter().any(|f| f.tail == FileTail::Corrupt);
    let verdict = match plan.row {
        _ if damaged => Verdict::Corrupt,
        Row::R4Torn | Row::R5TornCopied => Verdict::Torn,
        _ => Verdict::Clean,
    };
    let Plan { row, last, copy_from } = plan;
    let (row, snapshot) = (row.name(), found.facts.snapshot);
    let plan = PlanReport { row, last, copy_from, snapshot, refused };
    let (view, live) = (V::KIND.name(), found.state.live());
    Ok(Inspection { view, verdict, plan, live, files })
}

fn foreign(vfs: &dyn Vfs, name: &str) -> FileReport {
    // A directory has no size, and no failure of a foreign file is the store's.
    let opened = vfs.open(Path::new(name), OpenMode::Read);
    let size = opened.and_then(|file| file.size()).unwrap_or(0);
    let (kind, tail) = (FileKind::Foreign, FileTail::Unread);
    FileReport { name: name.into(), kind, size, records: 0, tail, offset: 0, reason: None }
}

fn file<V: View>(vfs: &dyn Vfs, name: Name, found: &Found<V>) -> Result<FileReport> {
    let text = name.text();
    let file = open(vfs, &text, OpenMode::Read)?;
    let size = file.size().map_err(Error::io("size of", &text))?;
    let report = |kind, records, tail, offset, reason| {
        Ok(FileReport { name: text.clone(), kind, size, records, tail, offset, reason })
    };
    match name.kind {
        Kind::Temporary => {
            let reason = Some("a snapshot that was not finished".into());
            report(FileKind::Temporary, 0, FileTail::Unfounded, 0, reason)
        }
        Kind::Snapshot => match load::<V>(vfs, name, &text)? {
            Some(snapshot) => {
                report(FileKind::Snapshot, snapshot.header.entries, FileTail::Clean, size, None)
            }
            None => {
                let reason = Some("its bytes do not match their SHA-256".into());
                report(FileKind::Snapshot, 0, FileTail::Corrupt, 0, reason)
            }
        },
        Kind::Segment => {
            let scan = Scan::begin(file, name.lsn, name.epoch);
            let mut scan = scan.map_err(Error::io("read", &text))?;
            let mut records = 0;
            while scan.frame(Lsn(u64::MAX)).map_err(Error::io("read", &text))?.is_some() {
                records += 1;
            }
            let (tail, reason) = judge(&scan, name, found);
            let offset = if scan.header.is_none() { 0 } else { scan.offset.min(size) };
            report(FileKind::Segment, records, tail, offset, reason)
        }
    }
}

/// What the end of a scan means among the other files.
fn judge<V>(scan: &Scan, name: Name, found: &Found<V>) -> (FileTail, Option<String>) {
    let proven = found.facts.statement.max(found.facts.snapshot);
    let counts = |n: &&Name| n.kind == Kind::Segment && !found.is_dead(n);
    let later = |lsn| {
        let over = |n: &&Name| n.epoch > name.epoch && n.lsn <= lsn;
        found.names.iter().filter(counts).find(over)
    };
    let why = scan.bad.map(|bad| reason(bad, scan));
    if let Some(by) = later(name.lsn) {
        let reason = format!("all of it, by the segment of epoch {}", by.epoch);
        return (FileTail::Overridden, Some(reason));
    }
    if found.is_dead(&name) {
        let copies = || Some("the copies it announces are not all there".to_string());
        let tail = if name.lsn <= proven { FileTail::Corrupt } else { FileTail::Unfounded };
        return (tail, why.or_else(copies));
    }
    match (why, later(scan.next)) {
        (None, _) => (FileTail::Clean, None),
        (why, Some(_)) => (FileTail::Overridden, why),
        (why, None) if scan.next <= proven => (FileTail::Corrupt, why),
        (why, None) => (FileTail::Torn, why),
    }
}

fn reason(bad: Bad, scan: &Scan) -> String {
    match bad {
        Bad::Header if scan.header.is_none() => "no intact segment header".into(),
        Bad::Header => "no intact frame header".into(),
        Bad::Payload { expected, actual } if expected == actual => {
            "the record's padding is not zeros".into()
        }
        Bad::Payload { expected, actual } => {
            format!("a checksum in the record is {expected:#010x}, but {actual:#010x} computed")
        }
        Bad::Cut => "the file ends inside the record".into(),
        Bad::Sequence(lsn) => format!("LSN {lsn} where LSN {} is due", scan.next),
    }
}
