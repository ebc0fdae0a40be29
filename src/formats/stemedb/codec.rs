//! The journal as a codec.

use super::layout::{self, HEADER};
use super::read::segments;
use super::{Record, read};
use crate::hex::hex;
use crate::{Codec, Examined, Files, Likeness};
use serde_json::{Value, json};

/// The codec `stemedb`.
#[derive(Clone, Copy, Debug)]
pub struct Stemedb;

impl Codec for Stemedb {
    fn name(&self) -> &'static str {
        "stemedb"
    }

    fn likeness(&self, files: &Files) -> Likeness {
        let segments = segments(files);
        if segments.is_empty() {
            return Likeness::None;
        }
        match layout::find(&segments) {
            Ok(_) => Likeness::Content,
            Err(_) if segments.iter().all(|s| s.bytes.len() < HEADER) => Likeness::Name,
            Err(_) => Likeness::None,
        }
    }

    fn examine(&self, files: &Files, _at: Option<i64>) -> Examined<Value> {
        let record = |Record { offset, payload }: &Record| {
            let payload = hex(payload);
            json!({ "offset": offset, "payload_hex": payload })
        };
        read(files).map(|state| state.records.iter().map(record).collect())
    }
}
