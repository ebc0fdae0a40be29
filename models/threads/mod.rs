//! Schedule × crash: a concurrent program on an engine, under chosen schedules, and at every
//! moment of each schedule every disk that a power cut may leave.
//!
//! - An engine is a [`SharedKv`] with shuttle's locks; what its callers do is a [`Program`].
//! - A [`Schedule`] is where it departs from the default, in which a thread goes on for as long as
//!   it can. All with few preemptions are tried, then random ones: the [`Plan`]. Each can be told
//!   in a word and walked again, and shrinks by losing departures.
//! - Under one schedule the two are a [`Scheduled`] subject, which the explorer cuts at every
//!   moment like any other: other threads may go on before and after each call of the disk, so that
//!   a sync is in flight while they write, and when the power goes.
//! - What was promised is a [`Story`]: a [history](crate::history) of concurrent calls, and all
//!   states that some order of them explains.
//! - [`run()`] does this for all schedules of a plan, and shrinks what it finds: first the program,
//!   then the schedule, then the crash.
//!
//! Weak memory is not modelled: every atomic is as strong as it gets. That is for loom.
//!
//! ```
//! # use highwater_models::threads::{Plan, Program, Scheduled, SharedKv, run};
//! # use highwater_sim::{Act, Campaign, Verdict};
//! # use highwater_vfs::Vfs;
//! # use std::{io, sync::Arc};
//! struct Forgetful;
//! impl SharedKv for Forgetful {
//!     fn open(_: Arc<dyn Vfs>) -> io::Result<Self> {
//!         Ok(Forgetful)
//!     }
//!     fn put(&self, _: u64, _: &[u8]) -> io::Result<Option<u64>> {
//!         Ok(None)
//!     }
//!     fn get(&self, _: u64) -> io::Result<Option<Vec<u8>>> {
//!         Ok(None)
//!     }
//! }
//! let put = |key| vec![Act::Put(key, b"value".to_vec())];
//! let program = Program { threads: vec![put(1), put(2)], ..Program::default() };
//! let subject = Scheduled::new::<Forgetful>(program);
//! let ran = run(&Campaign::default(), Plan::default(), &subject, &mut |_| ());
//! assert_eq!(ran.report.verdict, Verdict::Broken);
//! ```

mod campaign;
mod concurrent;
mod conductor;
pub mod journal;
pub mod key_value;
mod kv;
mod schedule;
mod search;
mod stage;
pub mod store;
mod story;
mod subject;
mod yielding;

pub use campaign::{Report, Schedules, finds, run};
pub use concurrent::{CONCURRENT, Concurrent};
pub use kv::{Program, SharedKv};
pub use schedule::{Departure, Schedule};
pub use search::Plan;
pub use story::Story;
pub use subject::Scheduled;
pub(crate) use subject::Scores;
