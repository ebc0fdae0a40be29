//! The log as it stands in memory: which indices there are, their terms, where they stand in the
//! journal.
//!
//! Invariants
//! - RL1: indices are consecutive, terms never fall; what was purged stands right before the first.
//! - RL2: positions in the journal grow with the index. So what replaced a cut entry stands behind
//!   the cut, and a crash, which leaves a prefix of the journal, leaves no one without the other.
//! - RL3: every record that says something about an entry that is left, and the last purge, stand
//!   at or behind the first position that is needed.
//! - RL4: a record does the same to what is left of the log, whether its first entries are still
//!   there or not: a journal that forgets does so by segments. So what depends on more than an
//!   index is decided before the record is written, and not when it is read.

use crate::LogId;
use crate::error::{Error, Result};
use crate::record::Record;
use highwater::Lsn;
use std::collections::VecDeque;

/// An entry's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) id: LogId,
    pub(crate) lsn: Lsn,
}

/// See the head of the module.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<Place>,
    purged: Option<Place>,
}

impl Log {
    /// Takes in the next record of the journal. In the records before the first one that is needed
    /// there may be entries whose predecessors are gone: they were cut or purged later.
    pub(crate) fn replay(&mut self, lsn: Lsn, record: &Record<'_>) {
        match *record {
            Record::Entry(id, _) => {
                let follows = self.entries.back().is_none_or(|last| last.id.index + 1 == id.index);
                if !follows {
                    self.entries.clear();
                }
                self.entries.push_back(Place { id, lsn });
            }
            Record::Cut(from) => self.cut(from),
            Record::Purge(id) => self.purge(Place { id, lsn }),
            Record::Restart(id) => self.restart(Place { id, lsn }),
        }
    }

    pub(crate) fn extend(&mut self, places: Vec<Place>) {
        self.entries.extend(places);
    }

    pub(crate) fn cut(&mut self, from: u64) {
        while self.entries.back().is_some_and(|last| last.id.index >= from) {
            self.entries.pop_back();
        }
    }

    pub(crate) fn purge(&mut self, to: Place) {
        while self.entries.front().is_some_and(|first| first.id.index <= to.id.index) {
            self.entries.pop_front();
        }
        self.purged = Some(to);
    }

    pub(crate) fn restart(&mut self, to: Place) {
        self.entries.clear();
        self.purged = Some(to);
    }

    /// Whether what stands there is not the log of which a snapshot ends at `to` (Raft, section 7):
    /// it has another entry in that place, or one behind it that could not follow (RL1).
    pub(crate) fn contradicts(&self, to: LogId) -> bool {
        let Some(first) = self.first() else { return false };
        let other = self.get(to.index).is_some_and(|place| place.id != to);
        let left = self.get(first.index.max(to.index.saturating_add(1)));
        other || left.is_some_and(|place| Log::follows(Some(to), place.id).is_err())
    }

    pub(crate) fn purged(&self) -> Option<LogId> {
        self.purged.map(|place| place.id)
    }

    pub(crate) fn first(&self) -> Option<LogId> {
        self.entries.front().map(|place| place.id)
    }

    /// The last entry, or what was purged before there was one.
    pub(crate) fn last(&self) -> Option<LogId> {
        self.entries.back().map(|place| place.id).or(self.purged())
    }

    pub(crate) fn get(&self, index: u64) -> Option<Place> {
        let nth = index.checked_sub(self.first()?.index)?;
        self.entries.get(usize::try_from(nth).ok()?).copied()
    }

    /// The first position in the journal that is needed (RL3).
    pub(crate) fn needed(&self) -> Option<Lsn> {
        let first = self.entries.front().map(|place| place.lsn);
        first.into_iter().chain(self.purged.map(|place| place.lsn)).min()
    }

    /// Whether an entry may stand behind `last` (RL1); a log without one may begin anywhere.
    pub(crate) fn follows(last: Option<LogId>, next: LogId) -> Result<()> {
        let Some(last) = last else { return Ok(()) };
        if last.index.checked_add(1) == Some(next.index) && last.term <= next.term {
            return Ok(());
        }
        let (index, term) = (next.index, next.term);
        Err(Error::NotNext { index, term, last: last.index, last_term: last.term })
    }

    /// The first entry that breaks RL1 or RL2.
    pub(crate) fn flaw(&self) -> Option<Place> {
        let mut last = self.purged();
        let mut lsn = Lsn(0);
        for place in &self.entries {
            if Log::follows(last, place.id).is_err() || place.lsn <= lsn {
                return Some(*place);
            }
            (last, lsn) = (Some(place.id), place.lsn);
        }
        None
    }
}
