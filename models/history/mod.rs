//! Concurrent histories with crashes, and whether a key-value map explains them.
//!
//! A [`History`] is one life of an engine as its callers saw it: who called what, when it began and
//! when it ended, and what was answered. It is explained by an *order*: a sequence of calls that
//! one caller alone could have made on a map, with the same answers. What must hold of the order is
//! *buffered durable linearizability*:
//!
//! - a call that ended before another began stands before it;
//! - every call that was answered stands in it; a call in flight at the crash, or one that failed,
//!   may stand in it or not, but whole; one that was refused does not;
//! - what a crash leaves is the state after a *prefix* of the order: what was acknowledged only as
//!   buffered may go, but nothing that began after it was acknowledged may stay without it;
//! - that prefix holds every call acknowledged Durable (after a kill: every call acknowledged
//!   Flushed), and every change that was to be Durable and that a reader saw (P10).
//!
//! The prefix is one for all keys, so keys are never judged separately. The state recovered after a
//! crash begins a new history ([`History::base`]), and so a history of many crashes is judged life
//! by life.
//!
//! Two checkers: [`search`] tries all orders, knows nothing of the engine and is for small
//! histories; [`witness`] is told the order by the engine's LSNs and is for long ones. Where calls
//! carry LSNs both take them at their word: an LSN that contradicts what callers saw is impossible.

mod search;
mod table;
#[cfg(test)]
mod tests;
mod why;
mod witness;

pub use search::{allowed, search};
pub use witness::witness;

use highwater_sim::{Broken, Effect, Level, Map};
use std::fmt;
use std::sync::Arc;

/// What a caller asks for.
#[derive(Clone, Debug)]
pub enum What {
    /// Sets and deletes keys, all or nothing. One that changes nothing is a sync: it acknowledges
    /// all that came before.
    Change(Arc<Effect>),
    /// Adds to a counter: 8 bytes, little-endian; one that is not there is 0. It may say what it
    /// came to: [`Answer::Saw`], and is then acknowledged with the level that was asked for.
    Add(u64, u64),
    /// Sets a key if it is what was expected, and says whether: [`Answer::Done`] or
    /// [`Answer::Absent`]. A lock is one, and so is letting go of it.
    Swap {
        /// What it is called in reports.
        name: String,
        /// The key.
        key: u64,
        /// What it must be.
        from: Option<Vec<u8>>,
        /// What it is then.
        to: Option<Vec<u8>>,
    },
    /// Deletes a key and says whether it was there: [`Answer::Done`] or [`Answer::Absent`].
    Delete(u64),
    /// Reads a key.
    Read(u64),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Change(effect) => f.write_str(effect.name()),
            What::Add(key, by) => write!(f, "add {by} to {key}"),
            What::Swap { name, .. } => f.write_str(name),
            What::Delete(key) => write!(f, "delete {key}"),
            What::Read(key) => write!(f, "get {key}"),
        }
    }
}

/// What a caller was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: the call was under way when the crash came.
    Pending,
    /// It is done, and survives this much.
    Done(Level),
    /// What a reader saw.
    Saw(Option<Vec<u8>>),
    /// There was nothing to delete, or something else than was expected.
    Absent,
    /// An error: it may have happened, or happen at any time later, or never.
    Failed,
    /// An error that says that it has not happened and never will.
    Refused,
}

/// One call of one caller.
#[derive(Clone, Debug)]
pub struct Call {
    /// The thread that called, for reports.
    pub thread: u32,
    /// What it asked for.
    pub what: What,
    /// What it was to survive if it succeeded: the level of the durability mode. It may be
    /// acknowledged with less (a deferred operation whose sync comes later) or with more.
    pub level: Level,
    /// The logical time at which it began. No two times of a history are equal.
    pub began: u64,
    /// The logical time at which it was answered; `None` if it never was.
    pub ended: Option<u64>,
    /// What it was answered.
    pub answer: Answer,
    /// Its place in the engine's log, if the engine said so.
    pub lsn: Option<u64>,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{} {}", self.thread, self.what)
    }
}

/// One life: the calls made on a state.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The state at the beginning of this life: all of it has been promised.
    pub base: Map,
    /// The calls, in any order.
    pub calls: Vec<Call>,
    /// The time of the last beginning or end.
    pub now: u64,
}

impl History {
    /// A life that begins with this state.
    pub fn new(base: Map) -> History {
        History { base, ..History::default() }
    }

    /// A call begins; its number, from 0, is for [`end`](History::end). Until then it is pending.
    pub fn begin(&mut self, thread: u32, what: What, level: Level) -> usize {
        self.now += 1;
        let (began, answer) = (self.now, Answer::Pending);
        self.calls.push(Call { thread, what, level, began, ended: None, answer, lsn: None });
        self.calls.len() - 1
    }

    /// The call with that number is answered.
    pub fn end(&mut self, nth: usize, answer: Answer, lsn: Option<u64>) {
        self.now += 1;
        let call = &mut self.calls[nth];
        (call.ended, call.answer, call.lsn) = (Some(self.now), answer, lsn.or(call.lsn));
    }
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Crash {
    /// It did not: all that was acknowledged must be there.
    None,
    /// The process died: what was Flushed must be there.
    Kill,
    /// The power was cut: what was Durable must be there.
    Power,
}

impl Crash {
    /// Whether what was acknowledged with this level must be there afterwards.
    pub(crate) fn keeps(self, level: Level) -> bool {
        match self {
            Crash::None => true,
            Crash::Kill => level >= Level::Flushed,
            Crash::Power => level >= Level::Durable,
        }
    }
}

/// An order of calls that explains a history, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// The calls that took effect, in order.
    pub calls: Vec<usize>,
    /// How many of them, from the first, are in the recovered state.
    pub kept: usize,
}

/// What a checker has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// This order explains it.
    Explained(Order),
    /// No order does: the promise that is broken, and the calls that show it.
    Impossible(Broken),
    /// The checker gave up.
    Unknown,
}
