//! The check that is told the order: LSNs are the linearization, so nothing is searched.
//!
//! The changes that have an LSN stand in its order; a *place* is how many of them came before. Each
//! reader has an interval of places, from those that ended before it began to those that began
//! after it had ended, and is put at the earliest place where its answer is true. Readers bind each
//! other in the same way, and the earliest place for one is never too late for another: so one
//! sweep over time decides them all. What is recovered must be the state at one place that is not
//! before anything promised.
//!
//! A call that may or may not have happened and has no LSN (in flight, or failed) is *loose*. Loose
//! ones are tried at the cut, where nothing hides them but one another. What they could also
//! explain, at another place, is answered with *unknown*: a reader of a key that a loose call
//! writes, a loose batch of which a part was overwritten, a loose counter, a swap that is loose or
//! was told that it was not so. Then [`search`] can tell, if the history is small. So can it where
//! a value was written twice and the reader may have seen either one.
//!
//! It takes n log n steps for n calls: a million take about a second.
//!
//! [`search`]: super::search

mod log;
mod loose;
mod readers;
mod why;

use super::{Answer, Call, Crash, History, Verdict, What, table};
use highwater_sim::{Map, Recovered};
use log::Log;
use loose::Loose;
use readers::Readers;
use std::collections::BTreeSet;

/// Whether the order of the LSNs explains `history`, and the state `recovered` after the crash
/// (`None`: only the answers are asked about). Without an LSN for every change that was
/// acknowledged the answer is *unknown*.
pub fn witness(history: &History, recovered: Option<&Map>, crash: Crash) -> Verdict {
    counted(history, recovered, crash).0
}

/// The same, and the steps that it took.
pub(super) fn counted(
    history: &History,
    recovered: Option<&Map>,
    crash: Crash,
) -> (Verdict, usize) {
    let mut steps = 0;
    (judge(history, recovered, crash, &mut steps), steps)
}

fn judge(history: &History, recovered: Option<&Map>, crash: Crash, steps: &mut usize) -> Verdict {
    let lacks_lsn = |call: &Call| {
        table::is_required(call) && table::changes(call) && table::place(call).is_none()
    };
    let depends = |call: &Call| {
        let in_log = table::is_required(call) && table::place(call).is_some();
        matches!(call.what, What::Swap { .. }) && call.answer != Answer::Refused && !in_log
    };
    if history.calls.iter().any(|call| lacks_lsn(call) || depends(call)) {
        return Verdict::Unknown;
    }
    let loose = Loose::new(history);
    let mut log = match Log::new(history, steps) {
        Ok(log) => log,
        Err(broken) => return Verdict::Impossible(broken),
    };
    if let Err(broken) = log.replay(&loose, steps) {
        return Verdict::Impossible(broken);
    }
    let readers = match Readers::place(&log, &loose, steps) {
        Ok(readers) => readers,
        Err(broken) => return Verdict::Impossible(broken),
    };
    let doubt = log.doubt || readers.doubt;
    let promised = promised(&log, &readers, crash);
    let Some(recovered) = recovered else {
        return match doubt {
            true => Verdict::Unknown,
            false => Verdict::Explained(readers.order(&log, log.len(), &[])),
        };
    };
    let cuts = cuts(&log, &loose, recovered, steps);
    let from = |least: usize| cuts.range(least..).copied();
    let mut fits = |cut: usize| {
        let kept = loose.kept(&log, &readers, cut, recovered, steps)?;
        Some((cut, kept))
    };
    if let Some((cut, kept)) = from(promised.max(readers.seen)).find_map(&mut fits) {
        let otherwise = doubt || readers.saw_otherwise(&log, &loose, cut, &kept);
        return match otherwise {
            true => Verdict::Unknown,
            false => Verdict::Explained(readers.order(&log, cut, &kept)),
        };
    }
    // A loose one may do more than was tried, and a reader may have stood elsewhere.
    let firm = promised.max(readers.seen_once);
    let may_hide = doubt || loose.may_hide();
    if may_hide && from(firm).next().is_some() || from(firm).any(|cut| fits(cut).is_some()) {
        return Verdict::Unknown;
    }
    Verdict::Impossible(if from(promised).any(|cut| fits(cut).is_some()) {
        let cut = from(promised).find(|cut| fits(*cut).is_some()).expect("just found");
        why::seen(&log, &readers, cut)
    } else {
        match from(0).rev().find(|cut| fits(*cut).is_some()) {
            Some(cut) => why::lost(&log, cut, crash),
            None => why::nowhere(&log, &loose, recovered, crash),
        }
    })
}

/// The place up to which everything was acknowledged.
fn promised(log: &Log<'_>, readers: &Readers, crash: Crash) -> usize {
    if crash == Crash::None {
        return log.len();
    }
    let changes = (0..log.len()).rev().find(|nth| log.is_promised(*nth, crash));
    changes.map_or(0, |nth| nth + 1).max(readers.synced(log, crash))
}

/// The places whose state is what was recovered, as far as no loose call comes into it.
fn cuts(log: &Log<'_>, loose: &Loose<'_>, recovered: &Map, steps: &mut usize) -> BTreeSet<usize> {
    let mut shown = Recovered::default();
    for (key, value) in recovered.iter().filter(|(key, _)| !loose.touches(**key)) {
        *steps += 1;
        shown.add(*key, value);
    }
    (0..=log.len()).filter(|place| log.shown[*place] == shown).collect()
}
