//! The storage traits of [openraft](https://docs.rs/openraft) 0.9 on a [`RaftStore`].
//!
//! [`LogStore`] is the log and the vote, [`Machine`] the state machine with its snapshots; both
//! share one store. The traits are used as the Raft paper has them, with one leader a term
//! (openraft's feature `single-term-leader`): a log id is then an index and a term, as it is here.
//! Calls wait for the disk where they are made.

#![allow(clippy::result_large_err)] // openraft's errors are, and its traits ask for them

mod machine;

pub use machine::{App, Machine};

use crate::{Entry, HardState, LogId, RaftStore};
use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{
    CommittedLeaderId, OptionalSend, RaftLogId, RaftLogReader, RaftTypeConfig, StorageError,
    StorageIOError, Vote,
};
use std::error::Error;
use std::fmt::Debug;
use std::ops::RangeBounds;

/// What the traits answer.
type Answer<C, T> = Result<T, StorageError<<C as RaftTypeConfig>::NodeId>>;

type Id<C> = openraft::LogId<<C as RaftTypeConfig>::NodeId>;

fn theirs<C: RaftTypeConfig>(id: LogId) -> Id<C> {
    openraft::LogId::new(CommittedLeaderId::new(id.term, C::NodeId::default()), id.index)
}

fn ours<C: RaftTypeConfig>(id: &Id<C>) -> LogId {
    LogId { index: id.index, term: id.leader_id.term }
}

/// An error with the part of the store that it happened in.
fn to<C: RaftTypeConfig, E: Error + 'static>(
    part: fn(anyerror::AnyError) -> StorageIOError<C::NodeId>,
) -> impl Fn(E) -> StorageError<C::NodeId> {
    move |error| StorageError::from(part(anyerror::AnyError::new(&error)))
}

/// The log and the vote.
#[derive(Clone, Debug)]
pub struct LogStore(RaftStore);

impl LogStore {
    /// Those of a store.
    pub fn new(store: RaftStore) -> LogStore {
        LogStore(store)
    }
}

impl<C: RaftTypeConfig> RaftLogReader<C> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Answer<C, Vec<C::Entry>> {
        let failed = |error| to::<C, crate::Error>(StorageIOError::read_logs)(error);
        let entries = self.0.entries(range).map_err(failed)?.into_iter();
        let whole = |entry: Entry| serde_json::from_slice(&entry.payload);
        entries.map(whole).collect::<Result<_, _>>().map_err(to::<C, _>(StorageIOError::read_logs))
    }
}

impl<C: RaftTypeConfig> RaftLogStorage<C> for LogStore {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> Answer<C, LogState<C>> {
        let [purged, last] = [self.0.purged(), self.0.last()].map(|id| id.map(theirs::<C>));
        Ok(LogState { last_purged_log_id: purged, last_log_id: last })
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.clone()
    }

    /// Whom the vote is for, and whether it is committed, are the caller's words to the store.
    async fn save_vote(&mut self, vote: &Vote<C::NodeId>) -> Answer<C, ()> {
        let voted_for = serde_json::to_vec(vote).map_err(to::<C, _>(StorageIOError::write_vote))?;
        let current_term = vote.leader_id.term;
        let hard = HardState { current_term, voted_for: Some(voted_for) };
        self.0.save_hard_state(hard).map_err(to::<C, _>(StorageIOError::write_vote))
    }

    async fn read_vote(&mut self) -> Answer<C, Option<Vote<C::NodeId>>> {
        let vote = self.0.hard_state().voted_for.map(|vote| serde_json::from_slice(&vote));
        vote.transpose().map_err(to::<C, _>(StorageIOError::read_vote))
    }

    /// What is purged was committed: appended again, as openraft's tests do, it changes nothing.
    async fn append<I>(&mut self, entries: I, flushed: LogFlushed<C>) -> Answer<C, ()>
    where
        I: IntoIterator<Item = C::Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let failed = |error| to::<C, serde_json::Error>(StorageIOError::write_logs)(error);
        let whole = |entry: C::Entry| -> Answer<C, Entry> {
            let payload = serde_json::to_vec(&entry).map_err(failed)?;
            Ok(Entry { id: ours::<C>(entry.get_log_id()), payload })
        };
        let purged = self.0.purged();
        let left = |entry: &C::Entry| purged.is_none_or(|p| p.index < entry.get_log_id().index);
        let entries = entries.into_iter().filter(left).map(whole);
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        self.0.append(&entries).map_err(to::<C, _>(StorageIOError::write_logs))?;
        flushed.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, id: Id<C>) -> Answer<C, ()> {
        self.0.truncate_from(id.index).map_err(to::<C, _>(StorageIOError::write_logs))
    }

    async fn purge(&mut self, id: Id<C>) -> Answer<C, ()> {
        self.0.purge_to(ours::<C>(&id)).map_err(to::<C, _>(StorageIOError::write_logs))
    }
}
