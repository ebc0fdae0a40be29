//! A file as a report shows it, whosever it is.

use super::shown;
use crate::out::wrapped;
use serde_json::{Value, json};

/// See the head of the module.
pub(super) struct Row<'a> {
    pub(super) path: &'a str,
    pub(super) kind: &'a str,
    pub(super) size: u64,
    pub(super) records: u64,
    pub(super) tail: &'a str,
    pub(super) offset: u64,
    pub(super) reason: Option<&'a str>,
}

impl Row<'_> {
    pub(super) fn document(&self) -> Value {
        let Row { path, kind, size, records, tail, offset, reason } = self;
        json!({
            "path": path,
            "kind": kind,
            "size": size,
            "records": records,
            "tail": tail,
            "offset": offset,
            "reason": reason,
        })
    }
}

/// A path, without its beginning if it is long: the end says which file it is.
fn ending(path: &str, width: usize) -> String {
    match path.chars().count().checked_sub(width) {
        None | Some(0) => shown(path, width),
        Some(more) => {
            format!("~{}", shown(&path.chars().skip(more + 1).collect::<String>(), width))
        }
    }
}

/// The files of a folder, and those that are nobody's.
pub(super) fn table(rows: &[Row<'_>], foreign: &[&str]) -> String {
    let (file, kind, size, records) = ("file", "kind", "bytes", "records");
    let mut text = format!("\n{file:<34} {kind:<9} {size:>12} {records:>9}  tail\n");
    for Row { path, kind, size, records, tail, offset, reason } in rows {
        let (path, kind) = (ending(path, 34), shown(kind, 9));
        text += &format!("{path:<34} {kind:<9} {size:>12} {records:>9}  {tail}\n");
        if let Some(reason) = reason {
            text += &wrapped("    ", &format!("at offset {offset}: {reason}"));
        }
    }
    foreign.iter().for_each(|path| text += &format!("{:<34} foreign\n", shown(path, 34)));
    text
}

#[cfg(test)]
mod tests {
    use super::ending;

    #[test]
    fn a_long_path_keeps_its_end() {
        assert_eq!(ending("log/1.log", 9), "log/1.log");
        assert_eq!(ending("a-log/1.log", 9), "~og/1.log");
    }
}
