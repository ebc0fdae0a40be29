//! A damaged store that its owner wants to see, or to go on with. What is shown is the state right
//! before the damage: one that was there once. What intact records behind it would change in that
//! state nobody knows.
//!
//! Invariants
//! - QR1: what cannot be shown is there, under its own name or another one, until its owner removes
//!   it.
//! - QR2: whatever a crash leaves of an acceptance, the store is damaged as it was, or shows what
//!   was accepted. So of two segments that begin at one LSN the earlier one, which the other has
//!   overridden, is durably gone before the other goes.
//! - QR3: a store that accepted the loss of everything has a segment, so that it is still known for
//!   a store, and of which kind.
//! - QR4: an acceptance that was answered is durable.
//! - QR5: once an acceptance was answered, an epoch in the name of what is aside does not come
//!   again, not even when its owner has removed that: the bytes may come back in a new file. So it
//!   counts while the name is there, and a snapshot with a later one is there before what is behind
//!   it goes.

use super::facts::{Found, gather};
use super::plan::{Plan, Row, plan};
use super::report::Loss;
use super::{Recovered, enter, open_referenced, recover, refuse, shown};
use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::name::{Kind, Name};
use crate::format::snapshot::Resume;
use crate::log::open;
use crate::log::writer::Sizes;
use crate::options::Damage;
use crate::snapshot::{publish, write_temporary};
use crate::sync::RwLock;
use crate::view::View;
use highwater_vfs::{OpenMode, Vfs, read_full_at, write_all_at};
use std::path::Path;
use std::sync::Arc;

/// Bytes that are moved aside at once.
const PIECE: usize = 64 << 10;

/// What the names of files end in that are aside.
const ASIDE: &str = ".quarantined";

/// Opens a store that [`recover`] has refused.
pub(crate) fn quarantine<V: View>(
    vfs: &Arc<dyn Vfs>,
    sizes: Sizes,
    damage: Damage,
) -> Result<Recovered<V>> {
    let mut found = gather::<V>(&**vfs)?;
    let plan = plan(&found.facts);
    let refused = refuse(&found, &plan);
    open_referenced(&**vfs, &mut found)?;
    let Err(Error::Corrupt(corruption)) = refused else {
        return recover(vfs, sizes); // it has changed meanwhile
    };
    if !matches!(plan.row, Row::R6Corrupt | Row::R7Gap) {
        return Err(Error::Corrupt(corruption)); // nothing that could be moved aside
    }
    let through = found.facts.statement.max(found.facts.log_first.previous());
    let mut loss = Loss { damage: corruption, from: plan.last.next(), through, files: Vec::new() };
    if damage == Damage::Accept {
        loss.files = accept(&**vfs, found, &plan)?;
        let mut recovered = recover(vfs, sizes)?;
        if plan.last == Lsn(0) {
            recovered.writer.found()?; // QR3
            enter(&recovered.writer, &mut recovered.state);
        }
        return Ok(with(recovered, loss));
    }
    loss.files.extend(tail(&found, &plan).map(|(name, _)| name));
    let unread = unread(&found, &plan).into_iter().chain(behind(&found, &plan));
    loss.files.extend(unread.map(|name| name.text()));
    Ok(with(shown(vfs, found, &plan), loss))
}

fn with<V>(mut recovered: Recovered<V>, loss: Loss) -> Recovered<V> {
    recovered.report.lost = Some(loss);
    recovered
}

/// Segments and damaged snapshots of which nothing is shown; of those that begin at one LSN the
/// earliest first, as they are listed (QR2).
fn behind<V>(found: &Found<V>, plan: &Plan) -> Vec<Name> {
    let segments = found.names.iter().filter(|name| name.kind == Kind::Segment);
    let mut behind: Vec<Name> = segments.filter(|name| name.lsn > plan.last).copied().collect();
    behind.extend(found.spoiled.iter().filter(|name| name.lsn > plan.last));
    behind
}

/// Segments below that which were never finished, or whose header is damaged. Once a snapshot
/// covers them they would be taken for whole (QR2).
fn unread<V>(found: &Found<V>, plan: &Plan) -> Vec<Name> {
    found.unfounded.iter().filter(|name| name.lsn <= plan.last).copied().collect()
}

/// The segment that is shown up to an offset.
fn tail<V>(found: &Found<V>, plan: &Plan) -> Option<(String, u64)> {
    let bad = found.bad_end.as_ref()?;
    let shown = |name: &Name| name.lsn <= plan.last && !found.is_dead(name);
    let name = Name::parse(&bad.file).filter(shown)?;
    Some((name.text(), bad.offset))
}

/// Where what `name` holds is kept.
fn aside(name: &str) -> String {
    format!("{name}{ASIDE}")
}

/// The name that a file had before it was moved aside.
pub(super) fn name_before(text: &str) -> Option<Name> {
    text.strip_suffix(ASIDE).and_then(Name::parse)
}

/// Makes a store of what is shown. Returns where the rest is.
fn accept<V: View>(vfs: &dyn Vfs, found: Found<V>, plan: &Plan) -> Result<Vec<String>> {
    let mut files = Vec::new();
    if let Some((name, offset)) = tail(&found, plan) {
        let kept = aside(&format!("{name}.{offset}"));
        copy(vfs, &name, offset, &kept)?; // QR1: the segment goes when it holds nothing live
        files.push(kept);
    }
    let behind = behind(&found, plan);
    move_aside(vfs, &unread(&found, plan), &mut files)?;
    if plan.last > Lsn(0) {
        let epoch = found.max_epoch + 1;
        let resume = Resume { first: plan.last.next(), epoch, offset: 0 };
        let name = Name { kind: Kind::Snapshot, lsn: plan.last, epoch };
        let mut state = found.state;
        let cut = state.cut();
        let temporary = write_temporary(vfs, name, resume, cut, &RwLock::new(state))?;
        temporary.sync(vfs)?;
        publish(vfs, &temporary, name)?; // QR5
    }
    move_aside(vfs, &behind, &mut files)?;
    Ok(files)
}

/// Gives files names that are nobody's, one durably after the other (QR2).
fn move_aside(vfs: &dyn Vfs, names: &[Name], files: &mut Vec<String>) -> Result<()> {
    for name in names {
        let (name, kept) = (name.text(), aside(&name.text()));
        vfs.rename(Path::new(&name), Path::new(&kept)).map_err(Error::io("rename", &name))?;
        vfs.sync_dir(Path::new("")).map_err(Error::io("sync", ""))?; // QR2, QR4
        files.push(kept);
    }
    Ok(())
}

/// Copies a file from an offset on, durably.
fn copy(vfs: &dyn Vfs, name: &str, from: u64, kept: &str) -> Result<()> {
    match vfs.remove(Path::new(kept)) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io("remove", kept)(e));
        }
        _ => {} // an earlier try, cut short
    }
    let (source, copy) = (open(vfs, name, OpenMode::Read)?, open(vfs, kept, OpenMode::CreateNew)?);
    let (mut piece, mut at) = (vec![0; PIECE], 0);
    loop {
        let read =
            read_full_at(&*source, &mut piece, from + at).map_err(Error::io("read", name))?;
        write_all_at(&*copy, &piece[..read], at).map_err(Error::io("write", kept))?;
        at += read as u64;
        if read < PIECE {
            break;
        }
    }
    copy.sync().map_err(Error::io("sync", kept))?;
    vfs.sync_dir(Path::new("")).map_err(Error::io("sync", ""))
}
