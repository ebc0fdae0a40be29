//! The cards of all toys, one test each, and the table of what they answer.
//!
//! Twins that copy what they find to a file of their own claim all families of failed syncs; those
//! that open a file again and only sync it (`NONE`) are right as long as no sync has failed.

use crate::judge::{Card, EVERYWHERE, POSIX, Row, UNORDERED, acts_of, put};
use crate::{ack, atom, ckpt, del, dir, err, rec, stale, tail};
use highwater_sim::{Act, FailedSync, Rule};

const ALL: &[FailedSync] = &FailedSync::ALL;
const NONE: &[FailedSync] = &[];

fn card(id: &'static str, acts: Vec<Act>) -> Card {
    Card {
        id,
        acts,
        rule: Rule::P1Loss,
        shows: EVERYWHERE,
        claims: ALL,
        needs: None,
        minimal: (1, 1),
        lost: ("", ""),
    }
}

fn batch(items: &[(u64, usize)]) -> Act {
    let item = |&(key, size): &(u64, usize)| (key, vec![b'a' + key as u8; size]);
    Act::Batch(items.iter().map(item).collect())
}

fn ack_1() -> Row {
    let acts = acts_of(&[(1, 20), (2, 600), (1, 30)]);
    let card = Card { lost: ("write log.1", "sync"), ..card("ACK-1", acts) };
    card.judge::<ack::Acked<false>, ack::Acked<true>>()
}

fn ack_6() -> Row {
    let acts = vec![put(1, 20), put(2, 30), Act::Delete(1)];
    let card = Card { minimal: (2, 1), lost: ("write log.1 24", "sync"), ..card("ACK-6", acts) };
    card.judge::<ack::Entrances<false>, ack::Entrances<true>>()
}

fn dir_1() -> Row {
    let card = Card {
        shows: POSIX, // elsewhere the sync of the grown file persists what led to its name
        claims: NONE,
        lost: ("rename wal.tmp -> wal", "sync_dir"),
        ..card("DIR-1", acts_of(&[(1, 20), (2, 30)]))
    };
    card.judge::<dir::Named<false>, dir::Named<true>>()
}

fn dir_5() -> Row {
    let card = Card {
        rule: Rule::P5FalseAlarm,
        shows: POSIX, // elsewhere a new file's bytes, length and name persist in order
        minimal: (0, 1),
        lost: ("write tmp", "sync"),
        ..card("DIR-5", acts_of(&[(1, 20), (2, 30)]))
    };
    card.judge::<dir::Replaced<false>, dir::Replaced<true>>()
}

fn tail_3() -> Row {
    let card =
        Card { claims: NONE, minimal: (1, 2), ..card("TAIL-3", acts_of(&[(1, 20), (2, 30)])) };
    card.judge::<tail::Resumed<false>, tail::Resumed<true>>()
}

fn tail_5() -> Row {
    let card = Card {
        rule: Rule::P5FalseAlarm,
        shows: UNORDERED, // in order, one sector and the length behind it are never half there
        lost: ("write log.1", "sync"),
        ..card("TAIL-5", acts_of(&[(1, 20), (2, 30)]))
    };
    card.judge::<tail::Torn<false>, tail::Torn<true>>()
}

fn tail_9() -> Row {
    let acts = acts_of(&[(1, 20), (2, 30), (3, 20)]);
    let card = Card { claims: NONE, ..card("TAIL-9", acts) };
    card.judge::<tail::Active<false>, tail::Active<true>>()
}

fn stale_2() -> Row {
    let acts = vec![put(1, 20), Act::Delete(1), Act::Checkpoint, put(2, 20)];
    let card = Card {
        shows: POSIX, // elsewhere space that was never written shows zeros
        rule: Rule::P4Invention,
        minimal: (1, 2),
        lost: ("write log.2 44 bytes at 0", "sync"),
        ..card("STALE-2", acts)
    };
    card.judge::<stale::Recycled<false>, stale::Recycled<true>>()
}

fn stale_6() -> Row {
    let acts = vec![put(1, 488), Act::Delete(1), Act::Checkpoint];
    let card = Card {
        shows: UNORDERED, // in order, the first record goes first
        claims: NONE,
        minimal: (3, 1),
        lost: ("set_len log to 0", "sync"),
        ..card("STALE-6", acts)
    };
    card.judge::<stale::Emptied<false>, stale::Emptied<true>>()
}

fn redo(id: &'static str, minimal: (usize, usize)) -> Card {
    Card {
        shows: UNORDERED, // in order, the data file is there before the log is gone
        claims: NONE,
        minimal,
        lost: ("write data", "sync"),
        ..card(id, vec![put(1, 20), Act::Checkpoint, put(1, 30)])
    }
}

fn ckpt_2() -> Row {
    redo("CKPT-2", (1, 2)).judge::<ckpt::Redo<false, true, true>, ckpt::Redo<true, true, true>>()
}

fn ckpt_3() -> Row {
    redo("CKPT-3", (2, 1)).judge::<ckpt::Redo<true, false, true>, ckpt::Redo<true, true, true>>()
}

fn ckpt_4() -> Row {
    let card = Card { lost: ("write log.2 54 bytes at 0", "sync"), ..redo("CKPT-4", (3, 2)) };
    card.judge::<ckpt::Redo<true, true, false>, ckpt::Redo<true, true, true>>()
}

fn ckpt_5() -> Row {
    let card = Card {
        shows: POSIX, // elsewhere a new file's bytes, length and name persist in order
        minimal: (2, 1),
        lost: ("write tmp", "sync"),
        ..card("CKPT-5", vec![put(1, 20), Act::Checkpoint, put(2, 30)])
    };
    card.judge::<ckpt::Published<false>, ckpt::Published<true>>()
}

fn atom_2() -> Row {
    let acts = vec![put(1, 20), batch(&[(1, 30), (2, 30)])];
    let card = Card { rule: Rule::P3Atomicity, ..card("ATOM-2", acts) };
    card.judge::<atom::Batched<false>, atom::Batched<true>>()
}

fn rec_1() -> Row {
    let card = Card { minimal: (1, 2), ..card("REC-1", acts_of(&[(1, 20), (2, 30)])) };
    card.judge::<rec::Wiped<false>, rec::Wiped<true>>()
}

fn rec_2() -> Row {
    let card = Card {
        rule: Rule::P4Invention,
        claims: NONE,
        minimal: (1, 2),
        ..card("REC-2", acts_of(&[(1, 500), (2, 30)]))
    };
    card.judge::<rec::Slots<false>, rec::Slots<true>>()
}

fn del_1() -> Row {
    let acts = vec![put(1, 20), Act::Checkpoint, Act::Delete(1), put(2, 30)];
    let card = Card { minimal: (3, 1), ..card("DEL-1", acts) };
    card.judge::<del::Cached<false>, del::Cached<true>>()
}

fn del_3() -> Row {
    let acts = vec![put(1, 20), put(2, 30), Act::Delete(1), Act::Checkpoint];
    let card = Card { claims: NONE, minimal: (3, 1), ..card("DEL-3", acts) };
    card.judge::<del::Shadowed<false>, del::Shadowed<true>>()
}

fn err_1() -> Row {
    let card = Card {
        needs: Some(FailedSync::KeepNew),
        lost: ("write log.1", "sync"),
        ..card("ERR-1", acts_of(&[(1, 20), (2, 30)]))
    };
    card.judge::<err::Retried<false>, err::Retried<true>>()
}

fn err_1_next_life() -> Row {
    let card = Card {
        needs: Some(FailedSync::KeepNew),
        minimal: (1, 2),
        lost: ("write log.1", "sync"),
        ..card("ERR-1 (next life)", acts_of(&[(1, 20), (2, 30)]))
    };
    card.judge::<err::Adopted<false>, err::Adopted<true>>()
}

macro_rules! lessons {
    ($($name:ident)*) => {
        mod each { $(#[test] fn $name() { super::$name(); })* }
        const LESSONS: &[fn() -> Row] = &[$($name),*];
    };
}

lessons! {
    ack_1 ack_6 dir_1 dir_5 tail_3 tail_5 tail_9 stale_2 stale_6 ckpt_2 ckpt_3 ckpt_4 ckpt_5 atom_2
    rec_1 rec_2 del_1 del_3 err_1 err_1_next_life
}

/// Run it with `--nocapture` to read it.
#[test]
fn the_table() {
    let rows: Vec<Row> = LESSONS.iter().map(|lesson| lesson()).collect();
    println!(
        "bug | class | breaks | shows under | not under | needs | recoveries | ops | trail | lost"
    );
    for row in &rows {
        println!("{}", row.cells.join(" | "));
    }
    let mut classes: Vec<&str> = rows.iter().map(|row| row.cells[1].as_str()).collect();
    classes.dedup();
    assert_eq!(classes, ["ACK", "DIR", "TAIL", "STALE", "CKPT", "ATOM", "REC", "DEL", "ERR"]);
}
