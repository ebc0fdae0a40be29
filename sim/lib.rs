//! A disk that forgets, and an explorer of everything it may forget.
//!
//! [`SimFs`] is a filesystem in memory whose power can be cut. What a cut leaves is not decided
//! then, but when the engine looks: so one recovery stands for all the disks that it cannot tell
//! apart, and the [`Explorer`] visits *every* crash state, of the workload and of the recovery,
//! and counts them exactly. An engine under test is a [`Subject`]; most are an [`Easy`] one, which
//! takes fifteen lines: open, put, get.
//!
//! This crate knows no engine. It reads no clock, no environment, no global and no unordered map:
//! the same subject and settings give the same report, on one thread and on ten.

mod audit;
mod branch;
mod campaign;
mod cell;
mod choices;
mod contents;
mod count;
mod cut;
mod decay;
mod device;
mod disk;
mod easy;
mod explore;
mod failure;
mod fault;
mod finding;
mod fs;
mod hash;
mod kv;
#[cfg(test)]
mod laws_tests;
#[cfg(test)]
mod medium_tests;
#[cfg(test)]
mod memo_tests;
mod model;
mod names;
mod order;
mod promise;
mod record;
mod remedy;
mod replay;
mod rng;
mod settings;
mod subject;
mod syncs;
mod tally;
mod tear;
mod trace;
mod trail;
mod window;
mod without;

pub use audit::{Audited, SiteOf, audit};
pub use campaign::{Campaign, Report, Stage, Verdict, progress_of};
pub use choices::{Choice, Choices, Pattern};
pub use count::Count;
pub use device::{Device, Tear};
pub use easy::Easy;
pub use explore::Explorer;
pub use failure::{CallFault, Decay, Failure};
pub use fault::{CallKind, Fault, FaultEffect, FaultFs, FaultPlan};
pub use finding::{Finding, shrink};
pub use fs::SimFs;
pub use kv::{Act, Changes, Kv};
pub use model::{FailedSync, Model};
pub use promise::{Broken, Level, Promise, Rule, fingerprint_of};
pub use remedy::{Insertion, Remedy};
pub use replay::{Lost, Replayed, replay};
pub use rng::Rng;
pub use settings::{Layers, Settings};
pub use subject::{Halt, Life, Reach, Remarks, Subject, Told};
pub use tally::{Found, Progress, Tally};
pub use trace::Trace;
pub use trail::{CrashKind, CrashPoint, LifeTrail, Trail};
pub use window::{Effect, Map, Recovered, Window};
pub use without::{SyncCall, SyncKind, WithoutSync, Wrapped};
