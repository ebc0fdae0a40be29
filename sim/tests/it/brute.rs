//! One cut: the simulator's late decision against brute force, in outcomes and in counts.

use crate::history::{Coins, Op, Process, REUSING, Taste, WIDE};
use crate::order::rules_of;
use crate::reader::{glance, leaves, slurp};
use crate::reference::{Base, Bytes, Cell, Disk, Fate, Reference};
use crate::states::{Image, Multiset, garbage, image_of, images};
use highwater_sim::{Model, Rng, SimFs};
use std::collections::BTreeMap;

pub(crate) const LIMIT: usize = 4000;

/// A history that was run on both.
pub(crate) struct Case {
    pub(crate) ops: Vec<Op>,
    pub(crate) reference: Reference,
    pub(crate) states: Vec<Disk>,
    pub(crate) images: Multiset<Image>,
    pub(crate) fs: SimFs,
}

/// The same calls on both; they must answer alike.
pub(crate) fn run(process: &mut Process, reference: &mut Reference, ops: &[Op]) {
    for op in ops {
        let expected = reference.call(op, &mut Coins::default());
        let got = process.call(op);
        assert_eq!(got.is_ok(), expected.is_some(), "{op:?} gave {got:?} in {ops:#?}");
    }
}

impl Case {
    /// `None` if the history leaves too many states.
    pub(crate) fn new(model: Model, ops: Vec<Op>, garbage: &Bytes) -> Option<Case> {
        let mut reference = Reference::new(model);
        let mut process = Process::on(SimFs::new(model));
        run(&mut process, &mut reference, &ops);
        let states = reference.crash_states(garbage, LIMIT)?;
        let images = images(&states, &reference.is_dir);
        Some(Case { ops, reference, states, images, fs: process.fs })
    }

    pub(crate) fn random(
        taste: &Taste,
        model: Model,
        seed: u64,
        garbage: &Bytes,
        calls: (u64, u64),
    ) -> Option<Case> {
        let mut rng = Rng::new(seed);
        let calls = calls.0 + rng.below(calls.1 - calls.0 + 1);
        let ops = taste.history(&mut rng, &Reference::new(model), calls as usize);
        Case::new(model, ops, garbage)
    }
}

impl Case {
    /// Whether some disk is only there because a sector may show what its former owner had.
    fn shows_stale(&self, garbage: &Bytes) -> bool {
        let mut without = self.reference.clone();
        for base in without.base.values_mut() {
            if let Base::Fill(stale) = base {
                *stale = None;
            }
        }
        let states = without.crash_states(garbage, LIMIT).expect("fewer than with stale bytes");
        let images = images(&states, &without.is_dir);
        self.images.keys().any(|image| !images.contains_key(image))
    }
}

/// What the histories reached: a test that reaches nothing proves nothing.
#[derive(Debug, Default)]
pub(crate) struct Reached {
    pub(crate) histories: u64,
    pub(crate) too_large: u64,
    pub(crate) states: u64,
    pub(crate) images: u64,
    pub(crate) hundred_states: u64,
    stale: u64,
    garbage: u64,
    undecided_rename: u64,
    torn_write: u64,
    pinned_hole: u64,
    directory: u64,
    /// How many pairs of events each rule of the order has put in order alone.
    forced: BTreeMap<&'static str, u64>,
}

impl Reached {
    pub(crate) fn count(&mut self, case: &Case, garbage: &Bytes) {
        let pending = || case.reference.events.iter().filter(|e| e.fate == Fate::Pending);
        let shows = |bytes: &Bytes| {
            let holds = |d: &Option<Vec<u8>>| {
                d.iter().flat_map(|d| d.chunks(512)).any(|c| c.len() > 40 && bytes.starts_with(c))
            };
            case.images.keys().any(|image| image.values().any(holds))
        };
        let stale = case.shows_stale(garbage);
        self.histories += 1;
        self.states += case.states.len() as u64;
        self.images += case.images.len() as u64;
        self.hundred_states += u64::from(case.states.len() >= 100);
        self.stale += u64::from(stale);
        self.garbage += u64::from(shows(garbage));
        self.undecided_rename += u64::from(pending().any(|e| e.sets.len() == 2));
        self.torn_write += u64::from(pending().any(|e| {
            let next = |c: &Cell| match c {
                Cell::Sector(ino, s) => Some(Cell::Sector(*ino, s + 1)),
                _ => None,
            };
            pending().any(|f| Some(&f.sets[0].0) == next(&e.sets[0].0).as_ref())
        }));
        self.pinned_hole += u64::from(case.reference.pinned > 0);
        for (rule, pairs) in &case.reference.forced {
            *self.forced.entry(rule).or_default() += pairs;
        }
        self.directory += u64::from(case.images.keys().any(|i| i.contains_key("d/a")));
    }
}

/// What a reader of everything finds on the simulator after a cut.
pub(crate) fn by_late_decision(case: &Case) -> Multiset<Image> {
    leaves(|choices| {
        let cut = case.fs.power_cut(choices);
        (slurp(&cut), cut)
    })
}

fn full_reader(case: &Case) {
    let total = case.fs.states_if_power_fails_now();
    assert_eq!(total, Some(case.states.len() as u128), "{:#?}", case.ops);
    let found = by_late_decision(case);
    assert!(found == case.images, "{}", difference(&case.images, &found, &case.ops));
    let cache = image_of(&case.reference.cache, &case.reference.is_dir);
    assert_eq!(slurp(&case.fs), cache, "the cache after {:#?}", case.ops);
}

fn lazy_reader(case: &Case, seed: u64) {
    let found = leaves(|choices| {
        let cut = case.fs.power_cut(choices);
        (glance(&cut, seed), cut)
    });
    let mut expected = Multiset::new();
    for (image, states) in &case.images {
        *expected.entry(glance(image, seed)).or_default() += states;
    }
    assert!(found == expected, "{}", difference(&expected, &found, &case.ops));
}

/// The shortest rest of `ops` that still `differs`, one call left out at a time.
pub(crate) fn smallest(ops: &[Op], mut differs: impl FnMut(&[Op]) -> bool) -> Vec<Op> {
    let mut ops = ops.to_vec();
    let mut at = 0;
    while at < ops.len() {
        let mut fewer = ops.clone();
        fewer.remove(at);
        if differs(&fewer) {
            ops = fewer;
            at = 0;
        } else {
            at += 1;
        }
    }
    ops
}

/// Where two multisets differ, for a person to read.
pub(crate) fn difference<T: Ord + std::fmt::Debug>(
    expected: &Multiset<T>,
    found: &Multiset<T>,
    ops: &[Op],
) -> String {
    let mut text = format!("after {ops:?}\n(brute force, simulator):");
    let all = expected.keys().chain(found.keys().filter(|k| !expected.contains_key(k)));
    for key in all.filter(|k| expected.get(k) != found.get(k)).take(6) {
        let (brute, sim) = (expected.get(key), found.get(key));
        text += &format!("\n{:?} {:?}: {}", brute, sim, abridged(&format!("{key:?}")));
    }
    text
}

/// Runs of one byte as a count of them, and not too much of it.
fn abridged(text: &str) -> String {
    let mut out = String::new();
    let mut run = ("", 0);
    for word in text.split(", ").chain(["\u{0}"]) {
        if word == run.0 {
            run.1 += 1;
            continue;
        }
        match run.1 {
            0 => {}
            1 => out += &format!("{} ", run.0),
            n => out += &format!("{n}*{} ", run.0),
        }
        run = (word, 1);
    }
    out.chars().take(400).collect()
}

fn one_cut(model: Model, histories: u64) {
    let garbage = garbage();
    let mut reached = Reached::default();
    for seed in 0.. {
        if reached.histories == histories {
            break;
        }
        let (taste, calls) = if seed % 3 == 2 { (&REUSING, (6, 9)) } else { (&WIDE, (2, 9)) };
        let Some(case) = Case::random(taste, model, seed, &garbage, calls) else {
            reached.too_large += 1;
            continue;
        };
        full_reader(&case);
        for reader in 0..3 {
            lazy_reader(&case, seed * 8 + reader);
        }
        reached.count(&case, &garbage);
    }
    println!("{model}: {reached:?}");
    assert!(reached.directory >= 50, "{reached:?}");
    assert!(reached.undecided_rename >= 100 && reached.torn_write >= 500, "{reached:?}");
    let prefixes = matches!(model, Model::Ext4Journal | Model::Strict);
    assert!(prefixes || reached.hundred_states >= 20, "{reached:?}");
    let disk = Reference::new(model);
    assert!(!disk.shows_stale() || reached.stale >= 50, "{reached:?}");
    assert!(!disk.shows_garbage() || reached.garbage >= 500, "{reached:?}");
    assert!(!disk.shows_garbage() || reached.pinned_hole >= 50, "{reached:?}");
    for rule in rules_of(model) {
        assert!(reached.forced.get(rule) >= Some(&100), "{rule}: {reached:?}");
    }
}

under_every_model!(|model| one_cut(model, 3000));
