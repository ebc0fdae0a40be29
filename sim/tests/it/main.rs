//! The simulated disk from outside: brute force over a naive reference must give the same crash
//! states, with the same counts.

/// One test a model.
macro_rules! under_every_model {
    ($check:expr) => {
        under_every_model! { $check;
            posix Posix, ext4_writeback Ext4Writeback, ext4_ordered Ext4Ordered,
            ext4_journal Ext4Journal, xfs Xfs, btrfs Btrfs, strict Strict
        }
    };
    ($check:expr; $($name:ident $model:ident),+) => {
        $(#[test]
        fn $name() {
            let check: fn(highwater_sim::Model) = $check;
            check(highwater_sim::Model::$model);
        })+

        #[test]
        fn and_there_is_no_other_model() {
            assert_eq!([$(highwater_sim::Model::$model),+], highwater_sim::Model::ALL);
        }
    };
}

mod agrees;
mod begins;
mod brute;
mod count;
mod failing;
mod history;
mod lattice;
mod lives;
mod mutants;
mod order;
mod reader;
mod real;
mod reference;
mod same;
mod states;
mod verdicts;
