//! Where a concurrent program is played: one shuttle execution, on one thread of the machine, with
//! a main caller, the threads that it forks, and one that watches them.
//!
//! Nothing of a run leaves it but its score and its result: shuttle keeps the state of an execution
//! in a variable of the machine's thread, so two runs on two of them do not meet. What a run does
//! is a function of the schedule and of the answers of the disk (S4), on whichever it is played.
//!
//! Invariants
//! - S6: a panic and a deadlock end a run, and are its result; neither prints.

use super::conductor::{Conductor, Score, Shared, Way};
use highwater_sim::{Halt, Remarks, Rule, fingerprint_of};
use shuttle::scheduler::Schedule as Steps;
use shuttle::{Config, FailurePersistence, MaxSteps};
use shuttle_engine::runtime::execution::Execution;
use shuttle_engine::runtime::thread::continuation::{CONTINUATION_POOL, ContinuationPool};
use std::cell::{Cell, RefCell};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, Once};

/// Of a task: an engine's recovery and a walk up the stack in search of a line's name fit in.
const STACK: usize = 1 << 20;

/// A run of more steps does not end: it hangs.
const STEPS_MAX: usize = 20_000;

/// What the threads of a run share.
#[derive(Clone)]
pub(crate) struct Stage {
    score: Shared,
    remarks: Remarks,
}

thread_local! {
    static PLAYING: Cell<bool> = const { Cell::new(false) };
    static STACKS: ContinuationPool = ContinuationPool::new();
}

/// Shuttle wants to say of every panic in the process that it is a task's; here those inside of a
/// run say nothing, for the run returns them, and all others what they said before (S6).
fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        execute(Conductor::new(Way::Random(0), Shared::default()), || ());
        drop(std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            if !PLAYING.get() {
                usual(panic);
            }
        }));
    });
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK;
    config.failure_persistence = FailurePersistence::None;
    config.max_steps = MaxSteps::ContinueAfter(STEPS_MAX);
    config.silence_warnings = true;
    config
}

/// One execution. This is what shuttle's `Runner` does in a loop, with stacks of tasks that are
/// kept from life to life: half of a recovery's time went into mapping and unmapping them.
fn execute(conductor: Conductor, main: impl FnOnce() + Send + 'static) {
    let conductor = Rc::new(RefCell::new(conductor));
    let execution = Execution::new(conductor, Steps::new(0));
    STACKS.with(|stacks| {
        CONTINUATION_POOL.set(stacks, || execution.run(&config(), main, Location::caller()));
    });
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("").to_string()
}

/// Plays `main`, the main caller, and returns what it returns; and the score.
pub(crate) fn play<T: Send + 'static>(
    way: Way,
    remarks: Remarks,
    main: impl FnOnce(&Stage) -> Result<T, Halt> + Send + 'static,
) -> (Result<T, Halt>, Score) {
    quiet_panics();
    let stage = Stage { score: Shared::default(), remarks };
    let score = stage.score.clone();
    let result: Arc<Mutex<Option<Result<T, Halt>>>> = Arc::default();
    let out = Arc::clone(&result);
    let conductor = Conductor::new(way, score.clone());
    let before = PLAYING.replace(true);
    let ran = catch_unwind(AssertUnwindSafe(|| execute(conductor, || watch(stage, out, main))));
    PLAYING.set(before);
    let score = std::mem::take(&mut *score.lock());
    let broken = |what: String| Err(Halt::broken(Rule::P11Bounds, what));
    let result = result.lock().ok().and_then(|mut result| result.take());
    let result = match (&score.panicked, &score.hung, ran, result) {
        (Some(what), ..) => broken(format!("the engine panicked: {what}")),
        (_, Some(what), ..) => broken(format!("hang: {what}")),
        (.., Err(panic), _) => broken(format!("the engine panicked: {}", words(&*panic))),
        (.., Some(result)) => result,
        (.., None) => broken(format!("hang: no end after {STEPS_MAX} steps")),
    };
    (result, score)
}

/// Runs the main caller, and is there when nobody else can go on.
fn watch<T: Send + 'static>(
    stage: Stage,
    out: Arc<Mutex<Option<Result<T, Halt>>>>,
    main: impl FnOnce(&Stage) -> Result<T, Halt> + Send + 'static,
) {
    let caller = stage.clone();
    let main = shuttle::thread::spawn(move || {
        let done = caller.guarded("the main caller", || main(&caller));
        *out.lock().expect("nobody panics with it") = done;
        caller.score.lock().ended.insert(0);
    });
    shuttle::thread::yield_now();
    if !stage.score.lock().ended.contains(&0) {
        stage.stop(|score| score.hung = Some("the main caller waits for ever".into()));
    }
    let _ = main.join();
}

impl Stage {
    /// Runs `body`; a panic in it ends the run.
    fn guarded<T>(&self, who: &str, body: impl FnOnce() -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(done) => Some(done),
            Err(panic) => {
                let what = format!("{} ({who})", words(&*panic));
                self.stop(|score| score.panicked = Some(what));
                None
            }
        }
    }

    /// Ends the run: whoever comes by the conductor next stays there.
    fn stop(&self, why: impl FnOnce(&mut Score)) {
        let mut score = self.score.lock();
        score.stopped = true;
        why(&mut score);
        drop(score);
        shuttle::thread::yield_now();
    }

    /// Runs the threads, each with its number, and waits for all of them.
    pub(crate) fn fork(&self, threads: Vec<(u32, Box<dyn FnOnce() + Send>)>) {
        let numbers: Vec<u32> = threads.iter().map(|(number, _)| *number).collect();
        let spawn = |(number, body): (u32, Box<dyn FnOnce() + Send>)| {
            let stage = self.clone();
            let handle = shuttle::thread::spawn(move || {
                stage.guarded(&format!("thread {number}"), body);
                stage.score.lock().ended.insert(number);
            });
            self.score.lock().numbers.insert(handle.thread().id().into(), number);
            handle
        };
        let handles: Vec<_> = threads.into_iter().map(spawn).collect();
        self.score.lock().open = true;
        shuttle::thread::yield_now();
        let ended = self.score.lock().ended.clone();
        let waiting = numbers.iter().filter(|number| !ended.contains(number));
        let waiting: Vec<String> = waiting.map(u32::to_string).collect();
        if !waiting.is_empty() {
            let who = waiting.join(", ");
            self.stop(|score| score.hung = Some(format!("deadlock: threads {who} wait for ever")));
        }
        self.score.lock().open = false;
        handles.into_iter().for_each(|handle| drop(handle.join()));
    }

    /// A place where another thread may go on.
    pub(crate) fn point(&self) {
        // An access to one of shuttle's atomics, and not its yield: to yield means to wait there,
        // and a thread that only may be interrupted does not.
        let place = shuttle::sync::atomic::AtomicBool::new(false);
        place.load(shuttle::sync::atomic::Ordering::SeqCst);
    }

    /// Takes down what the disk was asked and the callers were told.
    pub(crate) fn note(&self, what: &impl Hash) {
        let mut score = self.score.lock();
        score.print = fingerprint_of(&(score.print, what));
    }

    /// The thread that is running: 0 for the main caller.
    pub(crate) fn me(&self) -> u32 {
        let task: usize = shuttle::current::me().into();
        self.score.lock().thread(task)
    }

    /// A remark, after one that says which thread goes on if another one spoke before.
    pub(crate) fn remark(&self, text: impl FnOnce() -> String) {
        self.announce();
        self.remarks.remark(text);
    }

    /// Says which thread goes on, if another one spoke before.
    pub(crate) fn announce(&self) {
        let me = self.me();
        let before = std::mem::replace(&mut self.score.lock().speaker, me);
        if before != me {
            self.remarks.remark(|| match me {
                0 => "the main caller goes on".to_string(),
                thread => format!("thread {thread} goes on"),
            });
        }
    }
}
