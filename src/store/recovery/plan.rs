//! What to do with what was found: a pure table.
//!
//! A *statement* is the highest LSN that an intact durable statement proves durable. The table asks
//! four questions of the facts, in this order, and every combination of answers is one row:
//!
//! | row | log reaches the snapshot | scan ended at | statement proves the end | uncovered |
//! |-----|--------------------------|---------------|--------------------------|-----------|
//! | R1  | (no log, no snapshot)    | -             | no                       | -         |
//! | R2  | yes                      | the end       | no                       | no        |
//! | R3  | yes                      | the end       | no                       | yes       |
//! | R4  | yes                      | bad bytes     | no                       | no        |
//! | R5  | yes                      | bad bytes     | no                       | yes       |
//! | R6  | yes                      | anything      | yes                      | -         |
//! | R7  | no                       | -             | -                        | -         |
//!
//! Invariants
//! - R0: the plan never drops an LSN at or below the statement, and never shows one that is neither
//!   proven durable nor copied.

use crate::format::Lsn;

/// What the scan found, reduced to what matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The LSN of the newest valid snapshot; 0 if there is none.
    pub(crate) snapshot: Lsn,
    /// The first LSN of the log as far as it counts; 0 if there is no log.
    pub(crate) log_first: Lsn,
    /// The first LSN that cannot be read, above the snapshot.
    pub(crate) end: Lsn,
    /// Whether the scan met bytes that are no frame, rather than the end of the log.
    pub(crate) bad: bool,
    /// The highest LSN that a statement proves durable.
    pub(crate) statement: Lsn,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// Nothing: a new store, or one whose first segment never came to be.
    R1New,
    /// The last life ended cleanly, or died after a snapshot: all is proven durable.
    R2Clean,
    /// The log ends well, but nothing proves its last frames durable: the sync that acknowledged
    /// them was the last thing that happened, or they were never synced. They are copied.
    R3CleanCopied,
    /// The log ends in bytes that are no frame, and nothing says that they ever were durable: a
    /// write that a crash tore. They are left behind.
    R4Torn,
    /// The same, with intact frames before them that nothing proves durable: copied.
    R5TornCopied,
    /// A statement proves durable what cannot be read: decay, not a crash. Refused.
    R6Corrupt,
    /// The log begins after the snapshot ends (a snapshot or a segment is gone or damaged).
    /// Refused.
    R7Gap,
}

impl Row {
    /// All rows.
    pub const ALL: [Row; 7] = [
        Row::R1New,
        Row::R2Clean,
        Row::R3CleanCopied,
        Row::R4Torn,
        Row::R5TornCopied,
        Row::R6Corrupt,
        Row::R7Gap,
    ];

    /// The row's name, as reports count it.
    pub fn name(self) -> &'static str {
        match self {
            Row::R1New => "R1 new",
            Row::R2Clean => "R2 clean",
            Row::R3CleanCopied => "R3 clean, copied",
            Row::R4Torn => "R4 torn",
            Row::R5TornCopied => "R5 torn, copied",
            Row::R6Corrupt => "R6 corrupt",
            Row::R7Gap => "R7 gap",
        }
    }
}

/// What recovery will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) row: Row,
    /// The last LSN that survives.
    pub(crate) last: Lsn,
    /// The first LSN to copy into a segment of this life; `None` if all is proven durable.
    pub(crate) copy_from: Option<Lsn>,
}

/// The table.
pub(crate) fn plan(facts: &Facts) -> Plan {
    let Facts { snapshot, log_first, end, bad, statement } = *facts;
    let last = end.previous();
    let refuse = |row| Plan { row, last, copy_from: None };
    if log_first > snapshot.next() {
        return refuse(Row::R7Gap);
    }
    // A snapshot is a statement too.
    let proven = statement.max(snapshot);
    if proven >= end {
        return refuse(Row::R6Corrupt);
    }
    assert!(proven <= last, "R0: what is proven is shown");
    if (log_first, snapshot, bad) == (Lsn(0), Lsn(0), false) {
        return Plan { row: Row::R1New, last, copy_from: None };
    }
    let copy_from = (proven < last).then(|| proven.next());
    let row = match (bad, copy_from) {
        (false, None) => Row::R2Clean,
        (false, Some(_)) => Row::R3CleanCopied,
        (true, None) => Row::R4Torn,
        (true, Some(_)) => Row::R5TornCopied,
    };
    Plan { row, last, copy_from }
}

/// A segment as the override rule sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) first: Lsn,
    /// Whether its header and all its copies are there. One that is not was never finished.
    pub(crate) founded: bool,
}

/// Which LSNs of each segment count, `first..limit`: a founded segment overrides everything from
/// its first LSN on in the segments of earlier epochs. `pieces` are in the order of their epochs;
/// an empty range means that the segment does not count at all.
pub(crate) fn effective(pieces: &[Piece]) -> Vec<(Lsn, Lsn)> {
    let mut limit = Lsn(u64::MAX);
    let mut ranges: Vec<(Lsn, Lsn)> = Vec::with_capacity(pieces.len());
    for piece in pieces.iter().rev() {
        if piece.founded && piece.first < limit {
            ranges.push((piece.first, limit));
            limit = piece.first;
        } else {
            ranges.push((piece.first, piece.first));
        }
    }
    ranges.reverse();
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    const MOST: u64 = 5;

    fn all_facts() -> impl Iterator<Item = Facts> {
        let lsns = || (0..=MOST).map(Lsn);
        lsns()
            .flat_map(move |snapshot| {
                lsns().flat_map(move |log_first| {
                    lsns().flat_map(move |end| {
                        lsns().flat_map(move |statement| {
                            [false, true].map(|bad| Facts {
                                snapshot,
                                log_first,
                                end,
                                bad,
                                statement,
                            })
                        })
                    })
                })
            })
            // What a scan can report: it ends above the snapshot, and not before its own beginning.
            .filter(|f| {
                f.end > f.snapshot && (f.log_first > f.snapshot.next() || f.end >= f.log_first)
            })
            .filter(|f| f.log_first > Lsn(0) || f.end == f.snapshot.next())
    }

    /// The promises, LSN by LSN, without the table: which LSNs are there, which must be.
    #[test]
    fn r0_every_input_has_the_outcome_that_the_promises_ask_for() {
        let mut reached: BTreeMap<Row, u64> = BTreeMap::new();
        for facts in all_facts() {
            let plan = plan(&facts);
            *reached.entry(plan.row).or_default() += 1;
            let in_snapshot = |n: u64| n <= facts.snapshot.0;
            let from = facts.log_first.0;
            let readable = |n: u64| in_snapshot(n) || from > 0 && n >= from && n < facts.end.0;
            let proven = |n: u64| n <= facts.statement.0 || in_snapshot(n);
            let hole = from > 0 && (1..from).any(|n| !in_snapshot(n));
            let lost = (1..=MOST).any(|n| proven(n) && n >= facts.end.0);
            let refused = matches!(plan.row, Row::R6Corrupt | Row::R7Gap);
            assert_eq!(refused, hole || lost, "R0: {facts:?} {plan:?}");
            if refused {
                assert_eq!(plan.row == Row::R7Gap, hole, "{facts:?}");
                continue;
            }
            let shown: Vec<u64> = (1..=plan.last.0).collect();
            assert!(shown.iter().all(|&n| readable(n)), "R0: shows the unreadable {facts:?}");
            assert_eq!(plan.last.0 + 1, facts.end.0, "R0: drops the readable {facts:?}");
            let copied = |n: u64| plan.copy_from.is_some_and(|from| n >= from.0);
            for n in shown {
                assert_eq!(copied(n), !proven(n), "R0: copies what is not proven {facts:?} {n}");
            }
            let torn = matches!(plan.row, Row::R4Torn | Row::R5TornCopied);
            assert_eq!(torn, facts.bad, "{facts:?}");
        }
        for row in Row::ALL {
            assert!(reached.contains_key(&row), "{row:?} is never reached");
        }
        assert!(reached.values().sum::<u64>() > 500, "a table over {reached:?}");
    }

    #[test]
    fn the_override_rule_over_all_small_directories() {
        // LSN n of segment i counts if i is founded, holds n, and no later founded one does.
        let pieces = |code: usize, count: usize| -> Vec<Piece> {
            (0..count)
                .map(|i| code / 8usize.pow(i as u32) % 8)
                .map(|c| Piece { first: Lsn(1 + c as u64 / 2), founded: c % 2 == 1 })
                .collect()
        };
        let mut cases = 0;
        for count in 0..=4 {
            for code in 0..8usize.pow(count as u32) {
                let pieces = pieces(code, count);
                let ranges = effective(&pieces);
                cases += 1;
                for n in 1..=6 {
                    let holds = |p: &Piece| p.founded && p.first.0 <= n;
                    let owner = pieces.iter().rposition(holds);
                    let counted: Vec<usize> =
                        (0..count).filter(|&i| ranges[i].0.0 <= n && n < ranges[i].1.0).collect();
                    assert_eq!(counted, Vec::from_iter(owner), "{pieces:?} LSN {n}");
                }
            }
        }
        assert_eq!(cases, 1 + 8 + 64 + 512 + 4096);
    }
}
