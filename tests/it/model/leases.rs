//! The key-value store as it should be: a map with versions and times of expiry, leases, and a
//! clock that may be set back; and what may be done with it.

use super::lives::State;
use super::long::{End, Fate, Setup, end, fate, setup};
use highwater::Value;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest_state_machine::ReferenceStateMachine;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) type Key = &'static str;
pub(super) type Ttl = Option<Duration>;

const KEYS: [Key; 4] = ["a", "b", "c", "d"];
const LEASES: [Key; 2] = ["first lease", "second lease"];
const OWNERS: [&str; 3] = ["me", "you", "them"];

#[derive(Clone, Debug)]
pub(super) enum Op {
    Set(Key, Value, Ttl),
    SetNx(Key, Value, Ttl),
    Mset(Vec<(Key, Value)>, Ttl),
    Delete(Key),
    Mdel(Vec<Key>),
    Incr(Key, i64),
    Decr(Key, i64),
    CompareAndSet(Key, Option<Value>, Value, Ttl),
    Lock(Key, &'static str, Duration),
    Unlock(Key, &'static str),
    Extend(Key, &'static str, Duration),
    Purge(usize),
    Flush,
    Tick(Duration),
    Snapshot,
    /// Opened to be read, beside the store that is open.
    Look,
    /// The clock goes on, or is set back.
    Clock(i64),
    End(End, Fate),
}

/// What an operation answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    /// It had no effect.
    Nothing,
    Sum(i64),
    NoNumber,
    Count(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) value: Value,
    pub(super) expires: Option<i64>,
    pub(super) version: u64,
}

/// What the log comes to.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pub(super) lsn: u64,
    /// The newest time in it.
    pub(super) latest: i64,
    /// Expired ones included that nobody has purged.
    pub(super) items: BTreeMap<Key, Item>,
}

impl State for Keys {
    fn lsn(&self) -> u64 {
        self.lsn
    }
}

impl Keys {
    /// Those that have not expired.
    pub(super) fn there(&self, now: i64) -> BTreeMap<Key, &Item> {
        let there = |(_, item): &(&Key, &Item)| item.expires.is_none_or(|at| at > now);
        self.items.iter().filter(there).map(|(key, item)| (*key, item)).collect()
    }

    /// What an operation answers, and the state after it if it has an effect. All of its keys are
    /// looked up before the first is changed.
    pub(super) fn after(&self, op: &Op, now: i64) -> (Answer, Option<Keys>) {
        let there = self.there(now);
        let value = |key: &Key| there.get(key).map(|item| &item.value);
        let until = |ttl: &Ttl| ttl.map(|ttl| now.saturating_add(ttl.as_nanos() as i64));
        let item = |key: &Key, value: &Value, expires: Option<i64>| {
            let version = there.get(key).map_or(0, |item| item.version) + 1;
            (*key, Some(Item { value: value.clone(), expires, version }))
        };
        let one = |change: Option<(Key, Option<Item>)>| match change {
            Some(change) => (Answer::Done, vec![change]),
            None => (Answer::Nothing, Vec::new()),
        };
        let mine = |key: &Key, owner: &str| value(key) == Some(&Value::from(owner));
        let (answer, changes) = match op {
            Op::Set(key, value, ttl) => one(Some(item(key, value, until(ttl)))),
            Op::SetNx(key, new, ttl) => {
                one(value(key).is_none().then(|| item(key, new, until(ttl))))
            }
            Op::Mset(items, ttl) => {
                let each = items.iter().map(|(key, value)| item(key, value, until(ttl)));
                (Answer::Done, each.collect())
            }
            Op::Delete(key) => one(value(key).map(|_| (*key, None))),
            Op::Mdel(keys) => {
                let keys: BTreeSet<&Key> = keys.iter().filter(|key| value(key).is_some()).collect();
                (Answer::Count(keys.len()), keys.into_iter().map(|key| (*key, None)).collect())
            }
            Op::Incr(key, by) | Op::Decr(key, by) => {
                let by =
                    if matches!(op, Op::Incr(..)) { i128::from(*by) } else { -i128::from(*by) };
                let before = match value(key) {
                    None => Some(0),
                    Some(Value::Int(before)) => Some(i128::from(*before)),
                    Some(_) => None,
                };
                match before.map(|before| (before + by).clamp(i64::MIN.into(), i64::MAX.into())) {
                    None => (Answer::NoNumber, Vec::new()),
                    Some(sum) => {
                        let (sum, kept) = (sum as i64, there.get(key).and_then(|i| i.expires));
                        (Answer::Sum(sum), vec![item(key, &Value::Int(sum), kept)])
                    }
                }
            }
            Op::CompareAndSet(key, expected, new, ttl) => {
                let same = value(key) == expected.as_ref();
                one(same.then(|| item(key, new, until(ttl))))
            }
            Op::Lock(key, owner, ttl) => {
                let free = value(key).is_none();
                one(free.then(|| item(key, &Value::from(*owner), until(&Some(*ttl)))))
            }
            Op::Unlock(key, owner) => one(mine(key, owner).then_some((*key, None))),
            Op::Extend(key, owner, ttl) => {
                let mine = mine(key, owner);
                one(mine.then(|| item(key, &Value::from(*owner), until(&Some(*ttl)))))
            }
            Op::Purge(most) => {
                let gone = self.items.keys().filter(|key| value(key).is_none());
                let gone: Vec<_> = gone.take(*most).map(|key| (*key, None)).collect();
                (Answer::Count(gone.len()), gone)
            }
            _ => (Answer::Nothing, Vec::new()),
        };
        (answer, (!changes.is_empty()).then(|| self.with(changes, now)))
    }

    fn with(&self, changes: Vec<(Key, Option<Item>)>, now: i64) -> Keys {
        let mut after = self.clone();
        (after.lsn, after.latest) = (self.lsn + 1, self.latest.max(now));
        for (key, item) in changes {
            match item {
                Some(item) => drop(after.items.insert(key, item)),
                None => drop(after.items.remove(key)),
            }
        }
        after
    }
}

/// The reference: no crash takes anything from it.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    pub(super) setup: Setup,
    pub(super) shards: usize,
    keys: Keys,
    clock: i64,
    /// The latest time that anybody was told.
    told: i64,
}

/// Where the clock begins.
pub(super) const START: i64 = 1000;

fn value() -> impl Strategy<Value = Value> {
    let list = |n: i64| Value::List(vec![Value::Int(n), Value::Null]);
    prop_oneof![
        4 => (0..5i64).prop_map(Value::Int),
        1 => select(vec![Value::Int(i64::MAX), Value::Int(i64::MIN), Value::Null]),
        2 => (0..120usize).prop_map(|size| Value::Bytes(vec![size as u8; size])),
        1 => (0..9i64).prop_map(list),
        1 => select(vec!["me", "text"]).prop_map(Value::from),
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    (0..60u64).prop_map(Duration::from_nanos)
}

fn ttl() -> impl Strategy<Value = Ttl> {
    prop_oneof![3 => Just(None), 2 => duration().prop_map(Some)]
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![5 => select(&KEYS[..]), 1 => select(&LEASES[..])]
}

fn by() -> impl Strategy<Value = i64> {
    prop_oneof![4 => -3..4i64, 1 => select(vec![i64::MAX, i64::MIN])]
}

impl ReferenceStateMachine for Reference {
    type State = Reference;
    type Transition = Op;

    fn init_state() -> BoxedStrategy<Reference> {
        let begun = |(setup, shards)| {
            let (keys, clock, told) = (Keys::default(), START, START);
            Reference { setup, shards, keys, clock, told }
        };
        (setup(), 1..4usize).prop_map(begun).boxed()
    }

    /// Half of the comparisons and of what is asked of leases are such as will succeed.
    fn transitions(state: &Reference) -> BoxedStrategy<Op> {
        let there = state.keys.there(state.told);
        let is: Vec<(Key, Option<Value>)> =
            KEYS.iter().map(|key| (*key, there.get(key).map(|item| item.value.clone()))).collect();
        let guess = (select(&KEYS[..]), value().prop_map(Some));
        let compared = prop_oneof![select(is), guess];
        let held: Vec<(Key, &'static str)> = LEASES
            .iter()
            .flat_map(|key| OWNERS.iter().map(|owner| (*key, *owner)))
            .filter(|(k, owner)| there.get(k).is_some_and(|i| i.value == Value::from(*owner)))
            .chain([(LEASES[0], OWNERS[0])])
            .collect();
        let anybody = || (select(&LEASES[..]), select(&OWNERS[..]));
        let holder = || prop_oneof![select(held.clone()), anybody()];
        prop_oneof![
            4 => (key(), value(), ttl()).prop_map(|(k, v, ttl)| Op::Set(k, v, ttl)),
            2 => (key(), value(), ttl()).prop_map(|(k, v, ttl)| Op::SetNx(k, v, ttl)),
            2 => (vec((key(), value()), 0..4), ttl()).prop_map(|(all, ttl)| Op::Mset(all, ttl)),
            2 => key().prop_map(Op::Delete),
            1 => vec(key(), 0..4).prop_map(Op::Mdel),
            3 => (key(), by()).prop_map(|(key, by)| Op::Incr(key, by)),
            1 => (key(), by()).prop_map(|(key, by)| Op::Decr(key, by)),
            2 => (compared, value(), ttl())
                .prop_map(|((key, old), new, ttl)| Op::CompareAndSet(key, old, new, ttl)),
            5 => (anybody(), duration()).prop_map(|((key, who), ttl)| Op::Lock(key, who, ttl)),
            2 => holder().prop_map(|(key, who)| Op::Unlock(key, who)),
            2 => (holder(), duration()).prop_map(|((key, who), ttl)| Op::Extend(key, who, ttl)),
            2 => (0..4usize).prop_map(Op::Purge),
            2 => Just(Op::Flush),
            1 => duration().prop_map(Op::Tick),
            3 => Just(Op::Snapshot),
            1 => Just(Op::Look),
            5 => (-40..60i64).prop_map(Op::Clock),
            3 => (end(), fate()).prop_map(|(end, fate)| Op::End(end, fate)),
        ]
        .boxed()
    }

    fn apply(mut state: Reference, op: &Op) -> Reference {
        match op {
            Op::Clock(by) => state.clock += by,
            Op::End(..) => state.told = state.keys.latest,
            _ => {}
        }
        state.told = state.told.max(state.clock);
        if let (_, Some(after)) = state.keys.after(op, state.told) {
            state.keys = after;
        }
        state
    }
}
