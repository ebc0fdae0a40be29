//! Engines made for one question each.

use highwater_models::threads::{Plan, Program, Report, Scheduled, SharedKv, run};
use highwater_sim::{Act, Campaign, Rule, Settings, Stage, Verdict};
use highwater_vfs::{OpenMode, Vfs, write_all_at};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

fn explored(program: Program, plan: Plan, of: fn(Program) -> Scheduled) -> Report {
    let settings = Settings { crashes: 1, ..Settings::default() };
    let campaign = Campaign { settings, failures: Vec::new(), control: false };
    run(&campaign, plan, &of(program), &mut |_| ())
}

fn put(key: u64) -> Act {
    Act::Put(key, vec![key as u8; 8])
}

fn two(first: Vec<Act>, second: Vec<Act>) -> Program {
    Program { threads: vec![first, second], ..Program::default() }
}

/// Answers nothing, and each answer is one place where another thread may go on.
struct Counted(AtomicU64);

impl SharedKv for Counted {
    fn open(_: Arc<dyn Vfs>) -> io::Result<Self> {
        Ok(Counted(AtomicU64::new(0)))
    }

    fn put(&self, _: u64, _: &[u8]) -> io::Result<Option<u64>> {
        Ok(None)
    }

    fn get(&self, _: u64) -> io::Result<Option<Vec<u8>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(None)
    }
}

/// Two threads with m and n steps have (m + n)! / m! n! interleavings; with k reads a thread has
/// k + 1 steps. With few preemptions there are as many as blocks of steps can be laid.
#[test]
fn shuttle_the_systematic_search_tries_every_schedule_once() {
    let get = |count| vec![Act::Get(1); count];
    let tried = |first, second, bound| {
        let plan = Plan { bound: Some(bound), random: 0, pct: 0, ..Plan::default() };
        let of = Scheduled::new::<Counted>;
        let schedules = explored(two(get(first), get(second)), plan, of).schedules;
        assert_eq!(schedules.complete, Some(bound), "S8: the bound was completed");
        schedules.tried
    };
    assert_eq!([tried(1, 1, 9), tried(2, 2, 9), tried(3, 2, 9)], [6, 20, 35]);
    // None: either thread first. One: whoever begins is interrupted at one of its two places.
    assert_eq!([tried(2, 2, 0), tried(2, 2, 1)], [2, 6]);
}

/// A record a file, and the index in memory behind two locks.
struct Files<const KIND: u8> {
    disk: Arc<dyn Vfs>,
    index: Mutex<BTreeMap<u64, Vec<u8>>>,
    other: Mutex<()>,
}

const LOSES_UPDATES: u8 = 0;
const DEADLOCKS: u8 = 1;
const PANICS: u8 = 2;
const CORRECT: u8 = 3;

impl<const KIND: u8> SharedKv for Files<KIND> {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        let mut index = BTreeMap::new();
        for name in disk.list(Path::new(""))? {
            let mut value = [0; 8];
            let file = disk.open(name.as_ref(), OpenMode::Read)?;
            if file.read_at(&mut value, 0)? == 8 && value[0] > 0 {
                index.insert(u64::from(value[0]), value.to_vec());
            }
        }
        Ok(Files { disk, index: Mutex::new(index), other: Mutex::new(()) })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        let file = self.disk.open(format!("{key}").as_ref(), OpenMode::CreateNew)?;
        write_all_at(&*file, value, 0)?;
        file.sync()?;
        self.disk.sync_dir(Path::new(""))?;
        if KIND == LOSES_UPDATES {
            let mut index = self.index.lock().unwrap().clone();
            index.insert(key, value.to_vec());
            *self.index.lock().unwrap() = index;
            return Ok(None);
        }
        let mut index = self.index.lock().unwrap();
        let _other = self.other.lock().unwrap();
        index.insert(key, value.to_vec());
        Ok(None)
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        if KIND == DEADLOCKS {
            let _other = self.other.lock().unwrap();
            return Ok(self.index.lock().unwrap().get(&key).cloned());
        }
        if KIND == PANICS {
            let locked = self.other.try_lock().is_err();
            assert!(!locked, "nobody else is here");
        }
        Ok(self.index.lock().unwrap().get(&key).cloned())
    }
}

fn files<const KIND: u8>(plan: Plan) -> Report {
    explored(two(vec![put(1)], vec![put(2), Act::Get(1)]), plan, Scheduled::new::<Files<KIND>>)
}

#[track_caller]
fn breaks<const KIND: u8>(rule: Rule, what: &str) {
    let alone = files::<KIND>(Plan::ALONE).report;
    assert_eq!(alone.verdict, Verdict::Held, "threads that take turns: {:?}", alone.finding);
    let report = files::<KIND>(Plan::default()).report;
    assert_eq!(report.verdict, Verdict::Broken, "it takes no crash");
    let finding = report.finding.expect("a counterexample");
    assert_eq!(finding.broken.rule, rule, "{finding}");
    assert!(finding.broken.what.contains(what), "{finding}");
    assert!(finding.reproduced && finding.subject.program().size() == 2, "S4: {finding}");
}

#[test]
fn shuttle_a_deadlock_is_a_finding() {
    breaks::<DEADLOCKS>(Rule::P11Bounds, "hang: deadlock: threads 1, 2"); // S6
}

#[test]
fn shuttle_a_panic_under_a_lock_is_a_finding() {
    breaks::<PANICS>(Rule::P11Bounds, "nobody else is here"); // S6
}

#[test]
fn shuttle_an_update_lost_in_memory_is_a_finding_without_a_crash() {
    breaks::<LOSES_UPDATES>(Rule::P2Prefix, "which no order of the calls explains");
}

#[test]
fn shuttle_the_same_engine_without_any_of_these_is_held() {
    let held = files::<CORRECT>(Plan::default());
    assert_eq!(held.report.verdict, Verdict::Held, "{:?}", held.report.finding);
    assert!(held.schedules.complete == Some(2) && held.report.exhaustive(), "{held:?}");
}

/// A budget that ends while the disks of a schedule are explored ends that exploration.
#[test]
fn shuttle_a_run_that_is_stopped_ends_within_a_schedule() {
    let settings = Settings { crashes: 1, ..Settings::default() };
    let campaign = Campaign { settings, failures: Vec::new(), control: false };
    let subject = Scheduled::new::<Files<CORRECT>>(two(vec![put(1)], vec![put(2)]));
    let stop = |stage: Stage| stage.progress.stop.store(true, Ordering::Relaxed);
    let stopped = run(&campaign, Plan::default(), &subject, &mut { stop });
    let tried = stopped.schedules;
    assert!(tried.different > 0 && tried.complete.is_none(), "{tried:?}");
    assert_eq!(
        (stopped.report.verdict, stopped.report.tally.recoveries),
        (Verdict::Inconclusive, 0)
    );
    let whole = run(&campaign, Plan::default(), &subject, &mut |_| ());
    assert!(whole.report.tally.recoveries > 0 && whole.report.exhaustive());
}
