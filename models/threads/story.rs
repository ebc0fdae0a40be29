//! What the callers of a concurrent engine were told: a history over the state that the life began
//! with, and which states may be found after its crash.
//!
//! Invariants
//! - S7: after recovery the state shown is the promise: it is the beginning of the next history.

use crate::history::{Answer, Crash, History, Verdict, What, allowed, search};
use highwater_sim::{Broken, Level, Map, Promise, Recovered, fingerprint_of};
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

/// Steps of a search for an order. The programs that are explored need some hundreds.
const STEPS_MAX: usize = 1 << 20;

/// The promise of a [`Scheduled`](super::Scheduled) subject.
#[derive(Clone, Debug, Default)]
pub struct Story {
    history: History,
    powerless: bool,
    /// Found out once for all that share this moment, by the explorer's thousands of recoveries.
    allowed: Arc<Allowed>,
}

#[derive(Debug, Default)]
struct Allowed {
    after_kill: OnceLock<BTreeSet<Recovered>>,
    after_power: OnceLock<BTreeSet<Recovered>>,
}

impl Story {
    /// A call begins; the answer is its number.
    pub(crate) fn begin(&mut self, thread: u32, what: What, level: Level) -> usize {
        self.allowed = Arc::default();
        self.history.begin(thread, what, level)
    }

    /// A call is answered.
    pub(crate) fn end(&mut self, nth: usize, answer: Answer, lsn: Option<u64>) {
        self.allowed = Arc::default();
        self.history.end(nth, answer, lsn);
    }

    fn crash(&self) -> Crash {
        if self.powerless { Crash::Power } else { Crash::Kill }
    }

    fn states(&self, crash: Crash) -> &BTreeSet<Recovered> {
        let cell = match crash {
            Crash::Power => &self.allowed.after_power,
            _ => &self.allowed.after_kill,
        };
        let find = || allowed(&self.history, crash, STEPS_MAX).expect(TOO_LARGE);
        cell.get_or_init(find)
    }

    /// Whether any order explains the answers, crash or not.
    ///
    /// # Errors
    /// The promise that none does.
    pub(crate) fn explained(&self) -> Result<(), Broken> {
        self.judge(None, Crash::None)
    }

    fn judge(&self, state: Option<&Map>, crash: Crash) -> Result<(), Broken> {
        match search(&self.history, state, crash, STEPS_MAX) {
            Verdict::Explained(_) => Ok(()),
            Verdict::Impossible(broken) => Err(broken),
            Verdict::Unknown => panic!("{TOO_LARGE}"),
        }
    }

    /// Judges a recovered state. If it is allowed it is what the next life begins with (S7).
    ///
    /// # Errors
    /// The promise that is broken.
    pub(crate) fn land(&mut self, state: Map) -> Result<(), Broken> {
        if !self.states(self.crash()).contains(&Recovered::of(&state)) {
            self.judge(Some(&state), self.crash())?;
        }
        *self = Story { history: History::new(state), ..Story::default() };
        Ok(())
    }

    /// Judges what the engine shows in this life while nobody else is calling.
    ///
    /// # Errors
    /// The promise that is broken.
    pub(crate) fn show(&self, state: &Map) -> Result<(), Broken> {
        self.judge(Some(state), Crash::None)
    }
}

const TOO_LARGE: &str = "the history of a program is small enough to be judged";

impl Promise for Story {
    fn power_cut(&mut self) {
        self.powerless = true;
    }

    /// A second crash may cut the power where the first one killed: then the other set counts.
    fn fingerprint(&self) -> u128 {
        let after_kill = (!self.powerless).then(|| self.states(Crash::Kill));
        fingerprint_of(&(after_kill, self.states(Crash::Power)))
    }
}
