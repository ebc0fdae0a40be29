//! Tests of the checkers themselves: a checker that never says no has proven nothing.

mod brute;
mod by_hand;
mod mutants;
mod random;
mod speed;
mod verify;

use super::*;
use highwater_sim::{Recovered, Rule};
use std::collections::BTreeMap;

/// More steps than a search of any history here needs.
pub(super) const CAP: usize = 200_000;

/// Sets keys: of `None`, deletes.
pub(super) fn change(changes: &[(u64, Option<&str>)]) -> What {
    let word = |change: &(u64, Option<&str>)| match change.1 {
        Some(value) => format!("{}={value}", change.0),
        None => format!("{}-", change.0),
    };
    let name = changes.iter().map(word).collect::<Vec<_>>().join(" ");
    let changes = changes.iter().map(|c| (c.0, c.1.map(|v| v.as_bytes().to_vec()))).collect();
    What::Change(Effect::new(name, changes))
}

pub(super) fn put(key: u64, value: &str) -> What {
    change(&[(key, Some(value))])
}

pub(super) fn map(pairs: &[(u64, &str)]) -> Map {
    pairs.iter().map(|(key, value)| (*key, value.as_bytes().to_vec())).collect()
}

pub(super) fn saw(value: &str) -> Answer {
    Answer::Saw(Some(value.as_bytes().to_vec()))
}

pub(super) const DURABLE: Answer = Answer::Done(Level::Durable);
pub(super) const FLUSHED: Answer = Answer::Done(Level::Flushed);
pub(super) const BUFFERED: Answer = Answer::Done(Level::Buffered);

/// A history written as what happens, in order: `(thread, Some(what))` begins a call, and
/// `(thread, None)` with an answer ends the thread's call.
#[derive(Default)]
pub(super) struct Script {
    pub(super) history: History,
    open: BTreeMap<u32, usize>,
}

impl Script {
    /// A call that is to be durable begins.
    pub(super) fn begins(mut self, thread: u32, what: What) -> Script {
        self.open.insert(thread, self.history.begin(thread, what, Level::Durable));
        self
    }

    /// A call that is deferred begins.
    pub(super) fn defers(mut self, thread: u32, what: What) -> Script {
        self.open.insert(thread, self.history.begin(thread, what, Level::Buffered));
        self
    }

    pub(super) fn ends(mut self, thread: u32, answer: Answer) -> Script {
        let nth = self.open.remove(&thread).expect("a call of this thread");
        self.history.end(nth, answer, None);
        self
    }

    /// A call of one thread that nobody overlaps.
    pub(super) fn calls(self, thread: u32, what: What, answer: Answer) -> Script {
        match answer {
            BUFFERED => self.defers(thread, what).ends(thread, answer),
            _ => self.begins(thread, what).ends(thread, answer),
        }
    }

    #[track_caller]
    pub(super) fn explained(&self, crash: Crash, recovered: &[(u64, &str)]) {
        let recovered = map(recovered);
        let verdict = search(&self.history, Some(&recovered), crash, CAP);
        let Verdict::Explained(order) = verdict else { panic!("{verdict:?}") };
        verify::verify(&self.history, &order, Some(&recovered), crash).unwrap();
        let states = allowed(&self.history, crash, CAP).unwrap();
        assert!(states.contains(&Recovered::of(&recovered)));
    }

    #[track_caller]
    pub(super) fn impossible(&self, crash: Crash, recovered: &[(u64, &str)], why: (Rule, &str)) {
        let recovered = map(recovered);
        let verdict = search(&self.history, Some(&recovered), crash, CAP);
        let Verdict::Impossible(broken) = verdict else { panic!("{verdict:?}") };
        assert_eq!((broken.rule, &broken.what[..]), why);
        // Told an order in which every change has a place, the witness agrees.
        let mut told = self.history.clone();
        let answered = |call: &&mut Call| matches!(call.answer, Answer::Done(_) | Answer::Pending);
        for (lsn, call) in (1..).zip(told.calls.iter_mut().filter(answered)) {
            call.lsn = call.lsn.or(Some(lsn));
        }
        let verdict = witness(&told, Some(&recovered), crash);
        let Verdict::Impossible(broken) = verdict else { panic!("the witness: {verdict:?}") };
        assert_eq!(broken.rule, why.0, "{broken:?}");
        let states = allowed(&self.history, crash, CAP).unwrap();
        assert!(!states.contains(&Recovered::of(&recovered)));
    }
}
