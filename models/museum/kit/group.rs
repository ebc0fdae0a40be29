//! For engines with several callers: a lock, and a log with group commit. Both take their
//! primitives from shuttle, so that the museum can choose who goes on.

use super::{Disk, Log, Record, State, apply};
use shuttle::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::io;

/// What is behind the lock. (A caller that panicked with it is a finding, and the end of the run.)
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an engine says that has failed before.
pub(crate) fn poisoned() -> io::Error {
    io::Error::other("an earlier operation failed; open again")
}

/// A log that several callers append to, and that one of them syncs for all who wait.
pub(crate) struct Group {
    queue: Mutex<Queue>,
    synced: Condvar,
}

/// The state of a group commit. Records have numbers from 1, in the order of the log.
pub(crate) struct Queue {
    pub(crate) log: Log,
    /// The number of the last record in the log.
    pub(crate) appended: u64,
    /// The number of the last record that is durable.
    pub(crate) durable: u64,
    /// Somebody is syncing.
    pub(crate) leading: bool,
    /// A write or a sync has failed: nothing behind `durable` can be trusted any more.
    pub(crate) failed: bool,
    /// The state up to `durable`: what readers may see.
    pub(crate) state: State,
    /// The records behind it.
    pub(crate) pending: Vec<(u64, Vec<Record>)>,
}

impl Queue {
    /// All records up to that number are durable, and may be seen.
    pub(crate) fn advance(&mut self, durable: u64) {
        self.durable = self.durable.max(durable);
        for (number, records) in std::mem::take(&mut self.pending) {
            match number <= self.durable {
                true => apply(&mut self.state, &records),
                false => self.pending.push((number, records)),
            }
        }
    }

    /// The sync of whoever led for its record `number` has failed: nothing more is acknowledged, to
    /// whomever.
    pub(crate) fn fail(&mut self, _number: u64) {
        self.failed = true;
    }

    fn check(&self) -> io::Result<()> {
        if self.failed { Err(poisoned()) } else { Ok(()) }
    }
}

impl Group {
    pub(crate) fn open(disk: &Disk) -> io::Result<Group> {
        let (state, log) = Log::open(disk)?;
        let (appended, durable, pending) = (0, 0, Vec::new());
        let queue = Queue { log, appended, durable, leading: false, failed: false, state, pending };
        Ok(Group { queue: Mutex::new(queue), synced: Condvar::new() })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Queue> {
        locked(&self.queue)
    }

    /// Writes records behind all others, and does not sync; their number.
    pub(crate) fn append(&self, records: &[Record]) -> io::Result<u64> {
        let mut queue = self.lock();
        queue.check()?;
        let written = queue.log.write(records);
        if written.is_err() {
            queue.failed = true;
            self.synced.notify_all();
        }
        written?;
        queue.appended += 1;
        let number = queue.appended;
        queue.pending.push((number, records.to_vec()));
        Ok(number)
    }

    /// Waits until the records up to that number are durable. Whoever comes while nobody is syncing
    /// leads: it syncs, without the lock, for all that was written before. If that fails, so does
    /// the queue, and everybody wakes up.
    pub(crate) fn wait(&self, number: u64, failing: fn(&mut Queue, u64)) -> io::Result<()> {
        let mut queue = self.lock();
        while queue.durable < number {
            queue.check()?;
            if queue.leading {
                queue = self.synced.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.leading = true;
            let (file, all) = (queue.log.file.clone(), queue.appended);
            drop(queue);
            let synced = file.sync();
            queue = self.lock();
            queue.leading = false;
            match &synced {
                Ok(()) => queue.advance(all),
                Err(_) => failing(&mut queue, number),
            }
            self.synced.notify_all();
            synced?;
        }
        Ok(())
    }

    /// Appends, and returns when it is durable.
    pub(crate) fn commit(&self, records: &[Record]) -> io::Result<Option<u64>> {
        let number = self.append(records)?;
        self.wait(number, Queue::fail)?;
        Ok(Some(number))
    }
}
