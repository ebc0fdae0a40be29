//! What the views have in common: each is a state in memory that follows from the entries of its
//! log, and can be written to a snapshot.

use crate::error::{Error, Result};
use crate::format::entry::Entry;
use crate::format::snapshot::SnapshotHeader;
use crate::format::{Lsn, ViewKind};
use crate::log::Slots;
use crate::snapshot::{Source, Stream};
use crate::sync::RwLock;
use std::fmt::Debug;

/// Where an entry stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its record.
    pub(crate) lsn: Lsn,
    pub(crate) slot: u32,
    pub(crate) offset: u32,
}

/// A state, and how it follows from a log.
pub(crate) trait View: Debug + Default + Send + Sync + 'static {
    /// What the headers of its files say.
    const KIND: ViewKind;
    /// What an entry changes.
    type Change: Debug + Send + Sync;
    /// The state at one LSN, to be written to a snapshot.
    type Cut;

    /// The segments of the log that the state knows.
    fn slots(&self) -> &Slots;

    /// The same.
    fn slots_mut(&mut self) -> &mut Slots;

    /// What `entry` changes; `None` if no version of this view has written it.
    fn change(entry: &Entry<'_>, place: Place) -> Option<Self::Change>;

    /// Whether an entry that need not wait for the disk must become visible with those before it
    /// that do.
    fn waits(entry: &Entry<'_>, pending: &[Self::Change]) -> bool;

    /// Applies a change of this life.
    fn apply(&mut self, change: Self::Change);

    /// Applies changes of former lives in their order, and empties the list; `expected` is how many
    /// more there may be, as far as one can tell.
    fn replay(&mut self, changes: &mut Vec<Self::Change>, expected: u64);

    /// Recovery has copied an entry to `place`.
    fn moved(&mut self, entry: &Entry<'_>, place: Place);

    /// Holds on to the state as it is, to be written by [`write`](View::write).
    fn cut(&mut self) -> Self::Cut;

    /// How many segments and entries the snapshot's header announces.
    fn counts(cut: &Self::Cut) -> (u32, u64);

    /// Writes the body of a snapshot, and ends the file. `state` may have changed since the cut.
    fn write(cut: Self::Cut, state: &RwLock<Self>, stream: Stream) -> Result<u64>;

    /// Reads the body of a snapshot; `None` if it is not one.
    fn load(header: &SnapshotHeader, source: &mut Source<'_>) -> Result<Option<Self>>;

    /// How many payloads, keys or records it holds.
    fn live(&self) -> u64;

    /// The numbered invariants of the state.
    fn check_invariants(&self, appended: Lsn);
}

/// The directory holds another view's files.
pub(crate) fn other_view(file: &str, expected: ViewKind, actual: u32) -> Error {
    let actual = ViewKind::of(actual).map_or("something newer than this version", ViewKind::name);
    Error::OtherView { file: file.into(), expected: expected.name(), actual }
}
