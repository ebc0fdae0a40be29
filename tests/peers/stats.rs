//! Medians, and numbers as people read them.

use serde::{Deserialize, Serialize};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    /// More is better.
    PerSecond,
    /// Less is better.
    Seconds,
    /// Less is better.
    Bytes,
    /// More is better.
    MegabytesPerSecond,
}

/// The middle one, and the ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(values: &[f64]) -> Option<Spread> {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Spread { median: (low + high) / 2.0, min, max })
    }

    /// Of each pair the quotient.
    pub(crate) fn of_ratios(values: &[f64], by: &[f64]) -> Option<Spread> {
        let by = by.iter().copied();
        Spread::of(&values.iter().zip(by).map(|(value, by)| value / by).collect::<Vec<_>>())
    }

    /// As `3.29 M [3.11 M .. 3.44 M]`; one alone without brackets.
    pub(crate) fn text(&self, unit: Unit) -> String {
        let text = |value| number(value, unit);
        if self.min == self.max {
            return text(self.median);
        }
        format!("{} [{} .. {}]", text(self.median), text(self.min), text(self.max))
    }
}

/// A number with three figures.
pub(crate) fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Seconds if value < 0.01 => format!("{:.2} ms", value * 1e3),
        Unit::Seconds if value < 1.0 => format!("{:.0} ms", value * 1e3),
        Unit::Seconds => format!("{value:.2} s"),
        _ if value >= 1e6 => format!("{:.2} M", value / 1e6),
        _ if value >= 1e4 => format!("{:.1} k", value / 1e3),
        _ => format!("{value:.0}"),
    }
}

impl Unit {
    /// Whether `a` is better than `b`.
    pub(crate) fn better(self, a: f64, b: f64) -> bool {
        match self {
            Unit::PerSecond | Unit::MegabytesPerSecond => a > b,
            Unit::Seconds | Unit::Bytes => a < b,
        }
    }

    /// How much of `best` somebody has reached: 1 is as good.
    pub(crate) fn share(self, value: f64, best: f64) -> f64 {
        if self.better(2.0, 1.0) { value / best } else { best / value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_counts() {
        assert_eq!(Spread::of(&[]), None);
        let odd = Spread::of(&[3.0, 1.0, 2.0]).unwrap();
        assert_eq!((odd.median, odd.min, odd.max), (2.0, 1.0, 3.0));
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        let ratios = Spread::of_ratios(&[10.0, 30.0], &[5.0, 10.0]).unwrap();
        assert_eq!((ratios.min, ratios.max), (2.0, 3.0));
    }

    #[test]
    fn numbers_have_three_figures() {
        let count = |value| number(value, Unit::PerSecond);
        assert_eq!(
            [7.0, 8123.0, 41_234.0, 3_290_000.0].map(count),
            ["7", "8123", "41.2 k", "3.29 M"]
        );
        let time = |value| number(value, Unit::Seconds);
        assert_eq!([0.0012, 0.06, 1.5].map(time), ["1.20 ms", "60 ms", "1.50 s"]);
        assert_eq!(Spread::of(&[2.0]).unwrap().text(Unit::PerSecond), "2");
    }

    #[test]
    fn what_is_better_depends_on_the_unit() {
        assert!(Unit::PerSecond.better(2.0, 1.0) && Unit::Seconds.better(1.0, 2.0));
        assert_eq!(Unit::PerSecond.share(9.0, 10.0), 0.9);
        assert_eq!(Unit::Seconds.share(10.0, 9.0), 0.9);
    }
}
