//! Where the key-value store's time comes from.

use std::fmt::Debug;
use std::sync::atomic::{AtomicI64, Ordering};

/// A clock that may be wrong, stand still, or be set back.
pub trait Clock: Debug + Send + Sync {
    /// Nanoseconds since the beginning of 1970.
    fn now(&self) -> i64;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands where it is set.
///
/// ```
/// use highwater::{Clock, TestClock};
/// let clock = TestClock::new(5);
/// clock.set(3);
/// assert_eq!(clock.now(), 3);
/// ```
#[derive(Debug, Default)]
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that stands at `now`.
    pub fn new(now: i64) -> TestClock {
        TestClock(AtomicI64::new(now))
    }

    /// Sets it, also back.
    pub fn set(&self, now: i64) {
        self.0.store(now, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}
