//! What recovery removes: what is obsolete, and what it made itself if it fails.
//!
//! Invariants
//! - R10: what is removed is overridden, or was never finished; and never the newest epoch, which
//!   must stay in a name as long as its bytes may come back in another file.
//! - R11: a recovery that fails leaves no more files than there were, or one, empty, however often
//!   it is tried: a full disk is opened in vain again and again.
//! - R12: what is overridden is removed after the copies are durable, and not by a recovery that
//!   fails: the segment that overrides it may be one that a former life wrote and never synced.

use crate::error::{Error, Result};
use crate::format::Lsn;
use crate::format::name::{Kind, Name};
use crate::log::writer::{Active, Writer};
use crate::log::{Slots, open};
use highwater_vfs::{OpenMode, Vfs};
use std::path::Path;

/// Removes `created`, the segment whose copies have failed, and what was obsolete before, so
/// that the next try has more room; nothing that is overridden is among that (R12). `newest` is the
/// newest epoch that is kept anyhow. As far as it goes: the caller gets the first error.
pub(super) fn take_back(
    vfs: &dyn Vfs,
    writer: &Writer,
    created: Name,
    obsolete: &mut Vec<Name>,
    newest: u32,
) {
    // A failed sync may show a size of 0 and leave bytes on the medium; but before any sync a write
    // has succeeded.
    let nothing = |a: &Active| a.written == 0 && a.file.size().is_ok_and(|size| size == 0);
    let empty = writer.active.as_ref().is_none_or(nothing);
    if empty {
        // R11: nothing is left.
        let _ = vfs.remove(Path::new(&created.text()));
        let _ = remove_obsolete(vfs, obsolete, newest);
        return;
    }
    // R11, R10: what was written may come back in another file, with this epoch in its checksums.
    // So the epoch must not be used again, and an empty file with a later one sees to that.
    let guard = Name::segment(created.lsn, created.epoch + 1);
    let guarded = open(vfs, &guard.text(), OpenMode::CreateNew).is_ok();
    if guarded && vfs.sync_dir(Path::new("")).is_ok() {
        obsolete.push(created);
        let _ = remove_obsolete(vfs, obsolete, guard.epoch);
    }
}

/// Segments of former lives that begin at or behind `from`: all they have is copied now.
pub(super) fn overridden(slots: &mut Slots, from: Lsn) -> Vec<Name> {
    let newest = slots.iter().map(|s| s.epoch).max().unwrap_or(0);
    let mut names = Vec::new();
    for slot in slots.iter_mut().filter(|s| s.present && s.epoch < newest) {
        slot.last = slot.last.min(from.previous());
        if slot.first >= from {
            assert_eq!(slot.live, 0, "X1: everything from {from} on is copied");
            (slot.present, slot.file) = (false, None);
            names.push(Name::segment(slot.first, slot.epoch));
        }
    }
    names
}

/// The newest epoch in a name that stays.
pub(super) fn newest_kept(slots: &Slots, snapshots: &[Name]) -> u32 {
    let kept = slots.iter().filter(|s| s.present).map(|s| s.epoch);
    kept.chain(snapshots.iter().map(|s| s.epoch)).max().unwrap_or(0)
}

/// Removes what is obsolete and older than the newest epoch that stays (R10). The removals need no
/// sync: a file that comes back is recognised again.
pub(crate) fn remove_obsolete(
    vfs: &dyn Vfs,
    obsolete: &mut Vec<Name>,
    newest: u32,
) -> Result<Vec<String>> {
    let mut removed = Vec::new();
    let mut failed = None;
    obsolete.retain(|name| {
        let safe = name.kind != Kind::Segment || name.epoch < newest; // R10
        if safe && failed.is_none() {
            let text = name.text();
            match vfs.remove(Path::new(&text)) {
                Ok(()) => removed.push(text),
                Err(e) => failed = Some(Error::io("remove", &text)(e)),
            }
        }
        !safe
    });
    failed.map_or(Ok(removed), Err)
}
