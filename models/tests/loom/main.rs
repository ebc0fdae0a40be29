//! Every order of a few threads over the store's concurrency core, with the loom checker: its own
//! files, compiled again with loom's locks and atomics, and a toy log behind them.

mod broken;
mod engine;
mod explore;
mod log;
mod positions;
mod queue;
mod toy;
