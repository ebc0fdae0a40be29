//! `highwater inspect`: what is in a store's folder, what its bytes mean, and what opening it would
//! do. Nothing is ever written.

use crate::args::{Format, InspectArgs};
use crate::exit::{self, Done, Failure};
use crate::out::{data, json};
use highwater::inspect::{FileKind, FileReport, FileTail, Inspection, Verdict, dump, inspect};
use highwater_vfs::OsFs;
use serde_json::{Value, json};
use std::path::Path;

/// The files of a folder are shown byte by byte if they have at most so many bytes together.
const DUMPED_MAX: u64 = 16 << 10;

/// Looks at a folder, or at one file in it.
pub(crate) fn run(args: &InspectArgs) -> Done {
    let path = args.path.as_path();
    let unreadable =
        |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", path.display()));
    let is_dir = std::fs::metadata(path).map_err(|e| unreadable(&e))?.is_dir();
    let (folder, name) = match is_dir {
        true => (path, None),
        false => folder_and_name(path).ok_or_else(|| unreadable(&"not the name of a file"))?,
    };
    let vfs = OsFs::read_only(folder).map_err(|e| unreadable(&e))?;
    let found = inspect(&vfs).map_err(|e| unreadable(&e))?;
    let chosen = |file: &&FileReport| name.is_none_or(|name| name == file.name);
    let files: Vec<&FileReport> = found.files.iter().filter(chosen).collect();
    if files.iter().all(|file| file.kind == FileKind::Foreign) {
        let what = if is_dir { "there is no file of a store in it" } else { "not a store's file" };
        return Err(Failure::new(exit::NOTHING, format!("{}: {what}", path.display())));
    }
    let small = files.iter().map(|file| file.size).sum::<u64>() <= DUMPED_MAX;
    let mut dumps = Vec::new();
    for file in files.iter().filter(|file| file.kind != FileKind::Foreign) {
        if name.is_some() || small {
            dumps.push((&file.name, dump(&vfs, &file.name).map_err(|e| unreadable(&e))?));
        }
    }
    match args.format {
        Format::Human => {
            let mut text = found.to_string();
            dumps.iter().for_each(|(_, dump)| text += &format!("\n{dump}"));
            if dumps.is_empty() {
                text += "\nThe files are too large to show here: name one to see its bytes.\n";
            }
            data(&text)?;
        }
        Format::Json => {
            let dumps = dumps.iter().map(|(name, dump)| ((*name).clone(), lines(dump)));
            data(&json(&document(&found, &files, dumps.collect())))?;
        }
    }
    let damaged = match name {
        Some(_) => files.iter().any(|file| file.tail == FileTail::Corrupt),
        None => found.verdict == Verdict::Corrupt,
    };
    Ok(if damaged { exit::VIOLATED } else { exit::HELD })
}

fn folder_and_name(path: &Path) -> Option<(&Path, Option<&str>)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name()?.to_str()?;
    Some((folder.unwrap_or(Path::new(".")), Some(name)))
}

fn lines(text: &str) -> Value {
    text.lines().collect()
}

fn document(
    found: &Inspection,
    files: &[&FileReport],
    dumps: serde_json::Map<String, Value>,
) -> Value {
    let plan = &found.plan;
    let file = |file: &&FileReport| {
        json!({
            "name": file.name,
            "kind": file.kind.name(),
            "size": file.size,
            "records": file.records,
            "tail": file.tail.name(),
            "offset": file.offset,
            "reason": file.reason,
        })
    };
    json!({
        "verdict": found.verdict.name(),
        "plan": {
            "row": plan.row,
            "last": plan.last.0,
            "copy_from": plan.copy_from.map(|lsn| lsn.0),
            "snapshot": plan.snapshot.0,
            "refused": plan.refused.as_ref().map(ToString::to_string),
        },
        "live": found.live,
        "files": files.iter().map(file).collect::<Value>(),
        "dumps": dumps,
    })
}
