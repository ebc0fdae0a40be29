//! Long histories of the key-value store.

use super::leases::{Answer, Item, Key, Keys, Op, Reference, START};
use super::lives::Lives;
use super::long::{End, Fate, Lived, histories};
use super::run::Checked;
use highwater::{Ack, Clock, Error, KvStore, Level, TestClock, Value};
use highwater_sim::Reach;
use std::collections::BTreeMap;
use std::sync::Arc;

struct Store {
    lives: Lives<Keys>,
    shards: usize,
    clock: Arc<TestClock>,
    /// Where it stands.
    stands: i64,
    /// The latest time that this life has told.
    told: i64,
    /// `None` between two lives.
    store: Option<KvStore>,
}

/// What everybody sees.
fn shown(store: &KvStore) -> BTreeMap<Vec<u8>, Item> {
    let entry = |key: Vec<u8>| {
        let entry = store.entry(&key).expect("it was listed");
        let item = Item { value: entry.value, expires: entry.expires, version: entry.version };
        (key, item)
    };
    store.keys().into_iter().map(entry).collect()
}

fn compare(store: &KvStore, keys: &Keys, now: i64) -> Checked<()> {
    let there = keys.there(now).into_iter();
    let there: BTreeMap<Vec<u8>, Item> =
        there.map(|(key, item)| (key.as_bytes().to_vec(), item.clone())).collect();
    let (is, len) = (shown(store), store.len());
    if is != there || len != keys.items.len() {
        let wanted = keys.items.len();
        return Err(format!("it shows {is:?} of {len}, not {there:?} of {wanted}, at {now}"));
    }
    Ok(())
}

/// What an operation answers, and its acknowledgement.
fn call(store: &KvStore, op: &Op) -> Result<(Answer, Option<Ack>), Error> {
    let one = |ack: Option<Ack>| (if ack.is_some() { Answer::Done } else { Answer::Nothing }, ack);
    Ok(match op {
        Op::Set(key, value, ttl) => one(Some(store.set(key, value.clone(), *ttl)?)),
        Op::SetNx(key, value, ttl) => one(store.set_nx(key, value.clone(), *ttl)?),
        Op::Mset(items, ttl) => one(Some(store.mset(items, *ttl)?)),
        Op::Delete(key) => one(store.delete(key)?),
        Op::Mdel(keys) => {
            let (count, ack) = store.mdel(keys)?;
            (Answer::Count(count), ack)
        }
        Op::Incr(key, by) | Op::Decr(key, by) => {
            let incr = matches!(op, Op::Incr(..));
            match if incr { store.incr(key, *by) } else { store.decr(key, *by) } {
                Ok((sum, ack)) => (Answer::Sum(sum), Some(ack)),
                Err(Error::NoNumber { .. }) => (Answer::NoNumber, None),
                Err(error) => return Err(error),
            }
        }
        Op::CompareAndSet(key, old, new, ttl) => {
            one(store.compare_and_set(key, old.as_ref(), new.clone(), *ttl)?)
        }
        Op::Lock(key, owner, ttl) => one(store.lock(key, owner, *ttl)?),
        Op::Unlock(key, owner) => one(store.unlock(key, owner)?),
        Op::Extend(key, owner, ttl) => one(store.extend_lock(key, owner, *ttl)?),
        Op::Purge(most) => (Answer::Count(store.purge(*most)?), None),
        Op::Flush => (Answer::Nothing, Some(store.flush()?)),
        Op::Tick(now) => (Answer::Nothing, store.tick(*now)?),
        Op::Snapshot => {
            let (lsn, level) = (store.create_snapshot()?, Level::Durable);
            (Answer::Nothing, Some(Ack { lsn, level }))
        }
        Op::Look | Op::Clock(_) | Op::End(..) => unreachable!("no call of a store that is open"),
    })
}

impl Store {
    fn open(&mut self) -> Checked<()> {
        let open = |vfs, options| {
            KvStore::open_with(vfs, options, Arc::clone(&self.clock) as Arc<dyn Clock>, self.shards)
        };
        let store = self.lives.open(open, KvStore::report)?;
        self.told = self.lives.newest().latest.max(self.stands);
        compare(&store, self.lives.newest(), self.told)?;
        self.store = Some(store);
        Ok(())
    }

    fn end(&mut self, end: End, fate: Fate) -> Checked<()> {
        let store = self.store.take().filter(|_| matches!(end, End::Close));
        self.lives.end(end, store.map(|store| store.close()), fate)?;
        self.open()
    }

    /// What is on the disk may be looked at while the store is open.
    fn look(&mut self) -> Checked<()> {
        let looked = KvStore::open_read_only(self.lives.aside(), self.clock.clone());
        let looked = looked.map_err(|error| format!("read-only: {error}"))?;
        let keys = self.lives.seen(looked.report().last.0)?;
        compare(&looked, keys, keys.latest.max(self.stands))?;
        let behind = keys.lsn < self.lives.newest().lsn;
        self.lives.reached("a look at less than is visible", u64::from(behind));
        Ok(())
    }

    fn operate(&mut self, op: &Op) -> Checked<()> {
        let (keys, now) = (self.lives.newest().clone(), self.told);
        let (answer, after) = keys.after(op, now);
        self.note(op, &answer, &keys);
        let changed = after.is_some();
        after.into_iter().for_each(|after| self.lives.attempt(after));
        let segments = self.lives.segments();
        let called = call(self.store.as_ref().expect("a life is on"), op);
        if self.lives.is_over() {
            return self.end(End::Drop, Fate::NONE); // nobody was left to be told
        }
        let (is, ack) = called.map_err(|error| format!("{error}, and nothing had failed"))?;
        let flush = match op {
            Op::Mset(items, _) => items.is_empty(),
            Op::Tick(now) => self.lives.is_due(*now),
            Op::Flush | Op::Snapshot => true,
            _ => false,
        };
        let level = if flush { Level::Durable } else { self.lives.owed() };
        let lsn = self.lives.newest().lsn;
        let told = matches!(op, Op::Purge(_)) || ack.is_some() == (changed || flush);
        if is != answer || !told || ack.is_some_and(|ack| (ack.lsn.0, ack.level) != (lsn, level)) {
            return Err(format!("{is:?}, {ack:?}, not {answer:?}, {level:?} at LSN {lsn}"));
        }
        if changed || flush {
            self.lives.acknowledge(level);
        }
        let fewer = self.lives.segments() < segments;
        self.lives.reached("segments removed", u64::from(fewer));
        Ok(())
    }

    /// What is remarkable about an operation.
    fn note(&mut self, op: &Op, answer: &Answer, keys: &Keys) {
        let done = *answer == Answer::Done;
        let held = |key: &Key| keys.items.get(key).map(|item| item.value.clone());
        let what = match op {
            Op::Lock(key, who, _) if done && held(key).is_some_and(|v| v != Value::from(*who)) => {
                "a lease that expired was taken by another"
            }
            Op::Lock(..) if !done => "a lease was refused",
            Op::Extend(..) if done => "a lease was extended",
            Op::Unlock(..) if done => "a lease was given up",
            Op::CompareAndSet(..) if done => "a comparison that held",
            Op::Purge(_) if *answer != Answer::Count(0) => "a purge that removed",
            Op::Incr(..) | Op::Decr(..) if *answer == Answer::Sum(i64::MAX) => "a counter's end",
            Op::SetNx(key, ..) if done && held(key).is_some() => "set again after it expired",
            _ => return,
        };
        self.lives.reached(what, 1);
    }
}

impl Lived for Store {
    type Machine = Reference;

    fn begin(state: &Reference) -> Checked<Store> {
        let (clock, lives) =
            (TestClock::new(START), Lives::new(state.setup.clone(), Keys::default()));
        let (shards, clock, store) = (state.shards, Arc::new(clock), None);
        let mut begun = Store { lives, shards, clock, stands: START, told: START, store };
        begun.open()?;
        Ok(begun)
    }

    fn step(&mut self, op: &Op) -> Checked<()> {
        match op {
            Op::Clock(by) => {
                self.stands += by;
                self.clock.set(self.stands);
            }
            Op::Look => self.look()?,
            Op::End(end, fate) => self.end(*end, *fate)?,
            op => self.operate(op)?,
        }
        self.lives.reached("times that stood still", u64::from(self.told > self.stands));
        self.told = self.told.max(self.stands);
        let store = self.store.as_ref().expect("a life is on");
        if store.now() != self.told {
            return Err(format!("K5: it is {}, not {}", store.now(), self.told));
        }
        store.check_invariants();
        self.lives.published(&store.positions())?;
        compare(store, self.lives.newest(), self.told)
    }

    fn reach(&self) -> &Reach {
        &self.lives.reach
    }
}

const CASES: u32 = 2000;

/// What must have happened in them, and how often at least.
const REACHED: [(&str, u64); 22] = [
    ("operations", 50_000),
    ("lives", 4_000),
    ("power cuts", 2_000),
    ("kills", 700),
    ("cut within", 1_000),
    ("cut within a recovery", 250),
    ("torn tails", 1_000),
    ("recoveries that copied", 1_500),
    ("recoveries that lost what was not durable", 1_500),
    ("snapshots used", 3_000),
    ("obsolete files removed", 2_000),
    ("segments removed", 1_500),
    ("a look at less than is visible", 300),
    ("times that stood still", 20_000),
    ("a lease that expired was taken by another", 300),
    ("a lease was refused", 3_000),
    ("a lease was extended", 400),
    ("a lease was given up", 400),
    ("a comparison that held", 1_000),
    ("a purge that removed", 300),
    ("a counter's end", 400),
    ("set again after it expired", 100),
];

#[test]
fn long_histories_of_the_key_value_store() {
    histories::<Store>(CASES, &REACHED);
}
