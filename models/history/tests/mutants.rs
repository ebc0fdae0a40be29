//! Histories of a correct store, spoilt: how many of them are caught.

use super::random::{Lived, SMALL, Shape, apply, live};
use super::verify::verify;
use super::*;
use highwater_sim::Rng;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mutant {
    /// A change is taken out of what was recovered, wherever it stood.
    Dropped,
    /// What was recovered ends too early.
    Shortened,
    /// A change is there, and one or more before it are not.
    Suffix,
    /// Two neighbours of the log have each other's LSN.
    Swapped,
    /// A reader was answered what another key or another time had.
    Misread,
    /// A batch lost one of its parts.
    Parted,
    /// A change was never called for.
    Invented,
    /// An answer came with a stronger promise than was kept.
    Promoted,
}

pub(super) const MUTANTS: [Mutant; 8] = [
    Mutant::Dropped,
    Mutant::Shortened,
    Mutant::Suffix,
    Mutant::Swapped,
    Mutant::Misread,
    Mutant::Parted,
    Mutant::Invented,
    Mutant::Promoted,
];

/// Spoils it in one of the ways that it can be.
pub(super) fn mutate(rng: &mut Rng, lived: &mut Lived) -> Option<Mutant> {
    let first = rng.below(MUTANTS.len() as u64) as usize;
    let all = (0..MUTANTS.len()).map(|at| MUTANTS[(first + at) % MUTANTS.len()]);
    all.into_iter().find(|mutant| mutant.spoil(rng, lived))
}

fn pick<T: Copy>(rng: &mut Rng, items: &[T]) -> Option<T> {
    (!items.is_empty()).then(|| items[rng.below(items.len() as u64) as usize])
}

impl Lived {
    /// What these changes of the log come to.
    fn state(&self, calls: &[usize]) -> Map {
        let mut state = self.history.base.clone();
        calls.iter().for_each(|nth| apply(&self.history.calls[*nth].what, &mut state));
        state
    }
}

impl Mutant {
    /// `false` if there is nothing to spoil in this way.
    fn spoil(self, rng: &mut Rng, lived: &mut Lived) -> bool {
        self.try_to(rng, lived).is_some()
    }

    fn try_to(self, rng: &mut Rng, lived: &mut Lived) -> Option<()> {
        let kept: Vec<usize> = lived.log[..lived.kept].to_vec();
        let calls = &mut lived.history.calls;
        match self {
            Mutant::Dropped => {
                let out = pick(rng, &kept)?;
                let rest: Vec<usize> = kept.into_iter().filter(|nth| *nth != out).collect();
                lived.recovered = lived.state(&rest);
            }
            Mutant::Shortened => {
                let left = rng.below(kept.len().max(1) as u64) as usize;
                lived.recovered = lived.state(kept.get(..left)?);
            }
            Mutant::Suffix => {
                let behind = lived.log.get(lived.kept + 1..)?.to_vec();
                let extra = pick(rng, &behind)?;
                lived.recovered = lived.state(&[&kept[..], &[extra]].concat());
            }
            Mutant::Swapped => {
                let pairs: Vec<(usize, usize)> =
                    lived.log.windows(2).map(|pair| (pair[0], pair[1])).collect();
                let (one, two) = pick(rng, &pairs)?;
                let lsns = (calls[one].lsn?, calls[two].lsn?);
                (calls[two].lsn, calls[one].lsn) = (Some(lsns.0), Some(lsns.1));
            }
            Mutant::Misread => {
                let reads: Vec<usize> = (0..calls.len())
                    .filter(|nth| matches!(calls[*nth].answer, Answer::Saw(_)))
                    .collect();
                let (nth, other) = (pick(rng, &reads)?, rng.below(calls.len() as u64));
                let value = format!("v{other}").into_bytes();
                calls[nth].answer = Answer::Saw((other != 0).then_some(value));
            }
            Mutant::Parted => {
                let parts = |nth: &usize| match &calls[*nth].what {
                    What::Change(effect) => effect.changes().count(),
                    _ => 0,
                };
                let batches: Vec<usize> =
                    kept.iter().copied().filter(|nth| parts(nth) > 1).collect();
                let batch = pick(rng, &batches)?;
                let before = &kept[..kept.iter().position(|nth| *nth == batch)?];
                let old = lived.state(before);
                let What::Change(effect) = &lived.history.calls[batch].what else { return None };
                let (key, new) = effect.changes().next()?;
                if lived.recovered.get(&key).map(Vec::as_slice) != new {
                    return None;
                }
                match old.get(&key) {
                    Some(value) => drop(lived.recovered.insert(key, value.clone())),
                    None => drop(lived.recovered.remove(&key)),
                }
            }
            Mutant::Invented => {
                let nth = pick(rng, &kept)?;
                calls[nth].answer = Answer::Refused;
            }
            Mutant::Promoted => {
                let lost: Vec<usize> = lived.log[lived.kept..].to_vec();
                let answered = |nth: &usize| matches!(calls[*nth].answer, Answer::Done(_));
                let lost: Vec<usize> = lost.into_iter().filter(answered).collect();
                calls[pick(rng, &lost)?].answer = DURABLE;
            }
        }
        Some(())
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    made: u32,
    /// By the search, and by the witness.
    caught: (u32, u32),
    unknown: (u32, u32),
    /// Caught by both, and under the same promise.
    alike: u32,
}

fn score(mutant: Mutant, shape: Shape, rounds: u32) -> Score {
    let (mut rng, mut score) = (Rng::new(8), Score::default());
    for round in 0..rounds {
        let mut lived = live(&mut rng, shape);
        if !mutant.spoil(&mut rng, &mut lived) {
            continue;
        }
        let Lived { history, crash, recovered, .. } = &lived;
        let found = search(history, Some(recovered), *crash, CAP);
        let told = witness(history, Some(recovered), *crash);
        let agree = match (&found, &told) {
            (Verdict::Unknown, _) | (_, Verdict::Unknown) => true,
            (Verdict::Explained(one), Verdict::Explained(two)) => {
                let verified = |order| verify(history, order, Some(recovered), *crash);
                verified(one).and(verified(two)).unwrap();
                true
            }
            (Verdict::Impossible(one), Verdict::Impossible(two)) => {
                score.alike += u32::from(one.rule == two.rule);
                true
            }
            _ => false,
        };
        assert!(agree, "{mutant:?} {round}: {found:?} but {told:?}\n{lived:#?}");
        let caught = |verdict: &Verdict| u32::from(matches!(verdict, Verdict::Impossible(_)));
        let unknown = |verdict: &Verdict| u32::from(*verdict == Verdict::Unknown);
        score.made += 1;
        score.caught = (score.caught.0 + caught(&found), score.caught.1 + caught(&told));
        score.unknown = (score.unknown.0 + unknown(&found), score.unknown.1 + unknown(&told));
    }
    score
}

/// Many mutants are histories of a correct store again: what was taken out was buffered, or had
/// been overwritten. The search says no to all that are not (brute force agrees); the witness to
/// these hundredths of them, and is never wrong: where calls under way have no LSN half the time,
/// and where each has one from when it reached the log.
#[test]
fn mutants_are_caught() {
    let told = Shape { calls: 10, fails: 0, unlogged: 0, again: 0, ..SMALL };
    let half = Shape { calls: 10, ..SMALL };
    for (mutant, impossible, of_half, of_told) in [
        (Mutant::Dropped, 170, 70, 74),
        (Mutant::Shortened, 700, 71, 85),
        (Mutant::Suffix, 13, 61, 78),
        (Mutant::Swapped, 410, 94, 95),
        (Mutant::Misread, 750, 99, 99),
        (Mutant::Parted, 150, 62, 78),
        (Mutant::Invented, 450, 87, 89),
        (Mutant::Promoted, 45, 62, 91),
    ] {
        for (shape, least) in [(half, of_half), (told, of_told)] {
            let score = score(mutant, shape, 1000);
            let enough = score.caught.0 >= impossible
                && 100 * score.caught.1 >= least * score.caught.0
                && 10 * score.alike >= 8 * score.caught.1;
            assert!(enough, "{mutant:?}: {score:?}");
            assert_eq!(score.unknown.0, 0, "{mutant:?}: {score:?}");
        }
    }
}

/// Long histories, in which nothing is under way but what is in the log: the witness alone.
#[test]
fn long_mutants_are_caught() {
    let shape =
        Shape { calls: 400, threads: 8, keys: 20, fails: 0, unlogged: 0, again: 0, ..SMALL };
    let (mut rng, mut caught, mut unknown) = (Rng::new(10), BTreeMap::new(), 0);
    for round in 0..400 {
        let mut lived = live(&mut rng, shape);
        lived.history.calls.iter_mut().for_each(|call| {
            if call.answer == Answer::Pending && call.lsn.is_none() {
                call.answer = Answer::Refused;
            }
        });
        let verdict = |lived: &Lived| witness(&lived.history, Some(&lived.recovered), lived.crash);
        let right = verdict(&lived);
        let Verdict::Explained(order) = &right else { panic!("round {round}: {right:?}") };
        verify(&lived.history, order, Some(&lived.recovered), lived.crash).unwrap();
        let mutant = MUTANTS[round % MUTANTS.len()];
        if mutant.spoil(&mut rng, &mut lived) {
            let (made, found): &mut (u32, u32) = caught.entry(mutant).or_default();
            *made += 1;
            match verdict(&lived) {
                Verdict::Impossible(_) => *found += 1,
                Verdict::Explained(order) => {
                    verify(&lived.history, &order, Some(&lived.recovered), lived.crash).unwrap();
                }
                Verdict::Unknown => unknown += 1,
            }
        }
    }
    assert_eq!(unknown, 0, "{caught:?}");
    for mutant in [Mutant::Shortened, Mutant::Suffix, Mutant::Misread, Mutant::Parted] {
        let (made, found) = caught[&mutant];
        assert!(20 * found >= 19 * made, "{caught:?}");
    }
}
