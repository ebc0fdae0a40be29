//! A concurrent program on an engine, under one schedule, as a subject for the explorer.
//!
//! The first life plays the program; the explorer cuts it at every moment of the schedule. Later
//! lives have one caller: they recover, compare, and work on or recover again, as those of
//! [`highwater_sim::Easy`] do.

use super::conductor::{Score, Way};
use super::kv::{self, Program, SharedKv};
use super::schedule::Schedule;
use super::stage::{Stage, play};
use super::story::Story;
use super::yielding::Yielding;
use crate::history::{Answer, What};
use highwater_sim::{Act, Halt, Level, Life, Map, Remarks, Rule, Subject, Told};
use highwater_vfs::Vfs;
use std::io;
use std::sync::{Arc, Mutex};

type Open = fn(Arc<dyn Vfs>) -> io::Result<Arc<dyn SharedKv>>;

/// An engine: how it is opened, and what its operations mean.
#[derive(Clone, Copy)]
struct Engine {
    open: Open,
    what: fn(&Act) -> What,
}

/// The most operations of a program: their orders are enumerated.
const ACTS_MAX: usize = 16;

/// The key that later lives put, so that a second crash finds work of theirs.
const BETWEEN: u64 = u64::MAX;

/// See the module.
#[derive(Clone)]
pub struct Scheduled {
    engine: Engine,
    program: Arc<Program>,
    /// Of an original program, the numbers of the operations that are left.
    kept: Vec<usize>,
    way: Way,
    keys: Vec<u64>,
    /// Gets the score of every first life, for whoever looks for schedules.
    scores: Option<Scores>,
}

/// The scores of first lives.
pub(crate) type Scores = Arc<Mutex<Vec<Score>>>;

impl std::fmt::Debug for Scheduled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scheduled({:?}, {:?})", self.program, self.way)
    }
}

impl Scheduled {
    /// A program on an engine, under the default schedule.
    ///
    /// # Panics
    /// If the program has more than 16 operations, or some that have no meaning among threads.
    pub fn new<K: SharedKv>(program: Program) -> Scheduled {
        let engine = Engine { open: |disk| Ok(Arc::new(K::open(disk)?)), what: K::what };
        let kept = (0..program.size()).collect();
        assert!(program.size() <= ACTS_MAX, "the orders of {} operations", program.size());
        Scheduled {
            engine,
            keys: keys(engine, &program),
            program: Arc::new(program),
            kept,
            way: Way::Follow(Schedule::default()),
            scores: None,
        }
    }

    /// The same under another schedule.
    #[must_use]
    pub fn under(&self, schedule: &Schedule) -> Scheduled {
        self.going(Way::Follow(schedule.clone()))
    }

    pub(crate) fn going(&self, way: Way) -> Scheduled {
        Scheduled { way, ..self.clone() }
    }

    pub(crate) fn scored(&self, scores: &Scores) -> Scheduled {
        Scheduled { scores: Some(Arc::clone(scores)), ..self.clone() }
    }

    /// The schedule that it is under; the default one if it makes its own.
    pub fn schedule(&self) -> Schedule {
        match &self.way {
            Way::Follow(schedule) => schedule.clone(),
            _ => Schedule::default(),
        }
    }

    /// What callers do.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The same with these of its operations, by number, from 0.
    #[must_use]
    pub fn keeping(&self, kept: &[usize]) -> Scheduled {
        let program = self.program.keeping(kept);
        let keys = keys(self.engine, &program);
        let kept = kept.iter().map(|nth| self.kept[*nth]).collect();
        Scheduled { program: Arc::new(program), kept, keys, ..self.clone() }
    }

    /// Of the program that this one was shrunk from, the numbers of the operations that are left.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }
}

fn keys(engine: Engine, program: &Program) -> Vec<u64> {
    let of = |act: &Act| match (engine.what)(act) {
        What::Change(effect) => effect.changes().map(|change| change.0).collect(),
        What::Read(key) | What::Add(key, _) | What::Delete(key) => vec![key],
        What::Swap { key, .. } => vec![key],
    };
    let mut keys: Vec<u64> = program.numbered().iter().flat_map(|(_, act)| of(act)).collect();
    keys.push(BETWEEN);
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// A caller: what it needs to make a call and say what it was told.
#[derive(Clone)]
struct Caller {
    engine: Arc<dyn SharedKv>,
    what: fn(&Act) -> What,
    told: Told<Story>,
    stage: Stage,
    thread: u32,
    failed: Arc<Mutex<Option<String>>>,
}

impl Caller {
    fn call(&self, act: &Act) {
        let level = if let Act::Submit(..) = act { Level::Buffered } else { Level::Durable };
        let what = (self.what)(act);
        let nth = match what {
            What::Read(_) => self.told.tell(|story| story.begin(self.thread, what, level)),
            _ => self.told.begin(|story| story.begin(self.thread, what, level)),
        };
        self.stage.note(&(nth, act.to_string()));
        self.stage.remark(|| act.to_string());
        let (answer, lsn) = kv::run(act, &*self.engine).unwrap_or_else(|error| {
            let why = format!("{act}: {error}");
            self.failed.lock().expect("nobody panics with it").get_or_insert(why);
            (Answer::Failed, None)
        });
        self.stage.remark(|| in_words(act, &answer));
        self.stage.note(&(nth, in_words(act, &answer)));
        self.told.tell(|story| story.end(nth, answer, lsn));
    }
}

fn in_words(act: &Act, answer: &Answer) -> String {
    match answer {
        Answer::Saw(Some(sum)) if matches!(act, Act::Add(..)) => {
            let sum = sum.as_slice().try_into().map_or(0, u64::from_le_bytes);
            format!("{act}: it is {sum}")
        }
        Answer::Absent => format!("{act}: answered no"),
        Answer::Saw(Some(value)) => format!("{act}: answered {} bytes", value.len()),
        Answer::Saw(None) => format!("{act}: answered nothing"),
        Answer::Failed => format!("{act}: failed"),
        _ => format!("{act}: acknowledged"),
    }
}

/// What a life needs on the stage: all of it can be kept and sent.
struct Cast {
    engine: Engine,
    keys: Vec<u64>,
    disk: Arc<dyn Vfs>,
    told: Told<Story>,
    remarks: Remarks,
}

impl Cast {
    fn open(&self, disk: Arc<dyn Vfs>, what: &str) -> Result<Arc<dyn SharedKv>, Halt> {
        (self.engine.open)(disk).map_err(|error| Halt::Failed(format!("{what}: {error}")))
    }

    fn look(&self, engine: &dyn SharedKv) -> Result<Map, Halt> {
        let mut state = Map::new();
        for &key in &self.keys {
            let value = engine.get(key);
            let value = value.map_err(|error| Halt::Failed(format!("get {key}: {error}")))?;
            state.extend(value.map(|value| (key, value)));
        }
        self.remarks.remark(|| found(&state));
        Ok(state)
    }

    fn work(&self, program: &Program, stage: &Stage) -> Result<(), Halt> {
        let disk = Arc::new(Yielding::new(Arc::clone(&self.disk), stage));
        let engine = self.open(disk, "open")?;
        let (told, failed) = (self.told.clone(), Arc::default());
        let what = self.engine.what;
        let main = Caller { engine, what, told, stage: stage.clone(), thread: 0, failed };
        program.before.iter().for_each(|act| main.call(act));
        let threads = program.threads.iter().zip(1..).filter(|(acts, _)| !acts.is_empty());
        let threads = threads.map(|(acts, thread)| {
            let (acts, caller) = (acts.clone(), Caller { thread, ..main.clone() });
            let body = move || acts.iter().for_each(|act| caller.call(act));
            (thread, Box::new(body) as Box<dyn FnOnce() + Send>)
        });
        stage.fork(threads.collect());
        program.after.iter().for_each(|act| main.call(act));
        // What they leave is read once more, by a caller who is told it.
        self.keys.iter().filter(|key| **key != BETWEEN).for_each(|key| main.call(&Act::Get(*key)));
        self.told.tell(|story| story.explained())?;
        let failed = main.failed.lock().expect("nobody panics with it").take();
        failed.map_or(Ok(()), |why| Err(Halt::Failed(why)))
    }

    fn recover(&self, nth: u32, last: bool, stage: &Stage) -> Result<(), Halt> {
        let engine = self.open(Arc::clone(&self.disk), "open")?;
        let state = self.look(&*engine)?;
        self.told.tell(|story| story.land(state))?;
        if last {
            return if nth == 1 { self.once_more(engine) } else { Ok(()) };
        }
        let (told, failed) = (self.told.clone(), Arc::default());
        let what = self.engine.what;
        let main = Caller { engine, what, told, stage: stage.clone(), thread: 0, failed };
        main.call(&Act::Put(BETWEEN, b"work between crashes".to_vec()));
        if let Some(why) = main.failed.lock().expect("nobody panics with it").take() {
            return Err(Halt::Stuck(why));
        }
        let state = self.look(&*main.engine)?;
        self.told.tell(|story| story.show(&state))?;
        Ok(())
    }

    /// Recovers again. (Where another crash follows, the kill of this life does that.)
    fn once_more(&self, engine: Arc<dyn SharedKv>) -> Result<(), Halt> {
        drop(engine);
        self.remarks.remark(|| "once more".to_string());
        let engine = self.open(Arc::clone(&self.disk), "open again")?;
        let state = self.look(&*engine)?;
        self.told.tell(|story| story.land(state)).map_err(|broken| {
            let what = format!("recovered again: {}: {}", broken.rule, broken.what);
            Halt::broken(Rule::P7Idempotence, what)
        })
    }
}

fn found(state: &Map) -> String {
    let one = |(key, value): (&u64, &Vec<u8>)| match *key {
        BETWEEN => format!("the work between crashes ({} bytes)", value.len()),
        key => format!("{key} ({} bytes)", value.len()),
    };
    let all: Vec<String> = state.iter().map(one).collect();
    if all.is_empty() { "found nothing".into() } else { format!("found keys {}", all.join(", ")) }
}

impl Subject for Scheduled {
    type Promise = Story;

    fn live(&self, life: &Life<'_, Story>) -> Result<(), Halt> {
        let (nth, last, remarks) = (life.nth, life.last, life.remarks());
        let cast = Cast {
            engine: self.engine,
            keys: self.keys.clone(),
            disk: Arc::clone(&life.disk),
            told: life.told.clone(),
            remarks: remarks.clone(),
        };
        if nth > 0 {
            let alone = Way::Follow(Schedule::default());
            return play(alone, remarks, move |stage| cast.recover(nth, last, stage)).0;
        }
        let program = Arc::clone(&self.program);
        let (result, score) =
            play(self.way.clone(), remarks, move |stage| cast.work(&program, stage));
        if let Some(scores) = &self.scores {
            scores.lock().expect("nobody panics with it").push(score);
        }
        result
    }

    /// Without a change that is acknowledged nothing can be lost.
    fn promises_durable(&self) -> bool {
        let changes = |act: &Act| match (self.engine.what)(act) {
            What::Change(effect) => effect.changes().next().is_some(),
            what => !matches!(what, What::Read(_)),
        };
        self.program.numbered().iter().any(|(_, act)| changes(act))
    }

    /// With a departure less. (Another program has other schedules: that is not for here.)
    fn smaller(&self) -> Vec<Scheduled> {
        let schedule = self.schedule();
        let count = schedule.departures().len();
        (0..count).map(|nth| self.under(&schedule.without(nth))).collect()
    }
}
