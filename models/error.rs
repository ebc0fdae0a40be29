//! Why a text is no workload, and where.

use std::fmt;

/// Where in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line and a column in characters, both from 1.
    Text {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
    },
    /// A path into a JSON document, such as `[0].ops[3][1]`.
    Json(String),
    /// The whole of it.
    Whole,
}

/// A text that is no workload: where it stops being one, and what would have been right there.
///
/// ```
/// use highwater_models::Workload;
/// let error = "put 1 \"a\"\nput x".parse::<Workload>().unwrap_err();
/// assert_eq!(error.to_string(), "line 2, column 5: expected an id, found \"x\"");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadError {
    /// Where.
    pub place: Place,
    /// What was expected there, and what was found.
    pub what: String,
}

impl WorkloadError {
    pub(crate) fn at(line: usize, column: usize, what: impl Into<String>) -> WorkloadError {
        WorkloadError { place: Place::Text { line, column }, what: what.into() }
    }
}

impl fmt::Display for WorkloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Text { line, column } => write!(f, "line {line}, column {column}: ")?,
            Place::Json(path) => write!(f, "at {path}: ")?,
            Place::Whole => {}
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for WorkloadError {}

/// `text` quoted, and cut if it is long: what was found may be a megabyte.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 24;
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{:?}…", &text[..at]),
        None => format!("{text:?}"),
    }
}
