//! Tests of what the device and the medium do: torn sectors, decay, errors that are told once.

use crate::*;
use highwater_vfs::{File, OpenMode, Vfs, read_full_at};
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

fn on(model: Model, device: &str) -> SimFs {
    SimFs::on_device(model, device.parse().expect("a device"))
}

fn create(fs: &SimFs, name: &str, bytes: &[u8]) -> Arc<dyn File> {
    let file = fs.open(name.as_ref(), OpenMode::CreateNew).unwrap();
    file.write_at(bytes, 0).unwrap();
    file.sync().unwrap();
    fs.sync_dir(Path::new("")).unwrap();
    file
}

fn read(fs: &SimFs, name: &str) -> io::Result<Vec<u8>> {
    let file = fs.open(name.as_ref(), OpenMode::Read)?;
    let mut bytes = vec![0; file.size()? as usize];
    read_full_at(&*file, &mut bytes, 0)?;
    Ok(bytes)
}

/// What `look` finds on every disk that a cut may leave; their states add up to the total.
fn all<T: Ord>(fs: &SimFs, mut look: impl FnMut(&SimFs) -> T) -> BTreeSet<T> {
    let (mut seen, mut sum, mut choices) = (BTreeSet::new(), 0, Choices::enumerate());
    loop {
        let cut = fs.power_cut(choices);
        seen.insert(look(&cut));
        sum += cut.states_left().expect("a small disk");
        choices = cut.choices();
        if !choices.advance() {
            assert_eq!(Some(sum), fs.states_if_power_fails_now(), "T2: torn states do not count");
            return seen;
        }
    }
}

#[test]
fn t2_a_torn_sector_is_a_mixture_in_grains() {
    for (device, found) in [
        ("plain", 2),
        ("tear=prefix", 2 + 7),
        ("tear=prefix,atomic=16", 2 + 3),
        ("tear=prefix,atomic=512", 2),
        ("tear=subset,atomic=16", (1 << 4)),
        ("tear=subset-garbage,atomic=16", (1 << 4) + 4),
        ("powersafe=no", 3),
    ] {
        let fs = on(Model::Posix, device);
        let file = create(&fs, "a", &[1; 512]);
        file.write_at(&[2; 64], 0).unwrap(); // eight grains of 8 differ, four of 16
        let seen = all(&fs, |cut| read(cut, "a").unwrap());
        assert_eq!(seen.len(), found, "{device}");
        let garbage = |bytes: &Vec<u8>| bytes.iter().any(|byte| !(1..=2).contains(byte));
        let may = device.contains("garbage") || device.contains("no");
        assert_eq!(seen.iter().any(garbage), may, "{device}");
    }
}

#[test]
fn t1_nothing_persists_behind_a_torn_sector() {
    let fs = on(Model::Strict, "tear=prefix");
    let (a, b) = (create(&fs, "a", &[1; 16]), create(&fs, "b", &[1; 16]));
    a.write_at(&[2; 16], 0).unwrap();
    b.write_at(&[2; 16], 0).unwrap();
    let torn = |bytes: &[u8]| bytes[0] != bytes[15];
    let mut seen = 0;
    for order in [["a", "b"], ["b", "a"]] {
        let found = all(&fs, |cut| order.map(|name| read(cut, name).unwrap()));
        for pair in found {
            let [first, second] = [&pair[0], &pair[1]];
            let [a, b] = if order[0] == "a" { [first, second] } else { [second, first] };
            assert!(!torn(a) || b[0] == 1 && !torn(b), "T1: {a:?} {b:?}");
            seen += u32::from(torn(a)) + u32::from(torn(b));
        }
    }
    assert_eq!(seen, 4, "each was torn in both orders");
}

#[test]
fn sectors_of_4096_bytes_are_whole() {
    for (sector, found) in [(512, 256), (4096, 2)] {
        let fs = on(Model::Posix, &format!("sector={sector}"));
        let file = create(&fs, "a", &[1; 4096]);
        file.write_at(&[2; 4096], 0).unwrap();
        assert_eq!(all(&fs, |cut| read(cut, "a").unwrap()).len(), found, "{sector}");
    }
}

#[test]
fn a_rename_in_two_leaves_both_names_or_none() {
    let names = |device| {
        let fs = on(Model::Posix, device);
        create(&fs, "a", &[1]);
        fs.rename("a".as_ref(), "b".as_ref()).unwrap();
        all(&fs, |cut| cut.list(Path::new("")).unwrap().concat())
    };
    assert_eq!(names("plain").into_iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(names("rename=two").into_iter().collect::<Vec<_>>(), ["", "a", "ab", "b"]);
}

#[test]
fn an_error_is_told_once_through_every_handle() {
    let fs = SimFs::new(Model::Posix);
    let first = create(&fs, "a", &[1]);
    let second = fs.open("a".as_ref(), OpenMode::Write).unwrap();
    fs.fail_next_sync(FailedSync::KeepNew);
    assert!(first.sync().is_err());
    assert!(first.sync().is_ok() && second.sync().is_err() && second.sync().is_ok());
    let third = fs.open("a".as_ref(), OpenMode::Write).unwrap();
    assert!(third.sync().is_ok(), "it was told before this handle was opened");
    fs.fail_next_sync(FailedSync::Late);
    assert!(first.sync().is_ok(), "late: the next one says it");
    let fourth = fs.open("a".as_ref(), OpenMode::Write).unwrap();
    assert!(fourth.sync().is_err(), "nobody was told");
    assert!(first.sync().is_err() && first.sync().is_ok());
}

/// One file a key, in which a value stands twice if it is checked.
struct Twice<const CHECKED: bool>(Arc<dyn Vfs>);

impl<const CHECKED: bool> Kv for Twice<CHECKED> {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        disk.sync_dir(Path::new(""))?;
        Ok(Twice(disk))
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let name = key.to_string();
        let file = self.0.open(name.as_ref(), OpenMode::CreateNew);
        let file = file.or_else(|_| self.0.open(name.as_ref(), OpenMode::Write))?;
        file.write_at(&[value, value].concat(), 0)?;
        file.sync()?;
        self.0.sync_dir(Path::new(""))
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let Ok(file) = self.0.open(key.to_string().as_ref(), OpenMode::Read) else {
            return Ok(None);
        };
        let mut bytes = vec![0; file.size()? as usize];
        read_full_at(&*file, &mut bytes, 0)?;
        let (one, two) = bytes.split_at(bytes.len() / 2);
        if CHECKED && one != two {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Some(one.to_vec()))
    }
}

fn decays<const CHECKED: bool>(decay: Decay) -> Tally {
    let failure = Some(Failure::Decay(decay));
    let acts = vec![Act::Put(1, b"first".to_vec()), Act::Put(2, b"second".to_vec())];
    let settings = Settings { failure, ..Settings::default() };
    Explorer::new(settings).run(&Easy::new::<Twice<CHECKED>>(acts))
}

#[test]
fn m1_what_decays_is_served_by_who_does_not_look() {
    for decay in Decay::ALL {
        let careless = decays::<false>(decay);
        let found = careless.found.map(|found| found.broken.rule);
        match decay {
            Decay::Unreadable => assert_eq!(found, None, "M1: nobody can serve that"),
            _ => assert_eq!(found, Some(Rule::P6Silence), "M1: {decay}"),
        }
    }
    let careful = decays::<true>(Decay::Flipped);
    assert_eq!(careful.found, None);
    assert_eq!(careful.recoveries, 1 + 10 + 12, "each byte of the two files, and none");
}

/// Bytes that this life has seen, or has written, do not change while it lives.
#[test]
fn m1_a_write_that_went_astray_spares_what_is_warm() {
    for (warm, astray) in [(false, 2), (true, 0)] {
        let fs = on(Model::Posix, "plain");
        ["a", "b", "c"].iter().for_each(|name| drop(create(&fs, name, name.as_bytes())));
        fs.lock().disk.to_fail = Some(Failure::Decay(Decay::Misdirected));
        let (mut choices, mut found) = (Choices::enumerate(), 0);
        loop {
            let cut = fs.power_cut(choices);
            cut.lock().may_fail = true;
            let a = warm.then(|| read(&cut, "a").unwrap());
            if warm {
                let b = cut.open("b".as_ref(), OpenMode::Write).unwrap();
                b.write_at(b"B", 0).unwrap();
                b.sync().unwrap();
            }
            found += u32::from(read(&cut, "c").unwrap() == [0]); // "c" was never written to it
            if warm {
                let now = ["a", "b"].map(|name| read(&cut, name).unwrap());
                assert_eq!(now, [a.unwrap(), b"B".to_vec()], "M1: what is warm stays what it is");
            }
            choices = cut.choices();
            if !choices.advance() {
                break;
            }
        }
        assert_eq!(found, astray, "M1: warm {warm}");
    }
}

#[test]
fn w3_a_reader_of_what_failed_has_a_promise_and_of_garbage_a_finding() {
    let put =
        |key: u64, value: u8| Effect::new(format!("put {key}"), vec![(key, Some(vec![value]))]);
    let full = || Ok(Map::new());
    let state = |pairs: &[(u64, u8)]| {
        let mut state = Recovered::default();
        pairs.iter().for_each(|(key, value)| state.add(*key, &[*value]));
        state
    };
    let mut window = Window::default();
    window.attempt(&put(1, 1));
    window.acknowledge(Level::Durable);
    window.attempt(&put(2, 2));
    window.failed();
    window.attempt(&put(3, 3));
    window.acknowledge(Level::Durable);
    for (key, value) in [(2, Some(9)), (1, Some(2)), (4, Some(4))] {
        let value = value.map(|value| [value]);
        let broken = window.clone().saw(key, value.as_ref().map(|v| &v[..])).unwrap_err();
        assert_eq!(broken.rule, Rule::P10Visibility, "key {key}");
    }
    window.clone().land(state(&[(1, 1), (3, 3)]), full).expect("W3: nobody has seen it");
    window.saw(2, Some(&[2])).expect("it may be there");
    let lost = window.clone().land(state(&[(1, 1), (3, 3)]), full);
    assert!(lost.is_err(), "W3: a reader has seen it");
    window.land(state(&[(1, 1), (2, 2), (3, 3)]), full).expect("and it is there");
    // What two can have set is a promise of neither.
    let both = |key| Effect::new("both".into(), vec![(2, Some(vec![2])), (key, Some(vec![7]))]);
    let of_two = |last: bool| {
        let mut window = Window::default();
        for key in [4, 5] {
            window.attempt(&both(key));
            window.failed();
        }
        if last {
            window.attempt(&put(2, 6));
            window.failed();
            window.saw(4, Some(&[7])).expect("it may be there");
        }
        window.saw(2, Some(&[2])).expect("of one of the two");
        window
    };
    for (state, also) in
        [(state(&[(2, 2), (4, 7)]), true), (state(&[(2, 2), (5, 7)]), false), (state(&[]), false)]
    {
        let [two, four] = [false, true].map(|last| of_two(last).land(state, full).is_ok());
        assert_eq!((two, four), (true, also), "W3: seen is only what nothing else explains");
    }
}

#[test]
fn w3_what_failed_is_in_or_out_and_stays_so() {
    let put = |key: u64| Effect::new(format!("put {key}"), vec![(key, Some(vec![key as u8]))]);
    let state = |keys: &[u64]| {
        let mut state = Recovered::default();
        keys.iter().for_each(|key| state.add(*key, &[*key as u8]));
        state
    };
    let full = || Ok(Map::new());
    let mut window = Window::default();
    window.attempt(&put(1));
    window.failed();
    window.attempt(&put(2));
    window.acknowledge(Level::Durable);
    assert!(window.clone().land(state(&[1]), full).is_err(), "2 is acknowledged");
    window.clone().show(state(&[2]), full).expect("1 may be out");
    for shown in [&[1, 2][..], &[2]] {
        let mut window = window.clone();
        window.land(state(shown), full).expect("W3: in or out");
        window.land(state(shown), full).expect("W3: as it was shown");
        let other = if shown.len() == 2 { &[2][..] } else { &[1, 2] };
        assert!(window.land(state(other), full).is_err(), "W3: and no other way");
    }
    // What is not shown while the process lives may come back; what is shown may not go.
    let mut hidden = window.clone();
    hidden.show(state(&[2]), full).unwrap();
    hidden.land(state(&[1, 2]), full).expect("W3: unknown until recovery");
    let mut shown = window;
    shown.show(state(&[1, 2]), full).unwrap();
    assert!(shown.land(state(&[2]), full).is_err(), "a reader has seen it");
}
