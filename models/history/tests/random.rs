//! A correct store under random schedules: what it does must be explained.
//!
//! The store is a log. Threads append to it, see it up to the first change that is to be durable
//! and is not yet, and wait for what they were promised; a sync comes when it comes. Calls fail now
//! and then, and the crash takes what it may.

use super::verify::verify;
use super::*;
use highwater_sim::Rng;

/// What histories are like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) threads: u32,
    pub(super) calls: usize,
    pub(super) keys: u64,
    /// In a hundred: calls that fail, calls under way whose LSN is not known, values that were
    /// written before.
    pub(super) fails: u64,
    pub(super) unlogged: u64,
    pub(super) again: u64,
    /// Whether calls have LSNs.
    pub(super) logged: bool,
    pub(super) reads: u64,
    pub(super) swaps: u64,
}

pub(super) const SMALL: Shape = Shape {
    threads: 3,
    calls: 8,
    keys: 2,
    fails: 4,
    unlogged: 50,
    again: 10,
    logged: true,
    reads: 25,
    swaps: 0,
};

/// A life and what it left.
#[derive(Clone, Debug)]
pub(super) struct Lived {
    pub(super) history: History,
    pub(super) crash: Crash,
    pub(super) recovered: Map,
    /// The calls in the log.
    pub(super) log: Vec<usize>,
    /// How many of them are in the recovered state.
    pub(super) kept: usize,
}

/// A call under way.
#[derive(Clone, Copy)]
struct Open {
    nth: usize,
    /// Behind its change, or behind what it has looked at.
    place: Option<usize>,
    fails: bool,
    absent: bool,
}

struct Store<'a> {
    rng: &'a mut Rng,
    shape: Shape,
    history: History,
    log: Vec<usize>,
    states: Vec<Map>,
    flushed: usize,
    synced: usize,
    open: Vec<Option<Open>>,
}

pub(super) fn live(rng: &mut Rng, shape: Shape) -> Lived {
    let base: Map =
        (0..shape.keys).filter(|_| rng.below(3) == 0).map(|k| (k, vec![b'0'])).collect();
    let open = vec![None; shape.threads as usize];
    let (history, states) = (History::new(base.clone()), vec![base]);
    let (log, flushed, synced) = (Vec::new(), 0, 0);
    let mut store = Store { rng, shape, history, log, states, flushed, synced, open };
    while store.history.calls.len() < shape.calls || store.chance(70) {
        store.step();
    }
    store.crash()
}

impl Store<'_> {
    fn chance(&mut self, hundredths: u64) -> bool {
        self.rng.below(100) < hundredths
    }

    /// How far readers see.
    fn visible(&self) -> usize {
        let is_hidden = |nth: usize| self.history.calls[nth].level == Level::Durable;
        let hidden = self.log[self.synced..].iter().position(|nth| is_hidden(*nth));
        hidden.map_or(self.log.len(), |behind| self.synced + behind)
    }

    fn step(&mut self) {
        match self.rng.below(8) {
            0 => {
                self.synced = self.log.len();
                self.flushed = self.log.len();
            }
            1 => self.flushed = self.log.len(),
            _ => {
                let thread = self.rng.below(u64::from(self.shape.threads)) as usize;
                match self.open[thread] {
                    None if self.history.calls.len() < self.shape.calls => self.begin(thread),
                    None => {}
                    Some(open) if open.place.is_none() => self.act(thread, open),
                    Some(open) => self.end(thread, open),
                }
            }
        }
    }

    fn begin(&mut self, thread: usize) {
        let key = self.rng.below(self.shape.keys);
        let level = [Level::Durable, Level::Durable, Level::Flushed, Level::Buffered];
        let level = level[self.rng.below(4) as usize];
        let unique = format!("v{}", self.history.calls.len());
        let value = if self.chance(self.shape.again) { "w".to_string() } else { unique };
        let what = match self.rng.below(100) {
            n if n < self.shape.reads => What::Read(key),
            n if n < self.shape.reads + 10 => What::Delete(key),
            n if n < self.shape.reads + 20 => {
                change(&[(key, Some(&value)), ((key + 1) % self.shape.keys, Some(&value))])
            }
            n if n < self.shape.reads + 25 => change(&[]),
            n if n < self.shape.reads + 30 => change(&[(key, None)]),
            n if n < self.shape.reads + 32 => What::Add(key, 1),
            n if n < self.shape.reads + 32 + self.shape.swaps => self.swap(key, value),
            _ => put(key, &value),
        };
        let nth = self.history.begin(thread as u32, what, level);
        let fails = self.chance(self.shape.fails);
        self.open[thread] = Some(Open { nth, place: None, fails, absent: false });
    }

    /// Of a key that is as it is now, or is not there.
    fn swap(&mut self, key: u64, value: String) -> What {
        let now = self.states.last().expect("the base at least").get(&key);
        let from = now.filter(|_| self.rng.below(2) == 0).cloned();
        let to = (self.rng.below(3) > 0).then_some(value.into_bytes());
        What::Swap { name: format!("swap {key}"), key, from, to }
    }

    /// The moment at which a call takes effect.
    fn act(&mut self, thread: usize, open: Open) {
        if open.fails && self.chance(50) {
            self.history.end(open.nth, Answer::Failed, None);
            self.open[thread] = None;
            return;
        }
        let call = &self.history.calls[open.nth];
        let newest = self.states.last().expect("the base at least");
        let absent = match &call.what {
            What::Delete(key) => !newest.contains_key(key),
            What::Swap { key, from, .. } => newest.get(key) != from.as_ref(),
            _ => false,
        };
        let is_sync = matches!(&call.what, What::Change(e) if e.changes().next().is_none());
        if matches!(call.what, What::Read(_)) || absent || is_sync {
            self.open[thread] = Some(Open { place: Some(self.log.len()), absent, ..open });
            return;
        }
        let mut next = newest.clone();
        apply(&call.what, &mut next);
        self.log.push(open.nth);
        self.states.push(next);
        if self.shape.logged && !self.chance(self.shape.unlogged) {
            self.history.calls[open.nth].lsn = Some(self.log.len() as u64);
        }
        self.open[thread] = Some(Open { place: Some(self.log.len()), ..open });
    }

    fn end(&mut self, thread: usize, open: Open) {
        let (call, place) = (&self.history.calls[open.nth], open.place.expect("it took effect"));
        let (visible, lsn) = (self.visible(), self.shape.logged.then_some(place as u64));
        let (answer, lsn) = if let What::Read(key) = call.what {
            (Answer::Saw(self.states[visible].get(&key).cloned()), None)
        } else if open.fails {
            self.history.calls[open.nth].lsn = None;
            (Answer::Failed, None)
        } else if open.absent {
            if visible < place {
                return;
            }
            (Answer::Absent, None)
        } else {
            let far = match call.level {
                Level::Durable => self.synced,
                Level::Flushed => self.flushed.min(visible),
                Level::Buffered => visible,
            };
            if far < place {
                return;
            }
            match call.what {
                What::Add(key, _) if self.shape.swaps > 0 => {
                    (Answer::Saw(self.states[place].get(&key).cloned()), lsn)
                }
                _ => (Answer::Done(call.level), lsn),
            }
        };
        self.history.end(open.nth, answer, lsn);
        self.open[thread] = None;
    }

    fn crash(mut self) -> Lived {
        let crash = [Crash::Power, Crash::Power, Crash::Kill][self.rng.below(3) as usize];
        let least = if crash == Crash::Kill { self.flushed } else { self.synced };
        let kept = least + self.rng.below((self.log.len() - least) as u64 + 1) as usize;
        for open in self.open.iter().flatten().filter(|open| open.fails) {
            self.history.calls[open.nth].lsn = None;
        }
        let recovered = self.states[kept].clone();
        Lived { history: self.history, crash, recovered, log: self.log, kept }
    }
}

pub(super) fn apply(what: &What, state: &mut Map) {
    match what {
        What::Change(effect) => effect.changes().for_each(|(key, value)| match value {
            Some(value) => drop(state.insert(key, value.to_vec())),
            None => drop(state.remove(&key)),
        }),
        What::Add(key, by) => {
            let old = state.get(key).and_then(|bytes| bytes[..].try_into().ok());
            let sum = old.map_or(0, u64::from_le_bytes).wrapping_add(*by);
            state.insert(*key, sum.to_le_bytes().to_vec());
        }
        What::Delete(key) | What::Swap { key, to: None, .. } => drop(state.remove(key)),
        What::Swap { key, to: Some(to), .. } => drop(state.insert(*key, to.clone())),
        What::Read(_) => {}
    }
}

/// Both must explain it; or the witness does not know.
#[track_caller]
fn is_explained(lived: &Lived, note: &str) -> bool {
    let Lived { history, crash, recovered, .. } = lived;
    let found = search(history, Some(recovered), *crash, CAP);
    let Verdict::Explained(order) = found else { panic!("{note}: {found:?}\n{lived:#?}") };
    verify(history, &order, Some(recovered), *crash).unwrap();
    match witness(history, Some(recovered), *crash) {
        Verdict::Explained(order) => {
            verify(history, &order, Some(recovered), *crash).unwrap();
            true
        }
        Verdict::Unknown => false,
        impossible => panic!("{note}: {impossible:?}\n{lived:#?}"),
    }
}

#[test]
fn a_correct_store_is_explained_by_both() {
    let shapes = [
        SMALL,
        Shape { again: 50, keys: 3, ..SMALL },
        Shape { threads: 2, calls: 14, ..SMALL },
        Shape { threads: 4, calls: 12, fails: 10, reads: 40, ..SMALL },
    ];
    for (shape, least) in shapes.into_iter().zip([73, 80, 58, 55]) {
        let (mut rng, mut known) = (Rng::new(4), 0);
        for round in 0..500 {
            let lived = live(&mut rng, shape);
            known += u32::from(is_explained(&lived, &format!("{shape:?}, round {round}")));
        }

        assert!(known >= 5 * least, "{shape:?}: the witness knows {known} of 500");
    }
}

#[test]
fn a_witness_told_every_lsn_always_knows() {
    let mut rng = Rng::new(5);
    for round in 0..500 {
        let lived = live(&mut rng, Shape { fails: 0, unlogged: 0, again: 0, ..SMALL });
        // What had not reached the log has no LSN, and may still hide something.
        let mut complete = lived.clone();
        complete.history.calls.retain(|c| c.answer != Answer::Pending || c.lsn.is_some());
        assert!(is_explained(&complete, &format!("round {round}")), "{complete:#?}");
    }
}

#[test]
fn a_correct_store_without_lsns_is_explained() {
    let mut rng = Rng::new(6);
    for round in 0..500 {
        let lived = live(&mut rng, Shape { logged: false, ..SMALL });
        is_explained(&lived, &format!("round {round}"));
        let states = allowed(&lived.history, lived.crash, CAP).unwrap();
        assert!(states.contains(&Recovered::of(&lived.recovered)), "{lived:#?}");
    }
}
