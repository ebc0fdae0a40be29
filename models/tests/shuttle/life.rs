//! One life of the whole store under one schedule, with everything that its callers saw, cut at
//! two moments on the way.

use crate::disk::{Race, Slow};
use highwater_models::history::{Answer, Crash, History, Verdict, What, search, witness};
use highwater_shuttle::{Ack, Durability, Error, Lsn, Options, PayloadStore};
use highwater_sim::{Choices, Effect, FaultFs, Level, Map, Model, Pattern, Rng, SimFs};
use shuttle::sync::atomic::AtomicU64 as Point;
use shuttle::thread::spawn;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    Put(u64),
    /// So large that the buffer is full.
    PutLarge(u64),
    Delete(u64),
    Batch(u64, u64),
    Deferred(u64),
    Get(u64),
    Flush,
    Snapshot,
    Close,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) mode: Durability,
    /// Of a segment.
    pub(crate) size: u64,
    pub(crate) reserve: u64,
    pub(crate) sync_after: Option<u64>,
    pub(crate) threads: &'static [&'static [Act]],
    /// Which call of the disk fails, and how.
    pub(crate) fault: Option<&'static str>,
    /// What the disk does wrong without saying so.
    pub(crate) race: Option<Race>,
}

/// What happened in all schedules.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) schedules: AtomicU64,
    pub(crate) rotated: AtomicU64,
    /// Cuts that leave one state if all that is pending is lost, and another if it is kept.
    pub(crate) open: AtomicU64,
    pub(crate) refused: AtomicU64,
    /// Acknowledged records that one cut has lost, where they are limited (S8).
    pub(crate) most_lost: AtomicU64,
    /// Callers who were told that the disk has failed, and schedules in which two of them were.
    pub(crate) failed: AtomicU64,
    pub(crate) failed_together: AtomicU64,
    /// Verdicts that neither checker would give.
    pub(crate) unknown: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, SeqCst);
}

type Shared = Arc<Mutex<History>>;

/// Everything that all threads of one life share.
#[derive(Clone)]
struct Life {
    program: Program,
    store: Arc<PayloadStore>,
    disk: SimFs,
    faults: FaultFs,
    /// Somebody was told that the disk has failed.
    told: Arc<AtomicBool>,
    history: Shared,
    seen: Arc<Seen>,
    level: Level,
}

/// A call that somebody has begun.
struct Begun {
    nth: usize,
    /// Somebody had been told before that the disk has failed.
    told: bool,
}

fn value(thread: u32, nth: usize, large: bool) -> Vec<u8> {
    let mut bytes = vec![thread as u8, nth as u8, 7, 7];
    bytes.resize(if large { 17 << 10 } else { 20 }, 7);
    bytes
}

/// The calls explain themselves, and what is there after the crash.
fn judge(history: &History, recovered: &Map, crash: Crash, seen: &Seen, when: &str) {
    let verdict = match witness(history, Some(recovered), crash) {
        Verdict::Unknown => search(history, Some(recovered), crash, 20_000),
        verdict => verdict,
    };
    match verdict {
        Verdict::Explained(_) => {}
        Verdict::Unknown => count(&seen.unknown),
        Verdict::Impossible(why) => {
            panic!("{}: {}, {when}\n{recovered:?}\n{history:#?}", why.rule, why.what)
        }
    }
}

/// What a new life finds, and its last LSN, with the ordinary store: it has no scheduling points.
fn recover(disk: SimFs, program: &Program) -> (Map, u64) {
    let options = highwater::Options {
        segment_size: program.size,
        reserve: program.reserve,
        ..highwater::Options::default()
    };
    let store = highwater::PayloadStore::open(Arc::new(disk), options).expect("P5: it opens");
    store.check_invariants();
    let get = |id| (id, store.retrieve(id).expect("what is there is intact").expect("it is there"));
    (store.ids().into_iter().map(get).collect(), store.positions().appended().0)
}

impl Life {
    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The power is cut at this moment: P1, P2, P10, S8.
    fn cut(&self, pattern: Pattern, when: &str) -> Map {
        let history = self.history().clone();
        let disk = self.disk.power_cut(Choices::pattern(pattern));
        let (recovered, last) = recover(disk, &self.program);
        judge(&history, &recovered, Crash::Power, &self.seen, when);
        if let Some(most) = self.program.sync_after {
            let done = history.calls.iter().filter(|call| matches!(call.answer, Answer::Done(_)));
            let lost = done.filter(|call| call.lsn > Some(last)).count() as u64;
            assert!(lost < most, "S8: {lost} acknowledged records are lost, {when}\n{history:#?}");
            self.seen.most_lost.fetch_max(lost, SeqCst);
        }
        recovered
    }

    fn begin(&self, thread: u32, what: What, level: Level) -> Begun {
        Begun { nth: self.history().begin(thread, what, level), told: self.told.load(SeqCst) }
    }

    fn end(&self, begun: Begun, answer: Answer, lsn: Option<Lsn>) {
        self.history().end(begun.nth, answer, lsn.map(|lsn| lsn.0));
    }

    /// A call that writes has ended.
    fn wrote(&self, begun: Begun, done: Result<(Level, Option<Lsn>), Error>) {
        let fails = !self.faults.fired().is_empty();
        let (answer, lsn) = match done {
            Ok(_) if begun.told => panic!("L5: the disk had failed, and a caller was told so"),
            Ok((level, lsn)) => (Answer::Done(level), lsn),
            Err(Error::Closed) => (Answer::Refused, None),
            Err(Error::Poisoned) if fails => (Answer::Refused, None),
            Err(Error::Io { .. }) if fails => (Answer::Failed, None),
            Err(error) => panic!("the disk works, the store does not: {error}"),
        };
        match answer {
            Answer::Refused => count(&self.seen.refused),
            Answer::Failed => count(&self.seen.failed),
            _ => {}
        }
        self.told.fetch_or(fails && !matches!(answer, Answer::Done(_)), SeqCst);
        self.end(begun, answer, lsn);
        if self.program.fault.is_some() || self.program.sync_after.is_some() {
            self.cut(Pattern::DropAll, "P1, S8: after an answer");
        }
    }

    fn change(
        &self,
        thread: u32,
        level: Level,
        changes: Vec<(u64, Option<Vec<u8>>)>,
        call: impl FnOnce(&PayloadStore) -> Result<Ack, Error>,
    ) {
        let what = What::Change(Effect::new(format!("{changes:.0?}"), changes));
        let begun = self.begin(thread, what, level);
        self.wrote(begun, call(&self.store).map(|ack| (level, Some(ack.lsn))));
    }

    fn sync(&self, thread: u32, call: impl FnOnce(&PayloadStore) -> Result<(), Error>) {
        let what = What::Change(Effect::new("sync".into(), Vec::new()));
        let begun = self.begin(thread, what, Level::Durable);
        self.wrote(begun, call(&self.store).map(|()| (Level::Durable, None)));
    }

    /// Whether it is there.
    fn get(&self, thread: u32, id: u64) -> bool {
        let begun = self.begin(thread, What::Read(id), self.level);
        let saw = self.store.retrieve(id).expect("S2, L6: what is visible can be read");
        let some = saw.is_some();
        self.end(begun, Answer::Saw(saw), None);
        some
    }

    fn act(&self, thread: u32, nth: usize, act: Act) {
        let (bytes, level) = (value(thread, nth, matches!(act, Act::PutLarge(_))), self.level);
        let set = |id| (id, Some(bytes.clone()));
        match act {
            Act::Put(id) | Act::PutLarge(id) => {
                self.change(thread, level, vec![set(id)], |store| store.store(id, &bytes));
            }
            Act::Batch(a, b) => self.change(thread, level, vec![set(a), set(b)], |store| {
                store.store_batch(&[(a, &bytes), (b, &bytes)])
            }),
            Act::Deferred(id) => self.change(thread, Level::Buffered, vec![set(id)], |store| {
                store.store_batch_deferred(&[(id, &bytes)])
            }),
            Act::Delete(id) => {
                let begun = self.begin(thread, What::Delete(id), level);
                match self.store.delete(id) {
                    Ok(None) => self.end(begun, Answer::Absent, None),
                    done => self.wrote(begun, done.map(|ack| (level, ack.map(|ack| ack.lsn)))),
                }
            }
            Act::Get(id) => {
                if self.get(thread, id) && self.program.mode == Durability::Fsync {
                    self.cut(Pattern::DropAll, "S1, P10: after a reader");
                }
            }
            Act::Flush => self.sync(thread, |store| store.flush().map(drop)),
            Act::Snapshot => self.sync(thread, |store| store.create_snapshot().map(drop)),
            Act::Close => self.sync(thread, PayloadStore::close),
        }
    }
}

/// Within a schedule.
pub(crate) fn live(program: &Program, seen: &Arc<Seen>) {
    // What a failed sync leaves is drawn; nothing else of a disk is, until it is cut.
    let disk = SimFs::new(Model::Posix).power_cut(Choices::sample(Rng::new(1)));
    let options = Options {
        durability: program.mode,
        segment_size: program.size,
        reserve: program.reserve,
        sync_after: program.sync_after,
        auto_checkpoint: false,
        ..Options::default()
    };
    let fault = program.fault.map(|fault| fault.parse().expect("a fault"));
    let faults = FaultFs::on_sim(&disk, fault.unwrap_or_default());
    let slow = Slow::new(Arc::new(faults.clone()), program.race);
    let store = Arc::new(PayloadStore::open(Arc::new(slow), options).expect("an empty disk"));
    let level = match program.mode {
        Durability::Fsync => Level::Durable,
        Durability::FlushOnly => Level::Flushed,
        Durability::None | Durability::Interval(_) => Level::Buffered,
    };
    let (told, history, seen) = (Arc::default(), Arc::default(), Arc::clone(seen));
    let life = Life { program: *program, store, disk, faults, told, history, seen, level };
    life.act(0, 0, Act::Put(1));
    let threads: Vec<_> = (1..)
        .zip(program.threads)
        .map(|(thread, acts)| {
            let life = life.clone();
            spawn(move || {
                for (nth, act) in acts.iter().enumerate() {
                    life.act(thread, nth, *act);
                }
            })
        })
        .collect();
    let point = Point::new(0);
    for points in [8, 16] {
        for _ in 0..points {
            point.load(SeqCst);
        }
        let lost = life.cut(Pattern::DropAll, "P1, P2: all lost at a moment");
        let kept = life.cut(Pattern::KeepAll, "P1, P2: all kept at a moment");
        if lost != kept {
            count(&life.seen.open);
        }
        life.store.check_invariants();
    }
    threads.into_iter().for_each(|thread| thread.join().expect("it did not panic"));
    end(life);
}

/// Everything is quiet: closed and opened again, all of it is there, and nothing else.
fn end(life: Life) {
    for id in 1..=3 {
        life.get(0, id);
    }
    life.store.check_invariants();
    let positions = life.store.positions();
    let closed = life.store.close();
    let crash = match life.faults.fired().is_empty() {
        true => {
            assert!(matches!(closed, Ok(()) | Err(Error::Closed)), "{closed:?}");
            let last = positions.appended();
            assert_eq!(positions.durable(), last, "A1: all of a closed log is durable");
            Crash::None
        }
        false => {
            poisoned(&life, closed);
            Crash::Kill
        }
    };
    let Life { program, store, disk, history, seen, .. } = life;
    drop(store);
    let history = std::mem::take(&mut *history.lock().unwrap());
    let (recovered, _) = recover(disk.kill(), &program);
    judge(&history, &recovered, crash, &seen, "S5: after a shutdown");
    count(&seen.schedules);
    let logs = highwater_vfs::Vfs::list(&disk, "".as_ref()).expect("a directory");
    if logs.iter().filter(|name| name.ends_with(".log")).count() > 1 {
        count(&seen.rotated);
    }
}

/// L5: after a failed write or sync everybody is refused, and what was acknowledged is there.
fn poisoned(life: &Life, closed: Result<(), Error>) {
    assert!(matches!(closed, Err(Error::Poisoned)), "L5: {closed:?}");
    let refused = life.store.store(9, b"x");
    assert!(matches!(refused, Err(Error::Poisoned)), "L5: {refused:?}");
    life.cut(Pattern::DropAll, "P1, P2: the disk has failed, all lost");
    life.cut(Pattern::KeepAll, "P1, P2: the disk has failed, all kept");
    let history = life.history();
    let failed = history.calls.iter().filter(|call| matches!(call.answer, Answer::Failed));
    if failed.count() > 1 {
        count(&life.seen.failed_together);
    }
}
