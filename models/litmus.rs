//! Litmus programs: a few calls, a power cut, and the question what may be found on the disk.
//!
//! A program is a text (`docs/litmus.md`) that says under which disk models its question may be
//! answered with yes: that is the specification. Running it enumerates every disk that the power
//! cut may leave and says whether one of them answers with yes: that is the simulation. Where the
//! enumeration is complete the two must agree, so the programs pin the disk from both sides: it
//! must do all that it may, and nothing else.
//!
//! The programs of this package are lessons, too; read `models/litmus/replace-1-nothing-synced`
//! and its neighbours first.

mod bytes;
mod call;
mod condition;
mod parse;
mod programs;
mod run;
#[cfg(test)]
mod tests;
mod tokens;

pub use call::Call;
pub use condition::Condition;
pub use programs::programs;
pub use run::{Answer, LEAVES_MAX, answer};

use highwater_sim::Model;
use std::fmt;

/// A litmus program.
///
/// ```
/// use highwater_models::litmus::{LEAVES_MAX, Program, answer};
/// use highwater_sim::Model;
///
/// let text = "\
/// title: Bytes that are synced, a name that is not
/// source: fsync(2)
/// do:
///   create a
///   append a \"x\"
///   sync a
/// ask: the file is gone
///   not exists a
///   allowed: posix
///   forbidden: rest   # the order of their metadata takes the name along
/// ";
/// let program = Program::parse("name", text)?;
/// for model in Model::ALL {
///     let answer = answer(&program, &program.asks[0], model, LEAVES_MAX).expect("it runs");
///     assert!(answer.complete && answer.agrees());
///     assert_eq!(answer.reached, model == Model::Posix);
/// }
/// # Ok::<(), highwater_models::litmus::LitmusError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What it is called: its file's name, without `.litmus`.
    pub name: String,
    /// What it shows, in a line.
    pub title: String,
    /// Where it comes from, or where the rule it shows is written down.
    pub sources: Vec<String>,
    /// Calls whose changes are all durable when the program begins, with the lines they stand on.
    pub init: Vec<(usize, Call)>,
    /// The program, with the lines its calls stand on.
    pub calls: Vec<(usize, Call)>,
    /// What is asked of the disks.
    pub asks: Vec<Ask>,
}

/// A question to the disks that a power cut leaves, and under which models the answer may be yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The question in words: what might be found.
    pub name: String,
    /// When the power fails.
    pub when: When,
    /// The question.
    pub condition: Condition,
    /// The models under which some disk must answer with yes, weakest first. Under all others none
    /// may.
    pub allowed: Vec<Model>,
}

/// When the power fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After the last call.
    End,
    /// At any point: before the first call, or after any of them.
    AnyPoint,
}

/// Why a text is no program: where, what was expected there, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LitmusError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was expected, and what was found.
    pub what: String,
}

impl LitmusError {
    fn new(line: usize, column: usize, what: impl Into<String>) -> LitmusError {
        LitmusError { line, column, what: what.into() }
    }
}

impl fmt::Display for LitmusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for LitmusError {}
