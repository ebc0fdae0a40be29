//! The promises as executable specifications, put to work on the store.
//!
//! - A [`Workload`] is what callers do, one [`Op`] a line; it is written, read, generated and
//!   shrunk, and [`json`] reads the operations other stores' vectors come with.
//! - The reference map is [`highwater_sim::Window`], not a second one of our own: an ordered map
//!   after every prefix of the accepted operations, and how many of them must survive. What was
//!   acknowledged, attempted, unknown after a failure and seen by a reader all move its edges.
//!   Tests that judge a store without the explorer use the same type.
//! - [`PayloadSubject`] lives a workload on the payload store, for the explorer.
//! - [`engines()`] lists what can be run by name, and a [`Token`] is one line that walks the trail
//!   of a finding again.
//!
//! This package knows the engine and the simulation; neither of them knows it.

pub mod audit;
mod compact;
pub mod engines;
mod error;
mod generate;
pub mod history;
pub mod json;
pub mod litmus;
pub mod museum;
pub mod op;
mod outcome;
mod payload;
pub mod seeds;
pub mod setup;
pub mod stack;
mod text;
pub mod threads;
mod token;
pub mod views;
mod workload;

pub use audit::Barrier;
pub use engines::{Engine, Job, engine, engines, matching};
pub use error::{Place, WorkloadError};
pub use op::{Bytes, Op};
pub use outcome::{Counterexample, Outcome, Walks};
pub use payload::PayloadSubject;
pub use setup::{Case, Setup};
pub use token::{Fault, Task, Token};
pub use workload::Workload;
