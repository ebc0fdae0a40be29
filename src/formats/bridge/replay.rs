//! What the operations do, at the time that each of them records: a lease that had run out when
//! the next owner came has run out in the replay as well.

use super::Entry;
use super::op::{Op, Ttl};
use super::value::Value;
use std::collections::BTreeMap;

/// The entries, those included that have expired.
pub(super) type Entries = BTreeMap<String, Entry>;

/// Carries out an operation as it went at `now`. One that did not fit (a number added to a text, a
/// lock that another holds) did nothing.
pub(super) fn apply(entries: &mut Entries, now: i64, op: &Op) {
    let expiry = |ttl: &Option<Ttl>| ttl.map(|ttl| ttl.after(now));
    match op {
        Op::Set(key, value, ttl) => set(entries, key, value.clone(), expiry(ttl), false),
        Op::Delete(key) => drop(entries.remove(key)),
        Op::Incr(key, delta) => count(entries, now, key, |n| n.saturating_add(*delta)),
        Op::Decr(key, delta) => count(entries, now, key, |n| n.saturating_sub(*delta)),
        Op::MSet(pairs, ttl) => {
            for (key, value) in pairs {
                set(entries, key, value.clone(), expiry(ttl), false);
            }
        }
        Op::MDel(keys) => keys.iter().for_each(|key| drop(entries.remove(key))),
        Op::SetNx(key, value, ttl) => {
            if live(entries, now, key).is_none() {
                set(entries, key, value.clone(), expiry(ttl), false);
            }
        }
        Op::Lock(key, owner, ttl) => {
            if live(entries, now, key).is_none() {
                let owner = Value::String(owner.clone());
                set(entries, key, owner, Some(ttl.after(now)), true);
            }
        }
        Op::Unlock(key, owner) => {
            if held(entries, now, key, owner).is_some() {
                entries.remove(key);
            }
        }
        Op::ExtendLock(key, owner, ttl) => {
            if let Some(entry) = held(entries, now, key, owner) {
                entry.expires = Some(ttl.after(now));
                entry.version = entry.version.saturating_add(1);
                entry.lock = true;
            }
        }
    }
}

fn set(entries: &mut Entries, key: &str, value: Value, expires: Option<i64>, lock: bool) {
    entries.insert(key.into(), Entry { value, expires, version: 1, lock });
}

fn live<'a>(entries: &'a mut Entries, now: i64, key: &str) -> Option<&'a mut Entry> {
    entries.get_mut(key).filter(|entry| entry.is_live(now))
}

/// The lock, if it is this owner's. Any text counts as a lock: the original knows no difference.
fn held<'a>(entries: &'a mut Entries, now: i64, key: &str, by: &str) -> Option<&'a mut Entry> {
    live(entries, now, key)
        .filter(|entry| matches!(&entry.value, Value::String(owner) if owner == by))
}

fn count(entries: &mut Entries, now: i64, key: &str, change: impl Fn(i64) -> i64) {
    match live(entries, now, key) {
        Some(Entry { value: Value::Int(n), version, .. }) => {
            *n = change(*n);
            *version = version.saturating_add(1);
        }
        Some(_) => {}
        None => set(entries, key, Value::Int(change(0)), None, false),
    }
}
