//! Schedule × crash, tested through what the museum shows of it.

mod own;
mod small;

use highwater_models::museum::{PIECES, Piece};
use highwater_models::threads::{Plan, Program, run, store};
use highwater_models::{Job, engine};
use highwater_sim::{Act, Campaign, FailedSync, Failure, Model, Settings, Verdict};

/// The pieces that need threads.
fn pieces() -> impl Iterator<Item = &'static Piece> {
    PIECES.iter().filter(|piece| piece.threads.is_some())
}

/// Its own campaign without twins' claims, on so many threads of the machine.
fn campaign(piece: &Piece, threads: usize) -> Campaign {
    let campaign = piece.campaign(false);
    Campaign { settings: Settings { threads, ..campaign.settings.clone() }, ..campaign }
}

#[test]
fn shuttle_no_bug_among_threads_shows_while_they_take_turns() {
    for piece in pieces() {
        let [bug, _] = piece.threads.expect("it needs threads");
        let alone = run(&campaign(piece, 1), Plan::ALONE, &bug(), &mut |_| ());
        assert_eq!(alone.report.verdict, Verdict::Held, "{}: the default schedule", piece.bug);
        assert_eq!((alone.schedules.tried, alone.schedules.complete), (1, None));
        assert_eq!(alone.report.control_caught, Some(true), "{}", piece.bug);
        let found = run(&campaign(piece, 1), Plan::default(), &bug(), &mut |_| ());
        let expected = if piece.broken { Verdict::Broken } else { Verdict::Violated };
        assert_eq!(found.report.verdict, expected, "{}: with schedules", piece.bug);
    }
}

#[test]
fn shuttle_the_same_seed_gives_the_same_bytes_on_one_thread_and_on_two() {
    // Random schedules first, so that what is found is found under one of them.
    let plan = Plan { bound: Some(0), random: 200, pct: 200, seed: 7, ..Plan::default() };
    for piece in pieces() {
        let [bug, _] = piece.threads.expect("it needs threads");
        let of =
            |threads| format!("{:?}", run(&campaign(piece, threads), plan, &bug(), &mut |_| ()));
        let (one, two) = (of(1), of(2));
        let at = one.bytes().zip(two.bytes()).position(|(a, b)| a != b).unwrap_or(one.len());
        let near = |text: &str| text[at.saturating_sub(80)..].chars().take(160).collect::<String>();
        assert!(one == two, "{}: {:?} or {:?}", piece.bug, near(&one), near(&two));
        assert!(one.contains("finding: Some"), "{}: random schedules find it, too", piece.bug);
    }
}

#[test]
fn shuttle_a_finding_is_one_word_of_both_and_walks_again() {
    for piece in pieces() {
        let bug = engine(&format!("museum/{}", piece.id())).expect("every piece is listed");
        let job = Job { campaign: bug.campaign(), ..Job::default() };
        let found = bug.run(&job, &mut |_| ()).counterexample.expect("a counterexample");
        let walks = bug.replay(&found.token).expect("its own token");
        assert!(walks.agree() && walks.first.broken.is_some(), "{}", found.token);
        assert_eq!(walks.first.trace, found.replayed.trace);
        let text = found.token.to_string();
        // The same crash with threads that take turns breaks nothing, or does not fit.
        let (before, after) = text.split_once('~').and_then(|_| text.rsplit_once('~')).unwrap();
        let trail = after.split_once('.').expect("a trail").1;
        let turns = format!("{before}~.{trail}").parse().expect("a token");
        let walks = bug.replay(&turns).expect("the same program");
        assert_eq!(walks.first.broken, None, "{turns}");
    }
}

#[test]
fn shuttle_twins_are_held_under_every_schedule_with_one_preemption() {
    let plan = Plan { bound: Some(1), random: 10, pct: 10, ..Plan::default() };
    for piece in pieces() {
        let [_, twin] = piece.threads.expect("it needs threads");
        let failures: Vec<Failure> = piece.needs.into_iter().collect();
        let campaign = Campaign { failures, ..campaign(piece, 2) };
        let ran = run(&campaign, plan, &twin(), &mut |_| ());
        assert_eq!(ran.report.verdict, Verdict::Held, "{}", piece.bug);
        assert_eq!(ran.schedules.complete, Some(1), "{}: {:?}", piece.bug, ran.schedules);
        assert!(ran.report.exhaustive() && ran.schedules.different > 3, "{}", piece.bug);
    }
}

/// A sync that fails in one thread while another has something on its way: of the directory at a
/// rotation or at a checkpoint, of the log, of the snapshot's own file. What a failed one has lost
/// the next one does not bring back, and says `Ok`.
#[test]
fn shuttle_a_failed_sync_beside_a_writer() {
    let put = |key: u64, byte: u8| Act::Put(key, vec![byte; 150]);
    let before = [
        vec![put(1, 1), put(2, 2), put(1, 3), put(2, 4)], // segments to be dropped
        vec![put(1, 1), put(2, 2)],                       // a full one
        vec![put(1, 1)],
    ];
    for model in [Model::Posix, Model::Ext4Journal] {
        for before in before.clone() {
            let threads = vec![vec![Act::Checkpoint], vec![put(3, 5)]];
            let program = Program { before, threads, after: Vec::new() };
            let failures = vec![Failure::Sync(FailedSync::KeepNew)];
            let settings = Settings { model, crashes: 1, threads: 2, ..Settings::default() };
            let campaign = Campaign { settings, failures, control: false };
            let plan =
                Plan { bound: Some(2), systematic: 300, random: 50, pct: 50, ..Plan::default() };
            let ran = run(&campaign, plan, &store::running(program), &mut |_| ());
            assert_eq!(ran.report.verdict, Verdict::Held, "{model}: {:?}", ran.report.finding);
            println!("{model}: {:?}, {} recoveries", ran.schedules, ran.report.recoveries());
        }
    }
}
