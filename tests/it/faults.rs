//! The layers over a disk: what a call returned (`FaultFs`), and syncs left out (`WithoutSync`).

pub(crate) mod full;

use crate::conformance;
use highwater_sim::{
    CallKind, Choices, FailedSync, Fault, FaultEffect, FaultFs, FaultPlan, Model, Pattern, SimFs,
    SyncKind, WithoutSync,
};
use highwater_vfs::{OpenMode, OsFs, Vfs, read_full_at, write_all_at};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

fn plan(text: &str) -> FaultPlan {
    text.parse().unwrap()
}

fn sim(text: &str) -> (SimFs, FaultFs) {
    let disk = SimFs::new(Model::Posix);
    (disk.clone(), FaultFs::on_sim(&disk, plan(text)))
}

/// Every read and write is short or interrupted, two of three of them; and of all other calls
/// every second is interrupted.
fn annoying() -> FaultPlan {
    let mut faults = Vec::new();
    for (call, _) in CallKind::ALL {
        for nth in 0..4000 {
            let what = match (call, nth % 3) {
                (CallKind::Read | CallKind::Write, 0) => FaultEffect::Short(1 + nth % 2),
                (CallKind::Read | CallKind::Write, 1) => FaultEffect::Eintr,
                (CallKind::Read | CallKind::Write, _) => continue,
                _ if nth % 2 == 0 => FaultEffect::Eintr,
                _ => continue,
            };
            faults.push(Fault { call, nth, what });
        }
    }
    faults.into()
}

#[test]
fn short_transfers_and_interruptions_keep_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let os: Arc<dyn Vfs> = Arc::new(OsFs::open(dir.path()).unwrap());
    let disks = Model::ALL.map(|model| FaultFs::on_sim(&SimFs::new(model), annoying()));
    for disk in disks.into_iter().chain([FaultFs::new(os, annoying())]) {
        conformance::run(&disk);
        let reach = disk.reach();
        assert!(reach["short"] > 30 && reach["EINTR"] > 300, "{disk:?}: {reach:?}");
        assert!(disk.calls().len() == CallKind::ALL.len(), "{:?}", disk.calls());
    }
}

#[test]
#[should_panic(expected = "breaks the contract")]
fn any_other_fault_is_seen() {
    conformance::run(&sim("write#40:EIO+1").1);
}

#[test]
fn i1_without_a_plan_nothing_changes() {
    let (_, disk) = sim("none");
    conformance::run(&disk);
    assert_eq!(disk.fired(), []);
    let without = WithoutSync::when(Arc::new(SimFs::new(Model::Posix)), |_| false);
    conformance::run(&without);
    assert!(without.calls() > 10);
    assert_eq!(without.skipped(), []);
}

#[test]
fn i2_calls_are_numbered_by_kind_and_faults_that_fired_are_named() {
    let (inner, disk) = sim("write#1:EIO+2,write#2:EIO,write#3:short+1,create#1:ENOSPC,size#0:EIO");
    let file = disk.open("a".as_ref(), OpenMode::CreateNew).unwrap();
    assert!(file.size().is_err());
    assert_eq!(file.write_at(b"aaa", 0).unwrap(), 3);
    assert!(file.write_at(b"bbb", 3).is_err(), "and two of them are there");
    assert!(file.write_at(b"ccc", 5).is_err(), "and none of them is there");
    assert_eq!(file.write_at(b"ddd", 5).unwrap(), 1);
    assert_eq!(file.write_at(b"ee", 6).unwrap(), 2);
    let full = disk.open("b".as_ref(), OpenMode::CreateNew).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::StorageFull);
    assert!(full.to_string().contains("create#1:ENOSPC"), "{full}");
    assert_eq!(inner.list(Path::new("")).unwrap(), ["a"]);
    let mut bytes = [0; 16];
    let read = read_full_at(&*file, &mut bytes, 0).unwrap();
    assert_eq!(&bytes[..read], b"aaabbdee");
    let fired: Vec<String> = disk.fired().iter().map(ToString::to_string).collect();
    let order =
        ["size#0:EIO", "write#1:EIO+2", "write#2:EIO", "write#3:short+1", "create#1:ENOSPC"];
    assert_eq!(fired, order);
    assert_eq!(disk.calls()[&CallKind::Write], 5);
}

#[test]
fn a_fault_that_changes_nothing_has_not_fired() {
    let (_, disk) = sim("write#0:short+9,read#0:short+9,remove#5:EIO");
    let file = disk.open("a".as_ref(), OpenMode::CreateNew).unwrap();
    assert_eq!(file.write_at(b"abc", 0).unwrap(), 3);
    assert_eq!(file.read_at(&mut [0; 3], 0).unwrap(), 3);
    assert_eq!(disk.fired(), []);
}

#[test]
fn a_full_disk_takes_what_fits_and_has_room_again_after_a_removal() {
    let dir = tempfile::tempdir().unwrap();
    let os: Arc<dyn Vfs> = Arc::new(OsFs::open(dir.path()).unwrap());
    for disk in [sim("space:10").1, FaultFs::new(os, plan("space:10"))] {
        let a = disk.open("a".as_ref(), OpenMode::CreateNew).unwrap();
        let b = disk.open("b".as_ref(), OpenMode::CreateNew).unwrap();
        write_all_at(&*a, b"123456", 0).unwrap();
        assert_eq!(b.write_at(b"123456", 0).unwrap(), 4, "what fits");
        let full = |r: std::io::Result<usize>| r.unwrap_err().kind() == ErrorKind::StorageFull;
        assert!(full(b.write_at(b"56", 4)) && full(a.write_at(b"7", 6)));
        assert_eq!(a.write_at(b"654321", 0).unwrap(), 6, "an overwrite takes no room");
        assert_eq!(a.set_len(7).unwrap_err().kind(), ErrorKind::StorageFull);
        assert!(full(b.write_at(b"5", 4)), "it stays full");
        b.set_len(1).unwrap();
        assert_eq!(b.write_at(b"234567", 1).unwrap(), 3, "what was cut off is free again");
        disk.remove("a".as_ref()).unwrap();
        write_all_at(&*b, b"567890", 4).unwrap();
        assert!(full(b.write_at(b"1", 10)));
        let c = disk.open("c".as_ref(), OpenMode::CreateNew).unwrap();
        assert!(full(c.write_at(b"1", 0)));
        disk.rename("c".as_ref(), "b".as_ref()).unwrap();
        assert_eq!(c.write_at(b"12345678901", 0).unwrap(), 10, "and what was replaced");
        assert_eq!(disk.reach()["full"], 6, "{disk:?}");
    }
}

/// A disk has no more room for a write that fails than for one that does not.
#[test]
fn a_write_that_fails_in_the_middle_takes_no_more_than_there_is() {
    for (text, size) in [
        ("write#0:EIO+100,space:50", 50),
        ("write#0:EIO+30,space:50", 30),
        ("write#0:EIO+100,space:0", 0),
    ] {
        let (_, disk) = sim(text);
        let file = disk.open("a".as_ref(), OpenMode::CreateNew).unwrap();
        let error = file.write_at(&[7; 200], 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other, "{text}: {error}");
        assert_eq!(file.size().unwrap(), size, "{text}");
        assert_eq!(disk.fired().len(), 1, "{text}");
        let room = if size == 30 { 20 } else { 0 };
        assert_eq!(file.write_at(&[7; 90], size).unwrap_or(0), room, "{text}: what was taken");
    }
}

/// Two writes, the sync of the first fails and is tried again, then the power goes.
fn after_a_failed_sync(family: &str, cut: Pattern) -> (FaultFs, Vec<u8>, Vec<u8>) {
    let text = format!("sync#0:{family}");
    let fresh = SimFs::new(Model::Posix).power_cut(Choices::pattern(cut));
    let disk = FaultFs::on_sim(&fresh, plan(&text));
    let file = disk.open("a".as_ref(), OpenMode::CreateNew).unwrap();
    disk.sync_dir("".as_ref()).unwrap();
    write_all_at(&*file, b"abc", 0).unwrap();
    assert!(file.sync().is_err());
    file.sync().unwrap();
    let read = |disk: &dyn Vfs| {
        let mut bytes = vec![0; 8];
        let file = disk.open("a".as_ref(), OpenMode::Read).unwrap();
        let read = read_full_at(&*file, &mut bytes, 0).unwrap();
        bytes.truncate(read);
        bytes
    };
    let cache = read(&disk);
    (disk, cache, read(&fresh.power_cut(Choices::pattern(cut))))
}

#[test]
fn a_failed_sync_is_carried_out_by_the_disk() {
    let lost = |family| {
        let (disk, cache, left) = after_a_failed_sync(family, Pattern::DropAll);
        assert_eq!(disk.reach()[family], 1);
        (cache, left)
    };
    let abc = || b"abc".to_vec();
    assert_eq!(lost("keep-dirty"), (abc(), abc()), "the second sync has written it");
    assert_eq!(lost("keep-new"), (abc(), vec![]), "the second sync had nothing to write");
    assert_eq!(lost("revert"), (vec![], vec![]), "and here the cache shows it");
    for family in FailedSync::TOLD {
        let (_, cache, left) = after_a_failed_sync(&family.to_string(), Pattern::KeepAll);
        assert_eq!((cache, left), (abc(), abc()), "{family}: written after all");
    }
}

#[test]
fn a_failed_sync_of_another_disk_is_not_passed_on() {
    let disk = SimFs::new(Model::Posix);
    for text in ["sync#0:keep-new,sync-dir#0:EIO", "sync#0:EIO,sync-dir#0:revert"] {
        let faults = FaultFs::new(Arc::new(disk.clone()), plan(text));
        let file = faults.open(text.as_ref(), OpenMode::CreateNew).unwrap();
        file.write_at(b"abc", 0).unwrap();
        let before = disk.states_if_power_fails_now();
        assert!(file.sync().is_err() && faults.sync_dir("".as_ref()).is_err());
        assert_eq!(disk.states_if_power_fails_now(), before);
        assert_eq!(faults.fired().len(), 2);
        file.sync().unwrap();
        faults.sync_dir("".as_ref()).unwrap();
        assert_eq!(disk.states_if_power_fails_now(), Some(1));
    }
}

#[test]
fn a_sync_that_never_came_to_be_leaves_no_failure_behind() {
    let (_, disk) = sim("sync#0:revert,sync-dir#0:revert");
    disk.open("a".as_ref(), OpenMode::CreateNew).unwrap().write_at(b"abc", 0).unwrap();
    let reader = disk.open("a".as_ref(), OpenMode::Read).unwrap();
    assert_eq!(reader.sync().unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(disk.sync_dir("b".as_ref()).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(disk.fired(), []);
    disk.open("a".as_ref(), OpenMode::Write).unwrap().sync().unwrap();
    disk.sync_dir("".as_ref()).unwrap();
}

#[test]
fn syncs_that_are_left_out_are_counted_and_named() {
    let disk = SimFs::new(Model::Posix);
    let inner: Arc<dyn Vfs> = Arc::new(disk.clone());
    let without = WithoutSync::when(Arc::clone(&inner), |call| {
        call.kind == SyncKind::File && call.path == "d/b" || call.ordinal == 3
    });
    without.create_dir("d".as_ref()).unwrap();
    let open = |path: &str| without.open(path.as_ref(), OpenMode::CreateNew).unwrap();
    let (a, b) = (open("d/a"), open("d/b"));
    let syncs = [a.sync(), b.sync(), without.sync_dir("d".as_ref()), without.sync_dir("".as_ref())];
    assert!(syncs.iter().all(Result::is_ok));
    let names: Vec<String> = without.skipped().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["sync 1: sync of d/b", "sync 3: sync_dir of the root directory"]);
    assert_eq!(without.calls(), 4);
    assert_eq!(disk.states_if_power_fails_now(), Some(2), "only the name of d is not durable");
    let reader = without.open("d/a".as_ref(), OpenMode::Read).unwrap();
    assert_eq!(reader.sync().unwrap_err().kind(), ErrorKind::PermissionDenied);
    let nth = WithoutSync::nth(inner, 0);
    nth.sync_dir("".as_ref()).unwrap();
    nth.sync_dir("".as_ref()).unwrap();
    assert_eq!((nth.calls(), nth.skipped().len()), (2, 1));
    assert_eq!(disk.states_if_power_fails_now(), Some(1));
}

#[test]
fn every_fault_that_fits_has_a_text_and_no_other() {
    use FaultEffect::*;
    let mut effects = vec![Eio, EioAfter(0), EioAfter(7), Enospc, Short(0), Short(9), Eintr];
    effects.extend(highwater_sim::FailedSync::ALL.map(FailedSync));
    let (mut good, mut bad) = (0, 0);
    for (call, _) in CallKind::ALL {
        for &what in &effects {
            let fault = Fault { call, nth: 12, what };
            let read = fault.to_string().parse::<Fault>();
            if what.fits(call) {
                good += 1;
                assert_eq!(read, Ok(fault));
            } else {
                bad += 1;
                assert!(read.is_err(), "{fault}");
            }
        }
    }
    let syncs = 2 * highwater_sim::FailedSync::ALL.len();
    assert_eq!(good, 24 + 2 + 7 + 2 + syncs);
    assert_eq!(good + bad, CallKind::ALL.len() * effects.len());
}

#[test]
fn what_is_no_plan_is_refused() {
    let bad = "|write|write#1|write#x:EIO|write#+1:EIO|rite#1:EIO|write#1:EI0|write#1:EIO+|\
               write#1:EIO+-1|read#1:EIO+4|sync#1:revert,|space:|space:1,space:2|none,none|\
               write#1:foo+1|write#1:short+0|write#1:EIO,,sync#1:EIO";
    for text in bad.split('|') {
        assert!(text.parse::<FaultPlan>().is_err(), "{text:?}");
    }
    assert_eq!(plan("none"), FaultPlan::default());
}
