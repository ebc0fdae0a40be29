//! The concurrency core on its own, beside its files and not in them: the models of the checkers
//! compile those again, with primitives that these tests could not use.

use crate::Lsn;
use crate::group_commit::{Gathered, GroupCommit, Log, Unanswered};
use crate::positions::Positions;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::scope;

/// A1, A2, A3: in one thread. The orders are explored by the models of the loom checker.
#[test]
fn a2_a_view_sees_what_was_published() {
    let positions = Positions::default();
    let view = positions.clone();
    positions.publish_appended(Lsn(2), 64);
    positions.publish_written(Lsn(2));
    positions.publish_durable(Lsn(1));
    let seen = (view.durable(), view.written(), view.appended(), view.growth());
    assert_eq!(seen, (Lsn(1), Lsn(2), Lsn(2), 64));
    positions.publish_snapshot(Lsn(2), 0);
    assert_eq!((view.snapshot(), view.growth()), (Lsn(2), 0));
}

/// A log whose disk does what the test sends it.
struct Toy {
    script: Option<(Sender<()>, Receiver<bool>)>,
}

impl Log for Toy {
    type Batch = Option<(Sender<()>, Receiver<bool>)>;
    type Error = &'static str;

    fn take(&mut self) -> Self::Batch {
        self.script.take()
    }

    fn carry_out(batch: &mut Self::Batch) -> Result<(), &'static str> {
        let Some((here, go)) = batch else { return Ok(()) };
        here.send(()).unwrap();
        assert!(go.recv().unwrap(), "the disk panics");
        Ok(())
    }

    fn finish(
        &mut self,
        _: Self::Batch,
        done: Result<(), &'static str>,
    ) -> Result<(), &'static str> {
        done
    }

    fn make_room(&mut self) -> Result<(), &'static str> {
        Ok(())
    }

    fn unanswered(&self, why: Unanswered) -> &'static str {
        match why {
            Unanswered::Failed => "failed",
            Unanswered::Impatient => "impatient",
            Unanswered::Refused => "refused",
        }
    }
}

fn wait(queue: &GroupCommit<Toy>) -> Result<(), &'static str> {
    queue.commit(None, |_| Ok(Gathered::Wait(())))
}

#[test]
fn q3_a_leader_that_panics_strands_nobody() {
    for alone in [false, true] {
        let ((here, met), (send, go)) = (channel(), channel());
        let queue = GroupCommit::new(Toy { script: Some((here, go)) });
        scope(|scope| {
            let lead = || match alone {
                true => queue.alone(|_| Ok(())),
                false => wait(&queue),
            };
            let leader = scope.spawn(move || catch_unwind(AssertUnwindSafe(lead)));
            met.recv().unwrap();
            let follower = scope.spawn(|| wait(&queue));
            send.send(false).unwrap();
            assert!(leader.join().unwrap().is_err());
            assert!(matches!(follower.join().unwrap(), Err("failed" | "refused")), "Q3");
        });
        assert_eq!(queue.alone(|_| Ok(())), Err("refused"));
    }
}
