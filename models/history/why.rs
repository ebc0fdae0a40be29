//! Which promise a history breaks that no order explains.
//!
//! The rules are relaxed one by one; the first that makes an explanation possible names the
//! promise. A verdict costs a handful of searches, so it is asked for once, not for every state.

use super::search::{Found, explain};
use super::table::{self, Rules};
use super::{Answer, Call, Crash, History, Order, What};
use highwater_sim::{Broken, Level, Map, Rule};
use std::collections::BTreeMap;

/// `None` if it cannot be told within `cap` steps.
pub(super) fn why(
    history: &History,
    recovered: Option<&Map>,
    crash: Crash,
    cap: usize,
) -> Option<Broken> {
    let found = |recovered, crash, rules| explain(history, recovered, crash, rules, cap);
    match found(None, Crash::None, Rules::ALL) {
        Found::Nothing => return answers(history, cap),
        Found::TooMuch => return None,
        Found::Order(_) => {}
    }
    let recovered = recovered.expect("the answers alone can be explained");
    if let Some(broken) = base(history, recovered) {
        return Some(broken);
    }
    let unseen = Rules { seen: false, ..Rules::ALL };
    if let Found::Order(order) = found(Some(recovered), crash, unseen) {
        return Some(seen_and_lost(history, &order));
    }
    // After a crash, without one all that was answered must stand in the order.
    let cut = if crash == Crash::None { Crash::Power } else { crash };
    let lax = Rules { keep: false, ..unseen };
    match found(Some(recovered), cut, lax) {
        Found::Order(order) => return Some(lost(history, &order, crash)),
        Found::TooMuch => return None,
        Found::Nothing => {}
    }
    if let Some(broken) = invented(history, recovered) {
        return Some(broken);
    }
    let parts = Rules { whole: false, ..lax };
    if let Found::Order(_) = found(Some(recovered), cut, parts) {
        return Some(part(history, recovered));
    }
    let any = Rules { order: false, ..lax };
    Some(match found(Some(recovered), cut, any) {
        Found::Order(order) => hole(history, &order, crash),
        Found::Nothing => {
            let what = "no set of the changes gives this state, in whatever order".to_string();
            Broken::new(Rule::P4Invention, what)
        }
        Found::TooMuch => {
            let what = "no prefix of an order gives this state".to_string();
            Broken::new(Rule::P2Prefix, what)
        }
    })
}

/// The answers have no explanation: the first call that has none when it ends.
fn answers(history: &History, cap: usize) -> Option<Broken> {
    let mut ends: Vec<(u64, usize)> =
        (0..history.calls.len()).filter_map(|n| Some((history.calls[n].ended?, n))).collect();
    ends.sort_unstable();
    for (end, nth) in ends {
        match explain(&until(history, end), None, Crash::None, Rules::ALL, cap) {
            Found::Order(_) => {}
            Found::TooMuch => return None,
            Found::Nothing => return Some(answer(history, &history.calls[nth])),
        }
    }
    // What stands behind the last answer: places in the log of calls that were never answered.
    let what = "the LSNs of calls under way contradict what callers saw";
    Some(Broken::new(Rule::P2Prefix, what))
}

/// What had happened by that time.
fn until(history: &History, end: u64) -> History {
    let mut past = history.clone();
    past.calls.retain(|call| call.began <= end);
    for call in past.calls.iter_mut().filter(|call| call.ended.is_none_or(|time| time > end)) {
        (call.ended, call.lsn) = (None, None);
        if call.answer != Answer::Refused {
            call.answer = Answer::Pending;
        }
    }
    past
}

pub(super) fn answer(history: &History, call: &Call) -> Broken {
    let (rule, got) = match (&call.what, &call.answer) {
        (What::Read(key), Answer::Saw(Some(value))) => {
            let rule = match wrote(history, *key, value) {
                true => Rule::P2Prefix,
                false => Rule::P4Invention,
            };
            (rule, format!("answered {}", in_words(value)))
        }
        (What::Read(_), _) => (Rule::P2Prefix, "answered nothing".to_string()),
        (What::Swap { .. }, Answer::Absent) => (Rule::P2Prefix, "told that it is not so".into()),
        (_, Answer::Absent) => (Rule::P2Prefix, "told that there is nothing".to_string()),
        (_, Answer::Saw(_)) => (Rule::P2Prefix, "told a sum".to_string()),
        _ => (Rule::P2Prefix, "acknowledged".to_string()),
    };
    let lsn = table::place(call).map_or(String::new(), |lsn| format!(" with LSN {lsn}"));
    let reason = match rule {
        Rule::P4Invention => "which nobody wrote",
        _ => "which no order of the calls explains",
    };
    Broken::new(rule, format!("{call} is {got}{lsn}, {reason}"))
}

/// Short values that are text are shown.
pub(super) fn in_words(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if text.len() <= 16 && text.chars().all(|c| c.is_ascii_graphic()) => {
            format!("\"{text}\"")
        }
        _ => format!("{} bytes", value.len()),
    }
}

/// Whether a key may ever have had this value. A counter may have had any.
fn wrote(history: &History, key: u64, value: &[u8]) -> bool {
    let calls = history.calls.iter().filter(|call| call.answer != Answer::Refused);
    history.base.get(&key).is_some_and(|v| v == value)
        || calls.clone().any(|call| match &call.what {
            What::Change(effect) => effect.changes().any(|c| c == (key, Some(value))),
            What::Add(counter, _) => *counter == key && value.len() == 8,
            What::Swap { key: k, to, .. } => *k == key && to.as_deref() == Some(value),
            What::Delete(_) | What::Read(_) => false,
        })
}

/// The keys that no call touches are as they were.
pub(super) fn base(history: &History, recovered: &Map) -> Option<Broken> {
    let touched = |key: u64| {
        history.calls.iter().any(|call| match &call.what {
            What::Change(effect) => effect.changes().any(|change| change.0 == key),
            What::Add(k, _) | What::Delete(k) | What::Read(k) | What::Swap { key: k, .. } => {
                *k == key
            }
        })
    };
    history.base.iter().find(|(key, _)| !touched(**key) && !recovered.contains_key(key)).map(
        |(key, value)| {
            let what =
                format!("key {key} was {} when this life began, and is gone", in_words(value));
            Broken::new(Rule::P1Loss, what)
        },
    )
}

pub(super) fn invented(history: &History, recovered: &Map) -> Option<Broken> {
    let (key, value) = recovered.iter().find(|(key, value)| !wrote(history, **key, value))?;
    let mut calls = history.calls.iter().filter(|call| call.answer == Answer::Refused);
    let refused = calls.find(|call| match &call.what {
        What::Change(effect) => effect.changes().any(|c| c == (*key, Some(&value[..]))),
        _ => false,
    });
    let of = refused
        .map_or("nobody wrote".to_string(), |call| format!("only {call} wrote, which was refused"));
    Some(Broken::new(Rule::P4Invention, format!("key {key} is {}, which {of}", in_words(value))))
}

/// The calls whose effect an explanation does not keep, of those for which `matters`.
fn missing<'a>(
    history: &'a History,
    order: &Order,
    matters: impl Fn(&Call) -> bool,
) -> Vec<&'a Call> {
    let kept = &order.calls[..order.kept];
    let calls = history.calls.iter().enumerate();
    calls.filter(|(nth, call)| !kept.contains(nth) && matters(call)).map(|(_, c)| c).collect()
}

pub(super) fn names(calls: &[&Call]) -> String {
    calls.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(super) fn is_promised(call: &Call, crash: Crash) -> bool {
    table::changes(call) && table::level(call).is_some_and(|level| crash.keeps(level))
}

fn lost(history: &History, order: &Order, crash: Crash) -> Broken {
    let mut gone = missing(history, order, |call| is_promised(call, crash));
    if gone.is_empty() {
        // What was acknowledged before a sync that was itself acknowledged.
        gone = missing(history, order, |call| table::changes(call) && table::level(call).is_some());
    }
    Broken::new(Rule::P1Loss, format!("promised and lost: {}", names(&gone)))
}

/// The first reader behind the cut that saw what is to be durable and is cut off.
fn seen_and_lost(history: &History, order: &Order) -> Broken {
    let mut last: BTreeMap<u64, &Call> = BTreeMap::new();
    for call in order.calls[order.kept..].iter().map(|nth| &history.calls[*nth]) {
        if let Some(key) = table::looked_at(call) {
            if let Some(from) = last.get(&key).filter(|from| from.level >= Level::Durable) {
                return seen(from, call);
            }
            continue;
        }
        match &call.what {
            What::Change(effect) => last.extend(effect.changes().map(|c| (c.0, call))),
            What::Add(key, _) | What::Delete(key) | What::Swap { key, .. } => {
                last.insert(*key, call);
            }
            What::Read(_) => {}
        }
    }
    Broken::new(Rule::P10Visibility, "what a reader saw is lost")
}

pub(super) fn seen(from: &Call, reader: &Call) -> Broken {
    Broken::new(Rule::P10Visibility, format!("{from} was seen by {reader} and is lost"))
}

fn part(history: &History, recovered: &Map) -> Broken {
    let mut batches = history.calls.iter().filter_map(|call| match &call.what {
        What::Change(effect) => Some((call, effect)),
        _ => None,
    });
    let found = batches.find_map(|(call, effect)| {
        let shows = |c: &(u64, Option<&[u8]>)| recovered.get(&c.0).map(Vec::as_slice) == c.1;
        let (there, all) = (effect.changes().filter(shows).count(), effect.changes().count());
        (0 < there && there < all).then(|| format!("{there} of {all} parts of {call}"))
    });
    Broken::new(Rule::P3Atomicity, found.unwrap_or_else(|| "a part of a batch".to_string()))
}

/// Changes are there without those that had to come first.
fn hole(history: &History, order: &Order, crash: Crash) -> Broken {
    let gone = missing(history, order, |call| is_promised(call, crash));
    let is_delete = |call: &&&Call| match &call.what {
        What::Delete(_) | What::Swap { to: None, .. } => true,
        What::Change(effect) => effect.changes().all(|change| change.1.is_none()),
        _ => false,
    };
    if let Some(call) = gone.iter().find(is_delete) {
        return Broken::new(Rule::P4Invention, format!("what {call} removed is back"));
    }
    if !gone.is_empty() {
        return Broken::new(Rule::P1Loss, format!("promised and lost: {}", names(&gone)));
    }
    let skipped =
        missing(history, order, |call| table::level(call).is_some() && table::changes(call));
    let kept: Vec<&Call> = order.calls[..order.kept].iter().map(|n| &history.calls[*n]).collect();
    let what = match skipped.is_empty() {
        true => format!("{} is there, and in no order that callers saw", names(&kept)),
        false => format!("{} is there without {}", names(&kept), names(&skipped)),
    };
    Broken::new(Rule::P2Prefix, what)
}
