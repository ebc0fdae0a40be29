//! Our own store of a Raft node: metadata, a log in a folder, a snapshot.

use super::native::verdict_of;
use super::row::{Row, table};
use super::{Asked, DUMPED_MAX, Folder, Seen, shown};
use crate::out::wrapped;
use crate::views::{VIEW_OF_RAFT, state};
use highwater::inspect::{Verdict, dump};
use highwater_raft::{FileReport, Inspection, Result, Under, inspect};
use highwater_vfs::Vfs;
use serde_json::{Map, json};
use std::sync::Arc;

/// `None` if the file that is named is none of the store's.
pub(super) fn look(folder: &Folder, &Asked { name, all, .. }: &Asked<'_>) -> Result<Option<Seen>> {
    let disk: Arc<dyn Vfs> = folder.vfs.clone();
    let found = inspect(Arc::clone(&disk))?;
    let chosen = |path: &str| name.is_none_or(|name| name == path);
    let is_foreign = |file: &&FileReport| file.kind == "foreign";
    let ours = found.files.iter().filter(|file| !is_foreign(file) && chosen(&file.path));
    let ours: Vec<&FileReport> = ours.collect();
    if name.is_some() && ours.is_empty() {
        return Ok(None);
    }
    let foreign = found.files.iter().filter(is_foreign).map(|file| file.path.as_str());
    let foreign: Vec<&str> = foreign.collect();
    let rows: Vec<Row> = ours.iter().map(|file| row(file)).collect();
    let small = rows.iter().map(|row| row.size).sum::<u64>() <= DUMPED_MAX;
    let dumps = (all || small).then(|| dumps(&disk, &ours)).transpose()?;
    let verdict = match name {
        Some(_) => verdict_of(ours.iter().map(|file| file.tail)),
        None => found.verdict,
    };
    let refused = found.refused.as_ref().map(ToString::to_string);
    let mut fields = Map::new();
    fields.insert("system".into(), "highwater".into());
    fields.insert("view".into(), VIEW_OF_RAFT.into());
    fields.insert("verdict".into(), verdict.name().into());
    fields.insert("refused".into(), json!(refused));
    fields.insert("files".into(), rows.iter().map(Row::document).collect());
    fields.insert("foreign".into(), foreign.as_slice().into());
    fields.extend(state(VIEW_OF_RAFT, disk, None)?);
    let text = text(&found, verdict, &table(&rows, &foreign));
    Ok(Some(Seen { fields, text, corrupt: verdict == Verdict::Corrupt, dumps }))
}

fn row(file: &FileReport) -> Row<'_> {
    let FileReport { path, kind, size, records, tail, offset, reason } = file;
    let (tail, reason) = (tail.name(), reason.as_deref());
    Row { path, kind, size: *size, records: *records, tail, offset: *offset, reason }
}

fn text(found: &Inspection, verdict: Verdict, files: &str) -> String {
    let mut text = format!("system: highwater, {VIEW_OF_RAFT}\nverdict: {}\n", verdict.name());
    if let Some(damage) = &found.refused {
        text += &wrapped("refused: ", &damage.to_string());
    }
    if let Some(store) = &found.store {
        let hard = store.hard_state();
        let vote = hard.voted_for.as_deref().map(String::from_utf8_lossy);
        let vote = vote.map_or("nobody".into(), |node| shown(&node, 40));
        text += &format!("term: {}, vote for {vote}\n", hard.current_term);
        text += &match store.first().zip(store.last()) {
            Some((first, last)) => format!("entries: {} to {}\n", first.index, last.index),
            None => "entries: none\n".to_string(),
        };
        text += &match store.snapshot() {
            Some(meta) => format!("snapshot: to {}, {} bytes\n", meta.last.index, meta.size),
            None => "snapshot: none\n".to_string(),
        };
    }
    text + files
}

/// Of the files of the log; the others are redb's, and the caller's.
fn dumps(disk: &Arc<dyn Vfs>, files: &[&FileReport]) -> Result<Vec<(String, String)>> {
    let in_log = files.iter().filter_map(|file| Some((file, file.path.split_once('/')?)));
    let dumps = in_log.map(|(file, (folder, name))| {
        let under = Under::new(Arc::clone(disk), folder).map_err(io(folder))?;
        Ok((file.path.clone(), dump(&under, name)?))
    });
    dumps.collect()
}

fn io(file: &str) -> impl FnOnce(std::io::Error) -> highwater::Error {
    move |source| highwater::Error::Io { op: "open", file: file.into(), source }
}
