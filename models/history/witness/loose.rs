//! The calls that may or may not have happened and have no place in the log.

use super::super::{History, What, table};
use super::log::Log;
use super::readers::Readers;
use highwater_sim::Map;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug)]
pub(super) struct Loose<'a> {
    history: &'a History,
    pub(super) calls: Vec<usize>,
    /// Who may write each key.
    keys: BTreeMap<u64, Vec<usize>>,
}

impl<'a> Loose<'a> {
    pub(super) fn new(history: &'a History) -> Loose<'a> {
        let calls = history.calls.iter().enumerate();
        let calls = calls.filter(|(_, c)| table::changes(c) && !table::is_required(c));
        let calls: Vec<usize> = calls.map(|(nth, _)| nth).collect();
        let mut keys: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for &nth in &calls {
            for key in writes(&history.calls[nth].what).keys() {
                keys.entry(*key).or_default().push(nth);
            }
        }
        Loose { history, calls, keys }
    }

    pub(super) fn touches(&self, key: u64) -> bool {
        self.keys.contains_key(&key)
    }

    /// Whether a reader that ended then may have seen it from one of these.
    pub(super) fn could_show(&self, key: u64, value: Option<&[u8]>, ended: u64) -> bool {
        let writers = self.keys.get(&key).into_iter().flatten();
        writers.map(|nth| &self.history.calls[*nth]).filter(|call| call.began < ended).any(|call| {
            matches!(call.what, What::Add(..)) || writes(&call.what).get(&key) == Some(&value)
        })
    }

    /// Whether they could do more than [`kept`](Loose::kept) tries.
    pub(super) fn may_hide(&self) -> bool {
        self.calls.iter().map(|nth| &self.history.calls[*nth]).any(|call| {
            let several = writes(&call.what).len() > 1;
            several || call.lsn.is_some() || matches!(call.what, What::Add(..))
        })
    }

    /// Those that, done one after the other at the cut, make of its state what was recovered.
    pub(super) fn kept(
        &self,
        log: &Log<'_>,
        readers: &Readers,
        cut: usize,
        recovered: &Map,
        steps: &mut usize,
    ) -> Option<Vec<usize>> {
        let is = |key: u64| recovered.get(&key).map(Vec::as_slice);
        *steps += 1 + self.keys.len();
        let keys = self.keys.keys().copied();
        let mut wrong: BTreeSet<u64> =
            keys.filter(|key| log.value(*key, cut) != is(*key)).collect();
        let mut covered = BTreeSet::new();
        // From the last to the first: one that fits covers its keys, and so makes more fit.
        let mut kept = Vec::new();
        while !wrong.is_empty() {
            let fits = |nth: &&usize| {
                *steps += 1;
                let what = &self.history.calls[**nth].what;
                let fits =
                    |key: &u64, value: Option<&[u8]>| covered.contains(key) || is(*key) == value;
                !kept.contains(*nth)
                    && !matches!(what, What::Add(..))
                    && readers.floor(**nth) <= cut
                    && writes(what).iter().all(|(key, value)| fits(key, *value))
            };
            let fitting: Vec<usize> = self.calls.iter().filter(fits).copied().collect();
            let mends = |nth: &&usize| {
                writes(&self.history.calls[**nth].what).keys().any(|key| wrong.contains(key))
            };
            let nth = *fitting.iter().find(mends).or(fitting.first())?;
            for key in writes(&self.history.calls[nth].what).into_keys() {
                covered.insert(key);
                wrong.remove(&key);
            }
            kept.push(nth);
        }
        kept.reverse();
        Some(kept)
    }

    /// Whether one of these writes the key.
    pub(super) fn write(&self, kept: &[usize], key: u64) -> bool {
        self.keys.get(&key).is_some_and(|writers| writers.iter().any(|nth| kept.contains(nth)))
    }
}

/// The keys that a change sets and deletes; what a counter comes to is not known.
fn writes(what: &What) -> BTreeMap<u64, Option<&[u8]>> {
    match what {
        What::Change(effect) => effect.changes().collect(),
        What::Add(key, _) | What::Delete(key) => BTreeMap::from([(*key, None)]),
        What::Swap { key, to, .. } => BTreeMap::from([(*key, to.as_deref())]),
        What::Read(_) => BTreeMap::new(),
    }
}
