//! The witness checker is near-linear: counted in steps, since a clock says something else on
//! every machine.

use super::*;
use crate::history::witness::counted;
use highwater_sim::Rng;

/// Eight threads, half of them reading; what is seen takes effect at a moment
/// between beginning and end. Every eighth write is a batch of two.
fn long(calls: usize, keys: u64) -> (History, Map) {
    let (mut rng, mut history, mut state) = (Rng::new(9), History::default(), Map::new());
    // The call under way of each thread, and what it will be answered once it has taken effect.
    type Ready = (Answer, Option<u64>);
    let mut open: [Option<(usize, Option<Ready>)>; 8] = Default::default();
    let mut lsn = 0;
    while history.calls.len() < calls || open.iter().any(Option::is_some) {
        let thread = rng.below(8) as usize;
        open[thread] = match open[thread].take() {
            None if history.calls.len() == calls => None,
            None => {
                let (nth, key) = (history.calls.len(), rng.below(keys));
                let pair = [(key, Some(nth.to_le_bytes().to_vec())), (key + keys, None)];
                let size = 1 + usize::from(rng.below(8) == 0);
                let what = match rng.below(2) {
                    0 => What::Read(key),
                    _ => What::Change(Effect::new(String::new(), pair[..size].to_vec())),
                };
                Some((history.begin(thread as u32, what, Level::Durable), None))
            }
            Some((nth, None)) => {
                let what = history.calls[nth].what.clone();
                let answer = match what {
                    What::Read(key) => (Answer::Saw(state.get(&key).cloned()), None),
                    _ => {
                        random::apply(&what, &mut state);
                        lsn += 1;
                        (DURABLE, Some(lsn))
                    }
                };
                Some((nth, Some(answer)))
            }
            Some((nth, Some((answer, lsn)))) => {
                history.end(nth, answer, lsn);
                None
            }
        };
    }
    (history, state)
}

/// Steps for a thousand calls each. A million calls take 18 a call, and about a second.
#[test]
fn the_witness_takes_few_steps_a_call() {
    for (calls, keys, most) in [
        (1_000, 100, 9_000),
        (10_000, 100, 12_000),
        (100_000, 100, 15_000),
        (1_000, 1, 15_000),
        (10_000, 1, 20_000),
        (100_000, 1, 25_000),
    ] {
        let (history, recovered) = long(calls, keys);
        let (verdict, steps) = counted(&history, Some(&recovered), Crash::Power);
        assert!(matches!(verdict, Verdict::Explained(_)), "{verdict:?}");
        assert!(steps <= calls / 1_000 * most, "{calls} calls, {keys} keys: {steps} steps");
        // To say no, and why, takes not much more.
        let mut spoilt = recovered.clone();
        spoilt.insert(0, calls.to_le_bytes().to_vec());
        spoilt.remove(&(keys - 1));
        let (verdict, steps) = counted(&history, Some(&spoilt), Crash::Power);
        assert!(matches!(verdict, Verdict::Impossible(_)), "{verdict:?}");
        assert!(steps <= calls / 1_000 * most, "{calls} calls, {keys} keys: {steps} steps");
    }
}

/// A reader that overlaps everything may stand anywhere, and is not asked everywhere.
#[test]
fn long_calls_cost_no_more() {
    let calls = 20_000;
    let mut history = History::default();
    let readers: Vec<usize> =
        (0..calls / 2).map(|n| history.begin(n as u32, What::Read(1), Level::Durable)).collect();
    for lsn in 1..=calls as u64 / 2 {
        let put = put(1, ["a", "b"][lsn as usize % 2]);
        let nth = history.begin(0, put, Level::Buffered);
        history.end(nth, BUFFERED, Some(lsn));
    }
    readers.into_iter().for_each(|nth| history.end(nth, saw("a"), None));
    let (verdict, steps) = counted(&history, Some(&map(&[(1, "a")])), Crash::Power);
    assert!(matches!(verdict, Verdict::Explained(_)), "{verdict:?}");
    assert!(steps <= 30 * calls, "{steps}");
}
