//! `highwater inspect`: of which system the files of a folder are, what their bytes mean, where
//! they stop and why, and what a correct reader shows. Nothing is ever written.

mod foreign;
mod native;
mod raft;
mod row;
mod system;

use crate::args::{Format, InspectArgs};
use crate::exit::{self, Done, Failure};
use crate::out::{data, json, note, wrapped};
use highwater_vfs::OsFs;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::sync::Arc;
pub(crate) use system::{Folder, System};

/// The files of a folder are shown byte by byte if they have at most so many bytes together.
const DUMPED_MAX: u64 = 16 << 10;

const LARGE: &str = "\
    The files have more than 16 KiB together: their bytes are not explained here. --bytes does, \
    and so does the name of one of the files; --format json shows the values.";

/// What of a folder is to be shown.
struct Asked<'a> {
    /// Only this file.
    name: Option<&'a str>,
    /// Their bytes, however many there are.
    all: bool,
    /// When to judge expiry.
    at: Option<i64>,
}

/// A folder, or one file in it, as one system sees it.
struct Seen {
    /// The fields of the JSON document, but for the dumps.
    fields: Map<String, Value>,
    /// The same for people.
    text: String,
    /// Whether there is corruption: in the folder, or in the one file.
    corrupt: bool,
    /// By file: an annotated dump. `None` if the files are too large to be shown all.
    dumps: Option<Vec<(String, String)>>,
}

/// Looks at a folder, or at one file in it.
pub(crate) fn run(args: &InspectArgs) -> Done {
    let path = args.path.as_path();
    let unreadable =
        |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", path.display()));
    let is_dir = std::fs::metadata(path).map_err(|e| unreadable(&e))?.is_dir();
    let (root, name) = match is_dir {
        true => (path, None),
        false => folder_and_name(path).ok_or_else(|| unreadable(&"not the name of a file"))?,
    };
    let vfs = Arc::new(OsFs::read_only(root).map_err(|e| unreadable(&e))?);
    let folder = Folder::read(vfs).map_err(|e| unreadable(&e))?;
    let system = match args.system {
        Some(system) if folder.is_of(system) => system,
        Some(_) => return unrecognised(args, &folder, &[]),
        None => match folder.candidates().as_slice() {
            [one] => *one,
            candidates => return unrecognised(args, &folder, candidates),
        },
    };
    let asked = Asked { name, all: args.bytes || name.is_some(), at: args.at };
    let seen = match system {
        System::Native => native::look(&folder, &asked),
        System::Other(codec) => Ok(foreign::look(&folder, codec, &asked)),
    };
    let Some(seen) = seen.map_err(|e| unreadable(&e))? else {
        return unrecognised(args, &folder, &[]);
    };
    show(args.format, seen)
}

fn show(format: Format, seen: Seen) -> Done {
    let Seen { mut fields, mut text, corrupt, dumps } = seen;
    match format {
        Format::Human => {
            match dumps {
                Some(dumps) => dumps.iter().for_each(|(_, dump)| text += &format!("\n{dump}")),
                None => text += &format!("\n{}", wrapped("", LARGE)),
            }
            data(&text)?;
        }
        Format::Json => {
            let lines = |text: &str| text.lines().collect::<Value>();
            let dumps = dumps.unwrap_or_default().into_iter();
            let dumps: Map<_, _> = dumps.map(|(name, dump)| (name, lines(&dump))).collect();
            fields.insert("dumps".into(), dumps.into());
            data(&json(&fields))?;
        }
    }
    Ok(if corrupt { exit::VIOLATED } else { exit::HELD })
}

/// Of no system, or of more than one.
fn unrecognised(args: &InspectArgs, folder: &Folder, candidates: &[System]) -> Done {
    let names: Vec<&str> = candidates.iter().map(|system| system.name()).collect();
    let why = match names.as_slice() {
        [] => match args.system {
            Some(system) => format!("no files of {}", system.name()),
            None => "no files of a system that is known here".to_string(),
        },
        names => format!("files that may be of {}: say which with --as", names.join(" or of ")),
    };
    match args.format {
        Format::Human => {
            let path = args.path.display();
            note(&wrapped("highwater: ", &format!("{path}: {why}")));
        }
        Format::Json => data(&json(&json!({
            "system": null,
            "verdict": "unrecognised",
            "candidates": names,
            "reason": why,
            "files": [],
            "foreign": folder.names(),
            "state": null,
        })))?,
    }
    Ok(exit::NOTHING)
}

fn folder_and_name(path: &Path) -> Option<(&Path, Option<&str>)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let name = path.file_name()?.to_str()?;
    Some((folder.unwrap_or(Path::new(".")), Some(name)))
}

/// Text that may be long, and hold what would disturb a terminal.
fn shown(text: &str, width: usize) -> String {
    let clean = |c: char| if c.is_control() { '?' } else { c };
    let count = text.chars().count();
    match count > width {
        true => text.chars().take(width - 1).map(clean).chain(['~']).collect(),
        false => text.chars().map(clean).collect(),
    }
}
