//! Another system's folder: its files, its state, and its bytes explained.

use super::{DUMPED_MAX, Folder, Seen};
use crate::out::wrapped;
use highwater_formats::{Codec, Examined, FileReport, Line, Tail};
use serde_json::{Map, Value, json};

/// `None` if the file that is named is none of the system's.
pub(super) fn look(
    folder: &Folder,
    codec: &dyn Codec,
    name: Option<&str>,
    at: Option<i64>,
) -> Option<Seen> {
    let examined = codec.examine(&folder.files, at);
    let chosen = |path: &str| name.is_none_or(|name| name == path);
    let is_foreign = |file: &&FileReport| file.kind == "foreign";
    let ours = examined.files.iter().filter(|file| !is_foreign(file) && chosen(&file.path));
    let ours: Vec<&FileReport> = ours.collect();
    if name.is_some() && ours.is_empty() {
        return None;
    }
    let mut foreign: Vec<&str> =
        examined.files.iter().filter(is_foreign).map(|file| file.path.as_str()).collect();
    foreign.extend(folder.strange.iter().map(String::as_str));
    let size = |file: &&FileReport| folder.files.get(&file.path).map_or(0, <[u8]>::len);
    let small = ours.iter().map(|file| size(file) as u64).sum::<u64>() <= DUMPED_MAX;
    let dumps = (name.is_some() || small).then(|| dumps(&ours, &examined.dump));
    let corrupt = ours.iter().any(|file| file.tail == Tail::Corrupt);
    let mut fields = Map::new();
    fields.insert("system".into(), codec.name().into());
    fields.insert("verdict".into(), examined.verdict().name().into());
    fields.insert("files".into(), ours.iter().map(|file| document(file, size(file))).collect());
    fields.insert("foreign".into(), foreign.as_slice().into());
    fields.insert("lost".into(), examined.lost.as_slice().into());
    for (field, value) in &examined.more {
        fields.insert((*field).into(), value.clone());
    }
    let sized = ours.iter().map(|file| (*file, size(file)));
    let text = text(codec.name(), &examined, &sized.collect::<Vec<_>>(), &foreign);
    fields.insert("state".into(), examined.state);
    Some(Seen { fields, text, corrupt, dumps })
}

fn document(file: &FileReport, size: usize) -> Value {
    let FileReport { path, kind, records, tail, offset, reason } = file;
    json!({
        "path": path,
        "kind": kind,
        "size": size,
        "records": records,
        "tail": tail.name(),
        "offset": offset,
        "reason": reason,
    })
}

fn text(
    system: &str,
    examined: &Examined<Value>,
    files: &[(&FileReport, usize)],
    foreign: &[&str],
) -> String {
    let mut text = format!("system: {system}\nverdict: {}\n", examined.verdict().name());
    text += &format!("{}: {}\n", counted(&examined.state), count(&examined.state));
    let (file, kind, size, records) = ("file", "kind", "bytes", "records");
    text += &format!("\n{file:<34} {kind:<9} {size:>12} {records:>9}  tail\n");
    for (file, size) in files {
        let FileReport { path, kind, records, tail, offset, reason } = file;
        let path = shown(path, 34);
        let tail = tail.name();
        text += &format!("{path:<34} {kind:<9} {size:>12} {records:>9}  {tail}\n");
        if let Some(reason) = reason {
            text += &wrapped("    ", &format!("at offset {offset}: {reason}"));
        }
    }
    foreign.iter().for_each(|path| text += &format!("{:<34} foreign\n", shown(path, 34)));
    if !examined.lost.is_empty() {
        text.push('\n');
    }
    examined.lost.iter().for_each(|lost| text += &wrapped("lost: ", lost));
    text
}

fn counted(state: &Value) -> &'static str {
    if state.is_array() { "records" } else { "entries" }
}

fn count(state: &Value) -> usize {
    match state {
        Value::Array(list) => list.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    }
}

/// By file, its bytes with what they are.
fn dumps(files: &[&FileReport], lines: &[Line]) -> Vec<(String, String)> {
    let dump = |file: &&FileReport| {
        let mut text = format!("{}\n  offset      bytes\n", shown(&file.path, 78));
        for line in lines.iter().filter(|line| line.path == file.path) {
            let what = shown(&line.what, 59);
            text += &format!("{:08x} {:>10}  {what}\n", line.offset, line.size);
        }
        (file.path.clone(), text)
    };
    files.iter().map(dump).collect()
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
