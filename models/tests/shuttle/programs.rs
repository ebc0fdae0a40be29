//! Every program by its name: a token is a name and a schedule.

use crate::disk::Race;
use crate::life::Act::{Batch, Close, Deferred, Delete, Flush, Get, Put, PutLarge, Snapshot};
use crate::life::{Program, live};
use crate::{service, views};
use highwater_shuttle::Durability;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub(crate) const CROWD: Program = Program {
    name: "crowd",
    mode: Durability::Fsync,
    size: 300,
    reserve: 0,
    sync_after: None,
    threads: &[&[Put(1), Put(2)], &[Put(1), Get(1), Get(2)], &[Delete(1), Put(2)]],
    fault: None,
    race: None,
};

pub(crate) const SNAPSHOTS: Program = Program {
    name: "snapshots",
    threads: &[&[Put(2), Snapshot], &[Snapshot, Delete(1)], &[Get(1), Put(3), Get(2)]],
    ..CROWD
};

pub(crate) const DEFERRED: Program = Program {
    name: "deferred",
    threads: &[&[Deferred(1), Flush], &[Put(1), Get(1)], &[Batch(1, 2), Get(2)]],
    size: 4000,
    reserve: 4096,
    ..CROWD
};

pub(crate) const SHUTDOWN: Program = Program {
    name: "shutdown",
    threads: &[&[Put(1), Put(2)], &[Delete(1), Put(3)], &[Close, Get(1)]],
    ..CROWD
};

pub(crate) const BUFFERS: Program = Program {
    name: "buffers",
    threads: &[&[PutLarge(1)], &[Delete(1), Get(1)], &[Put(2), Get(2)]],
    mode: Durability::None,
    size: 1 << 20,
    ..CROWD
};

/// The large one is written and not synced.
pub(crate) const COUNTED: Program = Program {
    name: "counted",
    threads: &[&[PutLarge(1), Put(1)], &[Put(2), Delete(2)], &[Put(3), Get(3)]],
    sync_after: Some(2),
    ..BUFFERS
};

pub(crate) const IN_ORDER: Program =
    Program { name: "in-order", threads: &[&[Put(1)], &[Get(1)]], ..CROWD };

/// The crowd on a disk one of whose calls fails.
const fn failing(fault: &'static str) -> Program {
    const THREADS: &[&[crate::life::Act]] =
        &[&[Put(1), Get(2), Put(1)], &[Put(2), Get(1)], &[Put(3), Put(2)]];
    Program { name: fault, threads: THREADS, fault: Some(fault), ..CROWD }
}

/// After the calls of the opening and of the first record.
pub(crate) const FAILING: [Program; 8] = [
    failing("sync#1:keep-new"),
    failing("sync#1:revert"),
    failing("sync#2:keep-dirty"),
    failing("sync#3:keep-new"),
    failing("write#3:EIO"),
    failing("write#4:EIO+20"),
    failing("write#7:ENOSPC"),
    failing("sync-dir#1:revert"),
];

const fn flawed(name: &'static str, race: Race) -> Program {
    Program { name, race: Some(race), size: 250, ..CROWD }
}

/// Flaws in the disk's part of the work, and the rule that each breaks, with which the message
/// begins.
pub(crate) const FLAWED: [(Program, &str); 4] = [
    (flawed("crowd/sync-gives-way", Race::SyncGivesWay), "P1 loss"),
    (flawed("crowd/sync-is-late", Race::SyncIsLate), "P1 loss"),
    (flawed("crowd/read-during-write", Race::ReadDuringWrite), "S2, L6"),
    (
        Program { fault: FAILING[0].fault, ..flawed("crowd/error-is-lost", Race::ErrorIsLost) },
        "P1 loss",
    ),
];

const STORE: [Program; 7] = [CROWD, SNAPSHOTS, DEFERRED, SHUTDOWN, BUFFERS, COUNTED, IN_ORDER];

/// What happened in all schedules of a program of a view.
pub(crate) type Counts = Arc<[AtomicU64; 3]>;

/// A program of a view or of the service, by its name.
type View = (&'static str, fn(&Counts));

pub(crate) const VIEWS: [View; 4] = [
    ("kv", views::counters),
    ("journal", views::readers),
    ("last-sync", service::last_sync),
    ("closed-under-the-service", service::closed),
];

/// What the program of this name does under a schedule.
pub(crate) fn life_of(name: &str) -> Option<Box<dyn Fn() + Send + Sync>> {
    let flawed = FLAWED.iter().map(|(program, _)| program);
    let mut programs = STORE.iter().chain(&FAILING).chain(flawed);
    if let Some(&program) = programs.find(|program| program.name == name) {
        let seen = Arc::default();
        return Some(Box::new(move || live(&program, &seen)));
    }
    let &(_, life) = VIEWS.iter().find(|(view, _)| *view == name)?;
    let counts = Counts::default();
    Some(Box::new(move || life(&counts)))
}
