//! Tests of the numbered invariants, each on the smallest disk or engine that shows it.

use crate::disk::{Disk, ROOT};
use crate::order::{DROPPED, KEPT, Pending, UNKNOWN};
use crate::*;
use highwater_vfs::{File, OpenMode, Vfs};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// One file a key: a sum and the value, written in one call.
struct Files(Arc<dyn Vfs>);

fn sum(value: &[u8]) -> [u8; 8] {
    (crate::hash::of(&value) as u64).to_le_bytes()
}

impl Kv for Files {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        for name in disk.list(Path::new(""))? {
            disk.open(name.as_ref(), OpenMode::Write)?.sync()?; // what is shown is durable
        }
        disk.sync_dir(Path::new(""))?;
        Ok(Files(disk))
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let name = key.to_string();
        let file = self.0.open(name.as_ref(), OpenMode::CreateNew);
        let file = file.or_else(|_| self.0.open(name.as_ref(), OpenMode::Write))?;
        file.write_at(&[&sum(value), value].concat(), 0)?;
        file.sync()?;
        self.0.sync_dir(Path::new(""))
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let Ok(file) = self.0.open(key.to_string().as_ref(), OpenMode::Read) else {
            return Ok(None);
        };
        let mut bytes = vec![0; file.size()? as usize];
        file.read_at(&mut bytes, 0)?;
        let whole = bytes.len() >= 8 && bytes[..8] == sum(&bytes[8..]);
        Ok(whole.then(|| bytes[8..].to_vec()))
    }
}

fn create(fs: &SimFs, name: &str) -> Arc<dyn File> {
    fs.open(name.as_ref(), OpenMode::CreateNew).expect("a new file")
}

fn open(fs: &SimFs, name: &str) -> Arc<dyn File> {
    fs.open(name.as_ref(), OpenMode::Write).expect("a file")
}

fn settle(fs: &SimFs, file: &dyn File) {
    file.sync().expect("a sync");
    fs.sync_dir("".as_ref()).expect("a sync");
}

fn read(file: &dyn File) -> Vec<u8> {
    let mut bytes = vec![0xEE; 2000];
    let count = file.read_at(&mut bytes, 0).expect("a read");
    bytes.truncate(count);
    bytes
}

fn one_crash(power: bool, kill: bool) -> Settings {
    Settings { crashes: 1, power, kill, ..Settings::default() }
}

#[test]
fn d1_versions_stand_in_issue_order_across_lives() {
    let fs = SimFs::new(Model::Posix);
    let file = create(&fs, "a");
    settle(&fs, &*file);
    file.write_at(b"one", 0).unwrap();
    file.write_at(b"two", 0).unwrap();
    let fs = fs.power_cut(Choices::enumerate());
    open(&fs, "a").write_at(&[3; 512], 0).unwrap();
    let state = fs.lock();
    let crate::disk::Node::File(node) = &state.disk.nodes[1] else { panic!("inode 1 is a") };
    let order: Vec<_> = node.sectors[0].versions.iter().map(|v| (v.life, v.id)).collect();
    assert_eq!(order.len(), 3, "{order:?}");
    assert!(order.is_sorted(), "D1: {order:?}");
}

#[test]
fn d2_what_was_read_does_not_change() {
    let fs = SimFs::new(Model::Posix);
    let file = create(&fs, "a");
    settle(&fs, &*file);
    file.write_at(&[1; 700], 0).unwrap();
    let mut choices = Choices::enumerate();
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let cut = fs.power_cut(choices);
        let first = read(&*open(&cut, "a"));
        assert_eq!(first, read(&*open(&cut, "a")), "D2");
        open(&cut, "a").write_at(&[9; 512], 0).unwrap();
        let second = read(&*open(&cut, "a"));
        assert_eq!(second[512..], first.get(512..).unwrap_or(&[])[..], "D2");
        seen.insert(first);
        choices = cut.choices();
        if !choices.advance() {
            break;
        }
    }
    assert_eq!(seen.len(), 1 + 3 * 3, "no length, or every mixture of data, zeros and garbage");
}

#[test]
fn d3_a_rename_is_one_event_in_two_cells() {
    let fs = SimFs::new(Model::Posix);
    settle(&fs, &*create(&fs, "a"));
    fs.rename("a".as_ref(), "b".as_ref()).unwrap();
    assert_eq!(fs.states_if_power_fails_now(), Some(2));
    for (pattern, name) in [(Pattern::KeepAll, "b"), (Pattern::DropAll, "a")] {
        let cut = fs.power_cut(Choices::pattern(pattern));
        assert_eq!(cut.list("".as_ref()).unwrap(), [name], "D3");
    }
}

#[test]
fn d4_bytes_behind_the_end_come_back_as_zeros() {
    let fs = SimFs::new(Model::Posix);
    let file = create(&fs, "a");
    file.write_at(&[7; 1500], 0).unwrap();
    file.set_len(10).unwrap();
    file.set_len(1200).unwrap();
    let mut expected = vec![7; 10];
    expected.resize(1200, 0);
    assert_eq!(read(&*file), expected, "D4");
    settle(&fs, &*file);
    assert_eq!(read(&*open(&fs.power_cut(Choices::enumerate()), "a")), expected, "D4");
}

#[test]
fn e1_a_skipped_point_changes_no_verdict_and_adds_no_state_that_is_not_covered() {
    let all = Settings { every_point: true, ..one_crash(true, false) };
    let every = Explorer::new(all).run(&Easy::puts::<Files>(2));
    let fewer = Explorer::new(one_crash(true, false)).run(&Easy::puts::<Files>(2));
    assert!(every.found.is_none() && fewer.found.is_none(), "E1");
    assert!(fewer.crash_points < every.crash_points, "E1: something is skipped");
}

/// A log of one sector a call: (1, key, value) puts, (2, key) deletes. A put should be synced and
/// is not; to delete what is not there is a call, too, and needs no sync.
struct Late {
    log: Arc<dyn File>,
    end: u64,
    map: Map,
}

impl Late {
    fn log(&mut self, record: [u8; 3]) -> io::Result<()> {
        let mut sector = [0; 512];
        sector[..3].copy_from_slice(&record);
        self.log.write_at(&sector, self.end)?;
        self.end += 512;
        Ok(())
    }
}

impl Kv for Late {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        let there = disk.open("log".as_ref(), OpenMode::Write);
        let log = there.or_else(|_| disk.open("log".as_ref(), OpenMode::CreateNew))?;
        log.sync()?;
        disk.sync_dir(Path::new(""))?;
        let (mut map, end) = (Map::new(), log.size()?);
        for at in (0..end).step_by(512) {
            let mut record = [0; 3];
            log.read_at(&mut record, at)?;
            match record {
                [1, key, value] => drop(map.insert(key.into(), vec![value])),
                [_, key, _] => drop(map.remove(&key.into())),
            }
        }
        Ok(Late { log, end, map })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.map.insert(key, value.to_vec());
        self.log([1, key as u8, value[0]])
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.log([2, key as u8, 0])?;
        match self.map.remove(&key) {
            Some(_) => self.log.sync(),
            None => Ok(()),
        }
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.map.get(&key).cloned())
    }
}

/// Only a cut in the delete of key 9, in which no sync is, can tell: before it the put is not
/// acknowledged, and once the other delete has begun, its being lost looks like that delete.
#[test]
fn e1_a_point_is_not_skipped_if_something_is_told_before_the_next() {
    let acts = vec![Act::Put(1, vec![7]), Act::Delete(9), Act::Delete(1)];
    let settings = Settings { model: Model::Strict, ..one_crash(true, false) };
    let found = Explorer::new(settings).run(&Easy::new::<Late>(acts)).found.expect("E1: a loss");
    assert_eq!(found.broken.rule, Rule::P1Loss, "{found:?}");
}

/// The moment between an acknowledgement and the next operation has a disk that the next cut has
/// too, and a stronger promise: once the delete has begun, a lost put looks like it.
#[test]
fn e1_the_moment_before_an_operation_begins_is_a_crash_point() {
    let acts = vec![Act::Put(1, vec![7]), Act::Delete(1)];
    for (power, kind) in [(true, "e1/"), (false, "")] {
        let settings = Settings { model: Model::Strict, ..one_crash(power, !power) };
        let found = Explorer::new(settings).run(&Easy::new::<Late>(acts.clone())).found;
        assert_eq!(found.is_some(), power, "E1: {found:?}");
        let trail = found.map(|found| found.trail.to_string()).unwrap_or_default();
        assert!(trail.contains(kind), "E1: {trail}");
    }
}

#[test]
fn e2_e4_two_crashes_are_covered_once_each() {
    let tally = Explorer::new(Settings::default()).run(&Easy::puts::<Files>(2));
    assert!(tally.exhaustive && tally.found.is_none(), "{tally:?}");
    assert_eq!(tally.states_covered, tally.states_total, "E2, E4");
    assert!(tally.states_total > Some(100), "{tally:?}");
}

#[test]
fn e3_a_kill_leaves_any_prefix_of_the_sectors_of_a_write() {
    let acts = |size| vec![Act::Put(1, vec![7; size])];
    let points = |size| {
        Explorer::new(one_crash(false, true)).run(&Easy::new::<Files>(acts(size))).crash_points
    };
    // F1: the open's sync, create (and before the put began), write, two syncs, and the end.
    assert_eq!((points(100), points(1500)), (7, 7 + 2), "E3");
}

#[test]
fn e5_f2_a_report_depends_on_nothing_but_its_settings() {
    let run = |threads| {
        Explorer::new(Settings { threads, ..Settings::default() }).run(&Easy::puts::<Files>(2))
    };
    let first = run(1);
    assert_eq!(first, run(1), "F2");
    assert_eq!(first, run(3), "E5");
}

#[test]
#[should_panic(expected = "O1")]
fn o1_edges_run_forward() {
    let mut pending = Pending::default();
    let (a, b) = (pending.add([None, None], (0, 0)), pending.add([None, None], (0, 0)));
    pending.edge(b, a);
}

#[test]
fn o2_deciding_one_event_decides_what_follows_from_it() {
    let mut pending = Pending::default();
    for to in 0..4 {
        pending.add([None, None], (0, 0));
        (0..to).rev().take(1).for_each(|from| pending.edge(from, to));
    }
    let frozen = pending.freeze();
    let mut status: Vec<_> = frozen.statuses().collect();
    assert_eq!(frozen.count(&status), Some(5));
    frozen.decide_kept(1, &mut status);
    assert_eq!(status, [KEPT, KEPT, UNKNOWN, UNKNOWN], "O2");
    frozen.decide_dropped(2, &mut status);
    assert_eq!(status, [KEPT, KEPT, DROPPED, DROPPED], "O2");
    assert_eq!(frozen.count(&status), Some(1));
}

#[test]
fn o3_the_ways_to_decide_add_up() {
    for model in Model::ALL {
        let fs = SimFs::new(model);
        let (a, b) = (create(&fs, "a"), create(&fs, "b"));
        a.write_at(&[1; 600], 0).unwrap();
        b.write_at(&[2; 100], 40).unwrap();
        fs.rename("a".as_ref(), "b".as_ref()).unwrap();
        let total = fs.states_if_power_fails_now().expect("a small disk");
        let (mut sum, mut choices) = (0, Choices::enumerate());
        loop {
            let cut = fs.power_cut(choices);
            let names = cut.list("".as_ref()).unwrap();
            names.iter().for_each(|n| drop(read(&*open(&cut, n))));
            sum += cut.states_left().expect("a small disk");
            choices = cut.choices();
            if !choices.advance() {
                break;
            }
        }
        assert_eq!(sum, total, "O3 under {model}");
        assert!(total > 5, "{model}: {total}");
    }
}

#[test]
#[should_panic(expected = "W1")]
fn w1_nothing_is_promised_that_was_refused() {
    let mut window = Window::default();
    window.attempt(&Effect::new("put".into(), vec![(1, Some(vec![1]))]));
    window.acknowledge(Level::Durable);
    window.refused();
}

#[test]
fn w2_what_recovery_shows_is_promised_from_then_on() {
    let mut window = Window::default();
    window.attempt(&Effect::new("put".into(), vec![(1, Some(vec![1]))]));
    let mut shown = Recovered::default();
    shown.add(1, &[1]);
    let full = || Ok(Map::new());
    assert!(window.clone().land(Recovered::default(), full).is_ok(), "it may be absent");
    window.land(shown, full).expect("it may be there");
    window.power_cut();
    let lost = window.land(Recovered::default(), full).expect_err("W2: it was shown");
    assert_eq!(lost.rule, Rule::P1Loss);
}

/// W1: what no caller was told and a reader saw is another promise (P10) than an acknowledgement.
#[test]
fn w1_what_a_reader_saw_is_not_what_callers_were_told() {
    let mut window = Window::default();
    window.attempt(&Effect::new("told".into(), vec![(1, Some(vec![1]))]));
    window.acknowledge(Level::Durable);
    window.attempt(&Effect::new("seen".into(), vec![(2, Some(vec![2]))]));
    window.saw(2, Some(&[2])).expect("it may be shown");
    window.power_cut();
    let only_told = Map::from([(1, vec![1])]);
    let mut shown = Recovered::default();
    shown.add(1, &[1]);
    let lost = window.clone().land(shown, || Ok(only_told)).expect_err("it was seen");
    assert_eq!(lost.rule, Rule::P10Visibility);
    let lost = window.land(Recovered::default(), || Ok(Map::new())).expect_err("it was told");
    assert_eq!(lost.rule, Rule::P1Loss);
}

/// W3: an operation that failed was not promised, and is not named among what was lost.
#[test]
fn w3_what_failed_is_not_named_among_what_was_lost() {
    let mut window = Window::default();
    window.attempt(&Effect::new("failed".into(), vec![(1, Some(vec![1]))]));
    window.failed();
    window.attempt(&Effect::new("told".into(), vec![(2, Some(vec![2]))]));
    window.acknowledge(Level::Durable);
    let lost = window.land(Recovered::default(), || Ok(Map::new())).expect_err("it was told");
    assert_eq!(lost.what, "promised and lost: told");
}

#[test]
fn the_root_is_the_first_inode() {
    assert!(Disk::new(Model::Strict).is_dir(ROOT));
}
