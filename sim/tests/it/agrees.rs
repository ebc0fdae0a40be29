//! The contract, as far as it can be seen without a crash.

use highwater_sim::{Model, SimFs};
use highwater_vfs::conformance;

#[test]
fn every_model_keeps_the_contract() {
    for model in Model::ALL {
        if let Err(failures) = conformance::check(&SimFs::new(model)) {
            let lines: Vec<String> = failures.iter().map(ToString::to_string).collect();
            panic!("{model}: {} broken\n{}", lines.len(), lines.join("\n"));
        }
    }
}
