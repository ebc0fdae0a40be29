//! The promises by name, and what a promise is to the explorer.

use crate::hash;
use std::fmt;

/// The numbered promises of `docs/architecture.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// An acknowledged operation is missing.
    P1Loss,
    /// The state is no prefix of the operations.
    P2Prefix,
    /// A part of a batch.
    P3Atomicity,
    /// Something that was not written, or a deleted thing back again.
    P4Invention,
    /// A power cut alone made open fail, or was reported as corruption.
    P5FalseAlarm,
    /// Damage served, or taken for a torn tail.
    P6Silence,
    /// Recovering again gave another state.
    P7Idempotence,
    /// The engine takes no work after recovery.
    P8Progress,
    /// It went on after a failed write or sync.
    P9FailStop,
    /// A value that a reader has seen is gone.
    P10Visibility,
    /// A panic, a hang or an absurd allocation.
    P11Bounds,
    /// Obsolete files stay, or a full disk loses data.
    P12Space,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::P1Loss => "P1 loss",
            Rule::P2Prefix => "P2 prefix",
            Rule::P3Atomicity => "P3 atomicity",
            Rule::P4Invention => "P4 invention",
            Rule::P5FalseAlarm => "P5 false alarm",
            Rule::P6Silence => "P6 silence",
            Rule::P7Idempotence => "P7 idempotence",
            Rule::P8Progress => "P8 progress",
            Rule::P9FailStop => "P9 fail-stop",
            Rule::P10Visibility => "P10 visibility",
            Rule::P11Bounds => "P11 bounds",
            Rule::P12Space => "P12 space",
        })
    }
}

impl Rule {
    /// Whether what is there is not what was written: on a medium that has decayed, damage that
    /// went unnoticed.
    pub(crate) fn is_about_state(self) -> bool {
        use Rule::*;
        !matches!(self, P5FalseAlarm | P6Silence | P9FailStop | P11Bounds | P12Space)
    }
}

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which one.
    pub rule: Rule,
    /// What was found, in one sentence.
    pub what: String,
    /// If it is a prefix of what was promised: how many promised operations are missing at its
    /// end. 0 for anything else. (A medium that decays may take the last one: nothing shows that
    /// it was durable.)
    pub short_by: usize,
}

impl Broken {
    /// A broken promise.
    ///
    /// ```
    /// use highwater_sim::{Broken, Rule};
    /// let broken = Broken::new(Rule::P8Progress, "it takes no work");
    /// assert_eq!(broken.rule.to_string(), "P8 progress");
    /// ```
    pub fn new(rule: Rule, what: impl Into<String>) -> Broken {
        Broken { rule, what: what.into(), short_by: 0 }
    }
}

/// What an acknowledgement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing yet.
    Buffered,
    /// Survives the death of the process.
    Flushed,
    /// Survives power loss.
    Durable,
}

/// What an engine's callers have been told so far.
pub trait Promise: Clone + Default + Send + 'static {
    /// The power is gone: what was promised only for the death of the process is promised no more.
    fn power_cut(&mut self);

    /// Equal for two promises that allow the same futures.
    fn fingerprint(&self) -> u128;
}

/// For subjects whose promise is a plain value.
pub fn fingerprint_of(value: &impl std::hash::Hash) -> u128 {
    hash::of(value)
}
