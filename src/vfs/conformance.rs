//! The contract, asked of an implementation: what can be seen of it without a crash.
//!
//! [`check`] puts some sixty small questions (*probes*) to any [`Vfs`], each under the clause of
//! `docs/contract.md` it belongs to: V1-V8, and of V10 and V11 what a running program can see.
//! V9, V12, V13 and the rest of V10 and V11 speak of power loss; they need a disk that loses it.
//!
//! Each probe has names of its own, so one failure does not hide another. A panic inside the
//! implementation, an endless row of `Interrupted`, a transfer longer than its buffer are failures
//! like any other. Short transfers and `Interrupted` are no failures: the suite may be run through
//! a layer of faults that gives them. Any other injected error will be reported.

mod bench;
mod bytes;
mod handles;
mod names;

use crate::Vfs;
use bench::{Bench, Miss};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// One question to an implementation.
struct Probe {
    clause: &'static str,
    name: &'static str,
    run: fn(&Bench<'_>) -> Result<(), Miss>,
}

/// An answer that the contract does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The clause, as in `docs/contract.md`: `"V5"`. `"-"` if the suite could not begin.
    pub clause: &'static str,
    /// The probe, as [`probes`] names it.
    pub probe: &'static str,
    /// What the contract says.
    pub expected: String,
    /// What the implementation did.
    pub happened: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { clause, probe, expected, happened } = self;
        write!(f, "{clause} {probe}: expected {expected}, but {happened}")
    }
}

/// Every probe as (clause, name), in the order in which [`check`] runs them.
///
/// # Example
/// ```
/// assert!(highwater_vfs::conformance::probes().any(|(clause, _)| clause == "V8"));
/// ```
pub fn probes() -> impl Iterator<Item = (&'static str, &'static str)> {
    all().map(|probe| (probe.clause, probe.name))
}

fn all() -> impl Iterator<Item = &'static Probe> {
    names::PROBES.iter().chain(handles::PROBES).chain(bytes::PROBES)
}

/// Runs every probe against `vfs`, whose root must be empty and may be thrown away afterwards: the
/// files of the probes are left in it.
///
/// Some of the paths asked for are absolute or begin with `..`. Each is opened for reading first,
/// and the probe ends if that is not refused: so an implementation that follows such paths is found
/// out before it is asked to change anything outside. One that checks them in `open` alone may
/// leave an empty file or directory there; run it in a place of no importance.
///
/// # Errors
/// All failures, in the order of the probes. If the root is not empty or cannot be listed, that
/// alone.
///
/// # Example
/// ```
/// use highwater_vfs::{OsFs, conformance};
///
/// let dir = tempfile::tempdir()?;
/// if let Err(failures) = conformance::check(&OsFs::open(dir.path())?) {
///     for failure in &failures {
///         eprintln!("{failure}");
///     }
///     panic!("{} clauses broken", failures.len());
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn check(vfs: &dyn Vfs) -> Result<(), Vec<Failure>> {
    let begin = guarded("-", "the beginning", || match Bench::new(vfs, 0).list(Path::new("")) {
        Ok(names) if names.is_empty() => Ok(()),
        other => Err(Miss::new("an empty root", format!("list(\"\") gave {other:?}"))),
    });
    if let Some(failure) = begin {
        return Err(vec![failure]);
    }
    let failures: Vec<Failure> = all()
        .enumerate()
        .filter_map(|(index, probe)| {
            let bench = Bench::new(vfs, index);
            guarded(probe.clause, probe.name, || (probe.run)(&bench))
        })
        .collect();
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}

/// Runs one probe; a panic is an answer too.
fn guarded(
    clause: &'static str,
    probe: &'static str,
    run: impl FnOnce() -> Result<(), Miss>,
) -> Option<Failure> {
    // Nothing of ours is left half changed by a panic: a probe owns only its names.
    let miss = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => return None,
        Ok(Err(miss)) => miss,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
            Miss::new("an answer", format!("it panicked: {text}"))
        }
    };
    Some(Failure { clause, probe, expected: miss.expected, happened: miss.happened })
}
