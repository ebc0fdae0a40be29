//! The changes in the order of their LSNs, the state after each, and the versions of each key.

use super::super::{Answer, Call, Crash, History, What, table, why};
use super::loose::Loose;
use highwater_sim::{Broken, Recovered, Rule};
use std::borrow::Cow;
use std::collections::HashMap;

/// A value of a key and the place from which it has it.
#[derive(Clone, Debug)]
pub(super) struct Version<'a> {
    pub(super) place: usize,
    pub(super) value: Option<Cow<'a, [u8]>>,
}

/// A key that something changes.
#[derive(Debug)]
struct Track<'a> {
    /// In order, the first at place 0.
    versions: Vec<Version<'a>>,
    /// The numbers of the versions by what they are.
    sorted: Vec<(Recovered, usize)>,
}

impl<'a> Track<'a> {
    fn push(&mut self, version: Version<'a>, print: Recovered) {
        self.sorted.push((print, self.versions.len()));
        self.versions.push(version);
    }

    /// The number of the version at a place.
    fn at(&self, place: usize) -> usize {
        self.versions.partition_point(|version| version.place <= place) - 1
    }
}

fn print_of(key: u64, value: Option<&[u8]>) -> Recovered {
    let mut print = Recovered::default();
    value.into_iter().for_each(|value| print.add(key, value));
    print
}

/// Where a reader may stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    pub(super) place: usize,
    /// The place from which the key has the value that was read.
    pub(super) since: usize,
    /// Whether the key has that value again, later and not too late.
    pub(super) again: bool,
}

#[derive(Debug)]
pub(super) struct Log<'a> {
    pub(super) history: &'a History,
    /// The calls in order. The place behind number n, from 0, is n + 1.
    placed: Vec<usize>,
    /// The place behind each call, 0 if it has none.
    places: Vec<usize>,
    /// The state at each place, without the keys that loose calls touch.
    pub(super) shown: Vec<Recovered>,
    /// Something depends on loose calls that is not looked into.
    pub(super) doubt: bool,
    tracks: HashMap<u64, Track<'a>>,
}

impl<'a> Log<'a> {
    /// # Errors
    /// If two calls have one LSN, or a call stands before another that had ended when it began.
    pub(super) fn new(history: &'a History, steps: &mut usize) -> Result<Log<'a>, Broken> {
        let calls = history.calls.iter().enumerate();
        let mut placed: Vec<(u64, usize)> = calls
            .filter(|(_, call)| table::is_required(call))
            .filter_map(|(nth, call)| Some((table::place(call)?, nth)))
            .collect();
        placed.sort_unstable();
        let call = |nth: usize| &history.calls[nth];
        if let Some(twice) = placed.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let (lsn, [one, two]) = (twice[0].0, [twice[0].1, twice[1].1].map(call));
            let what = format!("{one} and {two} both have LSN {lsn}");
            return Err(Broken::new(Rule::P2Prefix, what));
        }
        let mut earliest: Option<(u64, usize)> = None;
        for &(lsn, nth) in placed.iter().rev() {
            *steps += 1;
            if let Some((_, after)) = earliest.filter(|(end, _)| *end < call(nth).began) {
                let (this, that) = (call(nth), call(after));
                let (other, when) = (table::place(that).unwrap_or(0), "was acknowledged");
                let what =
                    format!("{this} has LSN {lsn} and began after {that} with LSN {other} {when}");
                return Err(Broken::new(Rule::P2Prefix, what));
            }
            let end = table::ended(call(nth)).map(|end| (end, nth));
            earliest = earliest.into_iter().chain(end).min();
        }
        let mut places = vec![0; history.calls.len()];
        placed.iter().enumerate().for_each(|(at, (_, nth))| places[*nth] = at + 1);
        let placed: Vec<usize> = placed.into_iter().map(|(_, nth)| nth).collect();
        let (tracks, shown) = (HashMap::new(), Vec::with_capacity(placed.len() + 1));
        Ok(Log { history, placed, places, shown, doubt: false, tracks })
    }

    pub(super) fn len(&self) -> usize {
        self.placed.len()
    }

    pub(super) fn call(&self, nth: usize) -> &'a Call {
        &self.history.calls[self.placed[nth]]
    }

    pub(super) fn number(&self, nth: usize) -> usize {
        self.placed[nth]
    }

    /// The place behind a call, by its number in the history.
    pub(super) fn place(&self, call: usize) -> Option<usize> {
        Some(self.places[call]).filter(|place| *place > 0)
    }

    pub(super) fn is_promised(&self, nth: usize, crash: Crash) -> bool {
        why::is_promised(self.call(nth), crash)
    }

    /// Goes through the log.
    ///
    /// # Errors
    /// If a call was told what was not so.
    pub(super) fn replay(&mut self, loose: &Loose<'_>, steps: &mut usize) -> Result<(), Broken> {
        let mut shown = Recovered::default();
        for (key, value) in self.history.base.iter().filter(|(key, _)| !loose.touches(**key)) {
            *steps += 1;
            shown.add(*key, value);
        }
        self.shown.push(shown);
        for nth in 0..self.len() {
            let call = self.call(nth);
            let mut set = |log: &mut Self, key, value| {
                *steps += 1;
                let known = (!loose.touches(key)).then_some(&mut shown);
                log.set(key, Version { place: nth + 1, value }, known);
            };
            match &call.what {
                What::Change(effect) => effect
                    .changes()
                    .for_each(|(key, value)| set(self, key, value.map(Cow::Borrowed))),
                What::Add(key, by) => {
                    let old = self.value(*key, nth).and_then(|bytes| bytes.try_into().ok());
                    let sum = old.map_or(0, u64::from_le_bytes).wrapping_add(*by);
                    self.doubt |= loose.touches(*key);
                    let told = |saw: &Option<Vec<u8>>| saw.as_deref() == Some(&sum.to_le_bytes());
                    let fits = !matches!(&call.answer, Answer::Saw(saw) if !told(saw));
                    if !fits && !loose.touches(*key) {
                        return Err(why::answer(self.history, call));
                    }
                    set(self, *key, Some(Cow::Owned(sum.to_le_bytes().to_vec())));
                }
                What::Swap { key, from, to, .. } => {
                    self.doubt |= loose.touches(*key);
                    if !loose.touches(*key) && self.value(*key, nth) != from.as_deref() {
                        return Err(why::answer(self.history, call));
                    }
                    set(self, *key, to.as_deref().map(Cow::Borrowed));
                }
                What::Delete(key) => {
                    let found = matches!(call.answer, Answer::Done(_));
                    self.doubt |= loose.touches(*key) && found;
                    if found && !loose.touches(*key) && self.value(*key, nth).is_none() {
                        return Err(why::answer(self.history, call));
                    }
                    set(self, *key, None);
                }
                What::Read(_) => {}
            }
            self.shown.push(shown);
        }
        self.tracks.values_mut().for_each(|track| track.sorted.sort_unstable());
        Ok(())
    }

    /// A key has a new version; what sets it to what it is changes nothing.
    fn set(&mut self, key: u64, new: Version<'a>, shown: Option<&mut Recovered>) {
        let history = self.history;
        let track = self.tracks.entry(key).or_insert_with(|| {
            let value = history.base.get(&key).map(|value| Cow::Borrowed(&value[..]));
            let sorted = vec![(print_of(key, value.as_deref()), 0)];
            Track { versions: vec![Version { place: 0, value }], sorted }
        });
        let old = &track.versions.last().expect("one at least").value;
        if *old == new.value {
            return;
        }
        if let Some(shown) = shown {
            let both = [old, &new.value].into_iter().flatten();
            both.for_each(|value| shown.add(key, value));
        }
        let print = print_of(key, new.value.as_deref());
        track.push(new, print);
    }

    /// The versions of a key, the first at place 0; none if nothing changes it.
    pub(super) fn versions(&self, key: u64) -> &[Version<'a>] {
        self.tracks.get(&key).map_or(&[], |track| &track.versions)
    }

    /// The value of a key at a place.
    pub(super) fn value(&self, key: u64, place: usize) -> Option<&[u8]> {
        match self.tracks.get(&key) {
            None => self.history.base.get(&key).map(Vec::as_slice),
            Some(track) => track.versions[track.at(place)].value.as_deref(),
        }
    }

    /// The earliest place between two at which a key has a value.
    pub(super) fn spot(
        &self,
        (key, value): (u64, Option<&[u8]>),
        (least, most): (usize, usize),
        steps: &mut usize,
    ) -> Option<Spot> {
        let Some(Track { versions, sorted }) = self.tracks.get(&key) else {
            let base = self.history.base.get(&key).map(Vec::as_slice);
            return (base == value).then_some(Spot { place: least, since: 0, again: false });
        };
        *steps += 2 + 2 * versions.len().ilog2() as usize;
        let current = versions.partition_point(|version| version.place <= least) - 1;
        let wanted = print_of(key, value);
        let from = sorted.partition_point(|one| *one < (wanted, current));
        let mut found = sorted[from..]
            .iter()
            .map_while(|(print, version)| (*print == wanted).then(|| versions[*version].place));
        let (since, next) = (found.next()?, found.next());
        let place = since.max(least);
        (place <= most).then_some(Spot {
            place,
            since,
            again: next.is_some_and(|next| next <= most),
        })
    }
}
