//! Operations as JSON, the form that the golden vectors of VelesDB come in.
//!
//! ```text
//! [{"impl": "8.0.0", "ops": [
//!     ["store", 1, {"any": "json"}],
//!     ["delete", 2],
//!     ["batch", [[3, "a"], [4, "b"]]],
//!     ["batch_deferred", [[5, null]]],
//!     ["snapshot"],
//!     ["reopen"]
//! ]}]
//! ```
//!
//! A payload is the value as compact JSON, its keys in the order of the file. Each further element
//! of the outer list is a process of its own: it reopens the store first. `impl` names the version
//! that wrote the vector and changes nothing.

use crate::error::quoted;
use crate::op::BYTES_MAX;
use crate::{Bytes, Op, Place, Workload, WorkloadError};
use serde_json::Value;

/// Reads a workload.
///
/// # Errors
/// [`WorkloadError`] with line and column where it is no JSON, and with the path of the value
/// where it is no operation.
///
/// ```
/// use highwater_models::json;
/// let workload = json::parse(r#"[{"ops": [["store", 1, {"b": 1, "a": [2]}]]}, {"ops": []}]"#)?;
/// assert_eq!(workload.to_string(), "put 1 \"{\\\"b\\\":1,\\\"a\\\":[2]}\"\nreopen\n");
/// let error = json::parse(r#"[{"ops": [["delete", "x"]]}]"#).unwrap_err();
/// let text = error.to_string();
/// assert_eq!(text, "at [0].ops[0][1]: expected an id (a number from 0), found \"x\"");
/// # Ok::<(), highwater_models::WorkloadError>(())
/// ```
pub fn parse(text: &str) -> Result<Workload, WorkloadError> {
    let value: Value = serde_json::from_str(text).map_err(|e| {
        let what = e.to_string();
        let what = what.split(" at line ").next().unwrap_or(&what);
        WorkloadError::at(e.line(), e.column(), format!("expected JSON: {what}"))
    })?;
    let root = At { path: String::new(), value: &value };
    let mut ops = Vec::new();
    for (nth, process) in root.list("a list of {impl, ops}")?.into_iter().enumerate() {
        if nth > 0 {
            ops.push(Op::Reopen);
        }
        for op in process.field("ops")?.list("a list of operations")? {
            ops.push(op.op()?);
        }
    }
    Workload::bounded(ops)
}

/// A value and where it stands.
struct At<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> At<'a> {
    fn expected(&self, what: &str) -> WorkloadError {
        let found = quoted_json(self.value);
        let path = if self.path.is_empty() { "the root" } else { &self.path };
        let what = format!("expected {what}, found {found}");
        WorkloadError { place: Place::Json(path.to_string()), what }
    }

    fn list(&self, what: &str) -> Result<Vec<At<'a>>, WorkloadError> {
        let items = self.value.as_array().ok_or_else(|| self.expected(what))?;
        let at = |(n, value)| At { path: format!("{}[{n}]", self.path), value };
        Ok(items.iter().enumerate().map(at).collect())
    }

    fn field(&self, name: &str) -> Result<At<'a>, WorkloadError> {
        let value = self.value.as_object().and_then(|object| object.get(name));
        let value = value.ok_or_else(|| self.expected(&format!("an object with {name:?}")))?;
        Ok(At { path: format!("{}.{name}", self.path), value })
    }

    fn op(&self) -> Result<Op, WorkloadError> {
        const EXPECTED: &str =
            "an operation: store, delete, batch, batch_deferred, snapshot or reopen";
        let parts = self.list("an operation such as [\"delete\", 2]")?;
        let Some((name, rest)) = parts.split_first() else { return Err(self.expected(EXPECTED)) };
        match (name.value.as_str(), rest) {
            (Some("store"), [id, payload]) => {
                Ok(Op::Put { id: id.id()?, bytes: payload.payload()? })
            }
            (Some("store"), _) => Err(self.expected("[\"store\", id, json]")),
            (Some("delete"), [id]) => Ok(Op::Delete { id: id.id()? }),
            (Some("delete"), _) => Err(self.expected("[\"delete\", id]")),
            (Some("batch"), [items]) => Ok(Op::Batch(items.items()?)),
            (Some("batch_deferred"), [items]) => Ok(Op::Deferred(items.items()?)),
            (Some(name @ ("batch" | "batch_deferred")), _) => {
                Err(self.expected(&format!("[{name:?}, [[id, json], …]]")))
            }
            (Some("snapshot"), []) => Ok(Op::Checkpoint),
            (Some("reopen"), []) => Ok(Op::Reopen),
            (Some(name @ ("snapshot" | "reopen")), _) => {
                Err(self.expected(&format!("[{name:?}] alone")))
            }
            _ => Err(name.expected(EXPECTED)),
        }
    }

    fn items(&self) -> Result<Vec<(u64, Bytes)>, WorkloadError> {
        let item = |at: At<'a>| match at.list("[id, json]")?.as_slice() {
            [id, payload] => Ok((id.id()?, payload.payload()?)),
            _ => Err(at.expected("[id, json]")),
        };
        self.list("a list of [id, json]")?.into_iter().map(item).collect()
    }

    fn id(&self) -> Result<u64, WorkloadError> {
        self.value.as_u64().ok_or_else(|| self.expected("an id (a number from 0)"))
    }

    fn payload(&self) -> Result<Bytes, WorkloadError> {
        let bytes = self.value.to_string().into_bytes();
        if bytes.len() > BYTES_MAX {
            return Err(self.expected(&format!("a payload of at most {BYTES_MAX} bytes")));
        }
        Ok(Bytes::Literal(bytes))
    }
}

/// The value, or its beginning, or what it is if it is a list or an object.
fn quoted_json(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => format!("an object with {} fields", fields.len()),
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn errors_name_the_position() {
        for (text, place, what) in [
            ("[\n  {\"ops\": [}", "line 2, column 12", "expected JSON"),
            ("[", "line 1, column 1", "expected JSON: EOF"),
            ("{}", "at the root", "expected a list of {impl, ops}, found an object with 0 fields"),
            ("[{\"impl\": \"1\"}]", "at [0]", "expected an object with \"ops\""),
            ("[{\"ops\": []}, 7]", "at [1]", "found 7"),
            ("[{\"ops\": {}}]", "at [0].ops", "expected a list of operations"),
            ("[{\"ops\": [[]]}]", "at [0].ops[0]", "expected an operation: store"),
            ("[{\"ops\": [7]}]", "at [0].ops[0]", "expected an operation such as"),
            ("[{\"ops\": [[\"put\", 1]]}]", "at [0].ops[0][0]", "found \"put\""),
            ("[{\"ops\": [[\"store\", 1]]}]", "at [0].ops[0]", "[\"store\", id, json]"),
            ("[{\"ops\": [[\"store\", -1, 0]]}]", "at [0].ops[0][1]", "found -1"),
            ("[{\"ops\": [[\"delete\", 1.5]]}]", "at [0].ops[0][1]", "found 1.5"),
            ("[{\"ops\": [[\"reopen\", 1]]}]", "at [0].ops[0]", "[\"reopen\"] alone"),
            ("[{\"ops\": [[\"batch\", 1]]}]", "at [0].ops[0][1]", "a list of [id, json]"),
            ("[{\"ops\": [[\"batch\", [[1,2],[1]]]]}]", "at [0].ops[0][1][1]", "[id, json]"),
            ("[{\"ops\": [[\"batch\", [[null,2]]]]}]", "at [0].ops[0][1][0][0]", "found null"),
            ("[] x", "line 1, column 4", "trailing characters"),
        ] {
            let error = parse(text).expect_err(text).to_string();
            assert!(error.starts_with(&format!("{place}: ")) && error.contains(what), "{error}");
            assert!(!error.contains(" at line"), "the position stands once: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).unwrap_err().what.contains("recursion limit"));
    }

    #[test]
    fn every_operation_is_read() {
        let text = r#"[{"impl": "x", "ops": [["store", 18446744073709551615, {"z": null, "a": 1.5}],
            ["delete", 2], ["batch", []], ["batch_deferred", [[1, "é"], [1, [ ]]]]]},
            {"ops": [["snapshot"], ["reopen"]]}]"#;
        let literal = |text: &str| Bytes::Literal(text.into());
        let ops = vec![
            Op::Put { id: u64::MAX, bytes: literal(r#"{"z":null,"a":1.5}"#) },
            Op::Delete { id: 2 },
            Op::Batch(vec![]),
            Op::Deferred(vec![(1, literal("\"é\"")), (1, literal("[]"))]),
            Op::Reopen,
            Op::Checkpoint,
            Op::Reopen,
        ];
        assert_eq!(parse(text), Ok(Workload::new(ops)));
    }

    /// Every vector is read, and its operations give the map that stands beside it.
    #[test]
    fn golden_vectors_are_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/golden/velesdb");
        let Ok(cases) = std::fs::read_dir(&root) else {
            eprintln!("SKIPPED: no golden vectors at {}", root.display());
            return;
        };
        let mut checked = 0;
        for case in cases.map(|case| case.unwrap().path()) {
            let Ok(text) = std::fs::read_to_string(case.join("ops.json")) else { continue };
            let workload = Workload::from_file_text(&text).unwrap();
            assert_eq!(workload.to_string().parse().as_ref(), Ok(&workload));
            let Ok(map) = std::fs::read_to_string(case.join("expected.json")) else { continue };
            let map: Value = serde_json::from_str(&map).unwrap();
            let Some(map) = map.get("entries").unwrap_or(&map).as_object() else { continue };
            let map = map.iter().map(|(k, v)| (k.parse().unwrap(), v.to_string().into_bytes()));
            let mut got = highwater_sim::Map::new();
            for op in workload.ops() {
                for (id, bytes) in op.items() {
                    got.insert(id, bytes.fill(0, 0));
                }
                if let Op::Delete { id } = op {
                    got.remove(id);
                }
            }
            assert_eq!(got, map.collect(), "{}", case.display());
            checked += 1;
        }
        assert!(checked >= 6, "only {checked} vectors with a map at {}", root.display());
    }
}
