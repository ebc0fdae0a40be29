//! Why a run says less than it might, in a sentence: for people and for programs.

use crate::out::thousands;
use highwater_models::Outcome;
use highwater_sim::{Settings, Tally, Verdict};

/// Why it is inconclusive, or held and not exhaustive; `None` of any other verdict.
pub(crate) fn of(outcome: &Outcome, settings: &Settings) -> Option<String> {
    match outcome.verdict {
        Verdict::Inconclusive => Some(ended(outcome)),
        Verdict::Held if !outcome.exhaustive => Some(left_out(outcome, settings)),
        _ => None,
    }
}

/// Each exploration but the control, by what fails in it.
fn parts(outcome: &Outcome) -> impl Iterator<Item = (String, &Tally)> {
    let failures = outcome.failures.iter().map(|(failure, tally)| (failure.to_string(), tally));
    [(String::from("without failures"), &outcome.tally)].into_iter().chain(failures)
}

fn names(parts: &[(String, &Tally)]) -> String {
    let names: Vec<&str> = parts.iter().map(|(name, _)| name.as_str()).collect();
    names.join(", ")
}

fn ended(outcome: &Outcome) -> String {
    let parts: Vec<_> = parts(outcome).filter(|(_, tally)| tally.out_of_budget).collect();
    match parts.as_slice() {
        [] => "the budget (--budget) ended before the control had found anything".to_string(),
        cut => format!(
            "the budget (--budget) ended before the plan, in the explorations: {}",
            names(cut)
        ),
    }
}

fn left_out(outcome: &Outcome, settings: &Settings) -> String {
    let sampled: Vec<_> = parts(outcome).filter(|(_, tally)| tally.sampled > 0).collect();
    let some: Vec<_> = parts(outcome).filter(|(_, tally)| !tally.exhaustive).collect();
    let sum: u64 = sampled.iter().map(|(_, tally)| tally.sampled).sum();
    match (sampled.as_slice(), some.as_slice()) {
        ([], []) => "every way of every recovery was walked, but the crash states cannot be \
                     counted: there are more than 128 bits hold, or it is too dear"
            .to_string(),
        ([], some) => format!(
            "of a torn sector, or of what a failed sync loses, there were more outcomes than are \
             tried, in the explorations: {}",
            names(some)
        ),
        (sampled, _) => {
            let (limit, sum, parts) =
                (thousands(settings.node_limit), thousands(sum), names(sampled));
            format!(
                "{sum} times a recovery had more ways to go than are all walked (--node-limit \
                 {limit}, fewer after a second crash), and samples were taken, in the \
                 explorations: {parts}"
            )
        }
    }
}
