//! A log-structured storage engine: what it acknowledges as durable is there after any power cut,
//! and nothing else is.
//!
//! [`PayloadStore`] keeps payloads by id in a segmented log, with the index in memory. The bytes on
//! disk are described in `docs/format.md`; the promises P1-P12 in `docs/architecture.md`. The
//! engine sees the disk only through [`highwater_vfs::Vfs`], so the same code runs on the real disk
//! and on a simulated one that loses power.
//!
//! Reading order: `format` (bytes), `log` (writing and scanning), `recovery` (scan, plan,
//! execute), `snapshot`, `payload`.
//!
//! ```
//! use highwater::{Options, PayloadStore};
//! # let dir = std::env::temp_dir().join(format!("highwater-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&dir)?;
//! let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(&dir)?);
//! let store = PayloadStore::open(disk, Options::default())?;
//! let ack = store.store(7, b"seven")?; // durable when it returns
//! assert_eq!(store.retrieve(7)?.as_deref(), Some(&b"seven"[..]));
//! # assert_eq!(ack.lsn.0, 1);
//! # drop(store);
//! # std::fs::remove_dir_all(&dir)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod counters;
mod dump;
mod engine;
mod error;
pub mod format;
mod group_commit;
mod index;
pub mod inspect;
mod inspection;
mod journal;
mod kv;
mod limits;
mod log;
mod options;
mod payload;
mod positions;
mod recovery;
mod snapshot;
mod sync;
mod view;

#[cfg(test)]
mod checkpoint_tests;
#[cfg(test)]
mod compact_tests;
#[cfg(test)]
mod core_tests;
#[cfg(test)]
mod engine_tests;
#[cfg(test)]
mod journal_tests;
#[cfg(test)]
mod kv_tests;
#[cfg(test)]
mod payload_tests;
#[cfg(test)]
mod reader_tests;
#[cfg(test)]
mod recovery_tests;
#[cfg(test)]
mod snapshot_tests;
#[cfg(test)]
mod test_disk;
#[cfg(test)]
mod threads_tests;
#[cfg(test)]
mod writer_tests;

pub use error::{Corruption, Error, Result};
pub use format::Lsn;

pub use journal::{Journal, JournalReader};
pub use kv::{
    Clock, KEY_SIZE_MAX, KvEntry, KvMetrics, KvStore, RecoveryStats, SystemClock, TestClock, Value,
};
pub use limits::{PAYLOAD_SIZE_MAX, SEGMENT_SIZE_MAX};
pub use options::{Ack, Damage, Durability, Level, Options};
pub use payload::{Compaction, PayloadStore};
pub use positions::Positions;
pub use recovery::{Loss, RecoveryReport, Row, Tail};
