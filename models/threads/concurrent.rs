//! The stores of this project with several callers at once, under the names by which they are run,
//! and beside them some with a flaw: what finds nothing in the first must find those.

use super::{Plan, Scheduled, journal, key_value, store};
use highwater_sim::{Rule, Verdict};

/// A store with its program.
#[derive(Clone, Copy, Debug)]
pub struct Concurrent {
    /// On the command line.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// The store under the default schedule.
    pub subject: fn() -> Scheduled,
    /// How the exploration must end.
    pub expected: Verdict,
    /// The promise that it is expected to break.
    pub rule: Option<Rule>,
}

/// One of ours.
const fn own(name: &'static str, about: &'static str, subject: fn() -> Scheduled) -> Concurrent {
    Concurrent { name, about, subject, expected: Verdict::Held, rule: None }
}

const fn flawed(own: Concurrent, rule: Rule) -> Concurrent {
    Concurrent { expected: Verdict::Violated, rule: Some(rule), ..own }
}

/// All of them.
pub const CONCURRENT: &[Concurrent] = &[
    own(
        "payload-threads",
        "the payload store of this project with several callers at once",
        store::store,
    ),
    own(
        "kv-threads",
        "the key-value store: a lock of two owners, a counter of two threads, a snapshot",
        key_value::key_value,
    ),
    own(
        "journal-threads",
        "the journal: two appenders, a cursor that moves, a clean-up",
        journal::journal,
    ),
    flawed(
        own(
            "kv-threads/early",
            "the same when it says that a lock is taken before that is durable",
            key_value::early,
        ),
        Rule::P10Visibility,
    ),
    // No crash is needed: a clean-up between the two is enough.
    Concurrent {
        expected: Verdict::Broken,
        rule: Some(Rule::P2Prefix),
        ..own(
            "journal-threads/apart",
            "the same when a cursor is moved by taking it out and putting it in",
            journal::apart,
        )
    },
    flawed(
        own(
            "journal-threads/early",
            "the same when a reader sees what is not durable yet",
            journal::early,
        ),
        Rule::P10Visibility,
    ),
];

impl Concurrent {
    /// As many schedules as fit into some seconds; where there is a flaw, until it is found.
    pub fn plan(&self) -> Plan {
        let systematic = if self.rule.is_some() { Plan::default().systematic } else { 100 };
        Plan { bound: Some(1), systematic, random: 20, pct: 20, ..Plan::default() }
    }
}
