//! The contract, asked of the disks that the tests run on.

use highwater_vfs::{OsFs, Vfs, conformance};

/// Runs the suite over `vfs`, whose root must be empty, and fails with every broken clause.
pub(crate) fn run(vfs: &dyn Vfs) {
    if let Err(failures) = conformance::check(vfs) {
        let lines: String = failures.iter().map(|failure| format!("  {failure}\n")).collect();
        panic!("{vfs:?} breaks the contract:\n{lines}");
    }
}

#[test]
fn the_real_disk_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    run(&OsFs::open(dir.path()).unwrap());
}

#[test]
#[should_panic(expected = "breaks the contract")]
fn a_disk_that_refuses_everything_does_not() {
    let dir = tempfile::tempdir().unwrap();
    run(&OsFs::read_only(dir.path()).unwrap());
}
