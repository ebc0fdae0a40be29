//! The general search: all orders, remembered by what they have led to.
//!
//! After Wing and Gong, with Lowe's memory: two orders of the same calls that lead to the same
//! state have the same future, so one of them is walked. A call that changes nothing is put in as
//! soon as its answer fits; this loses no order, since what stands behind it does not notice.
//!
//! A history with a crash is walked in two phases: up to the cut, behind which the recovered state
//! lies, and behind it, where nothing may stand that had to be kept. Behind the cut a key is
//! *spoilt* from when a change sets it that was to be durable: whoever reads it there has seen what
//! is gone (P10).

use super::table::{Entry, Kind, Rules, Set, State, Table};
use super::{Crash, History, Order, Verdict, why};
use highwater_sim::{Map, Recovered};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Whether some order explains `history`, and the state `recovered` after the crash (`None`: only
/// the answers are asked about). It gives up after `cap` steps, having kept at most as many states
/// in memory. Without a cap an impossible history of 4 threads with 16 calls each takes all memory.
pub fn search(history: &History, recovered: Option<&Map>, crash: Crash, cap: usize) -> Verdict {
    match explain(history, recovered, crash, Rules::ALL, cap) {
        Found::Order(order) => Verdict::Explained(order),
        Found::Nothing => match why::why(history, recovered, crash, cap) {
            Some(broken) => Verdict::Impossible(broken),
            None => Verdict::Unknown,
        },
        Found::TooMuch => Verdict::Unknown,
    }
}

/// Every state that may be recovered after `history` ended with `crash`. It is empty if the answers
/// themselves cannot be explained; `None` if that takes more than `cap` steps.
///
/// An explorer asks about thousands of recovered states of one history; this walks its orders once.
pub fn allowed(history: &History, crash: Crash, cap: usize) -> Option<BTreeSet<Recovered>> {
    let table = Table::new(history, crash, Rules::ALL)?;
    let mut walk = Walk::new(table, crash, None, cap);
    walk.states = Some(BTreeSet::new());
    let base = walk.table.base.clone();
    walk.before_cut(0, base);
    if walk.steps > cap { None } else { walk.states }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Order(Order),
    Nothing,
    TooMuch,
}

/// One search under these rules.
pub(super) fn explain(
    history: &History,
    recovered: Option<&Map>,
    crash: Crash,
    rules: Rules,
    cap: usize,
) -> Found {
    let Some(mut table) = Table::new(history, crash, rules) else { return Found::TooMuch };
    let goal = match recovered {
        Some(recovered) => match table.goal(history, recovered) {
            Some(goal) => Some(goal),
            None => return Found::Nothing,
        },
        None => None,
    };
    let mut walk = Walk::new(table, crash, goal, cap);
    let base = walk.table.base.clone();
    let found = walk.before_cut(0, base);
    match found {
        _ if walk.steps > cap => Found::TooMuch,
        true => {
            let calls = walk.order.iter().map(|nth| walk.table.entries[*nth].call).collect();
            Found::Order(Order { calls, kept: walk.cut })
        }
        false => Found::Nothing,
    }
}

struct Walk {
    table: Table,
    crash: Crash,
    goal: Option<State>,
    /// The states at the cut, if all are wanted.
    states: Option<BTreeSet<Recovered>>,
    seen: HashSet<(Set, State)>,
    /// Behind the cut: what was placed, the state, the spoilt keys; and whether it can be ended.
    ends: HashMap<(Set, State, Set), bool>,
    order: Vec<usize>,
    cut: usize,
    steps: usize,
    cap: usize,
}

impl Walk {
    fn new(table: Table, crash: Crash, goal: Option<State>, cap: usize) -> Walk {
        let (seen, ends) = (HashSet::new(), HashMap::new());
        let (states, order) = (None, Vec::new());
        Walk { table, crash, goal, states, seen, ends, order, cut: 0, steps: 0, cap }
    }

    /// Whether an entry may be next that changes something.
    fn may_change(&self, placed: Set, nth: usize) -> bool {
        let changes = match &self.table.entries[nth].kind {
            Kind::Read(..) | Kind::Unlike(..) => false,
            Kind::Set(set) => !set.is_empty(),
            Kind::Take(_) | Kind::Add(..) | Kind::Swap(..) => true,
        };
        changes && self.is_free(placed, nth)
    }

    fn is_free(&self, placed: Set, nth: usize) -> bool {
        let Entry { before, never_before, .. } = self.table.entries[nth];
        placed >> nth & 1 == 0 && before & !placed == 0 && never_before & placed == 0
    }

    /// Puts in what changes nothing and fits.
    fn place_readers(&mut self, placed: &mut Set, state: &State, spoilt: Set) {
        let mut nth = 0;
        while nth < self.table.entries.len() {
            let fits = match &self.table.entries[nth].kind {
                Kind::Read(key, value) => state[*key] == *value && spoilt >> key & 1 == 0,
                Kind::Unlike(key, value) => state[*key] != *value && spoilt >> key & 1 == 0,
                Kind::Set(set) => set.is_empty(),
                _ => false,
            };
            if fits && self.is_free(*placed, nth) {
                *placed |= 1 << nth;
                self.order.push(nth);
                nth = 0;
            } else {
                nth += 1;
            }
        }
    }

    fn is_spent(&mut self) -> bool {
        self.steps += 1;
        self.steps > self.cap
    }

    /// Whether an order goes on from here to a cut and an end.
    fn before_cut(&mut self, mut placed: Set, state: State) -> bool {
        let length = self.order.len();
        self.place_readers(&mut placed, &state, 0);
        if self.is_spent() {
            return true;
        }
        if self.seen.insert((placed, state.clone())) {
            if self.is_end(placed, &state) {
                return true;
            }
            for nth in 0..self.table.entries.len() {
                let mut next = state.clone();
                if self.may_change(placed, nth) && self.table.apply(nth, &mut next) {
                    self.order.push(nth);
                    if self.before_cut(placed | 1 << nth, next) {
                        return true;
                    }
                    self.order.pop();
                }
            }
        }
        self.order.truncate(length);
        false
    }

    /// Whether the cut may be here, and the search is over.
    fn is_end(&mut self, placed: Set, state: &State) -> bool {
        let is_goal = self.goal.as_ref().is_none_or(|goal| goal == state);
        let may_cut = match self.crash {
            Crash::None => self.table.required & !placed == 0,
            Crash::Kill | Crash::Power => self.table.kept & !placed == 0,
        };
        if !may_cut || !is_goal {
            return false;
        }
        self.cut = self.order.len();
        let ends = self.crash == Crash::None || self.behind_cut(placed, state.clone(), 0);
        match &mut self.states {
            Some(states) if ends => {
                states.insert(self.table.shown(state));
                self.order.truncate(self.cut);
                self.steps > self.cap
            }
            _ => ends,
        }
    }

    /// Whether what is left can be placed behind the cut.
    fn behind_cut(&mut self, mut placed: Set, state: State, spoilt: Set) -> bool {
        let length = self.order.len();
        self.place_readers(&mut placed, &state, spoilt);
        if self.table.required & !placed == 0 || self.is_spent() {
            return true;
        }
        let place = (placed, state, spoilt);
        if let Some(&ends) = self.ends.get(&place)
            && (!ends || self.states.is_some())
        {
            self.order.truncate(length);
            return ends;
        }
        let state = &place.1;
        let mut ends = false;
        for nth in 0..self.table.entries.len() {
            let mut next = state.clone();
            if !self.may_change(placed, nth) || !self.table.apply(nth, &mut next) {
                continue;
            }
            self.order.push(nth);
            let spoilt = self.spoilt(nth, state, &next, spoilt);
            if self.behind_cut(placed | 1 << nth, next, spoilt) {
                ends = true;
                break;
            }
            self.order.pop();
        }
        self.ends.insert(place, ends);
        if !ends {
            self.order.truncate(length);
        }
        ends
    }

    /// Which keys are spoilt after an entry. What sets a key to what it is changes nothing.
    fn spoilt(&self, nth: usize, old: &State, new: &State, mut spoilt: Set) -> Set {
        for key in (0..old.len()).filter(|key| old[*key] != new[*key]) {
            let bit = 1 << key;
            spoilt = if self.table.entries[nth].durable { spoilt | bit } else { spoilt & !bit };
        }
        spoilt
    }
}
