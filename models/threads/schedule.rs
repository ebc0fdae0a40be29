//! A schedule of threads: where it departs from the default, as a value and as text.
//!
//! Invariants
//! - S1: a decision is made only where two threads could go on; the decisions of a run are numbered
//!   from 0.
//! - S2: the default goes on with the thread that runs while it can and does not yield, else with
//!   the next one that can; a schedule is its departures from that, and nothing else decides.
//! - S3: a departure to a thread that cannot go on is skipped, and said to be.

use std::fmt;
use std::str::FromStr;

/// A decision for another thread than the default one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Departure {
    /// The number of the decision.
    pub at: u32,
    /// The thread that goes on instead, from 1.
    pub thread: u32,
}

/// The departures from the default schedule, in their order.
///
/// ```
/// use highwater_models::threads::Schedule;
/// let schedule: Schedule = "4t2-9t1".parse()?;
/// assert_eq!(schedule.departures().len(), 2);
/// assert_eq!(schedule.to_string(), "4t2-9t1");
/// assert_eq!("".parse(), Ok(Schedule::default()));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schedule {
    departures: Vec<Departure>,
}

impl Schedule {
    /// The schedule with these departures; of two at one decision the first counts.
    pub fn new(mut departures: Vec<Departure>) -> Schedule {
        departures.sort_by_key(|departure| departure.at);
        departures.dedup_by_key(|departure| departure.at);
        Schedule { departures }
    }

    /// Where it departs from the default.
    pub fn departures(&self) -> &[Departure] {
        &self.departures
    }

    /// The same with one more departure, behind all others.
    #[must_use]
    pub fn and(&self, departure: Departure) -> Schedule {
        let mut departures = self.departures.clone();
        departures.push(departure);
        Schedule::new(departures)
    }

    /// The same without its nth departure.
    #[must_use]
    pub fn without(&self, nth: usize) -> Schedule {
        let mut departures = self.departures.clone();
        departures.remove(nth);
        Schedule { departures }
    }

    /// The number of the decision behind the last departure.
    pub(crate) fn end(&self) -> u32 {
        self.departures.last().map_or(0, |departure| departure.at + 1)
    }

    /// The thread that goes on at decision `at`, if it is not the default one.
    pub(crate) fn at(&self, at: u32) -> Option<u32> {
        let found = self.departures.binary_search_by_key(&at, |departure| departure.at);
        found.ok().map(|nth| self.departures[nth].thread)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, Departure { at, thread }) in self.departures.iter().enumerate() {
            write!(f, "{}{at}t{thread}", if nth > 0 { "-" } else { "" })?;
        }
        Ok(())
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Schedule, String> {
        let departure = |text: &str| {
            let wrong = || format!("{text:?} is no departure of a schedule: like 4t2");
            let (at, thread) = text.split_once('t').ok_or_else(wrong)?;
            let number = |text: &str| {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse::<u32>().ok().filter(|_| digits).ok_or_else(wrong)
            };
            Ok::<_, String>(Departure { at: number(at)?, thread: number(thread)? })
        };
        let words = text.split('-').filter(|_| !text.is_empty());
        let departures: Vec<Departure> = words.map(departure).collect::<Result<_, _>>()?;
        match departures.windows(2).all(|pair| pair[0].at < pair[1].at) {
            true => Ok(Schedule { departures }),
            false => Err(format!("{text:?}: the departures of a schedule come in their order")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_round_trip_and_others_are_refused() {
        for text in ["", "0t1", "3t2-4t1-99t4"] {
            assert_eq!(text.parse::<Schedule>().unwrap().to_string(), text);
        }
        for text in ["1", "t", "1t", "t1", "1t1-", "2t1-1t1", "1t1-1t2", "+1t1", "1t1t1", "é"] {
            assert!(text.parse::<Schedule>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn departures_are_kept_in_order() {
        let schedule = Schedule::new(vec![
            Departure { at: 9, thread: 1 },
            Departure { at: 4, thread: 2 },
            Departure { at: 9, thread: 3 },
        ]);
        assert_eq!(schedule.to_string(), "4t2-9t1");
        assert_eq!((schedule.at(4), schedule.at(5), schedule.end()), (Some(2), None, 10));
        assert_eq!(schedule.without(0).to_string(), "9t1");
    }
}
