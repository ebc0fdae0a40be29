//! What callers choose, and what they are told.

use crate::format::Lsn;
use std::time::Duration;

/// What `Ok` means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Durability {
    /// Durable: one sync an operation.
    #[default]
    Fsync,
    /// Flushed: survives the process, not a power cut.
    FlushOnly,
    /// Buffered: survives nothing until a `flush`.
    None,
    /// Buffered, and durable with the first `tick` that comes this long after the one before it
    /// that was due, or later; see also [`Options::sync_after`].
    Interval(Duration),
}

/// What one acknowledgement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Visible; survives nothing yet.
    Buffered,
    /// Survives the death of the process.
    Flushed,
    /// Survives power loss.
    Durable,
}

/// An acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The record's position in the log.
    pub lsn: Lsn,
    /// What survives what.
    pub level: Level,
}

/// What opening a store does if bytes are damaged that were durable, and that opening reads. What a
/// snapshot covers it does not read: such a payload, or record, is refused to whoever asks for it,
/// with [`Error::Corrupt`](crate::Error::Corrupt), in each of these modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Damage {
    /// It fails with [`Error::Corrupt`](crate::Error::Corrupt), and nothing is changed.
    #[default]
    Refuse,
    /// The store shows the state right before the damage, and can only be read; its report says
    /// what is [lost](crate::RecoveryReport::lost). Nothing is changed.
    Quarantine,
    /// The same state, and the store goes on from it. What cannot be shown is kept beside it, in
    /// files with names that end in `.quarantined` and that the store never touches again. Lost
    /// positions are given again to what comes.
    Accept,
}

/// How a store behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// What `Ok` means.
    pub durability: Durability,
    /// Bytes after which the next segment begins; 64 MiB. A larger record has one to itself.
    pub segment_size: u64,
    /// Bytes of zeros by which a segment may be extended ahead of what is written and synced, so
    /// that a sync has no new length to record, which makes it up to 40 % cheaper; 1 MiB. It grows
    /// with the segment, from 16 KiB. 0 for never.
    pub reserve: u64,
    /// Snapshots kept; 2. At least 1.
    pub snapshots_kept: usize,
    /// Log growth in bytes after which a snapshot is due; 10 MiB.
    pub checkpoint_bytes: u64,
    /// Whether an operation that makes a snapshot due also writes it, once the log has grown by
    /// the length of the last one too: so all of them together cost no more than the log. That may
    /// fail without taking back the operation: see
    /// [`checkpoint_error`](crate::PayloadStore::checkpoint_error).
    pub auto_checkpoint: bool,
    /// How long an operation waits for each of the two syncs of other callers that it may have to
    /// wait for, before it answers [`Error::TimedOut`](crate::Error::TimedOut); `None`, the
    /// default, for as long as it takes. A caller that does the work itself waits for the disk
    /// whatever it takes, and so does one that must begin a new segment or makes a checkpoint.
    pub patience: Option<Duration>,
    /// How many records may wait for a sync: one that makes them so many, in a mode that would not
    /// sync it or appended deferred, is acknowledged when all of them are durable. So power loss
    /// takes fewer acknowledged ones than that. `None`, the default, for any number; 0 and 1 for
    /// none. With [`Durability::Interval`] it is a batch that ends with a count or a time. Its
    /// [`Ack`](crate::Ack) says no more than the mode does.
    ///
    /// ```
    /// # use highwater::{Durability, Journal, Options};
    /// # let dir = std::env::temp_dir().join(format!("highwater-batch-{}", std::process::id()));
    /// # std::fs::create_dir_all(&dir)?;
    /// # let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(&dir)?);
    /// let durability = Durability::Interval(std::time::Duration::from_millis(10));
    /// let options = Options { durability, sync_after: Some(100), ..Options::default() };
    /// let journal = Journal::open(disk, options)?;
    /// for n in 0..250u32 {
    ///     journal.append(&n.to_le_bytes())?;
    /// }
    /// assert_eq!(journal.positions().durable().0, 200); // the rest: a tick that is due
    /// # drop(journal);
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub sync_after: Option<u64>,
    /// What opening it does if bytes are damaged that were durable.
    pub damage: Damage,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            durability: Durability::Fsync,
            segment_size: 64 << 20,
            reserve: 1 << 20,
            snapshots_kept: 2,
            checkpoint_bytes: 10 << 20,
            auto_checkpoint: true,
            patience: None,
            sync_after: None,
            damage: Damage::Refuse,
        }
    }
}
