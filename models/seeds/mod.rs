//! The seeds on trial: five systems whose documents this project began with, each as a small
//! subject that follows the documented protocol, and their promises, one by one.
//!
//! A system is an engine whose holes are bits: with none mended it is the system as documented,
//! with all mended it holds. A trial leaves one hole open, so that it stands for itself; its twin
//! has it mended.

mod kit;
mod trial;

mod data_bridge;
mod keyval;
mod stemedb;
mod velesdb;
mod velesdb_plan;

pub use trial::Trial;

use std::sync::LazyLock;

static TRIALS: LazyLock<Vec<Trial>> = LazyLock::new(|| {
    [velesdb::TRIALS, velesdb_plan::TRIALS, keyval::TRIALS, stemedb::TRIALS, data_bridge::TRIALS]
        .concat()
});

/// All trials, system by system.
///
/// ```
/// let trials = highwater_models::seeds::trials();
/// assert!(trials.iter().any(|trial| trial.name == "velesdb"));
/// ```
pub fn trials() -> &'static [Trial] {
    &TRIALS
}
