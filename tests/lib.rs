//! Properties of generated values: the same values in every run.
//!
//! quickcheck seeds itself anew each time it is started, so that a failure comes and goes with the
//! run; once, a node that no Raft would write was made in one run of twenty. More values by
//! `QUICKCHECK_TESTS=N`: the first hundred stay what they are.

pub use quickcheck::{Arbitrary, Gen, TestResult};
use quickcheck::{QuickCheck, Testable};

/// How large the generated values are: quickcheck's own default.
const SIZE: usize = 100;

/// Panics with the smallest arguments found for which `property` fails.
///
/// # Example
/// ```
/// highwater_tests::check((|a, b| a ^ b == b ^ a) as fn(u8, u8) -> bool);
/// ```
pub fn check<P: Testable>(property: P) {
    QuickCheck::new().rng(Gen::from_size_and_seed(SIZE, 1)).quickcheck(property);
}

/// A generator for what is inside of a value: a third of its size, so that values end.
#[must_use]
pub fn inner(g: &mut Gen) -> Gen {
    Gen::from_size_and_seed(g.size() / 3, u64::arbitrary(g))
}

/// Tests that hold for all arguments, written as functions of them.
#[macro_export]
macro_rules! properties {
    ($(
        $(#[$attribute:meta])*
        fn $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty $property:block
    )*) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                fn property($($argument: $kind),*) -> $answer $property
                $crate::check(property as fn($($kind),*) -> $answer);
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    thread_local!(static SEEN: RefCell<BTreeSet<Vec<u64>>> = RefCell::default());

    fn see(value: Vec<u64>) {
        SEEN.with_borrow_mut(|seen| seen.insert(value));
    }

    #[test]
    fn the_values_are_many_and_the_same_in_every_run() {
        let run = || {
            super::check(see as fn(Vec<u64>));
            SEEN.take()
        };
        let (one, two) = (run(), run());
        assert!(one.len() > 80, "{}", one.len());
        assert_eq!(one, two);
    }
}
