//! The facade of the store's `sync`, over loom; weaker in one place where a broken variant asks
//! for that, so that no line of the core has to be copied.

use crate::broken::weak;
use std::cell::Cell;
use std::fmt::{self, Debug};
use std::ops::{Deref, DerefMut};
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

pub(crate) use loom::sync::Arc;
pub(crate) use loom::sync::atomic::Ordering;
pub(crate) use loom::thread;

/// Patience that is over at any moment, maybe before anybody calls.
pub(crate) const ANY_MOMENT: Duration = Duration::ZERO;
/// Patience that is over at the moment of the call; any other one is endless.
pub(crate) const WHEN_CALLED: Duration = Duration::from_nanos(1);

thread_local! {
    /// Atomics of [`super::positions`] made in this execution, and condition variables.
    static BORN: (Cell<usize>, Cell<usize>) = const { (Cell::new(0), Cell::new(0)) };
    /// Whether atomics have shadows.
    static SHADOWS: Cell<bool> = const { Cell::new(false) };
    /// Whether a sync has failed in this execution.
    static FAILED: Cell<bool> = const { Cell::new(false) };
}

/// Before every execution.
pub(crate) fn begin(shadows: bool) {
    BORN.with(|born| (born.0.set(0), born.1.set(0)));
    SHADOWS.set(shadows);
    FAILED.set(false);
}

pub(crate) fn a_sync_has_failed() {
    FAILED.set(true);
}

/// An atomic, and its shadow: before every access a read-modify-write of another atomic, which
/// tells the checker that the accesses depend on one another, and orders nothing in memory. loom
/// 0.7 keeps only the last access of each atomic, and takes a load by the publisher for the one
/// that its store should be swapped with: without the shadow those orders are never tried.
#[derive(Debug)]
pub(crate) struct AtomicU64 {
    value: loom::sync::atomic::AtomicU64,
    shadow: Option<loom::sync::atomic::AtomicU64>,
    weak: bool,
}

impl AtomicU64 {
    pub(crate) fn new(value: u64) -> AtomicU64 {
        let value = loom::sync::atomic::AtomicU64::new(value);
        let shadow = SHADOWS.get().then(|| loom::sync::atomic::AtomicU64::new(0));
        AtomicU64 { value, shadow, weak: false }
    }

    fn touch(&self) {
        if let Some(shadow) = &self.shadow {
            shadow.fetch_or(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn load(&self, order: Ordering) -> u64 {
        self.touch();
        self.value.load(order)
    }

    pub(crate) fn store(&self, value: u64, order: Ordering) {
        self.touch();
        self.value.store(value, if self.weak { Ordering::Relaxed } else { order });
    }
}

impl Default for AtomicU64 {
    /// Those of `Positions`, in the order of its fields.
    fn default() -> AtomicU64 {
        let born = BORN.with(|born| born.0.replace(born.0.get() + 1));
        let weak = match born % 5 {
            0 => weak("appended relaxed"),
            1 => weak("written relaxed"),
            2 => weak("durable relaxed"),
            3 => weak("snapshot relaxed"),
            _ => false,
        };
        AtomicU64 { weak, ..AtomicU64::new(0) }
    }
}

#[derive(Debug)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    guard: Option<loom::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Mutex<T> {
        Mutex(loom::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard { mutex: self, guard: Some(self.0.lock().unwrap()) }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().unwrap()
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().unwrap()
    }
}

impl<T> Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MutexGuard")
    }
}

/// Calls in the order of waiting, and never for nothing.
#[derive(Debug)]
pub(crate) struct Condvar {
    inner: loom::sync::Condvar,
    /// The commit queue's third: where those wait who want to be alone.
    idle: bool,
    /// Of a broken variant: who has left and is still called.
    gone: AtomicUsize,
}

impl Default for Condvar {
    fn default() -> Condvar {
        let born = BORN.with(|born| born.1.replace(born.1.get() + 1));
        let inner = loom::sync::Condvar::new();
        Condvar { inner, idle: born % 3 == 2, gone: AtomicUsize::new(0) }
    }
}

impl Condvar {
    pub(crate) fn wait<'a, T>(&self, mut guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        guard.guard = guard.guard.take().map(|guard| self.inner.wait(guard).unwrap());
        guard
    }

    pub(crate) fn wait_for<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        patience: Duration,
    ) -> (MutexGuard<'a, T>, bool) {
        if patience != ANY_MOMENT {
            return (self.wait(guard), patience == WHEN_CALLED);
        }
        self.gone.fetch_add(1, Ordering::Relaxed);
        let mutex = guard.mutex;
        drop(guard);
        (mutex.lock(), true)
    }

    pub(crate) fn notify_one(&self) {
        let lost = weak("a call for one who has left")
            && self
                .gone
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok();
        if !lost && !weak("the next leader is not called") {
            self.inner.notify_one();
        }
    }

    pub(crate) fn notify_all(&self) {
        let silent = weak("a failure calls nobody") && FAILED.get()
            || weak("who wants to be alone is not called") && self.idle;
        match silent {
            true => {}
            false if weak("one is called for all") => self.inner.notify_one(),
            false => self.inner.notify_all(),
        }
    }
}
