//! The rows of the table, and what has to be run for each.

use crate::peer::Peer;
use crate::slice::Step;
use crate::stats::Unit;

/// Steps that follow each other in one directory; what they find is taken or repeated as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    pub(crate) name: &'static str,
    pub(crate) steps: &'static [(Step, u64)],
}

/// All of them; with a step, its threads.
pub(crate) const CHAINS: [Chain; 6] = [
    Chain { name: "bulk", steps: &[(Step::Append, 1), (Step::Replay, 1)] },
    Chain { name: "one", steps: &[(Step::Commit, 1)] },
    Chain { name: "eight", steps: &[(Step::Commit, 8)] },
    Chain { name: "many", steps: &[(Step::Commit, 64)] },
    Chain { name: "batch", steps: &[(Step::Batch, 1)] },
    Chain { name: "pairs", steps: &[(Step::Set, 1), (Step::Get, 1)] },
];

/// A row: a value that a step of a chain finds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// `W` and a number, for `--only`, and what tells it from its neighbours.
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    pub(crate) unit: Unit,
    pub(crate) chain: &'static str,
    pub(crate) step: Step,
    pub(crate) value: &'static str,
    /// Whether it is also stated in syncs of the raw loop.
    pub(crate) by_syncs: bool,
}

const fn row(
    key: &'static str,
    title: &'static str,
    unit: Unit,
    (chain, step, value): (&'static str, Step, &'static str),
) -> Row {
    Row { key, title, unit, chain, step, value, by_syncs: false }
}

const fn by_syncs(row: Row) -> Row {
    Row { by_syncs: true, ..row }
}

use Step::{Append, Batch, Commit, Get, Replay, Set};
use Unit::{Bytes, PerSecond, Seconds};

/// In the order of the page.
pub(crate) const ROWS: [Row; 11] = [
    row(
        "W1",
        "W1: a million records of 256 B appended, one sync at the end; records/s",
        PerSecond,
        ("bulk", Append, "rate"),
    ),
    by_syncs(row(
        "W2",
        "W2: one durable append of 256 B after the other; operations/s",
        PerSecond,
        ("one", Commit, "rate"),
    )),
    by_syncs(row(
        "W3-8",
        "W3: durable appends of 256 B from 8 threads; operations/s",
        PerSecond,
        ("eight", Commit, "rate"),
    )),
    by_syncs(row(
        "W3-64",
        "W3: durable appends of 256 B from 64 threads; operations/s",
        PerSecond,
        ("many", Commit, "rate"),
    )),
    by_syncs(row(
        "W4",
        "W4: batches of 100 records of 256 B, each durable; records/s",
        PerSecond,
        ("batch", Batch, "rate"),
    )),
    row(
        "W5",
        "W5: a million records of 256 B, after a kill, opened and read to the end; records/s",
        PerSecond,
        ("bulk", Replay, "rate"),
    ),
    row("W5-open", "W5: until `open` returns", Seconds, ("bulk", Replay, "open")),
    row(
        "W6-set",
        "W6: a million pairs of 16 B and 100 B set, no sync; pairs/s",
        PerSecond,
        ("pairs", Set, "rate"),
    ),
    row("W6-get", "W6: random gets; pairs/s", PerSecond, ("pairs", Get, "rate")),
    row(
        "W6-open",
        "W6: a million pairs opened after a kill, and one of them read",
        Seconds,
        ("pairs", Get, "open"),
    ),
    row("W6-memory", "W6: memory a pair, just opened; bytes", Bytes, ("pairs", Get, "bytes")),
];

impl Row {
    /// Whether `--only` names it; by `W3`, or by the whole key.
    pub(crate) fn is_among(&self, only: &[String]) -> bool {
        let number = self.key.split('-').next();
        only.is_empty()
            || only.iter().any(|name| {
                name.eq_ignore_ascii_case(self.key)
                    || number.is_some_and(|number| name.eq_ignore_ascii_case(number))
            })
    }
}

impl Chain {
    /// Whether a peer can run it.
    pub(crate) fn suits(&self, peer: &Peer) -> bool {
        match self.name {
            "pairs" => peer.pairs.is_some(),
            "bulk" => peer.log.is_some(),
            // It has no group commit: that would be another loop.
            "eight" | "many" if peer.name == "raw" => false,
            _ => peer.log.is_some() && !peer.bulk_only,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_by_number_or_key() {
        let chosen = |only: &[&str]| {
            let only: Vec<String> = only.iter().map(ToString::to_string).collect();
            ROWS.iter().filter(|row| row.is_among(&only)).map(|row| row.key).collect::<Vec<_>>()
        };
        assert_eq!(chosen(&[]).len(), ROWS.len());
        assert_eq!(chosen(&["w3"]), ["W3-8", "W3-64"]);
        assert_eq!(chosen(&["W3-64", "W6-set"]), ["W3-64", "W6-set"]);
        assert_eq!(chosen(&["W7"]), [""; 0]);
    }

    #[test]
    fn every_row_has_a_step_that_finds_it() {
        for row in ROWS {
            let chain = CHAINS.iter().find(|chain| chain.name == row.chain).expect(row.key);
            assert!(chain.steps.iter().any(|step| step.0 == row.step), "{}", row.key);
        }
    }

    #[test]
    fn everybody_is_somewhere_in_the_table() {
        for peer in crate::peer::all() {
            assert!(CHAINS.iter().any(|chain| chain.suits(&peer)), "{}", peer.name);
        }
    }
}
