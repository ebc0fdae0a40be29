//! Histories written by hand: each kind that is impossible, and beside it one that is not.

use super::*;
use Crash::{Kill, Power};

#[test]
fn what_is_durable_stays() {
    let script = Script::default().calls(1, put(1, "a"), DURABLE).calls(2, put(2, "b"), DURABLE);
    script.explained(Power, &[(1, "a"), (2, "b")]);
    script.impossible(Power, &[(1, "a")], (Rule::P1Loss, "promised and lost: T2 2=b"));
    script.impossible(Power, &[], (Rule::P1Loss, "promised and lost: T1 1=a, T2 2=b"));
}

#[test]
fn what_is_flushed_survives_a_kill_and_not_the_power() {
    let script = Script::default().calls(1, put(1, "a"), FLUSHED);
    script.explained(Power, &[]);
    script.explained(Kill, &[(1, "a")]);
    script.impossible(Kill, &[], (Rule::P1Loss, "promised and lost: T1 1=a"));
}

#[test]
fn what_is_buffered_goes_from_the_end() {
    let script = Script::default().calls(1, put(1, "a"), BUFFERED).calls(2, put(2, "b"), BUFFERED);
    for left in [&[][..], &[(1, "a")], &[(1, "a"), (2, "b")]] {
        script.explained(Power, left);
    }
    script.impossible(Power, &[(2, "b")], (Rule::P2Prefix, "T2 2=b is there without T1 1=a"));
    // Had they overlapped, either could be the first.
    let script = Script::default().defers(1, put(1, "a")).defers(2, put(2, "b"));
    let script = script.ends(1, BUFFERED).ends(2, BUFFERED);
    script.explained(Power, &[(1, "a")]);
    script.explained(Power, &[(2, "b")]);
}

#[test]
fn a_sync_acknowledges_all_before_it() {
    let script = Script::default().calls(1, put(1, "a"), BUFFERED).calls(2, change(&[]), DURABLE);
    script.explained(Power, &[(1, "a")]);
    script.impossible(Power, &[], (Rule::P1Loss, "promised and lost: T1 1=a"));
    // Begun before the put had ended, it promises nothing of it.
    let script = Script::default().defers(1, put(1, "a")).begins(2, change(&[]));
    script.ends(1, BUFFERED).ends(2, DURABLE).explained(Power, &[]);
}

#[test]
fn a_call_in_flight_is_in_or_out() {
    let script = Script::default().calls(1, put(1, "a"), DURABLE).begins(1, put(1, "b"));
    script.explained(Power, &[(1, "a")]);
    script.explained(Power, &[(1, "b")]);
    script.impossible(Power, &[], (Rule::P1Loss, "promised and lost: T1 1=a"));
}

#[test]
fn a_call_that_failed_is_in_or_out_even_later() {
    let script = Script::default().calls(1, put(1, "a"), Answer::Failed);
    let script = script.calls(1, What::Read(1), Answer::Saw(None));
    let script = script.calls(2, put(2, "b"), DURABLE);
    script.explained(Power, &[(2, "b")]);
    script.explained(Power, &[(1, "a"), (2, "b")]);
}

#[test]
fn what_was_refused_never_comes() {
    let script = Script::default().calls(1, put(1, "a"), Answer::Refused);
    script.explained(Power, &[]);
    let why = "key 1 is \"a\", which only T1 1=a wrote, which was refused";
    script.impossible(Power, &[(1, "a")], (Rule::P4Invention, why));
}

#[test]
fn a_batch_is_whole() {
    let batch = change(&[(1, Some("a")), (2, Some("b"))]);
    let script = Script::default().begins(1, batch);
    script.explained(Power, &[]);
    script.explained(Power, &[(1, "a"), (2, "b")]);
    script.impossible(Power, &[(2, "b")], (Rule::P3Atomicity, "1 of 2 parts of T1 1=a 2=b"));
}

#[test]
fn nothing_is_invented() {
    let script = Script::default().calls(1, put(1, "a"), DURABLE);
    let what = "key 1 is \"x\", which nobody wrote";
    script.impossible(Power, &[(1, "x")], (Rule::P4Invention, what));
    let what = "key 7 is \"a\", which nobody wrote";
    script.impossible(Power, &[(1, "a"), (7, "a")], (Rule::P4Invention, what));
    let script = Script::default().calls(1, What::Read(1), saw("x"));
    let what = "T1 get 1 is answered \"x\", which nobody wrote";
    script.impossible(Power, &[], (Rule::P4Invention, what));
}

#[test]
fn what_a_delete_removed_stays_removed() {
    let script = Script::default().calls(1, put(1, "a"), DURABLE);
    let script = script.calls(2, What::Delete(1), DURABLE).calls(1, put(2, "b"), DURABLE);
    script.explained(Power, &[(2, "b")]);
    let what = "what T2 delete 1 removed is back";
    script.impossible(Power, &[(1, "a"), (2, "b")], (Rule::P4Invention, what));
}

#[test]
fn nothing_is_applied_twice() {
    let script = Script::default().begins(1, What::Add(1, 2)).begins(2, What::Add(1, 3));
    let script = script.ends(1, DURABLE).ends(2, DURABLE);
    let verdict = |sum: u64| {
        let recovered = Map::from([(1, sum.to_le_bytes().to_vec())]);
        search(&script.history, Some(&recovered), Power, CAP)
    };
    assert!(matches!(verdict(5), Verdict::Explained(_)));
    let Verdict::Impossible(broken) = verdict(8) else { panic!() };
    assert_eq!(broken.rule, Rule::P4Invention);
    let Verdict::Impossible(broken) = verdict(3) else { panic!() };
    assert_eq!((broken.rule, &broken.what[..]), (Rule::P1Loss, "promised and lost: T1 add 2 to 1"));
}

/// Key 1 is a lock.
fn takes(owner: &str) -> What {
    let (from, to) = (None, Some(owner.as_bytes().to_vec()));
    What::Swap { name: format!("{owner} takes 1"), key: 1, from, to }
}

/// The promise that is broken; the witness does not look into swaps that did nothing.
#[track_caller]
fn breaks(script: &Script, recovered: &[(u64, &str)], why: (Rule, &str)) {
    let recovered = map(recovered);
    let verdict = search(&script.history, Some(&recovered), Power, CAP);
    let Verdict::Impossible(broken) = verdict else { panic!("{verdict:?}") };
    assert_eq!((broken.rule, &broken.what[..]), why);
    assert_eq!(witness(&script.history, Some(&recovered), Power), Verdict::Unknown);
}

#[test]
fn a_lock_has_one_owner() {
    let taken = || Script::default().calls(1, takes("a"), DURABLE);
    let refused = taken().calls(2, takes("b"), Answer::Absent);
    refused.explained(Power, &[(1, "a")]);
    breaks(&refused, &[], (Rule::P1Loss, "promised and lost: T1 a takes 1"));
    let what = "T2 b takes 1 is acknowledged with LSN 2, which no order of the calls explains";
    let mut twice = taken().calls(2, takes("b"), DURABLE);
    twice.history.calls.iter_mut().zip(1..).for_each(|(call, lsn)| call.lsn = Some(lsn));
    twice.impossible(Power, &[(1, "b")], (Rule::P2Prefix, what));
    // In flight it may take a lock that is there to be taken, and no other.
    let both = Script::default().begins(1, takes("a")).begins(2, takes("b"));
    for left in [&[][..], &[(1, "a")], &[(1, "b")]] {
        both.explained(Power, left);
    }
    let late = taken().begins(2, takes("b"));
    let what = "T1 a takes 1, T2 b takes 1 is there, and in no order that callers saw";
    breaks(&late, &[(1, "b")], (Rule::P2Prefix, what));
    // Whoever was refused has seen the other one.
    let seen = Script::default().begins(1, takes("a")).calls(2, takes("b"), Answer::Absent);
    seen.explained(Power, &[(1, "a")]);
    let what = "T1 a takes 1 was seen by T2 b takes 1 and is lost";
    breaks(&seen, &[], (Rule::P10Visibility, what));
    let alone = Script::default().calls(2, takes("b"), Answer::Absent);
    let what = "T2 b takes 1 is told that it is not so, which no order of the calls explains";
    breaks(&alone, &[], (Rule::P2Prefix, what));
}

#[test]
fn sums_are_answers() {
    let told = |one: u64, two: u64| {
        let sum = |sum: u64| Answer::Saw(Some(sum.to_le_bytes().to_vec()));
        let script = Script::default().begins(1, What::Add(1, 2)).begins(2, What::Add(1, 3));
        let script = script.ends(1, sum(one)).ends(2, sum(two));
        let recovered = Map::from([(1, 5u64.to_le_bytes().to_vec())]);
        let mut told = script.history.clone();
        let first = if one < two { [1, 2] } else { [2, 1] };
        told.calls.iter_mut().zip(first).for_each(|(call, lsn)| call.lsn = Some(lsn));
        (
            search(&script.history, Some(&recovered), Power, CAP),
            witness(&told, Some(&recovered), Power),
        )
    };
    for (one, two) in [(2, 5), (5, 3)] {
        assert!(matches!(told(one, two), (Verdict::Explained(_), Verdict::Explained(_))));
    }
    for (one, two) in [(5, 5), (2, 3), (3, 5)] {
        let (Verdict::Impossible(one), Verdict::Impossible(two)) = told(one, two) else { panic!() };
        assert_eq!([one.rule, two.rule], [Rule::P2Prefix; 2]);
        assert!(one.what.contains("is told a sum") && two.what.contains("is told a sum"));
    }
}

#[test]
fn what_a_reader_saw_stays() {
    let script = Script::default().begins(1, put(1, "a")).calls(2, What::Read(1), saw("a"));
    script.explained(Power, &[(1, "a")]);
    let what = "T1 1=a was seen by T2 get 1 and is lost";
    script.impossible(Power, &[], (Rule::P10Visibility, what));
    script.impossible(Kill, &[], (Rule::P10Visibility, what));
    // So does what it saw deleted.
    let script = Script::default().calls(1, put(1, "a"), DURABLE).begins(1, change(&[(1, None)]));
    let script = script.calls(2, What::Read(1), Answer::Saw(None));
    script.explained(Power, &[]);
    let what = "T1 1- was seen by T2 get 1 and is lost";
    script.impossible(Power, &[(1, "a")], (Rule::P10Visibility, what));
    // What is deferred is visible at once, and promises nothing.
    let script = Script::default().calls(1, put(1, "a"), BUFFERED);
    script.calls(2, What::Read(1), saw("a")).explained(Power, &[]);
    // Unless it was submitted to be made durable.
    let script = Script::default().begins(1, put(1, "a")).ends(1, BUFFERED);
    let script = script.calls(2, What::Read(1), saw("a"));
    let what = "T1 1=a was seen by T2 get 1 and is lost";
    script.impossible(Power, &[], (Rule::P10Visibility, what));
}

#[test]
fn a_reader_does_not_see_the_past() {
    let script = Script::default().calls(1, put(1, "a"), DURABLE).calls(1, put(1, "b"), DURABLE);
    let stale = script.calls(2, What::Read(1), saw("a"));
    let what = "T2 get 1 is answered \"a\", which no order of the calls explains";
    stale.impossible(Power, &[(1, "b")], (Rule::P2Prefix, what));
    stale.impossible(Crash::None, &[(1, "b")], (Rule::P2Prefix, what));
}

#[test]
fn two_readers_agree_on_the_order() {
    let two = || Script::default().begins(1, put(1, "a")).begins(2, put(1, "b"));
    let right = two().calls(3, What::Read(1), saw("a")).calls(4, What::Read(1), saw("b"));
    right.explained(Power, &[(1, "b")]);
    let wrong = right.calls(3, What::Read(1), saw("a"));
    let what = "T3 get 1 is answered \"a\", which no order of the calls explains";
    wrong.impossible(Power, &[(1, "b")], (Rule::P2Prefix, what));
}

#[test]
fn a_reader_does_not_see_half_a_batch() {
    let script = Script::default().begins(1, change(&[(1, Some("a")), (2, Some("b"))]));
    let script = script.calls(2, What::Read(1), saw("a"));
    let what = "T2 get 2 is answered nothing, which no order of the calls explains";
    let wrong = script.calls(2, What::Read(2), Answer::Saw(None));
    wrong.impossible(Power, &[(1, "a"), (2, "b")], (Rule::P2Prefix, what));
}

#[test]
fn one_of_two_deletes_finds_nothing() {
    let two = |first, second| {
        let script = Script::default().calls(1, put(1, "a"), DURABLE);
        let script = script.begins(1, What::Delete(1)).begins(2, What::Delete(1));
        script.ends(1, first).ends(2, second)
    };
    two(DURABLE, Answer::Absent).explained(Power, &[]);
    two(Answer::Absent, DURABLE).explained(Power, &[]);
    let what = "T2 delete 1 is acknowledged, which no order of the calls explains";
    two(DURABLE, DURABLE).impossible(Power, &[], (Rule::P2Prefix, what));
}

#[test]
fn what_stands_behind_the_cut_is_answered_for_too() {
    // The reader saw the second of two puts in flight, so both took effect; one may still go.
    let script = Script::default().defers(1, put(1, "a")).defers(2, put(1, "b"));
    let script = script.calls(3, What::Read(1), saw("b"));
    for left in [&[][..], &[(1, "a")], &[(1, "b")]] {
        script.explained(Power, left);
    }
}

#[test]
fn the_state_at_the_beginning_is_a_promise() {
    let mut script = Script::default();
    script.history.base = map(&[(1, "a"), (2, "b")]);
    let script = script.calls(1, put(2, "c"), BUFFERED);
    script.explained(Power, &[(1, "a"), (2, "b")]);
    script.explained(Power, &[(1, "a"), (2, "c")]);
    let what = "key 1 was \"a\" when this life began, and is gone";
    script.impossible(Power, &[(2, "b")], (Rule::P1Loss, what));
}

#[test]
fn keys_are_not_judged_separately() {
    // Each key by itself is at a place that some prefix has; no prefix has both.
    let script = Script::default().calls(1, put(1, "a"), BUFFERED).calls(1, put(2, "b"), BUFFERED);
    let script = script.calls(1, put(1, "c"), BUFFERED);
    let what = "T1 1=a, T1 1=c is there without T1 2=b";
    script.impossible(Power, &[(1, "c")], (Rule::P2Prefix, what));
}

#[test]
fn lsns_are_taken_at_their_word() {
    let logged = |first: u64, second: u64| {
        let mut script = Script::default().begins(1, put(1, "a")).begins(2, put(1, "b"));
        script = script.ends(1, DURABLE).ends(2, DURABLE);
        script.history.calls[0].lsn = Some(first);
        script.history.calls[1].lsn = Some(second);
        script
    };
    logged(1, 2).explained(Power, &[(1, "b")]);
    logged(2, 1).explained(Power, &[(1, "a")]);
    logged(1, 2).impossible(Power, &[(1, "a")], (Rule::P1Loss, "promised and lost: T2 1=b"));
    let mut late = Script::default().calls(1, put(1, "a"), DURABLE).calls(1, put(2, "b"), DURABLE);
    (late.history.calls[0].lsn, late.history.calls[1].lsn) = (Some(2), Some(1));
    let what = "T1 2=b is acknowledged with LSN 1, which no order of the calls explains";
    late.impossible(Power, &[(1, "a"), (2, "b")], (Rule::P2Prefix, what));
}

/// A reader is promised what it saw, not what that has replaced.
#[test]
fn what_replaces_a_promise_is_seen_instead() {
    let script = Script::default().begins(1, put(1, "a")).ends(1, BUFFERED);
    let script = script.calls(2, put(1, "b"), BUFFERED).calls(3, What::Read(1), saw("b"));
    script.explained(Power, &[]);
    // Of two that wrote the same, it may have seen the one that promises nothing.
    let script = Script::default().begins(1, put(1, "a")).defers(2, put(1, "a"));
    let script = script.ends(1, BUFFERED).ends(2, BUFFERED).calls(2, put(2, "c"), BUFFERED);
    script.calls(3, What::Read(1), saw("a")).explained(Power, &[]);
}

#[test]
fn what_failed_keeps_its_place_in_the_log() {
    let script = Script::default().calls(1, put(1, "a"), Answer::Failed);
    let mut script = script.calls(2, put(1, "b"), DURABLE);
    script.explained(Power, &[(1, "a")]);
    (script.history.calls[0].lsn, script.history.calls[1].lsn) = (Some(1), Some(2));
    script.explained(Power, &[(1, "b")]);
    let verdict = search(&script.history, Some(&map(&[(1, "a")])), Power, CAP);
    assert!(matches!(verdict, Verdict::Impossible(_)), "{verdict:?}");
}

#[test]
fn an_lsn_is_given_once() {
    let mut script = Script::default().begins(1, put(1, "a")).begins(2, put(2, "b"));
    script = script.ends(1, DURABLE).ends(2, DURABLE);
    script.history.calls.iter_mut().for_each(|call| call.lsn = Some(7));
    let what = "T2 2=b is acknowledged with LSN 7, which no order of the calls explains";
    script.impossible(Power, &[(1, "a"), (2, "b")], (Rule::P2Prefix, what));
}

/// Without the cap this one would take more memory than there is.
#[test]
fn what_is_too_much_is_unknown() {
    let mut script = Script::default();
    for thread in 0..40 {
        script = script.defers(thread, put(u64::from(thread) % 20, &format!("{thread}")));
    }
    assert_eq!(search(&script.history, Some(&map(&[(0, "x")])), Power, 50), Verdict::Unknown);
    assert_eq!(allowed(&script.history, Power, 50), None);
    script.history.calls.truncate(6);
    assert!(allowed(&script.history, Power, CAP).is_some());
}

/// Where the witness does not know, it does not guess: the search tells why.
#[test]
fn a_witness_that_could_be_wrong_does_not_answer() {
    let both = |script: &Script, recovered: &[(u64, &str)]| {
        let (recovered, history) = (map(recovered), &script.history);
        let told = witness(history, Some(&recovered), Power);
        assert_eq!(told, Verdict::Unknown);
        search(history, Some(&recovered), Power, CAP)
    };
    // The put in flight would have to be there before the cut, and the reader says that it was not.
    let script = Script::default().begins(1, put(1, "a")).calls(2, put(2, "b"), BUFFERED);
    let mut script = script.calls(3, What::Read(1), Answer::Saw(None));
    script.history.calls[1].lsn = Some(1);
    let found = both(&script, &[(1, "a")]);
    assert!(matches!(found, Verdict::Impossible(_)), "{found:?}");
    // The reader saw one of two that wrote the same; only the first was to be durable.
    let script = Script::default().begins(3, What::Read(1)).begins(1, put(1, "a"));
    let script = script.ends(1, BUFFERED).calls(2, put(1, "b"), BUFFERED);
    let mut script = script.calls(2, put(1, "a"), BUFFERED).ends(3, saw("a"));
    (1..=3).for_each(|lsn| script.history.calls[lsn].lsn = Some(lsn as u64));
    let found = both(&script, &[]);
    assert!(matches!(found, Verdict::Explained(_)), "{found:?}");
}
