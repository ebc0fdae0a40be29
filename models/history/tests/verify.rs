//! Whether an order explains a history, read off the definition and nothing else.

use super::*;

/// Why it does not.
pub(super) fn verify(
    history: &History,
    order: &Order,
    recovered: Option<&Map>,
    crash: Crash,
) -> Result<(), String> {
    let calls = &history.calls;
    let stands = |nth: &usize| order.calls.contains(nth);
    for (nth, call) in calls.iter().enumerate() {
        let (must, may) = match call.answer {
            Answer::Done(_) | Answer::Saw(_) | Answer::Absent => (true, true),
            Answer::Pending => (call.lsn.is_some() && changes(call), true),
            Answer::Failed => (false, true),
            Answer::Refused => (false, false),
        };
        if must && !stands(&nth) || !may && stands(&nth) {
            return Err(format!("{call} stands wrongly or is missing"));
        }
    }
    for (at, first) in order.calls.iter().enumerate() {
        for second in &order.calls[at + 1..] {
            let (first, second) = (&calls[*first], &calls[*second]);
            let failed = second.answer == Answer::Failed;
            if first.began == second.began {
                return Err(format!("{first} stands twice"));
            }
            if !failed && second.ended.is_some_and(|ended| ended < first.began) {
                return Err(format!("{second} ended before {first} began"));
            }
            let logged = first.lsn.zip(second.lsn).filter(|_| changes(first) && changes(second));
            if logged.is_some_and(|(first, second)| first >= second) {
                return Err(format!("{first} and {second} are not in the order of their LSNs"));
            }
        }
    }
    let (mut state, mut spoilt) = (history.base.clone(), BTreeMap::new());
    for (at, nth) in order.calls.iter().enumerate() {
        if at == order.kept {
            is_cut(&state, recovered)?;
        }
        let (call, old) = (&calls[*nth], state.clone());
        act(call, &mut state)?;
        let keys: Vec<u64> = old.keys().chain(state.keys()).copied().collect();
        let behind = at >= order.kept;
        for key in keys.into_iter().filter(|key| old.get(key) != state.get(key)) {
            spoilt.insert(key, behind && call.level == Level::Durable);
        }
        let key = match (&call.what, &call.answer) {
            (What::Read(key), _) => key,
            (What::Delete(key) | What::Swap { key, .. }, Answer::Absent) => key,
            _ => continue,
        };
        if crash != Crash::None && spoilt.get(key) == Some(&true) {
            return Err(format!("{call} has seen what is lost"));
        }
    }
    if order.kept == order.calls.len() {
        is_cut(&state, recovered)?;
    }
    for call in order.calls[order.kept..].iter().map(|nth| &calls[*nth]) {
        let keeps = |level| match crash {
            Crash::None => true,
            Crash::Kill => level != Level::Buffered,
            Crash::Power => level == Level::Durable,
        };
        let promised = match (&call.what, &call.answer) {
            (_, Answer::Done(level)) => keeps(*level),
            (What::Add(..), Answer::Saw(_)) => keeps(call.level),
            _ => false,
        };
        if promised {
            return Err(format!("{call} was promised and is cut off"));
        }
    }
    Ok(())
}

fn changes(call: &Call) -> bool {
    match &call.what {
        What::Change(effect) => effect.changes().count() > 0,
        What::Add(..) => true,
        What::Delete(_) | What::Swap { .. } => call.answer != Answer::Absent,
        What::Read(_) => false,
    }
}

fn is_cut(state: &Map, recovered: Option<&Map>) -> Result<(), String> {
    match recovered {
        Some(recovered) if recovered != state => Err(format!("{state:?} is at the cut")),
        _ => Ok(()),
    }
}

fn act(call: &Call, state: &mut Map) -> Result<(), String> {
    let wrong = || Err(format!("{call} could not be answered {:?}", call.answer));
    match (&call.what, &call.answer) {
        (What::Change(effect), _) => {
            for (key, value) in effect.changes() {
                match value {
                    Some(value) => drop(state.insert(key, value.to_vec())),
                    None => drop(state.remove(&key)),
                }
            }
        }
        (What::Add(key, by), _) => {
            let old = state.get(key).and_then(|bytes| bytes[..].try_into().ok());
            let sum = old.map_or(0, u64::from_le_bytes).wrapping_add(*by);
            state.insert(*key, sum.to_le_bytes().to_vec());
            if matches!(&call.answer, Answer::Saw(told) if state.get(key) != told.as_ref()) {
                return wrong();
            }
        }
        (What::Swap { key, from, to, .. }, answer) => {
            if (state.get(key) == from.as_ref()) == (*answer == Answer::Absent) {
                return wrong();
            }
            match to {
                _ if *answer == Answer::Absent => {}
                Some(to) => drop(state.insert(*key, to.clone())),
                None => drop(state.remove(key)),
            }
        }
        (What::Delete(key), answer) => {
            let found = state.remove(key).is_some();
            let told = [(true, Answer::Absent), (false, Answer::Done(Level::Buffered))];
            let is_done = matches!(answer, Answer::Done(_));
            if found && *answer == told[0].1 || !found && is_done {
                return wrong();
            }
        }
        (What::Read(key), Answer::Saw(value)) if state.get(key) != value.as_ref() => {
            return wrong();
        }
        (What::Read(_), _) => {}
    }
    Ok(())
}
