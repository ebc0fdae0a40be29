//! A history made ready for searching: keys and values by number, calls by what must come first.

use super::{Answer, Call, Crash, History, What};
use highwater_sim::{Level, Map, Recovered};
use std::collections::BTreeMap;

/// The value of a key that is not there.
pub(super) const ABSENT: u32 = 0;

/// A set of calls, a bit each.
pub(super) type Set = u128;

/// More calls or keys than this are not searched.
pub(super) const MAX: usize = 128;

/// The state: the value of each key, by number.
pub(super) type State = Vec<u32>;

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Sets keys.
    Set(Vec<(usize, u32)>),
    /// Adds to a counter, which comes to this if somebody was told.
    Add(usize, u64, Option<u32>),
    /// Deletes a key that must be there.
    Take(usize),
    /// Sets a key that must have this value to that one.
    Swap(usize, u32, u32),
    /// A key must have this value.
    Read(usize, u32),
    /// A key must have another value.
    Unlike(usize, u32),
}

/// A call that may stand in the order.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Its number in the history.
    pub(super) call: usize,
    pub(super) kind: Kind,
    /// The entries that must stand before it.
    pub(super) before: Set,
    /// The entries that must not.
    pub(super) never_before: Set,
    /// It was to be durable: a reader that sees it has been promised it.
    pub(super) durable: bool,
}

/// What is enforced; relaxed one by one to find out which promise is broken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// What was acknowledged is kept.
    pub(super) keep: bool,
    /// What was seen is kept.
    pub(super) seen: bool,
    /// Batches are whole.
    pub(super) whole: bool,
    /// Answers are asked for, and times: without, any set of changes in any order will do.
    pub(super) order: bool,
}

impl Rules {
    pub(super) const ALL: Rules = Rules { keep: true, seen: true, whole: true, order: true };
}

#[derive(Debug, Default)]
pub(super) struct Table {
    keys: BTreeMap<u64, usize>,
    numbers: BTreeMap<Vec<u8>, u32>,
    values: Vec<Vec<u8>>,
    pub(super) base: State,
    /// Of the keys that no call touches.
    rest: Recovered,
    pub(super) entries: Vec<Entry>,
    /// The entries that must stand in the order.
    pub(super) required: Set,
    /// The entries that must be in the recovered state.
    pub(super) kept: Set,
}

impl Table {
    /// `None` if it is too large.
    pub(super) fn new(history: &History, crash: Crash, rules: Rules) -> Option<Table> {
        let mut table = Table::default();
        let calls = history.calls.iter().enumerate();
        let entries: Vec<(usize, Kind)> = calls
            .flat_map(|(nth, call)| table.kinds(call, rules).into_iter().map(move |k| (nth, k)))
            .collect();
        if entries.len() > MAX || table.keys.len() > MAX {
            return None;
        }
        table.base = vec![ABSENT; table.keys.len()];
        for (key, value) in &history.base {
            match table.keys.get(key) {
                Some(&at) => table.base[at] = table.value(value),
                None => table.rest.add(*key, value),
            }
        }
        for (nth, (call, _)) in entries.iter().enumerate() {
            let this = &history.calls[*call];
            let required = rules.order && is_required(this);
            table.required |= Set::from(required) << nth;
            let kept = level(this).is_some_and(|level| crash.keeps(level));
            table.kept |= Set::from(required && kept && rules.keep) << nth;
        }
        for (call, kind) in &entries {
            let this = &history.calls[*call];
            let (mut before, mut never_before) = (0, 0);
            let others = entries.iter().enumerate().filter(|(_, other)| other.0 != *call);
            for (other, (call, _)) in others.filter(|_| rules.order) {
                let that = &history.calls[*call];
                let required = table.required >> other & 1 == 1;
                let ended = required && ended(that).is_some_and(|time| time < this.began);
                let logged = place(that).zip(place(this));
                let first = ended || required && logged.is_some_and(|(that, this)| that <= this);
                before |= Set::from(first) << other;
                let late = logged.is_some_and(|(that, this)| that > this);
                never_before |= Set::from(late) << other;
            }
            let durable = rules.seen && this.level >= Level::Durable;
            let (call, kind) = (*call, kind.clone());
            table.entries.push(Entry { call, kind, before, never_before, durable });
        }
        Some(table)
    }

    /// What a call does, in one part if it is whole.
    fn kinds(&mut self, call: &Call, rules: Rules) -> Vec<Kind> {
        if let (true, Some((key, value))) = (rules.order, observed(call)) {
            return vec![Kind::Read(self.key(key), self.maybe(value))];
        }
        let kind = match (&call.what, &call.answer) {
            (_, Answer::Refused) => return Vec::new(),
            (What::Swap { key, from, .. }, Answer::Absent) if rules.order => {
                Kind::Unlike(self.key(*key), self.maybe(from.as_deref()))
            }
            (What::Read(_), _) | (_, Answer::Absent) => return Vec::new(),
            (What::Delete(key), Answer::Done(_)) if rules.order => Kind::Take(self.key(*key)),
            (What::Delete(key), _) => Kind::Set(vec![(self.key(*key), ABSENT)]),
            (What::Swap { key, from, to, .. }, _) => {
                let (key, to) = (self.key(*key), self.maybe(to.as_deref()));
                match rules.order {
                    true => Kind::Swap(key, self.maybe(from.as_deref()), to),
                    false => Kind::Set(vec![(key, to)]),
                }
            }
            (What::Add(key, by), answer) => {
                let sum = match answer {
                    Answer::Saw(sum) if rules.order => Some(self.maybe(sum.as_deref())),
                    _ => None,
                };
                Kind::Add(self.key(*key), *by, sum)
            }
            (What::Change(effect), _) => {
                let mut set: Vec<(usize, u32)> = Vec::new();
                for (key, value) in effect.changes() {
                    set.push((self.key(key), self.maybe(value)));
                }
                if !rules.whole {
                    return set.into_iter().map(|one| Kind::Set(vec![one])).collect();
                }
                if set.is_empty() && !is_required(call) {
                    return Vec::new();
                }
                Kind::Set(set)
            }
        };
        vec![kind]
    }

    fn key(&mut self, key: u64) -> usize {
        let next = self.keys.len();
        *self.keys.entry(key).or_insert(next)
    }

    pub(super) fn value(&mut self, value: &[u8]) -> u32 {
        if let Some(&number) = self.numbers.get(value) {
            return number;
        }
        self.values.push(value.to_vec());
        let number = self.values.len() as u32;
        self.numbers.insert(value.to_vec(), number);
        number
    }

    fn maybe(&mut self, value: Option<&[u8]>) -> u32 {
        value.map_or(ABSENT, |value| self.value(value))
    }

    fn bytes(&self, number: u32) -> &[u8] {
        &self.values[number as usize - 1]
    }

    /// What a recovered state is to be; `None` if the keys that no call touches have changed.
    pub(super) fn goal(&mut self, history: &History, recovered: &Map) -> Option<State> {
        let untouched = |key: &u64| !self.keys.contains_key(key);
        let base = history.base.iter().filter(|(key, _)| untouched(key));
        if !base.eq(recovered.iter().filter(|(key, _)| untouched(key))) {
            return None;
        }
        let mut goal = vec![ABSENT; self.keys.len()];
        for (key, value) in recovered {
            if let Some(&at) = self.keys.get(key) {
                goal[at] = self.value(value);
            }
        }
        Some(goal)
    }

    /// The whole state, as a recovery would show it.
    pub(super) fn shown(&self, state: &State) -> Recovered {
        let mut shown = self.rest;
        for (key, at) in &self.keys {
            if state[*at] != ABSENT {
                shown.add(*key, self.bytes(state[*at]));
            }
        }
        shown
    }

    /// Carries an entry out. `false` if its answer could not have been given.
    pub(super) fn apply(&mut self, nth: usize, state: &mut State) -> bool {
        match &self.entries[nth].kind {
            Kind::Read(key, value) => return state[*key] == *value,
            Kind::Unlike(key, value) => return state[*key] != *value,
            Kind::Swap(key, from, to) => {
                let is_so = state[*key] == *from;
                state[*key] = *to;
                return is_so;
            }
            Kind::Take(key) => {
                let there = state[*key] != ABSENT;
                state[*key] = ABSENT;
                return there;
            }
            Kind::Set(set) => set.iter().for_each(|(key, value)| state[*key] = *value),
            Kind::Add(key, by, told) => {
                let (key, by, told) = (*key, *by, *told);
                let old = if state[key] == ABSENT { &[] } else { self.bytes(state[key]) };
                let old = old.try_into().map_or(0, u64::from_le_bytes);
                state[key] = self.value(&old.wrapping_add(by).to_le_bytes());
                return told.is_none_or(|told| told == state[key]);
            }
        }
        true
    }
}

/// Whether a call must stand in the order: it was answered, or the log has a place for it.
pub(super) fn is_required(call: &Call) -> bool {
    match call.answer {
        Answer::Done(_) | Answer::Saw(_) | Answer::Absent => true,
        Answer::Pending => place(call).is_some(),
        Answer::Failed | Answer::Refused => false,
    }
}

/// What a call is acknowledged to survive, if it is.
pub(super) fn level(call: &Call) -> Option<Level> {
    match (&call.what, &call.answer) {
        (_, Answer::Done(level)) => Some(*level),
        (What::Add(..), Answer::Saw(_)) => Some(call.level),
        _ => None,
    }
}

/// When a call was over. One that failed may still happen.
pub(super) fn ended(call: &Call) -> Option<u64> {
    call.ended.filter(|_| !matches!(call.answer, Answer::Pending | Answer::Failed))
}

/// Whether a call may have changed something.
pub(super) fn changes(call: &Call) -> bool {
    match (&call.what, &call.answer) {
        (_, Answer::Refused | Answer::Absent) | (What::Read(_), _) => false,
        (What::Change(effect), _) => effect.changes().next().is_some(),
        (What::Add(..) | What::Swap { .. } | What::Delete(_), _) => true,
    }
}

/// Its place in the log; a call that changes nothing has none of its own.
pub(super) fn place(call: &Call) -> Option<u64> {
    call.lsn.filter(|_| changes(call))
}

/// What a reader was answered: of which key, and what. One that finds nothing to delete is one.
pub(super) fn observed(call: &Call) -> Option<(u64, Option<&[u8]>)> {
    match (&call.what, &call.answer) {
        (What::Read(key), Answer::Saw(value)) => Some((*key, value.as_deref())),
        (What::Delete(key), Answer::Absent) => Some((*key, None)),
        _ => None,
    }
}

/// The key that a call has only looked at.
pub(super) fn looked_at(call: &Call) -> Option<u64> {
    match (&call.what, &call.answer) {
        (What::Swap { key, .. }, Answer::Absent) => Some(*key),
        _ => observed(call).map(|(key, _)| key),
    }
}
