//! Which model leaves no disk that another does not leave: a stronger one's disks are among a
//! weaker one's, properly so, and wherever that is not said, some history shows that it is not so.

use crate::brute::{Case, by_late_decision};
use crate::history::{NARROW, Op, Target, WIDE};
use crate::lives::{Lives, Reached};
use crate::states::garbage;
use highwater_sim::Model::{self, *};
use std::collections::BTreeSet;

/// Each model and the other models that leave all that it leaves. (That `xfs` is in `ext4-ordered`
/// and `ext4-journal` in `xfs` and `btrfs` follows from the rows, too.)
const WITHIN: [(Model, &[Model]); 7] = [
    (Posix, &[]),
    (Ext4Writeback, &[Posix]),
    (Ext4Ordered, &[Posix, Ext4Writeback]),
    (Ext4Journal, &[Posix, Ext4Writeback, Ext4Ordered, Xfs, Btrfs]),
    (Xfs, &[Posix, Ext4Writeback, Ext4Ordered]),
    (Btrfs, &[Posix]),
    (Strict, &[Posix, Ext4Writeback, Ext4Ordered, Ext4Journal, Xfs, Btrfs]),
];

/// For each pair, how many histories left the first a disk that the second does not leave.
#[derive(Debug, Default)]
struct Lattice {
    compared: u64,
    own: [[u64; 7]; 7],
}

impl Lattice {
    /// `seen`: what each model shows, in the order of `WITHIN`, and in how many states.
    fn add<T: Ord>(&mut self, seen: &[(BTreeSet<T>, u128)], history: &dyn std::fmt::Debug) {
        self.compared += 1;
        for (i, (model, within)) in WITHIN.iter().enumerate() {
            for (j, (other, _)) in WITHIN.iter().enumerate() {
                let ((mine, count), (others, others_count)) = (&seen[i], &seen[j]);
                let included = mine.is_subset(others);
                self.own[i][j] += u64::from(!included);
                if within.contains(other) {
                    assert!(included, "{model} is not in {other} after {history:#?}");
                    assert!(count <= others_count, "{model} has more states: {history:#?}");
                }
            }
        }
    }

    /// No inclusion is an equality, in `at_least` histories.
    fn every_inclusion_is_proper(&self, at_least: u64) {
        println!("{self:?}");
        for (i, (model, within)) in WITHIN.iter().enumerate() {
            for (j, (other, _)) in WITHIN.iter().enumerate() {
                let own = self.own[j][i];
                let proper = !within.contains(other) || own >= at_least;
                assert!(proper, "{other} goes beyond {model} in only {own} of {self:?}");
            }
        }
    }

    fn what_is_not_an_inclusion_has_a_witness(&self) {
        for (i, (model, within)) in WITHIN.iter().enumerate() {
            for (j, (other, _)) in WITHIN.iter().enumerate() {
                let said = i == j || within.contains(other);
                assert!(said || self.own[i][j] > 0, "{model} in {other}: {self:?}");
            }
        }
    }
}

/// A short history after which the first model leaves a disk that the second does not leave.
fn witness(weaker: Model, stronger: Model) -> Vec<Op> {
    let whole = |path| Op::Write { at: Target::Path(path), offset: 0, len: 512, tag: 1 };
    let append = Op::Write { at: Target::Path("a"), offset: 100, len: 100, tag: 2 };
    let half = Op::Write { at: Target::Path("a"), offset: 0, len: 100, tag: 1 };
    let sync = |path| Op::Sync(Target::Path(path));
    match (weaker, stronger) {
        // The second name without the first.
        (Posix, Ext4Writeback | Xfs) | (Btrfs, Xfs) => vec![Op::Create("a"), Op::Create("b")],
        // Garbage in a new file.
        (Posix, Btrfs) => vec![Op::Create("a"), whole("a")],
        // Zeros in one.
        (Ext4Writeback, Ext4Ordered) => vec![Op::Create("a"), whole("a")],
        // Zeros behind the old end, in the sector that it lies in.
        (Ext4Ordered, Ext4Journal | Xfs) => {
            vec![Op::Create("a"), half, sync("a"), Op::SyncDir(""), append]
        }
        // The new name without what was overwritten before.
        (Xfs, Ext4Journal | Btrfs) => {
            let rename = Op::Rename("a", "b");
            let new = [Op::Create("a"), Op::Create("b"), whole("a"), sync("a"), Op::SyncDir("")];
            [&new[..], &[Op::Write { at: Target::Path("a"), offset: 0, len: 512, tag: 9 }, rename]]
                .concat()
        }
        // No name, though the file was synced.
        (Ext4Journal, Strict) => vec![Op::Create("a"), sync("a")],
        _ => panic!("no witness for {weaker} and {stronger}"),
    }
}

#[test]
fn short_witnesses() {
    let garbage = garbage();
    let pairs = [
        (Posix, Ext4Writeback),
        (Ext4Writeback, Ext4Ordered),
        (Ext4Ordered, Ext4Journal),
        (Ext4Journal, Strict),
        (Posix, Xfs),
        (Posix, Btrfs),
        (Ext4Ordered, Xfs),
        (Xfs, Ext4Journal),
        (Xfs, Btrfs),
        (Btrfs, Xfs),
    ];
    for (weaker, stronger) in pairs {
        let ops = witness(weaker, stronger);
        let of = |model| by_late_decision(&Case::new(model, ops.clone(), &garbage).unwrap());
        let (weak, strong) = (of(weaker), of(stronger));
        let own = weak.keys().filter(|image| !strong.contains_key(*image)).count();
        assert!(own > 0, "{weaker} and {stronger} leave the same after {ops:?}");
    }
}

#[test]
fn one_cut() {
    let garbage = garbage();
    let mut lattice = Lattice::default();
    for seed in 0..3000 {
        let case = |model| Case::random(&WIDE, model, seed, &garbage, (2, 8));
        let cases: Option<Vec<Case>> = WITHIN.iter().map(|(model, _)| case(*model)).collect();
        let Some(cases) = cases else { continue };
        let seen = cases.iter().map(|case| {
            let images = by_late_decision(case);
            let states = images.values().sum();
            (images.into_keys().collect(), states)
        });
        let seen: Vec<_> = seen.collect();
        lattice.add(&seen, &cases[0].ops);
    }
    assert!(lattice.compared >= 2000, "{lattice:?}");
    lattice.every_inclusion_is_proper(100);
    lattice.what_is_not_an_inclusion_has_a_witness();
}

#[test]
fn two_lives() {
    let garbage = garbage();
    let mut lattice = Lattice::default();
    for seed in 0..700 {
        let lives = |model| Lives::random(&NARROW, model, seed);
        if lives(Posix).by_brute_force(&garbage, &mut Reached::default()).is_none() {
            continue; // too many states
        }
        let seen = WITHIN.iter().map(|(model, _)| {
            let stories = lives(*model).by_late_decision();
            let states = stories.values().sum();
            (stories.into_keys().collect(), states)
        });
        let seen: Vec<_> = seen.collect();
        lattice.add(&seen, &lives(Posix));
    }
    assert!(lattice.compared >= 500, "{lattice:?}");
    lattice.every_inclusion_is_proper(10);
}
