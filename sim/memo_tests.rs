//! What the memo takes for one: two disks with one fingerprint must have the same futures, in
//! what may be seen and in how many states. All short histories over a few calls, cut, killed and
//! looked at in several ways.

use crate::disk::Disk;
use crate::{Choices, FailedSync, Model, Pattern, SimFs};
use highwater_vfs::{OpenMode, Vfs};
use std::collections::BTreeMap;

/// A small call; one that fails changes nothing.
fn call(fs: &SimFs, number: usize) {
    let open = |name: &str| fs.open(name.as_ref(), OpenMode::Write);
    let write = |name: &str, byte: u8, len: usize, at: u64| {
        let _ = open(name).and_then(|file| file.write_at(&vec![byte; len], at));
    };
    match number {
        0 => drop(fs.open("a".as_ref(), OpenMode::CreateNew)),
        1 => drop(fs.open("b".as_ref(), OpenMode::CreateNew)),
        2 => write("a", 1, 40, 0),
        3 => write("a", 2, 40, 0),
        4 => write("b", 1, 40, 0),
        5 => write("a", 1, 40, 512),
        6 => drop(fs.rename("a".as_ref(), "b".as_ref())),
        7 => drop(fs.remove("a".as_ref())),
        8 => drop(open("a").and_then(|file| file.sync())),
        9 => drop(fs.sync_dir("".as_ref())),
        _ => drop(open("a").and_then(|file| file.set_len(20))),
    }
}

const CALLS: usize = 11;

/// How a life ends, and what the next one does before its disk is compared.
const ENDS: usize = 8;

fn ended(fs: &SimFs, end: usize) -> Disk {
    let cut = |choices| fs.power_cut(choices);
    let fs = match end {
        0 | 6 => cut(Choices::enumerate()),
        1 | 7 => fs.kill(),
        2 => {
            let lost = cut(Choices::pattern(Pattern::DropAll));
            let _ = lost.list("".as_ref());
            lost
        }
        3 => {
            let cut = cut(Choices::enumerate());
            let _ = cut.open("a".as_ref(), OpenMode::Read).and_then(|file| file.size());
            cut
        }
        4 => {
            let cut = cut(Choices::enumerate());
            call(&cut, 2);
            cut
        }
        _ => {
            fs.fail_next_sync(FailedSync::KeepNew);
            call(fs, 8);
            fs.kill()
        }
    };
    let mut disk = fs.lock().disk.clone();
    disk.sync_may_fail = (end >= 6).then_some(FailedSync::KeepNew);
    disk
}

/// Everything that can be read.
fn slurp(fs: &SimFs) -> Vec<u8> {
    let mut seen = Vec::new();
    for name in fs.list("".as_ref()).expect("the root") {
        let file = fs.open(name.as_ref(), OpenMode::Read).expect("a file that was listed");
        let mut bytes = vec![0; file.size().expect("its size") as usize];
        file.read_at(&mut bytes, 0).expect("its bytes");
        seen.extend(name.bytes());
        seen.extend((bytes.len() as u32).to_le_bytes());
        seen.extend(bytes);
    }
    seen
}

/// What may be seen on `disk` in a life that makes one call, and after a cut behind it; and in how
/// many states.
fn future(disk: &Disk, first: Option<usize>, cut: bool) -> BTreeMap<Vec<u8>, u128> {
    let mut all = BTreeMap::new();
    let mut choices = Choices::enumerate();
    loop {
        let mut fs = SimFs::on(disk.clone(), choices);
        fs.lock().may_fail = true;
        let before = if first.is_none() && !cut { slurp(&fs) } else { Vec::new() };
        first.iter().for_each(|number| call(&fs, *number));
        if cut {
            fs = fs.power_cut(fs.choices());
        }
        let seen = [before, slurp(&fs)].concat();
        *all.entry(seen).or_default() += fs.states_left().expect("a small disk");
        choices = fs.choices();
        if !choices.advance() {
            return all;
        }
    }
}

/// Futures in units of what cannot be found out any more, as the memo counts.
fn futures(disk: &Disk, rest: u128) -> Vec<BTreeMap<Vec<u8>, u128>> {
    let firsts = [None, Some(1), Some(5), Some(8), Some(9)];
    let ways = firsts.iter().flat_map(|first| [false, true].map(|cut| (*first, cut)));
    let mut all: Vec<_> = ways.map(|(first, cut)| future(disk, first, cut)).collect();
    for count in all.iter_mut().flat_map(BTreeMap::values_mut) {
        assert_eq!(*count % rest, 0, "what cannot be found out multiplies everything");
        *count /= rest;
    }
    all
}

fn sound(model: Model) {
    let mut known = BTreeMap::new();
    let (mut disks, mut compared) = (0, 0);
    for number in 0..CALLS.pow(3) * 2 * ENDS {
        let (end, rest) = (number % ENDS, number / ENDS);
        let (synced, rest) = (rest % 2 == 1, rest / 2);
        let calls = [rest % CALLS, rest / CALLS % CALLS, rest / CALLS / CALLS];
        // A disk on which a failed sync loses all that it may lose.
        let fs = SimFs::new(model).power_cut(Choices::pattern(Pattern::DropAll));
        let prefix: &[usize] = if synced { &[0, 2, 8, 9] } else { &[0] };
        prefix.iter().chain(&calls).for_each(|number| call(&fs, *number));
        let disk = ended(&fs, end);
        disks += 1;
        let (print, rest) = disk.fingerprint();
        let futures = futures(&disk, rest.expect("a small disk"));
        let history = (synced, calls, end);
        match known.get(&print) {
            None => drop(known.insert(print, (futures, history))),
            Some((others, other)) => {
                compared += 1;
                assert!(
                    futures == *others,
                    "{model}: {history:?} and {other:?} are one to the memo"
                );
            }
        }
    }
    println!("{model}: {disks} disks, {} fingerprints, {compared} comparisons", known.len());
    assert!(compared > 3000 && known.len() > 1000, "{compared}, {}", known.len());
}

#[test]
fn one_fingerprint_one_future_under_posix() {
    sound(Model::Posix);
}

#[test]
fn one_fingerprint_one_future_under_ext4_ordered() {
    sound(Model::Ext4Ordered);
}
