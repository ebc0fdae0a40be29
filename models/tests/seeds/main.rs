//! The seeds on trial: each promise is broken where its card says and nowhere else, or holds
//! everywhere; every counterexample is small and walks again; every twin holds.

mod judge;
#[path = "../museum/page.rs"]
mod page;
mod table;

use highwater_models::seeds::trials;
use judge::judge;

/// One test a system, so that they run side by side and can be run alone.
macro_rules! systems {
    ($($test:ident $name:literal)*) => {
        $(#[test] fn $test() { judge_system($name); })*
        const SYSTEMS: &[&str] = &[$($name),*];
    };
}

systems! {
    velesdb "velesdb"
    velesdb_plan "velesdb-plan"
    keyval "keyval"
    stemedb "stemedb"
    data_bridge_kv "data-bridge-kv"
}

fn judge_system(system: &str) {
    let of_system = trials().iter().filter(|trial| trial.system() == system);
    let wrong: Vec<String> = of_system.flat_map(judge).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_trial_is_of_a_system_that_is_judged() {
    for trial in trials() {
        assert!(SYSTEMS.contains(&trial.system()), "{}", trial.name);
    }
}
