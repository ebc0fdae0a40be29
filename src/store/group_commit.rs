//! Many callers, one sync. This file knows no log and no disk: only who waits for whom.
//!
//! Callers add to a log under one lock. Who needs the disk to have it waits for the *batch* that
//! its contribution is in; one of those who wait *leads*: takes the batch, lets go of the lock,
//! has it carried out, and tells the others. Meanwhile the next batch gathers.
//!
//! Invariants
//! - Q1: at most one batch is on its way to the disk, and nobody else touches the disk's end of
//!   the log then.
//! - Q2: a caller that waits is told `Ok` only after the batch that holds its contribution was
//!   carried out, and all before it.
//! - Q3: after a batch has failed, by an error or by a panic, no caller is told `Ok`, and nothing
//!   is added any more.
//! - Q4: nobody waits while nobody works: when a batch ends, all who waited for it are called, and
//!   one of those who wait for the next one, to lead it. Who is called and could lead does so, even
//!   if its patience is over: nobody else may have been called.
//! - Q5: who wants to be alone with the log is served before the next leader.

use super::sync::{Condvar, Mutex, MutexGuard, thread};
use std::time::Duration;

/// Why a caller that waited is not told `Ok`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// The caller that did the work for it has failed: what it added is unknown.
    Failed,
    /// It took longer than it would wait: what it added is on its way.
    Impatient,
    /// Something had failed before it could add anything.
    Refused,
}

/// What callers add to.
pub(crate) trait Log {
    /// What was gathered, on its way to the disk.
    type Batch;
    /// What a caller is told.
    type Error;

    /// Takes what was gathered; nothing, maybe.
    fn take(&mut self) -> Self::Batch;

    /// Does the disk's part of the work. The log is not locked meanwhile.
    fn carry_out(batch: &mut Self::Batch) -> Result<(), Self::Error>;

    /// Makes visible what was carried out; passes on the error, or the log's own.
    fn finish(
        &mut self,
        batch: Self::Batch,
        done: Result<(), Self::Error>,
    ) -> Result<(), Self::Error>;

    /// Makes room after [`Gathered::Full`]. All that was gathered is carried out, and nobody else
    /// is at work.
    fn make_room(&mut self) -> Result<(), Self::Error>;

    /// What a caller is told whose question stays open.
    fn unanswered(&self, why: Unanswered) -> Self::Error;
}

/// What became of a contribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gathered<R> {
    /// Added, or there was nothing to add; the caller need not wait.
    Done(R),
    /// The caller waits until the disk has it.
    Wait(R),
    /// There is no room.
    Full,
}

#[derive(Debug)]
struct State<L> {
    log: L,
    /// The number of the batch that is being gathered.
    gathering: u64,
    /// The number of the last batch that was carried out.
    finished: u64,
    on_its_way: bool,
    failed: bool,
    /// Callers who want to be alone with the log.
    alone: u32,
    /// Somebody has waited for another since the last batch was taken.
    company: bool,
}

/// A log that many callers add to.
#[derive(Debug)]
pub(crate) struct GroupCommit<L> {
    state: Mutex<State<L>>,
    /// Where callers wait for their batch, by its parity: never more than two are waited for.
    ended: [Condvar; 2],
    /// Where callers wait who want to be alone.
    idle: Condvar,
}

type Guard<'a, L> = MutexGuard<'a, State<L>>;

impl<L: Log> GroupCommit<L> {
    pub(crate) fn new(log: L) -> GroupCommit<L> {
        let (on_its_way, failed, company) = (false, false, false);
        let state = State { log, gathering: 1, finished: 0, on_its_way, failed, alone: 0, company };
        let ended = [Condvar::default(), Condvar::default()];
        GroupCommit { state: Mutex::new(state), ended, idle: Condvar::default() }
    }

    /// Adds to the log, and waits for the disk if `gather` says so. `patience`: how long for each
    /// of the two batches that may have to be waited for, if another caller leads them.
    pub(crate) fn commit<R>(
        &self,
        patience: Option<Duration>,
        mut gather: impl FnMut(&mut L) -> Result<Gathered<R>, L::Error>,
    ) -> Result<R, L::Error> {
        let mut state = self.state.lock();
        let mut settled = false;
        loop {
            if state.failed {
                return Err(state.log.unanswered(Unanswered::Refused)); // Q3
            }
            match gather(&mut state.log)? {
                Gathered::Done(result) => return Ok(result),
                Gathered::Wait(result) => return self.wait(state, patience).map(|()| result),
                // Somebody else may have made room meanwhile: whoever met the full log at once with
                // others would begin a segment each.
                Gathered::Full if !settled => (state, settled) = (self.settle(state)?, true),
                Gathered::Full => self.undisturbed(&mut state, L::make_room)?,
            }
        }
    }

    /// Works on the log when everything gathered is carried out and nobody else is at work. Callers
    /// who come meanwhile wait for the lock.
    pub(crate) fn alone<R>(
        &self,
        work: impl FnOnce(&mut L) -> Result<R, L::Error>,
    ) -> Result<R, L::Error> {
        let mut state = self.settle(self.state.lock())?;
        self.undisturbed(&mut state, work)
    }

    /// Works on the log with the lock; a panic is a failure.
    fn undisturbed<R>(&self, state: &mut State<L>, work: impl FnOnce(&mut L) -> R) -> R {
        state.failed = true; // Q3: for the case of a panic
        let caller = Calling { queue: self };
        let result = work(&mut state.log);
        std::mem::forget(caller);
        state.failed = false;
        result
    }

    /// A short look at the log, or a change that concerns no batch.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut L) -> R) -> R {
        look(&mut self.state.lock().log)
    }

    fn wait<'a>(
        &'a self,
        mut state: Guard<'a, L>,
        patience: Option<Duration>,
    ) -> Result<(), L::Error> {
        let batch = state.gathering;
        let mut over = false;
        loop {
            if state.finished >= batch {
                return Ok(()); // Q2
            }
            if state.failed {
                return Err(state.log.unanswered(Unanswered::Failed)); // Q3
            }
            if !state.on_its_way && state.alone == 0 {
                state = self.lead(state)?; // Q4, Q5
                continue;
            }
            if over {
                return Err(state.log.unanswered(Unanswered::Impatient));
            }
            state.company = true;
            let ended = &self.ended[(batch & 1) as usize];
            (state, over) = match patience {
                None => (ended.wait(state), false),
                Some(patience) => ended.wait_for(state, patience),
            };
        }
    }

    /// Carries out what was gathered, without the lock.
    fn lead<'a>(&'a self, mut state: Guard<'a, L>) -> Result<Guard<'a, L>, L::Error> {
        state.on_its_way = true; // Q1
        if std::mem::take(&mut state.company) {
            // Those who were just called want to come along: without this they miss a batch that
            // starts at once, and about half of the callers share a sync.
            drop(state);
            thread::yield_now();
            state = self.state.lock();
        }
        let mut batch = state.take();
        drop(state);
        let leading = Leading { queue: self };
        let done = L::carry_out(&mut batch);
        std::mem::forget(leading);
        let mut state = self.state.lock();
        state.on_its_way = false;
        self.end(&mut state, batch, done)?;
        Ok(state)
    }

    /// Waits until nobody is at work, and carries out what was gathered, with the lock: whoever
    /// came meanwhile could keep it from ever being alone.
    fn settle<'a>(&'a self, mut state: Guard<'a, L>) -> Result<Guard<'a, L>, L::Error> {
        state.alone += 1; // Q5
        while state.on_its_way {
            state = self.idle.wait(state);
        }
        state.alone -= 1;
        if state.failed {
            return Err(state.log.unanswered(Unanswered::Refused));
        }
        let mut batch = state.take();
        let done = self.undisturbed(&mut state, |_| L::carry_out(&mut batch));
        self.end(&mut state, batch, done)?;
        Ok(state)
    }

    /// A batch has ended.
    fn end(
        &self,
        state: &mut State<L>,
        batch: L::Batch,
        done: Result<(), L::Error>,
    ) -> Result<(), L::Error> {
        let number = state.gathering - 1; // Q1: the one that was taken last
        let finished = state.log.finish(batch, done);
        match finished {
            Ok(()) => {
                state.finished = number;
                self.ended[(number & 1) as usize].notify_all(); // Q4
                self.ended[(state.gathering & 1) as usize].notify_one();
                if state.alone > 0 {
                    self.idle.notify_all();
                }
            }
            Err(_) => {
                state.failed = true; // Q3
                self.call_all();
            }
        }
        finished
    }

    fn call_all(&self) {
        self.ended.iter().for_each(Condvar::notify_all);
        self.idle.notify_all();
    }
}

impl<L: Log> State<L> {
    fn take(&mut self) -> L::Batch {
        self.gathering += 1;
        self.log.take()
    }
}

/// Calls everybody if what it stands for panics.
struct Calling<'a, L: Log> {
    queue: &'a GroupCommit<L>,
}

impl<L: Log> Drop for Calling<'_, L> {
    fn drop(&mut self) {
        self.queue.call_all(); // Q3
    }
}

/// A leader that panics has failed.
struct Leading<'a, L: Log> {
    queue: &'a GroupCommit<L>,
}

impl<L: Log> Drop for Leading<'_, L> {
    fn drop(&mut self) {
        let mut state = self.queue.state.lock();
        (state.on_its_way, state.failed) = (false, true); // Q3
        self.queue.call_all();
    }
}
