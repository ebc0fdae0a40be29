//! Failed syncs: what each may leave in the cache and on the disk, by brute force over the fates
//! of the events that it would have covered.

use crate::brute::{difference, smallest};
use crate::history::{Coins, FAILING, NARROW, Op, Process};
use crate::reader::{leaves, slurp};
use crate::reference::{Bytes, Reference};
use crate::states::{Image, Multiset, garbage, image_of};
use highwater_sim::{Model, Rng, SimFs};

/// More crash states than this, over all fates, are too many.
const LIMIT: usize = 600;

/// Which calls were `Ok`, what the cache shows in the end, and what a power cut then leaves.
type Story = (Vec<bool>, Image, Image);

/// Half of the histories go on in another process: what a failed sync did outlives its own.
fn random(model: Model, rng: &mut Rng) -> Vec<Op> {
    let calls = 3 + rng.below(5) as usize;
    let mut disk = Reference::new(model);
    let mut ops = FAILING.history(rng, &disk, calls);
    if rng.below(2) == 0 {
        ops.push(Op::Kill);
        for op in &ops {
            disk.call(op, &mut Coins::default());
        }
        let calls = 1 + rng.below(3) as usize;
        ops.extend(NARROW.history(rng, &disk, calls));
    }
    ops
}

/// What came of failed syncs.
#[derive(Debug, Default)]
struct Fates {
    /// How many events were decided at most.
    most: usize,
    /// What the cache shows can be on no disk any more.
    cache_is_ahead: bool,
}

fn by_brute_force(model: Model, ops: &[Op], garbage: &Bytes) -> Option<(Multiset<Story>, Fates)> {
    let mut all = Multiset::new();
    let mut coins = Coins::default();
    let (mut total, mut fates) = (0, Fates::default());
    loop {
        let mut disk = Reference::new(model);
        let answers = ops.iter().map(|op| disk.call(op, &mut coins).is_some()).collect::<Vec<_>>();
        let cache = image_of(&disk.cache, &disk.is_dir);
        let states = disk.crash_states(garbage, LIMIT)?;
        total += states.len();
        let mut images = states.iter().map(|state| image_of(state, &disk.is_dir));
        fates.cache_is_ahead |= images.all(|image| image != cache);
        fates.most = coins.tossed().max(fates.most);
        for state in states {
            let story = (answers.clone(), cache.clone(), image_of(&state, &disk.is_dir));
            *all.entry(story).or_default() += 1;
        }
        if total > LIMIT {
            return None;
        }
        if !coins.advance() {
            return Some((all, fates));
        }
    }
}

fn by_late_decision(model: Model, ops: &[Op]) -> Multiset<Story> {
    leaves(|choices| {
        let mut process = Process::on(SimFs::new(model).power_cut(choices));
        let answers = ops.iter().map(|op| process.call(op).is_ok()).collect();
        let cache = slurp(&process.fs);
        let cut = process.fs.power_cut(process.choices());
        ((answers, cache, slurp(&cut)), cut)
    })
}

#[derive(Debug, Default)]
struct Reached {
    cases: u64,
    too_large: u64,
    states: u64,
    two_fates: u64,
    cache_is_ahead: u64,
}

fn failed_syncs(model: Model, cases: u64) {
    let garbage = garbage();
    let mut reached = Reached::default();
    for seed in 0.. {
        if reached.cases == cases {
            break;
        }
        let mut rng = Rng::new(seed);
        let ops = random(model, &mut rng);
        let Some((expected, fates)) = by_brute_force(model, &ops, &garbage) else {
            reached.too_large += 1;
            continue;
        };
        if expected != by_late_decision(model, &ops) {
            panic!("{model} seed {seed}: {}", explain(model, &ops, &garbage));
        }
        reached.cases += u64::from(fates.most > 0);
        reached.two_fates += u64::from(fates.most >= 2);
        reached.states += expected.values().sum::<u128>() as u64;
        reached.cache_is_ahead += u64::from(fates.cache_is_ahead);
    }
    println!("{model}: {reached:?}");
    assert!(reached.two_fates >= cases / 4 && reached.cache_is_ahead >= cases / 10, "{reached:?}");
}

fn explain(model: Model, ops: &[Op], garbage: &Bytes) -> String {
    let differs = |ops: &[Op]| {
        by_brute_force(model, ops, garbage).is_some_and(|all| all.0 != by_late_decision(model, ops))
    };
    let small = smallest(ops, differs);
    let expected = by_brute_force(model, &small, garbage).expect("it was small before").0;
    difference(&expected, &by_late_decision(model, &small), &small)
}

under_every_model!(|model| failed_syncs(model, 2000));
