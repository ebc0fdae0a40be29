//! Crash after crash: each crash state of the first life is made whole, the second history runs on
//! it, and all crash states of that are counted. And the death of a process loses nothing.

use crate::brute::{difference, run, smallest};
use crate::history::{Coins, FAILING, NARROW, Op, Process, Target, Taste};
use crate::reader::{Seen, glance, leaves, slurp};
use crate::reference::{Base, Bytes, Disk, Reference};
use crate::states::{Image, Multiset, garbage, image_of, images};
use highwater_sim::{Model, Rng, SimFs};

/// Two histories with a power cut after each, and what is looked at in the second life.
#[derive(Debug)]
pub(crate) struct Lives {
    pub(crate) model: Model,
    first: Vec<Op>,
    second: Vec<Op>,
    /// How many of the calls of the second life are followed by a look.
    looks: usize,
    seed: u64,
}

/// What a second life saw, which of its calls were `Ok`, and what was left of it.
pub(crate) type Story = (Vec<Vec<Seen>>, Vec<bool>, Image);

impl Lives {
    pub(crate) fn random(taste: &Taste, model: Model, seed: u64) -> Lives {
        let mut rng = Rng::new(seed);
        let calls = 2 + rng.below(4) as usize;
        let first = NARROW.history(&mut rng, &Reference::new(model), calls);
        let mut newest = Reference::new(model);
        for op in &first {
            newest.call(op, &mut Coins::default());
        }
        newest.call(&Op::Kill, &mut Coins::default());
        let calls = 1 + rng.below(3) as usize;
        let mut second = Vec::new();
        if seed.is_multiple_of(4) && newest.call(&Op::Remove("a"), &mut Coins::default()).is_some()
        {
            // One of the first life's files makes room for one of the second.
            let at = Target::Path("c");
            let write = Op::Write { at, offset: 0, len: 600, tag: 77 };
            second = vec![Op::Remove("a"), Op::Create("c"), write];
            for op in &second[1..] {
                newest.call(op, &mut Coins::default());
            }
        }
        second.extend(taste.history(&mut rng, &newest, calls));
        Lives { model, first, second, looks: rng.below(3) as usize, seed }
    }

    /// `None` if there are too many states.
    pub(crate) fn by_brute_force(
        &self,
        garbage: &Bytes,
        reached: &mut Reached,
    ) -> Option<Multiset<Story>> {
        let mut disk = Reference::new(self.model);
        for op in &self.first {
            disk.call(op, &mut Coins::default());
        }
        let mut all = Multiset::new();
        let mut total = 0;
        let firsts = disk.crash_states(garbage, 200)?;
        let mut stale = false;
        for first in &firsts {
            let mut coins = Coins::default();
            loop {
                let mut life = disk.reborn(first.clone());
                let (seen, answers) = self.second_life(&mut life, &mut coins);
                for last in life.crash_states(garbage, 400)? {
                    let story = (seen.clone(), answers.clone(), image_of(&last, &life.is_dir));
                    *all.entry(story).or_default() += 1;
                    total += 1;
                }
                stale |= shows_stale(&life, first);
                if total > 4000 {
                    return None;
                }
                if !coins.advance() {
                    break;
                }
            }
        }
        reached.stories += total;
        reached.undecided_first += u64::from(firsts.len() > 1);
        reached.stale_of_a_former_life += u64::from(stale);
        Some(all)
    }

    fn second_life(&self, life: &mut Reference, coins: &mut Coins) -> (Vec<Vec<Seen>>, Vec<bool>) {
        let (mut seen, mut answers) = (Vec::new(), Vec::new());
        for (i, op) in self.second.iter().enumerate() {
            answers.push(life.call(op, coins).is_some());
            if i < self.looks {
                let image = image_of(&life.cache, &life.is_dir);
                seen.push(glance(&image, self.seed + i as u64));
            }
        }
        (seen, answers)
    }

    pub(crate) fn by_late_decision(&self) -> Multiset<Story> {
        let mut process = Process::on(SimFs::new(self.model));
        for op in &self.first {
            let _ = process.call(op);
        }
        leaves(|choices| {
            let mut life = Process::on(process.fs.power_cut(choices));
            let (mut seen, mut answers) = (Vec::new(), Vec::new());
            for (i, op) in self.second.iter().enumerate() {
                answers.push(life.call(op).is_ok());
                if i < self.looks {
                    seen.push(glance(&life.fs, self.seed + i as u64));
                }
            }
            let cut = life.fs.power_cut(life.fs.choices());
            ((seen, answers, slurp(&cut)), cut)
        })
    }

    /// Both of these are the same, or there are too many states to tell.
    fn agree(&self, garbage: &Bytes, reached: &mut Reached) -> Option<bool> {
        let expected = self.by_brute_force(garbage, reached)?;
        Some(expected == self.by_late_decision())
    }

    fn with(&self, first: &[Op], second: &[Op]) -> Lives {
        let (first, second) = (first.to_vec(), second.to_vec());
        Lives { first, second, ..*self }
    }

    fn explain(&self, garbage: &Bytes) -> String {
        let none = &mut Reached::default();
        let differs = |lives: &Lives, none: &mut Reached| lives.agree(garbage, none) == Some(false);
        let second = smallest(&self.second, |ops| differs(&self.with(&self.first, ops), none));
        let first = smallest(&self.first, |ops| differs(&self.with(ops, &second), none));
        let small = self.with(&first, &second);
        let expected = small.by_brute_force(garbage, none).expect("it was small enough before");
        let text = difference(&expected, &small.by_late_decision(), &small.second);
        format!("{} first {first:?}\n{text}", self.model)
    }
}

/// Whether a sector that is new in this life may show what a file of the former one had.
fn shows_stale(life: &Reference, first: &Disk) -> bool {
    let mut new = life.base.iter().filter(|(cell, _)| !first.contains_key(cell));
    let stale = |base: &Base| matches!(base, Base::Fill(Some(b)) if b.iter().any(|b| *b != 0));
    life.shows_stale() && new.any(|(_, base)| stale(base))
}

#[derive(Debug, Default)]
pub(crate) struct Reached {
    cases: u64,
    too_large: u64,
    stories: u64,
    undecided_first: u64,
    stale_of_a_former_life: u64,
}

fn two_lives(model: Model, taste: &Taste, cases: u64) {
    let garbage = garbage();
    let mut reached = Reached::default();
    for seed in 0.. {
        if reached.cases == cases {
            break;
        }
        let lives = Lives::random(taste, model, seed);
        match lives.agree(&garbage, &mut reached) {
            None => reached.too_large += 1,
            Some(true) => reached.cases += 1,
            Some(false) => panic!("seed {seed}: {}", lives.explain(&garbage)),
        }
    }
    println!("{model}: {reached:?}");
    assert!(reached.undecided_first >= cases / 4, "{reached:?}");
    let stale = reached.stale_of_a_former_life;
    assert!(!Reference::new(model).shows_stale() || stale >= cases / 50, "{reached:?}");
}

mod two_lives {
    use super::*;
    under_every_model!(|model| two_lives(model, &NARROW, 2000));
}

mod two_lives_with_failed_syncs_in_the_second {
    use super::*;
    under_every_model!(|model| two_lives(model, &FAILING, 1000));
}

#[test]
fn a_kill_loses_nothing_and_decides_nothing() {
    let garbage = garbage();
    let mut states = 0;
    for seed in 0..2000 {
        for model in Model::ALL {
            let mut rng = Rng::new(seed);
            let mut disk = Reference::new(model);
            let mut process = Process::on(SimFs::new(model));
            for _ in 0..2 {
                let calls = 1 + rng.below(4) as usize;
                let ops = NARROW.history(&mut rng, &disk, calls);
                run(&mut process, &mut disk, &ops);
                let count = process.fs.states_if_power_fails_now();
                run(&mut process, &mut disk, &[Op::Kill]);
                assert_eq!(process.fs.states_if_power_fails_now(), count, "{model} {seed}");
            }
            let Some(all) = disk.crash_states(&garbage, 600) else { continue };
            let expected = images(&all, &disk.is_dir);
            let found = leaves(|choices| {
                let cut = process.fs.power_cut(choices);
                (slurp(&cut), cut)
            });
            states += all.len();
            assert!(found == expected, "{model} {seed}: {}", difference(&expected, &found, &[]));
        }
    }
    println!("{states} states after a kill");
}
