//! An engine that several threads use at once, and what they do with it.

use crate::history::{Answer, What};
use highwater_sim::{Act, Changes, Effect, Level};
use highwater_vfs::Vfs;
use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

/// A key-value engine for several callers at once. Its locks and atomics are those of
/// [`shuttle::sync`], so that each use of one is a place where another thread may go on; its own
/// threads, if it has any, are shuttle's too, and end before it is dropped.
///
/// Every `Ok` is taken as a promise: durable. As for [`highwater_sim::Kv`], a call that fails
/// leaves its operation unknown, and callers go on.
pub trait SharedKv: Send + Sync + 'static {
    /// Opens the store on `disk`, or recovers it.
    ///
    /// # Errors
    /// Anything; without an injected fault it is a false alarm (P5).
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self>
    where
        Self: Sized;

    /// Sets `key` to `value`; durable when it returns. The answer is the operation's place in the
    /// log, if the engine tells.
    ///
    /// # Errors
    /// Anything; the operation is then unknown.
    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>>;

    /// What `key` is set to.
    ///
    /// # Errors
    /// Anything; as [`open`](SharedKv::open).
    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>>;

    /// Deletes `key`; durable when it returns.
    ///
    /// # Errors
    /// As [`put`](SharedKv::put).
    fn delete(&self, key: u64) -> io::Result<Option<u64>> {
        let _ = key;
        Err(ErrorKind::Unsupported.into())
    }

    /// Adds to the counter `key`; durable when it returns. The answer is what it came to, and the
    /// operation's place in the log, if the engine tells.
    ///
    /// # Errors
    /// As [`put`](SharedKv::put).
    fn add(&self, key: u64, by: u64) -> io::Result<(u64, Option<u64>)> {
        let _ = (key, by);
        Err(ErrorKind::Unsupported.into())
    }

    /// Puts several at once, all or nothing; durable when it returns.
    ///
    /// # Errors
    /// As [`put`](SharedKv::put).
    fn batch(&self, items: &[(u64, &[u8])]) -> io::Result<Option<u64>> {
        let _ = items;
        Err(ErrorKind::Unsupported.into())
    }

    /// Sets `key` to `value` and does not wait: [`commit`](SharedKv::commit) makes it durable.
    ///
    /// # Errors
    /// As [`put`](SharedKv::put).
    fn submit(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        let _ = (key, value);
        Err(ErrorKind::Unsupported.into())
    }

    /// Makes durable all that had been submitted when it was called.
    ///
    /// # Errors
    /// As [`put`](SharedKv::put).
    fn commit(&self) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Writes a snapshot and drops the log that it covers.
    ///
    /// # Errors
    /// As [`put`](SharedKv::put).
    fn checkpoint(&self) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Whatever else the engine can do ([`Act::Special`]): whether it was done, which is an answer
    /// like any other, and its place in the log.
    ///
    /// # Errors
    /// As [`put`](SharedKv::put).
    fn special(&self, what: &str) -> io::Result<(bool, Option<u64>)> {
        let _ = what;
        Err(ErrorKind::Unsupported.into())
    }

    /// What an operation asks of the state. What a special one changes the program says; an engine
    /// with some that depend on what is there says it here.
    fn what(act: &Act) -> What
    where
        Self: Sized,
    {
        what(act)
    }
}

/// What callers do: one alone, then several at once, then one alone again.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// Before the threads begin.
    pub before: Vec<Act>,
    /// What each thread does, thread 1 first.
    pub threads: Vec<Vec<Act>>,
    /// After all threads have ended.
    pub after: Vec<Act>,
}

impl Program {
    /// How many operations it has.
    pub fn size(&self) -> usize {
        self.numbered().len()
    }

    /// All operations in their order, each with the thread that does it: 0 for the main caller.
    pub fn numbered(&self) -> Vec<(usize, &Act)> {
        let alone = |acts| Iterator::zip(std::iter::repeat(0), acts);
        let threads = self.threads.iter().zip(1..);
        let threads = threads.flat_map(|(acts, thread)| acts.iter().map(move |act| (thread, act)));
        alone(&self.before).chain(threads).chain(alone(&self.after)).collect()
    }

    /// The same with these of its operations, by their number in the order of
    /// [`numbered`](Program::numbered), from 0.
    #[must_use]
    pub fn keeping(&self, kept: &[usize]) -> Program {
        let mut number = 0..;
        let mut chosen = |acts: &Vec<Act>| {
            let is_kept = |_: &&Act| kept.contains(&number.next().expect("numbers do not end"));
            acts.iter().filter(is_kept).cloned().collect::<Vec<Act>>()
        };
        Program {
            before: chosen(&self.before),
            threads: self.threads.iter().map(&mut chosen).collect(),
            after: chosen(&self.after),
        }
    }

    /// A line for each operation, as reports show it.
    pub fn lines(&self) -> Vec<String> {
        let line = |(thread, act): &(usize, &Act)| match thread {
            0 => format!("{act}"),
            thread => format!("thread {thread}: {act}"),
        };
        self.numbered().iter().map(line).collect()
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

/// What an operation asks of the state; of a commit and a checkpoint a change of nothing.
///
/// # Panics
/// On [`Act::Reopen`], which has no meaning among threads: it is the main caller's crash-free end.
pub(crate) fn what(act: &Act) -> What {
    match act {
        Act::Get(key) => What::Read(*key),
        Act::Add(key, by) => What::Add(*key, *by),
        act => What::Change(Effect::new(act.to_string(), changes(act))),
    }
}

fn changes(act: &Act) -> Changes {
    match act {
        Act::Put(key, value) | Act::Submit(key, value) => vec![(*key, Some(value.clone()))],
        Act::Delete(key) => vec![(*key, None)],
        Act::Batch(items) => items.iter().map(|(key, value)| (*key, Some(value.clone()))).collect(),
        Act::Special(_, changes) => changes.clone(),
        Act::Commit | Act::Checkpoint => Vec::new(),
        Act::Get(_) | Act::Add(..) | Act::Reopen => panic!("{act} is no change for threads"),
    }
}

/// Runs an operation: the answer, and its place in the log.
pub(crate) fn run(act: &Act, engine: &dyn SharedKv) -> io::Result<(Answer, Option<u64>)> {
    let lsn = match act {
        Act::Get(key) => return Ok((Answer::Saw(engine.get(*key)?), None)),
        Act::Add(key, by) => {
            let (sum, lsn) = engine.add(*key, *by)?;
            return Ok((Answer::Saw(Some(sum.to_le_bytes().to_vec())), lsn));
        }
        Act::Submit(key, value) => {
            return Ok((Answer::Done(Level::Buffered), engine.submit(*key, value)?));
        }
        Act::Special(what, _) => match engine.special(what)? {
            (true, lsn) => lsn,
            (false, lsn) => return Ok((Answer::Absent, lsn)),
        },
        Act::Put(key, value) => engine.put(*key, value)?,
        Act::Delete(key) => engine.delete(*key)?,
        Act::Batch(items) => {
            let items: Vec<(u64, &[u8])> = items.iter().map(|(k, v)| (*k, &v[..])).collect();
            engine.batch(&items)?
        }
        Act::Commit => engine.commit().map(|()| None)?,
        Act::Checkpoint => engine.checkpoint().map(|()| None)?,
        Act::Reopen => panic!("{act} is nothing for threads"),
    };
    Ok((Answer::Done(Level::Durable), lsn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_kept_by_number_and_stay_with_their_thread() {
        let put = |key| Act::Put(key, vec![0]);
        let program = Program {
            before: vec![put(0)],
            threads: vec![vec![put(1), put(2)], vec![put(3)]],
            after: vec![put(4)],
        };
        let threads: Vec<usize> = program.numbered().iter().map(|(thread, _)| *thread).collect();
        assert_eq!((threads, program.size()), (vec![0, 1, 1, 2, 0], 5));
        let less = program.keeping(&[2, 3, 4]);
        assert_eq!(less.before, vec![]);
        assert_eq!(less.threads, vec![vec![put(2)], vec![put(3)]]);
        assert_eq!(less.after, vec![put(4)]);
        assert_eq!(less.lines()[0], "thread 1: put 2 (1 bytes)");
    }
}
