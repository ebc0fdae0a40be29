//! The search against brute force: every subset of the calls, in every order, cut everywhere.

use super::mutants::mutate;
use super::random::{SMALL, Shape, live};
use super::verify::verify;
use super::*;
use highwater_sim::Rng;
use std::collections::BTreeSet;

fn is_explained(history: &History, recovered: &Map, crash: Crash, order: &mut Order) -> bool {
    let least = if crash == Crash::None { order.calls.len() } else { 0 };
    for kept in least..=order.calls.len() {
        order.kept = kept;
        if verify(history, order, Some(recovered), crash).is_ok() {
            return true;
        }
    }
    (0..history.calls.len()).any(|nth| {
        if order.calls.contains(&nth) {
            return false;
        }
        order.calls.push(nth);
        let found = is_explained(history, recovered, crash, order);
        order.calls.pop();
        found
    })
}

#[test]
fn the_search_agrees_with_brute_force() {
    let (mut rng, mut counts) = (Rng::new(7), BTreeMap::new());
    for round in 0..4000 {
        let (fails, logged, again) = (15, rng.below(3) == 0, 10 + 40 * rng.below(2));
        let swaps = 20 * rng.below(2);
        let mut lived = live(&mut rng, Shape { calls: 5, fails, logged, again, swaps, ..SMALL });
        if rng.below(8) == 0 {
            lived.crash = Crash::None;
        }
        for _ in 0..rng.below(3) {
            mutate(&mut rng, &mut lived);
        }
        let (history, crash) = (&lived.history, lived.crash);
        let truth = is_explained(history, &lived.recovered, crash, &mut Order::default());
        let found = match search(history, Some(&lived.recovered), crash, CAP) {
            Verdict::Explained(_) => true,
            Verdict::Impossible(_) => false,
            Verdict::Unknown => panic!("too much: {lived:#?}"),
        };
        assert_eq!(found, truth, "round {round}: {lived:#?}");
        if crash != Crash::None {
            let states: BTreeSet<Recovered> = allowed(history, crash, CAP).unwrap();
            let shown = states.contains(&Recovered::of(&lived.recovered));
            assert_eq!(shown, truth, "round {round}: {lived:#?}");
        }
        match witness(history, Some(&lived.recovered), crash) {
            Verdict::Explained(_) => assert!(truth, "witness, round {round}: {lived:#?}"),
            Verdict::Impossible(why) => {
                assert!(!truth, "witness, round {round}: {why:?} {lived:#?}");
            }
            Verdict::Unknown => {}
        }
        *counts.entry(truth).or_insert(0) += 1;
    }
    assert!(counts.values().all(|count| *count > 800), "{counts:?}");
}
