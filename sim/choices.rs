//! One source of choices: every nondeterministic decision of a run is one [`Choices::choose`].
//!
//! Enumerating, following a schedule, sampling and replaying are four ways to drive the same code.
//! A choice among one is no choice and is not recorded.
//!
//! Invariants
//! - C1: on one trail the bounds of a repeated prefix are the same; otherwise the code under test
//!   is not deterministic, which is noted as a divergence and never ignored.
//! - C2: enumeration visits every leaf of the tree of choices exactly once, in lexicographic order.

use crate::Rng;

/// One decision: which of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Choice {
    /// The alternative taken, from 0. For a disk, 0 is the newest value: nothing lost.
    pub taken: u32,
    /// How many there were; at least 2.
    pub of: u32,
}

/// What answers once the given prefix is used up.
#[derive(Clone, Debug)]
enum Beyond {
    /// Alternative 0 (enumeration goes on from there).
    First,
    /// A fixed pattern of the schedule for trees too large to enumerate.
    Pattern(Pattern),
    /// A random alternative.
    Sample(Box<Rng>),
}

/// A trail of a fixed shape, by the number of the choice (from 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Everything keeps its newest value.
    KeepAll,
    /// Everything goes back as far as it can.
    DropAll,
    /// One goes back, the others stay.
    Drop(u32),
    /// One stays, the others go back.
    Keep(u32),
    /// ALICE's pair: all up to the second stay, but the first; the rest goes back.
    Pair(u32, u32),
}

impl Pattern {
    fn choose(self, at: u32, of: u32) -> u32 {
        let kept = match self {
            Pattern::KeepAll => true,
            Pattern::DropAll => false,
            Pattern::Drop(i) => at != i,
            Pattern::Keep(i) => at == i,
            Pattern::Pair(i, j) => at <= j && at != i,
        };
        if kept { 0 } else { of - 1 }
    }
}

/// The choices of one run.
///
/// ```
/// use highwater_sim::Choices;
/// let mut choices = Choices::enumerate();
/// let mut seen = Vec::new();
/// loop {
///     let a = choices.choose(2);
///     let b = if a == 0 { choices.choose(3) } else { 9 };
///     seen.push((a, b));
///     if !choices.advance() {
///         break;
///     }
/// }
/// assert_eq!(seen, [(0, 0), (0, 1), (0, 2), (1, 9)]);
/// ```
#[derive(Clone, Debug)]
pub struct Choices {
    trail: Vec<Choice>,
    at: usize,
    beyond: Beyond,
    /// How many choices of the trail this run has to repeat.
    prescribed: usize,
    diverged: bool,
}

impl Choices {
    fn with(beyond: Beyond) -> Choices {
        Choices { trail: Vec::new(), at: 0, beyond, prescribed: 0, diverged: false }
    }

    /// Starts at the first trail; [`advance`](Choices::advance) goes to the next.
    pub fn enumerate() -> Choices {
        Choices::with(Beyond::First)
    }

    /// One trail of a fixed pattern.
    pub fn pattern(pattern: Pattern) -> Choices {
        Choices::with(Beyond::Pattern(pattern))
    }

    /// One random trail.
    pub fn sample(rng: Rng) -> Choices {
        Choices::with(Beyond::Sample(Box::new(rng)))
    }

    /// The given trail, and alternative 0 beyond its end.
    pub fn replay(trail: Vec<Choice>) -> Choices {
        Choices { prescribed: trail.len(), trail, ..Choices::enumerate() }
    }

    /// Decides among `of` alternatives, numbered from 0.
    ///
    /// # Panics
    /// If `of` is 0.
    pub fn choose(&mut self, of: u32) -> u32 {
        assert!(of > 0, "a choice among nothing");
        if of == 1 {
            return 0;
        }
        let at = self.at;
        self.at += 1;
        if let Some(choice) = self.trail.get_mut(at) {
            if choice.of != of {
                self.diverged = true; // C1
                *choice = Choice { taken: choice.taken.min(of - 1), of };
            }
            return choice.taken;
        }
        let taken = match &mut self.beyond {
            Beyond::First => 0,
            Beyond::Pattern(pattern) => pattern.choose(at as u32, of),
            Beyond::Sample(rng) => rng.below(u64::from(of)) as u32,
        };
        self.trail.push(Choice { taken, of });
        taken
    }

    /// Goes to the next trail in lexicographic order (C2); false when there is none.
    pub fn advance(&mut self) -> bool {
        self.trail.truncate(self.at);
        self.at = 0;
        while let Some(last) = self.trail.last_mut() {
            if last.taken + 1 < last.of {
                last.taken += 1; // C2
                self.prescribed = self.trail.len();
                return true;
            }
            self.trail.pop();
        }
        self.prescribed = 0;
        false
    }

    /// How many choices this run has made so far.
    pub fn made(&self) -> usize {
        self.at
    }

    /// Whether this run still walks where an earlier trail walked: all its choices so far are
    /// those of the trail before the last [`advance`](Choices::advance).
    pub fn repeats(&self) -> bool {
        self.at < self.prescribed
    }

    /// How many choices this run has to repeat; the last of them is the one that changed.
    pub fn prescribed(&self) -> usize {
        self.prescribed
    }

    /// The choices made so far.
    pub fn trail(&self) -> &[Choice] {
        &self.trail[..self.at.min(self.trail.len())]
    }

    /// Whether the run, now over, met other bounds than before or fewer choices (C1).
    pub fn diverged(&self) -> bool {
        self.diverged || self.at < self.prescribed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(mut body: impl FnMut(&mut Choices)) -> usize {
        let mut choices = Choices::enumerate();
        let mut count = 0;
        loop {
            body(&mut choices);
            count += 1;
            if !choices.advance() {
                return count;
            }
        }
    }

    #[test]
    fn c2_enumeration_is_complete_and_counts() {
        assert_eq!(leaves(|_| ()), 1);
        assert_eq!(
            leaves(|c| {
                c.choose(2);
                c.choose(1);
                c.choose(3);
            }),
            6
        );
        // A subset of 10 is chosen 2^10 ways.
        assert_eq!(leaves(|c| (0..10).for_each(|_| assert!(c.choose(2) < 2))), 1024);
    }

    #[test]
    fn c1_a_changed_bound_is_a_divergence() {
        let mut choices = Choices::replay(vec![Choice { taken: 1, of: 2 }]);
        assert_eq!(choices.choose(2), 1);
        assert!(!choices.diverged());
        let mut choices = Choices::replay(vec![Choice { taken: 2, of: 3 }]);
        choices.choose(2);
        assert!(choices.diverged());
        // A run that asks less than its trail holds diverges as well.
        assert!(Choices::replay(vec![Choice { taken: 1, of: 2 }]).diverged());
    }

    #[test]
    fn patterns_are_what_their_names_say() {
        let run = |p| {
            let mut c = Choices::pattern(p);
            (0..4).map(|_| c.choose(3)).collect::<Vec<_>>()
        };
        assert_eq!(run(Pattern::KeepAll), [0, 0, 0, 0]);
        assert_eq!(run(Pattern::DropAll), [2, 2, 2, 2]);
        assert_eq!(run(Pattern::Drop(1)), [0, 2, 0, 0]);
        assert_eq!(run(Pattern::Keep(1)), [2, 0, 2, 2]);
        assert_eq!(run(Pattern::Pair(1, 2)), [0, 2, 0, 2]);
    }

    #[test]
    fn golden_vectors_of_the_sampler() {
        let mut c = Choices::sample(Rng::new(7));
        let got: Vec<u32> = (2..12).map(|of| c.choose(of)).collect();
        let mut again = Choices::replay(c.trail().to_vec());
        assert_eq!(got, (2..12).map(|of| again.choose(of)).collect::<Vec<_>>());
        let mut items: Vec<u8> = (0..8).collect();
        Rng::new(7).shuffle(&mut items);
        assert_eq!(
            (got, items),
            (vec![1, 1, 0, 1, 2, 2, 2, 1, 6, 10], vec![2, 5, 7, 4, 1, 0, 3, 6]),
            "a seed must mean the same for ever: do not change these, change the code back"
        );
    }
}
