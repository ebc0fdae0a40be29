//! A thread for a store that has none: it syncs, takes snapshots and purges while callers work.
//!
//! A store in a mode that does not sync acknowledges at once; this service bounds how long what was
//! acknowledged is in danger. Its queue is the log's buffer, which is bounded: whoever fills it
//! writes it, so callers slow down to what the disk takes, and nothing is ever dropped.
//!
//! Invariants
//! - B3: a store that timed out has failed at nothing: what it was asked for is tried again.
//! - B4: whoever waits for the service gets an answer, however the thread ends.
//!
//! ```
//! use highwater::{Durability, KvStore, Options, SystemClock};
//! use highwater_service::{Service, Settings};
//! # let dir = tempfile::tempdir()?;
//! let disk = std::sync::Arc::new(highwater_vfs::OsFs::open(dir.path())?);
//! let options = Options { durability: Durability::None, snapshots_kept: 3, ..Options::default() };
//! let clock = std::sync::Arc::new(SystemClock);
//! let store = std::sync::Arc::new(KvStore::open(disk, options, clock.clone())?);
//! let service = Service::start(store.clone(), Settings::default(), clock);
//! store.incr("visits", 1)?; // durable a tenth of a second later
//! service.stop()?; // and at the latest now
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod plan;
/// The store's own: the models compile both again with a scheduler's primitives.
#[allow(dead_code, unused_imports, reason = "the store asks for more of it")]
#[path = "../store/sync.rs"]
mod sync;

use highwater::{Clock, Error, Journal, KvStore, PayloadStore, Positions};
use plan::Plan;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use sync::thread::{self, JoinHandle};
use sync::{Condvar, Mutex};

/// What is done when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Time between syncs; 100 ms.
    pub sync_every: Duration,
    /// Time between snapshots; 5 minutes.
    pub snapshot_every: Duration,
    /// Records after which a snapshot is taken earlier; 100,000.
    pub snapshot_operations: u64,
    /// How many expired keys are deleted with each sync, at most; 1,000.
    pub purge: usize,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sync_every: Duration::from_millis(100),
            snapshot_every: Duration::from_secs(300),
            snapshot_operations: 100_000,
            purge: 1000,
        }
    }
}

/// Why something was not done.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// What the store says.
    #[error(transparent)]
    Store(Arc<Error>),
    /// The service has panicked, or the store under it, which is a defect: what it said. Nobody
    /// syncs any more.
    #[error("the service panicked: {0}")]
    Panicked(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Store(Arc::new(error))
    }
}

impl Failure {
    fn panicked(why: &(dyn Any + Send)) -> Failure {
        let text = why.downcast_ref::<&str>().copied();
        let text = text.or(why.downcast_ref::<String>().map(String::as_str));
        Failure::Panicked(text.unwrap_or("it did not say why").to_string())
    }
}

/// What came of it; `None` if the disk took longer than the store would wait (B3).
fn answered<T>(result: Result<T, Error>) -> Option<Result<T, Error>> {
    Some(result).filter(|result| !matches!(result, Err(Error::TimedOut)))
}

/// A store that can be served.
pub trait Served: Send + Sync + 'static {
    /// How far its log is.
    fn positions(&self) -> Positions;

    /// Makes everything durable.
    ///
    /// # Errors
    /// What the store says.
    fn sync(&self) -> Result<(), Error>;

    /// Writes a snapshot, and removes what it makes superfluous.
    ///
    /// # Errors
    /// What the store says.
    fn snapshot(&self) -> Result<(), Error>;

    /// Deletes what has expired, at most `most`.
    ///
    /// # Errors
    /// What the store says.
    fn purge(&self, most: usize) -> Result<(), Error> {
        let _ = most;
        Ok(())
    }
}

macro_rules! served {
    ($store:ty, $snapshot:ident $(, $purge:item)?) => {
        impl Served for $store {
            fn positions(&self) -> Positions {
                <$store>::positions(self)
            }

            fn sync(&self) -> Result<(), Error> {
                self.flush().map(drop)
            }

            fn snapshot(&self) -> Result<(), Error> {
                self.$snapshot().map(drop)
            }

            $($purge)?
        }
    };
}

served!(PayloadStore, create_snapshot);
served!(Journal, clean_up);
served!(
    KvStore,
    create_snapshot,
    fn purge(&self, most: usize) -> Result<(), Error> {
        KvStore::purge(self, most).map(drop)
    }
);

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    /// Somebody wants a snapshot: how many were asked for, and how many of them are answered.
    asked: u64,
    answered: u64,
    /// Why the thread has ended, or why the last snapshot failed.
    error: Option<Failure>,
    /// The thread has ended: nobody answers any more.
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// The thread. Dropped it stops as [`stop`](Service::stop) does, and tells nobody what came of it.
pub struct Service {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<(), Failure>>>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("shared", &self.shared).finish_non_exhaustive()
    }
}

impl Service {
    /// Begins to serve a store. It asks `clock` for the time at least every `sync_every`.
    pub fn start(store: Arc<dyn Served>, settings: Settings, clock: Arc<dyn Clock>) -> Service {
        let shared = Arc::new(Shared::default());
        let work = Work { shared: Arc::clone(&shared), store, settings, clock };
        let thread = thread::Builder::new().name("highwater-service".into());
        let thread = thread.spawn(move || work.run()).expect("a thread can be started");
        Service { shared, thread: Some(thread) }
    }

    /// What has gone wrong: what ended the service, as a failed sync does (the store is poisoned
    /// then, and tells its callers too), or the last snapshot's failure. `None` while all is well,
    /// or only slow.
    pub fn error(&self) -> Option<Failure> {
        self.shared.state.lock().error.clone()
    }

    /// Asks for a snapshot, and waits until it is written.
    ///
    /// # Errors
    /// Why it could not be.
    pub fn snapshot(&self) -> Result<(), Failure> {
        let mut state = self.shared.state.lock();
        state.asked += 1;
        let mine = state.asked;
        self.shared.changed.notify_all();
        while state.answered < mine && !state.ended {
            state = self.shared.changed.wait(state);
        }
        state.error.clone().map_or(Ok(()), Err)
    }

    /// Ends the thread after a last sync of all that was acknowledged, for as long as it takes.
    ///
    /// # Errors
    /// If that sync fails, or something before it has ended the service.
    pub fn stop(mut self) -> Result<(), Failure> {
        let ended = self.end().map_or(Ok(Ok(())), JoinHandle::join);
        ended.unwrap_or_else(|why| Err(Failure::panicked(&*why)))
    }

    fn end(&mut self) -> Option<JoinHandle<Result<(), Failure>>> {
        self.shared.state.lock().stopping = true;
        self.shared.changed.notify_all();
        self.thread.take()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(thread) = self.end() {
            let _ = thread.join();
        }
    }
}

struct Work {
    shared: Arc<Shared>,
    store: Arc<dyn Served>,
    settings: Settings,
    clock: Arc<dyn Clock>,
}

impl Work {
    fn run(&self) -> Result<(), Failure> {
        let served = catch_unwind(AssertUnwindSafe(|| self.serve()));
        let done = match served {
            Ok(done) => done.map_err(Failure::from),
            Err(why) => Err(Failure::panicked(&*why)),
        };
        let mut state = self.shared.state.lock();
        state.ended = true; // B4
        if let Err(failure) = &done {
            state.error = Some(failure.clone());
        }
        self.shared.changed.notify_all();
        done
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.clock.now().max(0) as u64)
    }

    fn serve(&self) -> Result<(), Error> {
        let positions = self.store.positions();
        let covered = positions.snapshot().0;
        let mut plan = Plan::new(self.settings.clone(), self.now(), covered);
        let mut late = false; // a snapshot timed out
        loop {
            let (stopping, asked) = {
                let mut state = self.shared.state.lock();
                if !state.stopping && (late || state.asked == state.answered) {
                    (state, _) = self.shared.changed.wait_for(state, self.settings.sync_every);
                }
                (state.stopping, state.asked)
            };
            if stopping {
                return self.last_sync();
            }
            let due = plan.due(self.now(), positions.appended().0, positions.durable().0);
            if due.sync {
                answered(self.store.sync()).unwrap_or(Ok(()))?; // B3: the plan asks again
            }
            if due.purge {
                answered(self.store.purge(self.settings.purge)).unwrap_or(Ok(()))?;
            }
            let wanted = asked > self.shared.state.lock().answered;
            if due.snapshot || wanted || late {
                let done = answered(self.store.snapshot());
                late = done.is_none();
                let Some(done) = done else { continue };
                let mut state = self.shared.state.lock();
                (state.answered, state.error) = (asked, done.err().map(Failure::from));
                self.shared.changed.notify_all();
            }
        }
    }

    /// As often as it takes (B3).
    fn last_sync(&self) -> Result<(), Error> {
        loop {
            match answered(self.store.sync()) {
                Some(done) => return done,
                None => {
                    let state = self.shared.state.lock();
                    drop(self.shared.changed.wait_for(state, self.settings.sync_every));
                }
            }
        }
    }
}
