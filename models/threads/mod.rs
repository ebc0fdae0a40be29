//! Schedule × crash: a concurrent program on an engine, under chosen schedules, and at every moment
//! of each schedule every disk that a power cut may leave.

mod campaign;
mod conductor;
mod kv;
mod schedule;
mod search;
mod stage;
mod story;
mod subject;
mod yielding;

pub use campaign::{Report, Schedules, finds, run};
pub use kv::{Program, SharedKv};
pub use schedule::{Departure, Schedule};
pub use search::Plan;
pub use story::Story;
pub use subject::Scheduled;
