//! The conformance suite, tested: a right disk passes, a wrong one is reported under the clause it
//! breaks, and there is no probe that nothing can fail.
#![cfg(unix)]

mod wrong;

use highwater_vfs::conformance::{self, Failure};
use highwater_vfs::{File, OpenMode, OsFs, Vfs};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use wrong::Bug::{self, *};
use wrong::Wrong;

/// Each way of being wrong, and the clause under which it must be reported.
#[rustfmt::skip]
const CAUGHT: &[(&str, &[Bug])] = &[
    ("V1", &[FollowsAbsolute, FollowsDotDot, FollowsDot, FollowsEmpty, FollowsLossy, AsciiOnly,
             FlatNames, NoRoot]),
    ("V2", &[CreateNewOpens, CreateNewPreallocates, CreateNewMakesParents, ReadCreates,
             WriteCreates, OpensDirectories, WriteIgnored, WriteHandleDoesNotRead,
             CreateNewHandleDoesNotRead, ReadHandleWrites, ReadHandleIgnoresWrites,
             ReadHandleSetsLen, ReadHandleSyncs, WriteTruncates]),
    ("V3", &[FollowsName, RemoveEmpties, RenameCopiesInPlace, RemoveKeepsBytes, RemoveMissingOk,
             RemovesDirectories]),
    ("V4", &[ReadIgnoresOffset, ReadPads, ReadEndsInError, ReadFarIsError, EmptyReadIsError,
             ReadOvercounts]),
    ("V5", &[WriteZeroesSector, WriteTruncatesBehind, AlwaysAppends, NeverExtends, GapIsGarbage,
             GapShowsCutBytes, EmptyWriteExtends, WriteOvercounts, WritesNothing]),
    ("V6", &[SetLenNeverCuts, SetLenNeverGrows, GrowthIsGarbage, CutBytesComeBack,
             SetLenSameEmpties, ReserveCuts]),
    ("V7", &[BuffersWrites, CachesLength, CachesNames, SyncPads]),
    ("V8", &[ListUnsorted, ListIgnoresCase, ListHidesDirectories, ListHidesDotNames,
             ListIsRecursive, ListShowsDots, ListIsAsOfSync, ListOfMissingIsEmpty]),
    ("V10", &[CreateDirPresentOk, CreateDirMakesParents, SyncDirRootOnly, SyncDirOfAnythingOk]),
    ("V11", &[RenameRefusesPresent, RenameLinks, RenameItselfRemoves, RenameStaysInDirectory,
              RenameMissingOk, RenamesDirectories]),
    ("V4", &[Panics, AlwaysInterrupted]),
];

fn failures(bugs: &[Bug]) -> Vec<Failure> {
    let dir = tempfile::tempdir().unwrap();
    conformance::check(&Wrong::new(dir.path(), bugs)).err().unwrap_or_default()
}

fn listed(failures: &[Failure]) -> String {
    failures.iter().map(|f| format!("  {f}\n")).collect()
}

#[test]
fn a_right_disk_passes() {
    let dir = tempfile::tempdir().unwrap();
    let answer = conformance::check(&OsFs::open(dir.path()).unwrap());
    assert!(answer.is_ok(), "\n{}", listed(&answer.unwrap_err()));
    assert!(failures(&[]).is_empty(), "the wrapper without a bug is right");
}

#[test]
fn each_bug_is_reported_under_its_clause() {
    for (clause, bugs) in CAUGHT {
        for bug in *bugs {
            let found = failures(&[*bug]);
            let under: BTreeSet<_> = found.iter().map(|f| (f.clause, f.probe)).collect();
            println!("{bug:?}: {under:?}");
            assert!(
                found.iter().any(|f| f.clause == *clause),
                "{bug:?} is not reported under {clause}, but:\n{}",
                listed(&found)
            );
        }
    }
}

#[test]
fn no_probe_is_beyond_failing() {
    let mut never: BTreeSet<_> = conformance::probes().collect();
    let count = never.len();
    assert_eq!(count, conformance::probes().count(), "probes have different names");
    for bug in CAUGHT.iter().flat_map(|(_, bugs)| *bugs) {
        if !matches!(bug, Panics | AlwaysInterrupted) {
            let found = failures(&[*bug]);
            never.retain(|probe| !found.iter().any(|f| (f.clause, f.probe) == *probe));
        }
    }
    assert!(never.is_empty(), "nothing of {CAUGHT:?} fails these: {never:#?}");
}

#[test]
fn one_failure_does_not_hide_another() {
    let pair: BTreeSet<_> =
        failures(&[ListUnsorted, GapIsGarbage]).iter().map(|f| (f.clause, f.probe)).collect();
    for bug in [ListUnsorted, GapIsGarbage] {
        for failure in failures(&[bug]) {
            assert!(pair.contains(&(failure.clause, failure.probe)), "hidden: {failure}");
        }
    }
}

#[test]
fn small_bugs_fail_few_probes() {
    // A suite in which everything fails at once says nothing about where to look.
    for bug in [ListUnsorted, SetLenSameEmpties, ReadHandleSyncs, RenameItselfRemoves, GapIsGarbage]
    {
        let found = failures(&[bug]);
        assert!(found.len() <= 4, "{bug:?}:\n{}", listed(&found));
    }
}

#[test]
fn a_root_that_is_not_empty_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine"), b"").unwrap();
    let found = conformance::check(&OsFs::open(dir.path()).unwrap()).unwrap_err();
    assert_eq!(
        found[0].to_string(),
        r#"- the beginning: expected an empty root, but list("") gave Ok(["mine"])"#
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn a_failure_reads_as_a_sentence() {
    let found = failures(&[GrowthIsGarbage]);
    assert_eq!(
        found.iter().find(|f| f.clause == "V6").unwrap().to_string(),
        "V6 set_len extends with zeros: expected the 4 bytes \"abc\\x00\" after set_len(4), \
         but there were the 4 bytes \"abc\\xaa\", 0xaa instead of 0x00 at offset 3"
    );
    let panicked = failures(&[Panics]);
    assert!(panicked.iter().any(|f| f.happened == "it panicked: planted"), "{panicked:?}");
}

/// A disk that is right, and hard to use: at most one odd number of bytes a call, and every other
/// call interrupted.
#[derive(Debug)]
struct Reluctant<T>(T, Arc<AtomicUsize>);

impl<T> Reluctant<T> {
    fn interrupted(&self) -> io::Result<()> {
        match self.1.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => Err(ErrorKind::Interrupted.into()),
            _ => Ok(()),
        }
    }

    fn part(&self, size: usize) -> usize {
        size.min(1 + self.1.load(Ordering::Relaxed) % 7)
    }
}

impl Vfs for Reluctant<OsFs> {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.interrupted()?;
        Ok(Arc::new(Reluctant(self.0.open(path, mode)?, self.1.clone())))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.interrupted()?;
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.interrupted()?;
        self.0.remove(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.interrupted()?;
        self.0.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.interrupted()?;
        self.0.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.interrupted()?;
        self.0.sync_dir(dir)
    }
}

impl File for Reluctant<Arc<dyn File>> {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.interrupted()?;
        let size = self.part(buf.len());
        self.0.read_at(&mut buf[..size], offset)
    }
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.interrupted()?;
        self.0.write_at(&buf[..self.part(buf.len())], offset)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.interrupted()?;
        self.0.set_len(len)
    }
    fn reserve(&self, len: u64) -> io::Result<()> {
        self.interrupted()?;
        self.0.reserve(len)
    }
    fn size(&self) -> io::Result<u64> {
        self.interrupted()?;
        self.0.size()
    }
    fn sync(&self) -> io::Result<()> {
        self.interrupted()?;
        self.0.sync()
    }
}

#[test]
fn short_transfers_and_interruptions_are_no_failures() {
    let dir = tempfile::tempdir().unwrap();
    let vfs = Reluctant(OsFs::open(dir.path()).unwrap(), Arc::default());
    // The first call of all, the look at the root, is interrupted too.
    let answer = conformance::check(&vfs);
    assert!(answer.is_ok(), "\n{}", listed(&answer.unwrap_err()));
}
