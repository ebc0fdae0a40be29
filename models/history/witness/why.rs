//! Which promise is broken, where no place fits what was recovered.

use super::super::{Crash, What, table, why};
use super::log::Log;
use super::loose::Loose;
use super::readers::Readers;
use highwater_sim::{Broken, Map, Rule};
use std::collections::BTreeSet;

/// Not more calls than this are named.
const NAMES: usize = 5;

/// The state is that of a place before what a reader saw.
pub(super) fn seen(log: &Log<'_>, readers: &Readers, cut: usize) -> Broken {
    let found = readers.of(log, cut);
    let (from, reader) = found.expect("a reader made the cut too early");
    why::seen(log.call(from), &log.history.calls[reader])
}

/// The state is that of a place before what was promised.
pub(super) fn lost(log: &Log<'_>, cut: usize, crash: Crash) -> Broken {
    let gone = || (cut..log.len()).map(|nth| log.call(nth));
    let mut names: Vec<_> =
        gone().filter(|call| why::is_promised(call, crash)).take(NAMES + 1).collect();
    if names.is_empty() {
        // What was acknowledged before a sync that was itself acknowledged.
        let done = gone().filter(|call| table::level(call).is_some());
        names = done.take(NAMES + 1).collect();
    }
    let more = if names.len() > NAMES { " and more" } else { "" };
    names.truncate(NAMES);
    Broken::new(Rule::P1Loss, format!("promised and lost: {}{more}", why::names(&names)))
}

/// The state is that of no place: one key is after a change, and another before an earlier one.
pub(super) fn nowhere(log: &Log<'_>, loose: &Loose<'_>, recovered: &Map, crash: Crash) -> Broken {
    let history = log.history;
    if let Some(broken) =
        why::base(history, recovered).or_else(|| why::invented(history, recovered))
    {
        return broken;
    }
    // For each key the newest version that it may be at, and the change that it lacks.
    let (mut newest, mut lacks) = (0, None::<(usize, u64)>);
    let changed: BTreeSet<u64> = (0..log.len()).flat_map(|nth| keys(&log.call(nth).what)).collect();
    for key in changed {
        let (versions, value) = (log.versions(key), recovered.get(&key).map(Vec::as_slice));
        let at = versions.iter().rposition(|version| version.value.as_deref() == value);
        let Some(at) = at else {
            if loose.touches(key) {
                continue;
            }
            let what = format!("key {key} is what it never was");
            return Broken::new(Rule::P4Invention, what);
        };
        newest = newest.max(versions[at].place);
        let next = versions.get(at + 1).map(|version| (version.place, key));
        lacks = lacks.into_iter().chain(next).min();
    }
    let Some((missing, key)) = lacks.filter(|(missing, _)| *missing <= newest) else {
        return Broken::new(Rule::P2Prefix, "no prefix of the log gives this state");
    };
    let (there, gone) = (log.call(newest - 1), log.call(missing - 1));
    if missing == newest {
        let parts = keys(&gone.what).len();
        let shows = |key: &u64| log.value(*key, missing) == recovered.get(key).map(Vec::as_slice);
        let there = keys(&gone.what).iter().filter(|key| shows(key)).count();
        return Broken::new(Rule::P3Atomicity, format!("{there} of {parts} parts of {gone}"));
    }
    if !why::is_promised(gone, crash) {
        return Broken::new(Rule::P2Prefix, format!("{there} is there without {gone}"));
    }
    if log.value(key, missing).is_none() {
        return Broken::new(Rule::P4Invention, format!("what {gone} removed is back"));
    }
    Broken::new(Rule::P1Loss, format!("promised and lost: {gone}"))
}

fn keys(what: &What) -> Vec<u64> {
    match what {
        What::Change(effect) => effect.changes().map(|change| change.0).collect(),
        What::Add(key, _) | What::Delete(key) | What::Read(key) | What::Swap { key, .. } => {
            vec![*key]
        }
    }
}
