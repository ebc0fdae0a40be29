//! The commit queue: who is told what, and that nobody is left waiting.

use crate::engine::sync::{ANY_MOMENT, Arc, WHEN_CALLED};
use crate::explore::{Bounds, Seen, explore};
use crate::toy::{Error, Queue, Toy};
use loom::thread::{JoinHandle, spawn};
use std::time::Duration;

/// So much room that there is no rotation.
const AMPLE: u64 = 9;

type Told = Result<u64, Error>;

fn commit(queue: &Queue, patience: Option<Duration>) -> Told {
    let lsn = queue.commit(patience, |log| log.append())?;
    let durable = queue.with(|log| Arc::clone(&log.disk)).durable();
    assert!(durable >= lsn, "Q2: {lsn} was acknowledged, {durable} is durable");
    Ok(lsn)
}

fn committer(queue: &Queue, commits: usize) -> JoinHandle<Vec<Told>> {
    let queue = Arc::clone(queue);
    spawn(move || (0..commits).map(|_| commit(&queue, None)).collect())
}

/// Syncs, and what each caller was told, without the LSNs and in order: who is who is no matter.
type Outcome = (u64, Vec<Result<(), Error>>);

fn outcome(queue: &Queue, told: Vec<Told>) -> Outcome {
    let mut told: Vec<_> = told.into_iter().map(|told| told.map(drop)).collect();
    told.sort();
    (queue.with(|log| log.disk.syncs()), told)
}

/// Callers, with the main thread one of them.
fn callers(
    name: &str,
    bounds: Bounds,
    threads: usize,
    commits: usize,
    fails: u64,
) -> Seen<Outcome> {
    explore(name, bounds, move || {
        let queue = Toy::new(fails, AMPLE).queue();
        let others: Vec<_> = (1..threads).map(|_| committer(&queue, commits)).collect();
        let mut told: Vec<_> = (0..commits).map(|_| commit(&queue, None)).collect();
        others.into_iter().for_each(|other| told.extend(other.join().unwrap()));
        outcome(&queue, told)
    })
}

pub(crate) fn two() {
    let seen = callers("queue, 2 callers", Bounds(None, None), 2, 1, 0);
    seen.are(&[(2, vec![Ok(()); 2])]); // a leader without company waits for none
}

#[test]
fn loom_q2_two_callers() {
    two();
}

#[test]
fn loom_q2_two_callers_twice() {
    let seen = callers("queue, 2 callers, 2 commits each", Bounds(Some(2), None), 2, 2, 0);
    seen.reached(&[3, 4].map(|syncs| (syncs, vec![Ok(()); 4])));
}

pub(crate) fn three() {
    let seen = callers("queue, 3 callers", Bounds(Some(2), Some(4)), 3, 1, 0);
    seen.are(&[2, 3].map(|syncs| (syncs, vec![Ok(()); 3])));
}

/// Full batching: while the first is on its way, the other two share one sync.
#[test]
fn loom_q2_three_callers() {
    three();
}

/// A leader with company takes those along who were just called: four commits in two syncs.
#[test]
fn loom_q2_a_leader_takes_company_along() {
    let name = "queue, 3 callers, 1 of them twice";
    let seen = explore(name, Bounds(Some(2), Some(3)), || {
        let queue = Toy::new(0, AMPLE).queue();
        let others = [committer(&queue, 1), committer(&queue, 1)];
        let mut told = vec![commit(&queue, None), commit(&queue, None)];
        others.into_iter().for_each(|other| told.extend(other.join().unwrap()));
        outcome(&queue, told)
    });
    seen.reached(&[2, 3, 4].map(|syncs| (syncs, vec![Ok(()); 4])));
}

/// P10: what a reader hears is durable, is.
pub(crate) fn and_a_reader() {
    let seen = explore("queue, 2 callers, 1 reader", Bounds(Some(2), Some(4)), || {
        let queue = Toy::new(0, AMPLE).queue();
        let (view, disk) = queue.with(|log| (log.positions.clone(), Arc::clone(&log.disk)));
        let other = committer(&queue, 1);
        // The last of the threads: after all the others in the first order that is tried.
        let reader = spawn(move || {
            let heard = view.durable().0;
            let durable = disk.durable();
            assert!(durable >= heard, "P10: durable is {durable}, a reader heard {heard}");
            assert!(view.written().0 >= heard, "A1: {heard} is durable and not written");
            heard
        });
        let mut told = vec![commit(&queue, None)];
        told.extend(other.join().unwrap());
        (reader.join().unwrap(), outcome(&queue, told).0)
    });
    seen.are(&[(0, 2), (1, 2), (2, 2)]);
}

#[test]
fn loom_q2_two_callers_and_a_reader() {
    and_a_reader();
}

/// Q3: what a failed sync stood for is told to all, and nothing works after it.
pub(crate) fn failing() {
    let seen = callers("queue, 3 callers, sync 1 fails", Bounds(Some(2), Some(5)), 3, 1, 1);
    // Whoever leads hears of the disk, those it stood for and those who gathered of a failure,
    // and who comes later is refused.
    seen.reached(&[
        (1, vec![Err(Error::Io), Err(Error::Failed), Err(Error::Failed)]),
        (1, vec![Err(Error::Io), Err(Error::Failed), Err(Error::Refused)]),
        (1, vec![Err(Error::Io), Err(Error::Refused), Err(Error::Refused)]),
    ]);
    seen.some("one sync only", |(syncs, _)| *syncs == 1);
}

#[test]
fn loom_q3_a_failed_leader_fails_everybody() {
    failing();
}

#[test]
fn loom_q3_the_second_sync_fails() {
    let seen = callers("queue, 3 callers, sync 2 fails", Bounds(Some(2), Some(4)), 3, 1, 2);
    seen.reached(&[
        (2, vec![Ok(()), Err(Error::Io), Err(Error::Failed)]),
        (2, vec![Ok(()), Err(Error::Io), Err(Error::Refused)]),
    ]);
}

fn impatient(name: &str, patience: Duration, bounds: Bounds) -> Seen<Outcome> {
    explore(name, bounds, move || {
        let queue = Toy::new(0, AMPLE).queue();
        let others = [committer(&queue, 1), committer(&queue, 1)];
        let mut told = vec![commit(&queue, Some(patience))];
        others.into_iter().for_each(|other| told.extend(other.join().unwrap()));
        // Whatever the impatient one was told, what it added is not lost.
        let settled = queue.alone(|log| Ok((log.appended, log.disk.durable())));
        assert_eq!(settled, Ok((3, 3)), "Q4: something gathered is left over");
        outcome(&queue, told)
    })
}

/// Q4: a patience that is over before the call: told nothing, or the leader after all.
pub(crate) fn over_at_any_moment() {
    let name = "queue, 2 callers, 1 impatient";
    let seen = impatient(name, ANY_MOMENT, Bounds(Some(2), Some(4)));
    seen.some("told nothing", |(_, told)| told.contains(&Err(Error::Impatient)));
    seen.some("acknowledged", |(_, told)| *told == [Ok(()); 3]);
}

#[test]
fn loom_q4_patience_over_at_any_moment() {
    over_at_any_moment();
}

/// Q4: who is called leads, though its patience is over: nobody else was called.
#[test]
fn loom_q4_patience_over_when_called() {
    let name = "queue, 2 callers, 1 called too late";
    let seen = impatient(name, WHEN_CALLED, Bounds(Some(2), Some(4)));
    seen.some("acknowledged", |(syncs, told)| *syncs == 2 && *told == [Ok(()); 3]);
}

/// Q5: alone with the log, whoever commits.
pub(crate) fn alone() {
    let seen = explore("queue, 2 callers, 1 alone", Bounds(Some(2), Some(5)), || {
        let queue = Toy::new(0, AMPLE).queue();
        let others = [committer(&queue, 1), committer(&queue, 1)];
        let found = queue.alone(|log| {
            let (appended, durable) = (log.appended, log.disk.durable());
            assert_eq!((appended, log.visible), (durable, durable), "Q1, Q5: not alone");
            Ok(appended)
        });
        let told = others.into_iter().flat_map(|other| other.join().unwrap()).collect();
        (found.unwrap(), outcome(&queue, told).0)
    });
    seen.reached(&[(0, 2), (1, 2), (2, 2)]);
}

#[test]
fn loom_q5_alone_with_the_log() {
    alone();
}
