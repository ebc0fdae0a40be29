//! Our own store: what opening it would do, and what it would show.

use super::{Asked, DUMPED_MAX, Folder, Seen, raft};
use crate::views::state;
use highwater::Error;
use highwater::inspect::{FileKind, FileReport, FileTail, Inspection, Verdict, dump};
use serde_json::{Map, Value, json};
use std::io;

/// `None` if there is no file of the store, or the one that is named is none.
pub(super) fn look(folder: &Folder, asked: &Asked<'_>) -> io::Result<Option<Seen>> {
    let &Asked { name, all, at } = asked;
    if folder.is_raft() {
        return raft::look(folder, asked).map_err(io::Error::other);
    }
    let found = &folder.native;
    let chosen = |file: &&FileReport| name.is_none_or(|name| name == file.name);
    let files: Vec<&FileReport> = found.files.iter().filter(chosen).collect();
    if name.is_some() && files.iter().all(|file| file.kind == FileKind::Foreign) {
        return Ok(None);
    }
    let ours = || files.iter().filter(|file| file.kind != FileKind::Foreign);
    let small = ours().map(|file| file.size).sum::<u64>() <= DUMPED_MAX;
    let dumps = (all || small).then(|| {
        let dumps = ours().map(|file| Ok((file.name.clone(), dump(&*folder.vfs, &file.name)?)));
        dumps.collect::<Result<Vec<_>, Error>>().map_err(io::Error::other)
    });
    let verdict = match name {
        Some(_) => verdict_of(files.iter().map(|file| file.tail)),
        None => found.verdict,
    };
    let mut fields = document(found, verdict, &files);
    let shown = state(found.view, folder.vfs.clone(), at).map_err(io::Error::other)?;
    fields.extend(shown);
    let shown = Inspection { verdict, ..found.clone() };
    let text = format!("system: highwater, {}\n{shown}", found.view);
    Ok(Some(Seen { fields, text, corrupt: verdict == Verdict::Corrupt, dumps: dumps.transpose()? }))
}

/// The worst of some files.
pub(super) fn verdict_of(tails: impl Iterator<Item = FileTail>) -> Verdict {
    let verdict = |tail| match tail {
        FileTail::Corrupt => Verdict::Corrupt,
        FileTail::Torn => Verdict::Torn,
        _ => Verdict::Clean,
    };
    tails.map(verdict).max().unwrap_or(Verdict::Clean)
}

fn document(found: &Inspection, verdict: Verdict, files: &[&FileReport]) -> Map<String, Value> {
    let plan = &found.plan;
    let file = |file: &&FileReport| {
        json!({
            "path": file.name,
            "name": file.name,
            "kind": file.kind.name(),
            "size": file.size,
            "records": file.records,
            "tail": file.tail.name(),
            "offset": file.offset,
            "reason": file.reason,
        })
    };
    let Value::Object(fields) = json!({
        "system": "highwater",
        "view": found.view,
        "verdict": verdict.name(),
        "plan": {
            "row": plan.row,
            "last": plan.last.0,
            "copy_from": plan.copy_from.map(|lsn| lsn.0),
            "snapshot": plan.snapshot.0,
            "refused": plan.refused.as_ref().map(ToString::to_string),
        },
        "live": found.live,
        "files": files.iter().map(file).collect::<Value>(),
    }) else {
        unreachable!("an object was written down")
    };
    fields
}
