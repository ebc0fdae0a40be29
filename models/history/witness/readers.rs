//! Calls that change nothing, each at the earliest place where its answer is true.

use super::super::{Answer, Crash, Level, Order, table, why};
use super::log::{Log, Spot};
use super::loose::Loose;
use highwater_sim::Broken;

#[derive(Debug)]
struct Seat {
    place: usize,
    began: u64,
    call: usize,
}

#[derive(Debug, Default)]
pub(super) struct Readers {
    /// By place, then by when they began.
    seats: Vec<Seat>,
    /// For each call the place behind all that had ended when it began.
    floors: Vec<usize>,
    /// What somebody saw that was to be durable lies before this place.
    pub(super) seen: usize,
    /// The same, if only those are asked who cannot have seen it elsewhere.
    pub(super) seen_once: usize,
    /// Somebody may have seen a loose call.
    pub(super) doubt: bool,
}

impl Readers {
    /// # Errors
    /// If an answer is true at no place where it may stand.
    pub(super) fn place(
        log: &Log<'_>,
        loose: &Loose<'_>,
        steps: &mut usize,
    ) -> Result<Readers, Broken> {
        let calls = &log.history.calls;
        let mut events: Vec<(u64, bool, usize)> = Vec::with_capacity(2 * calls.len());
        for (nth, call) in calls.iter().enumerate() {
            events.push((call.began, false, nth));
            events.extend(table::ended(call).map(|ended| (ended, true, nth)));
        }
        events.sort_unstable();
        let ceilings = ceilings(log, &events, steps);
        let mut readers = Readers { floors: vec![0; calls.len()], ..Readers::default() };
        let mut places: Vec<usize> = (0..calls.len()).map(|n| log.place(n).unwrap_or(0)).collect();
        let mut floor = 0;
        for (_, is_end, nth) in events {
            *steps += 1;
            if is_end {
                floor = floor.max(places[nth]);
                continue;
            }
            readers.floors[nth] = floor;
            let call = &calls[nth];
            if let Some(saw) = table::observed(call) {
                let (ended, bounds) = (call.ended.unwrap_or(u64::MAX), (floor, ceilings[nth]));
                let spot = log.spot(saw, bounds, steps);
                places[nth] = match spot {
                    Some(spot) if spot.place == floor => readers.pinned(log, loose, saw.0, spot),
                    // A loose one may have shown it earlier.
                    _ if loose.could_show(saw.0, saw.1, ended) => {
                        readers.doubt = true;
                        floor
                    }
                    Some(spot) => readers.pinned(log, loose, saw.0, spot),
                    None => return Err(why::answer(log.history, call)),
                };
            } else if is_sync(call) {
                places[nth] = floor;
            } else {
                continue;
            }
            let (place, began) = (places[nth], call.began);
            readers.seats.push(Seat { place, began, call: nth });
        }
        readers.seats.sort_by_key(|seat| (seat.place, seat.began));
        Ok(readers)
    }

    /// What a reader sees there, if it was to be durable, is a promise (P10).
    fn pinned(&mut self, log: &Log<'_>, loose: &Loose<'_>, key: u64, spot: Spot) -> usize {
        if spot.since > 0 && log.call(spot.since - 1).level >= Level::Durable {
            self.seen = self.seen.max(spot.since);
            if !spot.again && !loose.touches(key) {
                self.seen_once = self.seen_once.max(spot.since);
            }
        }
        spot.place
    }

    pub(super) fn floor(&self, call: usize) -> usize {
        self.floors[call]
    }

    /// The place before which a sync made everything durable.
    pub(super) fn synced(&self, log: &Log<'_>, crash: Crash) -> usize {
        let keeps = |seat: &&Seat| {
            let answer = &log.history.calls[seat.call].answer;
            matches!(answer, Answer::Done(level) if crash.keeps(*level))
        };
        self.seats.iter().rev().find(keeps).map_or(0, |seat| seat.place)
    }

    /// The first reader of a change at or behind a place.
    pub(super) fn of(&self, log: &Log<'_>, from: usize) -> Option<(usize, usize)> {
        self.seats.iter().find_map(|seat| {
            let saw = table::observed(&log.history.calls[seat.call])?;
            let since = log.spot(saw, (seat.place, seat.place), &mut 0)?.since;
            let pins = since > from && log.call(since - 1).level >= Level::Durable;
            pins.then(|| (since - 1, seat.call))
        })
    }

    /// Whether somebody behind the cut read a key that a loose call wrote there.
    pub(super) fn saw_otherwise(
        &self,
        log: &Log<'_>,
        loose: &Loose<'_>,
        cut: usize,
        kept: &[usize],
    ) -> bool {
        let behind = self.seats.iter().rev().take_while(|seat| seat.place > cut);
        !kept.is_empty()
            && behind
                .filter_map(|seat| table::observed(&log.history.calls[seat.call]))
                .any(|(key, _)| loose.write(kept, key))
    }

    /// All that took effect, in order, with the loose ones `kept` at the cut.
    pub(super) fn order(&self, log: &Log<'_>, cut: usize, kept: &[usize]) -> Order {
        let mut order = Order::default();
        let mut seats = self.seats.iter().peekable();
        for place in 0..=log.len() {
            order.calls.extend(place.checked_sub(1).map(|nth| log.number(nth)));
            while let Some(seat) = seats.next_if(|seat| seat.place == place) {
                order.calls.push(seat.call);
            }
            if place == cut {
                order.calls.extend(kept);
                order.kept = order.calls.len();
            }
        }
        order
    }
}

/// For each reader the place before all that began after it had ended.
fn ceilings(log: &Log<'_>, events: &[(u64, bool, usize)], steps: &mut usize) -> Vec<usize> {
    let mut ceilings = vec![log.len(); log.history.calls.len()];
    let mut least = log.len();
    for (_, is_end, nth) in events.iter().rev() {
        *steps += 1;
        match (is_end, log.place(*nth)) {
            (true, _) => ceilings[*nth] = least,
            (false, Some(place)) => least = least.min(place - 1),
            (false, None) => {}
        }
    }
    ceilings
}

fn is_sync(call: &super::Call) -> bool {
    !table::changes(call) && matches!(call.answer, Answer::Done(_))
}
