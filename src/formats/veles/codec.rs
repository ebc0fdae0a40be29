//! The two dialects as codecs: which of them a folder is of, and their state as JSON.

use super::record::Log;
use super::snapshot::{SIZE_MIN, has_magic};
use super::{Dialect, LOG, SNAPSHOT, Scan, read, record};
use crate::{Codec, Examined, Files, Likeness};
use serde_json::{Map, Value};

impl Codec for Dialect {
    fn name(&self) -> &'static str {
        match self {
            Dialect::Current => "velesdb",
            Dialect::Plan => "velesdb-plan",
        }
    }

    /// By the log, for the snapshots of both are the same. A store of the one is none of the other,
    /// but by design of whoever made it: then both say so.
    fn likeness(&self, files: &Files) -> Likeness {
        let current = *self == Dialect::Current;
        let in_log = |log| of_log(log, *self);
        match (files.get(LOG).map_or(Likeness::None, in_log), files.get(SNAPSHOT)) {
            (Likeness::Content, _) => Likeness::Content,
            (found, Some(snapshot)) if current && has_magic(snapshot) => {
                let log = files.get(LOG).unwrap_or_default();
                let other = of_log(log, Dialect::Plan) == Likeness::Content;
                if other { found } else { Likeness::Content }
            }
            (Likeness::None, Some(snapshot)) if current && files.get(LOG).is_none() => {
                if snapshot.len() < SIZE_MIN { Likeness::Name } else { Likeness::None }
            }
            (found, _) => found,
        }
    }

    fn examine(&self, files: &Files, _at: Option<i64>) -> Examined<Value> {
        let mut errors = Map::new();
        let mut examined = read(files, *self).map(|state| {
            let mut entries = Map::new();
            for (id, payload) in &state.payloads {
                match record::json(payload) {
                    Ok(value) => drop(entries.insert(id.to_string(), value)),
                    Err(why) => drop(errors.insert(id.to_string(), why.into())),
                }
            }
            Value::Object(entries)
        });
        for (id, why) in &errors {
            let why = why.as_str().unwrap_or_default();
            examined.lost.push(format!("the payload of id {id} is no JSON: {why}"));
        }
        if !errors.is_empty() {
            examined.more.push(("entry_errors", Value::Object(errors)));
        }
        examined
    }
}

fn of_log(bytes: &[u8], dialect: Dialect) -> Likeness {
    let log = Log::new(bytes, dialect);
    if log.proof(0).is_some() {
        return Likeness::Content;
    }
    // Deletes without checksum are the same in both, and so are nine bytes of anything that begins
    // with a 2: only all of a log is worth something.
    let scan = Scan::new(&log);
    if scan.bad.is_none() && !scan.records.is_empty() {
        return Likeness::Content;
    }
    let marked = matches!(bytes.first(), None | Some(1 | 2 | 0xc3 | 0xc4));
    match dialect {
        Dialect::Current if marked => Likeness::Name,
        _ => Likeness::None,
    }
}
