//! What changes a key: each operation is decided when it is its turn, on what is there and what is
//! pending, and logs what it came to.

use super::shards::{DELETE, Item, SET, Shards, encode};
use super::value::DEPTH_MAX;
use super::{KEY_SIZE_MAX, KvEntry, KvStore, Value};
use crate::engine::log::ViewLog;
use crate::engine::measured;
use crate::error::{Error, Result};
use crate::format::entry::Entry;
use crate::group_commit::Gathered;
use crate::options::Ack;
use std::time::Duration;

/// What an operation has in hand: the item of its key as it stands, and whether that is pending.
struct Found {
    item: Option<Item>,
    pending: bool,
}

/// What is to be logged of a key; `None` deletes it.
type Outcome<'a> = (&'a [u8], Option<Item>);

impl KvStore {
    /// Sets `key`, until `ttl` has passed.
    ///
    /// # Errors
    /// [`Error::TooLarge`]: nothing happened. [`Error::Io`]: the operation is unknown, the store
    /// poisoned. [`Error::Poisoned`], [`Error::Closed`]: nothing happened. [`Error::TimedOut`]:
    /// unknown as yet.
    pub fn set(&self, key: impl AsRef<[u8]>, value: Value, ttl: Option<Duration>) -> Result<Ack> {
        self.mset(&[(key.as_ref(), value)], ttl)
    }

    /// Sets `key` if it is not there; `None` if it is.
    ///
    /// # Errors
    /// As [`set`](KvStore::set).
    pub fn set_nx(
        &self,
        key: impl AsRef<[u8]>,
        value: Value,
        ttl: Option<Duration>,
    ) -> Result<Option<Ack>> {
        checked(&value)?;
        self.change_one(key.as_ref(), |now, found| {
            let absent = found.is_none();
            Ok((absent, absent.then(|| Some(set(found, value.clone(), until(now, ttl), now)))))
        })
        .map(|(_, ack)| ack)
    }

    /// Sets `key` to what another store has: the value, when it expires, and its version.
    ///
    /// # Errors
    /// As [`set`](KvStore::set).
    pub fn restore(&self, key: impl AsRef<[u8]>, entry: &KvEntry) -> Result<Ack> {
        let KvEntry { value, expires, version } = entry;
        checked(value)?;
        let (_, ack) = self.change_one(key.as_ref(), |now, _| {
            let (value, expires, version) = (value.clone(), *expires, *version);
            Ok(((), Some(Some(Item { value, expires, set_at: now, version }))))
        })?;
        Ok(ack.expect("it is always set"))
    }

    /// Sets several keys, all or none. Of two values for one key the later counts. Nothing to set
    /// is a [`flush`](KvStore::flush).
    ///
    /// # Errors
    /// As [`set`](KvStore::set).
    pub fn mset(&self, items: &[(impl AsRef<[u8]>, Value)], ttl: Option<Duration>) -> Result<Ack> {
        items.iter().try_for_each(|(_, value)| checked(value))?;
        let keys: Vec<&[u8]> = items.iter().map(|(key, _)| key.as_ref()).collect();
        let change = |now: i64, found: &[Option<&Item>]| {
            let each = found.iter().zip(items).map(|(found, (key, value))| {
                (key.as_ref(), Some(set(*found, value.clone(), until(now, ttl), now)))
            });
            Ok(((), each.collect::<Vec<Outcome<'_>>>()))
        };
        match self.change(&keys, change)? {
            (_, Some(ack)) => Ok(ack),
            (_, None) => self.flush(),
        }
    }

    /// Deletes `key`; `None` if it is not there.
    ///
    /// # Errors
    /// As [`set`](KvStore::set).
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<Option<Ack>> {
        let done = self.change_one(key.as_ref(), |_, found| Ok(((), found.map(|_| None))));
        done.map(|(_, ack)| ack)
    }

    /// Deletes several keys, all or none; how many were there.
    ///
    /// # Errors
    /// As [`set`](KvStore::set).
    pub fn mdel(&self, keys: &[impl AsRef<[u8]>]) -> Result<(usize, Option<Ack>)> {
        let mut keys: Vec<&[u8]> = keys.iter().map(AsRef::as_ref).collect();
        keys.sort_unstable();
        keys.dedup();
        self.change(&keys, |_, found| {
            let there = found.iter().zip(&keys).filter(|(found, _)| found.is_some());
            let gone: Vec<Outcome<'_>> = there.map(|(_, key)| (*key, None)).collect();
            Ok((gone.len(), gone))
        })
    }

    /// Adds `by` to a counter, which stops at the ends of an `i64`; one that is not there is 0. It
    /// keeps its time of expiry. Returns what it came to.
    ///
    /// # Errors
    /// As [`set`](KvStore::set); [`Error::NoNumber`] if `key` is set to something else: nothing
    /// happened.
    pub fn incr(&self, key: impl AsRef<[u8]>, by: i64) -> Result<(i64, Ack)> {
        self.count(key, i128::from(by))
    }

    fn count(&self, key: impl AsRef<[u8]>, by: i128) -> Result<(i64, Ack)> {
        let (sum, ack) = self.change_one(key.as_ref(), |now, found| {
            let before = match found.map(|item| &item.value) {
                None => 0,
                Some(Value::Int(value)) => *value,
                Some(_) => return Ok((None, None)), // K4: what it rests on may be pending
            };
            let sum = i128::from(before) + by;
            let sum = sum.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
            let expires = found.and_then(|item| item.expires);
            Ok((Some(sum), Some(Some(set(found, Value::Int(sum), expires, now)))))
        })?;
        sum.zip(ack).ok_or_else(|| Error::NoNumber { key: shown(key.as_ref()) })
    }

    /// Takes `by` from a counter: see [`incr`](KvStore::incr).
    ///
    /// # Errors
    /// As [`incr`](KvStore::incr).
    pub fn decr(&self, key: impl AsRef<[u8]>, by: i64) -> Result<(i64, Ack)> {
        self.count(key, -i128::from(by))
    }

    /// Sets `key` to `new` if it is `expected`, `None` for not there; `None` if it is something
    /// else. A float that is no number equals nothing.
    ///
    /// # Errors
    /// As [`set`](KvStore::set).
    pub fn compare_and_set(
        &self,
        key: impl AsRef<[u8]>,
        expected: Option<&Value>,
        new: Value,
        ttl: Option<Duration>,
    ) -> Result<Option<Ack>> {
        checked(&new)?;
        self.change_one(key.as_ref(), |now, found| {
            let same = found.map(|item| &item.value) == expected;
            Ok(((), same.then(|| Some(set(found, new.clone(), until(now, ttl), now)))))
        })
        .map(|(_, ack)| ack)
    }

    /// Sets `key` to its new owner if nobody has it, or not any more; `None` if somebody has, also
    /// if that is `owner`.
    ///
    /// # Errors
    /// As [`set`](KvStore::set).
    pub fn lock(&self, key: impl AsRef<[u8]>, owner: &str, ttl: Duration) -> Result<Option<Ack>> {
        self.set_nx(key, Value::from(owner), Some(ttl))
    }

    /// Lets go of a lock; `None` if `owner` does not have it, or not any more.
    ///
    /// # Errors
    /// As [`set`](KvStore::set).
    pub fn unlock(&self, key: impl AsRef<[u8]>, owner: &str) -> Result<Option<Ack>> {
        let owner = Value::from(owner);
        self.change_one(key.as_ref(), |_, found| {
            Ok(((), found.filter(|item| item.value == owner).map(|_| None)))
        })
        .map(|(_, ack)| ack)
    }

    /// Keeps a lock for `ttl` from now on; `None` if `owner` does not have it, or not any more.
    ///
    /// # Errors
    /// As [`set`](KvStore::set).
    pub fn extend_lock(
        &self,
        key: impl AsRef<[u8]>,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Ack>> {
        let owner = Value::from(owner);
        self.change_one(key.as_ref(), |now, found| {
            let mine = found.filter(|item| item.value == owner);
            Ok(((), mine.map(|_| Some(set(found, owner.clone(), until(now, Some(ttl)), now)))))
        })
        .map(|(_, ack)| ack)
    }

    /// Deletes keys that have expired, at most `most` of them in one record; how many. They are not
    /// there for anybody, but need memory until then.
    ///
    /// # Errors
    /// As [`set`](KvStore::set).
    pub fn purge(&self, most: usize) -> Result<usize> {
        let now = self.now();
        let (mut expired, mut from) = (Vec::new(), Some(0));
        while let Some(shard) = from {
            // Not for longer: others write between two looks.
            from = self.engine.state.read().expired(shard, now, &mut expired);
        }
        expired.sort_unstable(); // not in the order of a hash
        expired.truncate(most);
        let keys: Vec<&[u8]> = expired.iter().map(Vec::as_slice).collect();
        let (count, _) = self.change_any(&keys, |_, found| {
            let gone = found.iter().zip(&keys).filter(|(item, _)| {
                item.is_some_and(|item| !item.is_there(now)) // nobody has set it again
            });
            let gone: Vec<Outcome<'_>> = gone.map(|(_, key)| (*key, None)).collect();
            Ok((gone.len(), gone))
        })?;
        self.outcomes.purged.add(count as u64);
        Ok(count)
    }

    /// An operation on one key: what it answers, and what it logs, if anything.
    fn change_one<R>(
        &self,
        key: &[u8],
        mut change: impl FnMut(i64, Option<&Item>) -> Result<(R, Option<Option<Item>>)>,
    ) -> Result<(R, Option<Ack>)> {
        self.change(&[key], |now, found| {
            let (answer, outcome) = change(now, found[0])?;
            Ok((answer, outcome.map(|item| (key, item)).into_iter().collect()))
        })
    }

    /// An operation on keys, of which it sees those that have not expired.
    fn change<'a, R>(
        &self,
        keys: &[&'a [u8]],
        mut change: impl FnMut(i64, &[Option<&Item>]) -> Result<(R, Vec<Outcome<'a>>)>,
    ) -> Result<(R, Option<Ack>)> {
        let done = self.change_any(keys, |now, found| {
            let there = found.iter().map(|item| item.filter(|item| item.is_there(now)));
            let found: Vec<Option<&Item>> = there.collect();
            change(now, &found)
        });
        self.outcomes.count(&done);
        done
    }

    /// An operation: decided on what is there and pending when it is its turn, and logged.
    fn change_any<'a, R>(
        &self,
        keys: &[&'a [u8]],
        mut change: impl FnMut(i64, &[Option<&Item>]) -> Result<(R, Vec<Outcome<'a>>)>,
    ) -> Result<(R, Option<Ack>)> {
        keys.iter().try_for_each(|key| legal(key))?;
        let level = self.engine.level(false);
        let (answer, lsn) = self.engine.change(|log| {
            log.writer.check()?;
            let found: Vec<Found> = keys.iter().map(|key| self.find(log, key)).collect();
            let items: Vec<Option<&Item>> = found.iter().map(|found| found.item.as_ref()).collect();
            let now = self.now();
            let (answer, outcomes) = change(now, &items)?;
            if outcomes.is_empty() {
                let pending = found.iter().any(|found| found.pending);
                let answer = (answer, None);
                return Ok(if pending { Gathered::Wait(answer) } else { Gathered::Done(answer) });
            }
            let bytes: Vec<(u64, Vec<u8>)> = outcomes
                .iter()
                .map(|(key, item)| {
                    (if item.is_some() { SET } else { DELETE }, encode(key, item.as_ref(), now))
                })
                .collect();
            let entries: Vec<Entry<'_>> =
                bytes.iter().map(|(id, bytes)| Entry { id: *id, bytes: Some(bytes) }).collect();
            Ok(match log.append(&entries, measured(&entries)?, level)? {
                Gathered::Done(lsn) => Gathered::Done((answer, Some(lsn))),
                Gathered::Wait(lsn) => Gathered::Wait((answer, Some(lsn))),
                Gathered::Full => Gathered::Full,
            })
        })?;
        Ok((answer, lsn.map(|lsn| Ack { lsn, level })))
    }

    /// The newest that is known of a key.
    fn find(&self, log: &ViewLog<Shards>, key: &[u8]) -> Found {
        match log.pending.iter().rev().find(|(pending, _, _)| **pending == *key) {
            Some((_, item, _)) => Found { item: item.clone(), pending: true }, // K4
            None => Found { item: self.engine.state.read().get(key).cloned(), pending: false },
        }
    }
}

fn set(before: Option<&Item>, value: Value, expires: Option<i64>, now: i64) -> Item {
    Item {
        value,
        expires,
        set_at: now,
        version: before.map_or(0, |item| item.version).saturating_add(1),
    }
}

fn until(now: i64, ttl: Option<Duration>) -> Option<i64> {
    let nanos = |ttl: Duration| i64::try_from(ttl.as_nanos()).unwrap_or(i64::MAX);
    // Later than any time: never.
    ttl.map(|ttl| now.saturating_add(nanos(ttl))).filter(|at| *at != i64::MAX)
}

fn legal(key: &[u8]) -> Result<()> {
    let (what, size, limit) = ("the key", key.len() as u64, KEY_SIZE_MAX as u64);
    match size {
        0 => Err(Error::NoKey),
        _ if size > limit => Err(Error::TooLarge { what, size, limit }),
        _ => Ok(()),
    }
}

fn checked(value: &Value) -> Result<()> {
    match value.is_deep() {
        true => Err(Error::TooDeep { depth: value.depth(), limit: DEPTH_MAX }),
        false => Ok(()),
    }
}

fn shown(key: &[u8]) -> String {
    key.escape_ascii().to_string()
}
