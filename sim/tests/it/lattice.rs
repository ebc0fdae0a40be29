//! A stronger model leaves no disk that a weaker one does not leave.

use crate::brute::Case;
use crate::history::WIDE;
use crate::states::garbage;
use highwater_sim::Model;

#[test]
fn strict_is_in_ext4_ordered_is_in_posix() {
    let garbage = garbage();
    let (mut compared, mut smaller) = (0, [0; 2]);
    for seed in 0..3000 {
        let sim = |model| {
            let case = Case::random(&WIDE, model, seed, &garbage, (2, 8))?;
            Some((crate::brute::by_late_decision(&case), case.ops))
        };
        let (Some((posix, _)), Some((ordered, ops)), Some((strict, _))) =
            (sim(Model::Posix), sim(Model::Ext4Ordered), sim(Model::Strict))
        else {
            continue;
        };
        assert!(strict.keys().all(|image| ordered.contains_key(image)), "{ops:#?}");
        assert!(ordered.keys().all(|image| posix.contains_key(image)), "{ops:#?}");
        compared += 1;
        smaller[0] += u64::from(strict.len() < ordered.len());
        smaller[1] += u64::from(ordered.len() < posix.len());
    }
    println!("{compared} histories; smaller than the next weaker model: {smaller:?}");
    assert!(compared >= 2000 && smaller.iter().all(|n| *n >= 500), "{compared} {smaller:?}");
}
