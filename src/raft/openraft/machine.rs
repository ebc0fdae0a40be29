//! A state machine in memory, with snapshots in the store.

use super::{Answer, Id, ours, to};
use crate::{LogId, RaftStore, SnapshotWriter};
use openraft::entry::RaftPayload;
use openraft::storage::RaftStateMachine;
use openraft::{
    OptionalSend, RaftLogId, RaftSnapshotBuilder, RaftTypeConfig, Snapshot, SnapshotMeta,
    StorageIOError, StoredMembership,
};
use parking_lot::Mutex;
use std::io::Cursor;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the entries mean: the application's part of a state machine.
pub trait App<C: RaftTypeConfig>: Send + 'static {
    /// Applies an entry; blank ones and changes of the membership, too, want an answer.
    fn apply(&mut self, entry: &C::Entry) -> C::R;

    /// The whole state as bytes.
    fn save(&self) -> Vec<u8>;

    /// Another state, from bytes that [`save`](App::save) made.
    fn restore(&mut self, bytes: &[u8]);
}

type Meta<C> = SnapshotMeta<<C as RaftTypeConfig>::NodeId, <C as RaftTypeConfig>::Node>;
type Members<C> = StoredMembership<<C as RaftTypeConfig>::NodeId, <C as RaftTypeConfig>::Node>;

/// A state machine of which the snapshots are kept: what was applied after the last one is applied
/// again from the log. A clone is another handle to it.
pub struct Machine<C: RaftTypeConfig, A> {
    store: RaftStore,
    state: Arc<Mutex<State<C, A>>>,
}

struct State<C: RaftTypeConfig, A> {
    app: A,
    applied: Option<Id<C>>,
    members: Members<C>,
}

impl<C: RaftTypeConfig, A> Clone for Machine<C, A> {
    fn clone(&self) -> Machine<C, A> {
        Machine { store: self.store.clone(), state: Arc::clone(&self.state) }
    }
}

impl<C, A> Machine<C, A>
where
    C: RaftTypeConfig<SnapshotData = Cursor<Vec<u8>>>,
    A: App<C>,
{
    /// `app`, in the state of the store's snapshot if there is one.
    ///
    /// # Errors
    /// The snapshot is damaged; what the disk reports.
    pub fn new(store: RaftStore, app: A) -> Answer<C, Machine<C, A>> {
        let state = State { app, applied: None, members: Members::<C>::default() };
        let machine = Machine { store, state: Arc::new(Mutex::new(state)) };
        if let Some(snapshot) = machine.current()? {
            machine.state.lock().take_over(&snapshot.meta, snapshot.snapshot.get_ref());
        }
        Ok(machine)
    }

    fn current(&self) -> Answer<C, Option<Snapshot<C>>> {
        let failed =
            |error| to::<C, crate::Error>(|why| StorageIOError::read_snapshot(None, why))(error);
        let Some(mut reader) = self.store.open_snapshot().map_err(failed)? else {
            return Ok(None);
        };
        let mut bytes = vec![0; reader.meta().size as usize];
        reader.read(&mut bytes).map_err(failed)?;
        let meta: Meta<C> =
            serde_json::from_slice(&reader.meta().configuration)
                .map_err(to::<C, _>(|why| StorageIOError::read_snapshot(None, why)))?;
        Ok(Some(Snapshot { meta, snapshot: Box::new(Cursor::new(bytes)) }))
    }

    fn begin(&self) -> Answer<C, SnapshotWriter> {
        let begun = self.store.begin_snapshot();
        begun.map_err(to::<C, _>(|why| StorageIOError::write_snapshot(None, why)))
    }

    /// Whether it stands now: `false` if a newer one does, which covers it.
    fn finish(&self, mut writer: SnapshotWriter, meta: &Meta<C>, bytes: &[u8]) -> Answer<C, bool> {
        let last = meta.last_log_id.as_ref().map_or(LogId::default(), ours::<C>);
        let words = serde_json::to_vec(meta)
            .map_err(to::<C, _>(|why| StorageIOError::write_snapshot(None, why)))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let written = writer.write(bytes);
        let finished = written.and_then(|()| writer.finish(last, &words, now.as_nanos() as u64));
        match finished {
            Err(crate::Error::SnapshotBack { .. }) => Ok(false),
            finished => finished
                .map(|_| true)
                .map_err(to::<C, _>(|why| StorageIOError::write_snapshot(None, why))),
        }
    }
}

impl<C: RaftTypeConfig, A: App<C>> State<C, A> {
    fn take_over(&mut self, meta: &Meta<C>, bytes: &[u8]) {
        self.app.restore(bytes);
        self.applied.clone_from(&meta.last_log_id);
        self.members.clone_from(&meta.last_membership);
    }
}

impl<C, A> RaftSnapshotBuilder<C> for Machine<C, A>
where
    C: RaftTypeConfig<SnapshotData = Cursor<Vec<u8>>>,
    A: App<C>,
{
    async fn build_snapshot(&mut self) -> Answer<C, Snapshot<C>> {
        let writer = self.begin()?;
        let (bytes, meta) = {
            let state = self.state.lock();
            let at = state.applied.as_ref().map_or(LogId::default(), ours::<C>);
            let meta = SnapshotMeta {
                last_log_id: state.applied.clone(),
                last_membership: state.members.clone(),
                snapshot_id: format!("{}-{}-{}", at.term, at.index, writer.serial()),
            };
            (state.app.save(), meta)
        };
        let stands = self.finish(writer, &meta, &bytes)?;
        // One that was installed meanwhile takes the place of an older one.
        let newer = if stands { None } else { self.current()? };
        Ok(newer.unwrap_or(Snapshot { meta, snapshot: Box::new(Cursor::new(bytes)) }))
    }
}

impl<C, A> RaftStateMachine<C> for Machine<C, A>
where
    C: RaftTypeConfig<SnapshotData = Cursor<Vec<u8>>>,
    A: App<C>,
{
    type SnapshotBuilder = Machine<C, A>;

    async fn applied_state(&mut self) -> Answer<C, (Option<Id<C>>, Members<C>)> {
        let state = self.state.lock();
        Ok((state.applied.clone(), state.members.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Answer<C, Vec<C::R>>
    where
        I: IntoIterator<Item = C::Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut state = self.state.lock();
        let apply = |entry: C::Entry| {
            let id = entry.get_log_id().clone();
            if let Some(members) = entry.get_membership() {
                state.members = StoredMembership::new(Some(id.clone()), members.clone());
            }
            state.applied = Some(id);
            state.app.apply(&entry)
        };
        Ok(entries.into_iter().map(apply).collect())
    }

    async fn get_snapshot_builder(&mut self) -> Machine<C, A> {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Answer<C, Box<Cursor<Vec<u8>>>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &Meta<C>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Answer<C, ()> {
        // Behind a newer one it is nothing new: the state may be that one's.
        if self.finish(self.begin()?, meta, snapshot.get_ref())? {
            self.state.lock().take_over(meta, snapshot.get_ref());
        }
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Answer<C, Option<Snapshot<C>>> {
        self.current()
    }
}
