//! Another system's folder: its files, its state, and its bytes explained.

use super::row::{Row, table};
use super::{Asked, DUMPED_MAX, Folder, Seen, shown};
use crate::out::wrapped;
use highwater_formats::{Codec, Examined, FileReport, Files, Line, Tail};
use serde_json::{Map, Value};

/// `None` if the file that is named is none of the system's.
pub(super) fn look(
    folder: &Folder,
    codec: &dyn Codec,
    &Asked { name, all, at }: &Asked<'_>,
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
    let rows: Vec<Row> = ours.iter().map(|file| row(file, &folder.files)).collect();
    let small = rows.iter().map(|row| row.size).sum::<u64>() <= DUMPED_MAX;
    let dumps = (all || small).then(|| dumps(&ours, &examined.dump));
    let verdict = ours.iter().map(|file| file.tail).max().unwrap_or_default();
    let mut fields = Map::new();
    fields.insert("system".into(), codec.name().into());
    fields.insert("verdict".into(), verdict.name().into());
    fields.insert("files".into(), rows.iter().map(Row::document).collect());
    fields.insert("foreign".into(), foreign.as_slice().into());
    fields.insert("lost".into(), examined.lost.as_slice().into());
    for (field, value) in &examined.more {
        fields.insert((*field).into(), value.clone());
    }
    let mut text = format!("system: {}\nverdict: {}\n", codec.name(), verdict.name());
    text += &rest(&examined, &table(&rows, &foreign));
    fields.insert("state".into(), examined.state);
    Some(Seen { fields, text, corrupt: verdict == Tail::Corrupt, dumps })
}

fn row<'a>(file: &'a FileReport, files: &Files) -> Row<'a> {
    let FileReport { path, kind, records, tail, offset, reason } = file;
    let size = files.get(path).map_or(0, <[u8]>::len) as u64;
    let (tail, reason) = (tail.name(), reason.as_deref());
    Row { path, kind, size, records: *records, tail, offset: *offset, reason }
}

fn rest(examined: &Examined<Value>, files: &str) -> String {
    let (what, count) = (counted(&examined.state), count(&examined.state));
    let mut text = format!("{what}: {count}\n{files}");
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
