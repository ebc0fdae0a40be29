//! The primitives of the concurrency core, in one place: the models of the loom checker compile
//! the same files again with theirs.

pub(crate) use std::sync::Arc;
pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
