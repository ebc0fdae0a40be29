//! Exact numbers of crash states. A number too large for 128 bits, or too dear to compute, is
//! `None`: it is then reported as unknown, never rounded.

/// How many crash states, exactly; `None` if that is not feasible.
pub type Count = Option<u128>;

pub(crate) fn times(a: Count, b: Count) -> Count {
    a?.checked_mul(b?)
}

pub(crate) fn plus(a: Count, b: Count) -> Count {
    a?.checked_add(b?)
}

/// Events of which each has a set that must persist before it and a set that cannot without it.
/// Counts the down-closed sets; each event that is dropped multiplies by its own factor (the
/// alternatives of a sector that was never durable).
pub(crate) struct Web {
    below: Vec<u128>,
    above: Vec<u128>,
    factor: Vec<u128>,
    steps: u32,
}

/// A web of more events than a mask has bits, or of more steps than this, has no count.
const STEPS_MAX: u32 = 200_000;

impl Web {
    /// `edges` run from earlier to later indices of `factor`, and are in the order of the later.
    pub(crate) fn new(factor: Vec<u128>, edges: &[(usize, usize)]) -> Option<Web> {
        let n = factor.len();
        if n > 128 {
            return None;
        }
        let mut below = vec![0u128; n];
        let mut above = vec![0u128; n];
        for &(from, to) in edges {
            below[to] |= below[from] | 1 << from;
        }
        for &(from, to) in edges.iter().rev() {
            above[from] |= above[to] | 1 << to;
        }
        Some(Web { below, above, factor, steps: 0 })
    }

    pub(crate) fn count(&mut self) -> Count {
        let n = self.factor.len();
        self.within(if n == 128 { u128::MAX } else { (1 << n) - 1 })
    }

    fn within(&mut self, mut mask: u128) -> Count {
        let mut product = Some(1);
        while mask != 0 {
            let part = self.connected(mask);
            mask &= !part;
            product = times(product, self.component(part));
        }
        product
    }

    fn connected(&self, mask: u128) -> u128 {
        let mut part: u128 = 1 << mask.trailing_zeros();
        let mut fresh = part;
        while fresh != 0 {
            let i = fresh.trailing_zeros() as usize;
            fresh &= fresh - 1;
            let more = (self.below[i] | self.above[i]) & mask & !part;
            part |= more;
            fresh |= more;
        }
        part
    }

    /// Branches on the event that decides most of the others.
    fn component(&mut self, part: u128) -> Count {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return None;
        }
        let mut pivot = 0;
        let mut most = 0;
        let mut rest = part;
        while rest != 0 {
            let i = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            let (b, a) = ((self.below[i] & part).count_ones(), (self.above[i] & part).count_ones());
            let decides = (b + 1) * (a + 1);
            if decides > most {
                (pivot, most) = (i, decides);
            }
        }
        let kept = part & !(self.below[pivot] | 1 << pivot);
        let gone = part & (self.above[pivot] | 1 << pivot);
        let keep = self.within(kept);
        let drop = times(self.within(part & !gone), self.factors(gone));
        plus(keep, drop)
    }

    fn factors(&self, mut mask: u128) -> Count {
        let mut product = Some(1);
        while mask != 0 {
            product = times(product, Some(self.factor[mask.trailing_zeros() as usize]));
            mask &= mask - 1;
        }
        product
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rng;

    /// All subsets, one by one.
    fn naive(factor: &[u128], edges: &[(usize, usize)]) -> u128 {
        let n = factor.len();
        let closed = |k: &u32| edges.iter().all(|&(a, b)| k >> b & 1 == 0 || k >> a & 1 == 1);
        let weight =
            |k: u32| (0..n).filter(|i| k >> i & 1 == 0).map(|i| factor[i]).product::<u128>();
        (0..1u32 << n).filter(closed).map(weight).sum()
    }

    #[test]
    fn agrees_with_counting_one_by_one() {
        let mut rng = Rng::new(3);
        for _ in 0..2000 {
            let n = rng.below(9) as usize;
            let factor: Vec<u128> = (0..n).map(|_| u128::from(1 + rng.below(3))).collect();
            let mut edges = Vec::new();
            for to in 0..n {
                edges.extend((0..to).filter(|_| rng.below(3) == 0).map(|from| (from, to)));
            }
            let fast = Web::new(factor.clone(), &edges).and_then(|mut w| w.count());
            assert_eq!(fast, Some(naive(&factor, &edges)), "{factor:?} {edges:?}");
        }
    }

    #[test]
    fn a_chain_of_n_has_n_plus_one_states() {
        let edges: Vec<_> = (1..100).map(|i| (i - 1, i)).collect();
        assert_eq!(Web::new(vec![1; 100], &edges).and_then(|mut w| w.count()), Some(101));
        assert!(Web::new(vec![1; 129], &[]).is_none());
    }
}
