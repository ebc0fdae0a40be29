//! A damaged store is accepted, and the power fails: at every call, and when it is done, with every
//! subset of what is pending then.

use super::{COVERED, RECORDS, State, Subject, built, corrupt, damaged, open, options};
use crate::damage::{Image, disk, image};
use highwater::{Damage, Journal, KvStore, PayloadStore};
use highwater_sim::{CallKind, Choices, Fault, FaultEffect, FaultFs, SimFs};
use highwater_vfs::{OpenMode, Vfs};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The same disk, durable.
pub(super) fn durable(image: &Image) -> SimFs {
    let fs = disk(image);
    for name in image.keys() {
        fs.open(Path::new(name), OpenMode::Write).unwrap().sync().unwrap();
    }
    fs.sync_dir(Path::new("")).unwrap();
    fs
}

/// What the disks of a cut did.
#[derive(Debug, Default)]
struct Tally {
    refused: usize,
    fine: usize,
}

/// A damaged store and the state that is shown of it.
struct Damaged<'a> {
    image: &'a Image,
    right: &'a State,
    /// The copies that an acceptance makes of the ends of segments.
    ends: Vec<String>,
}

impl<'a> Damaged<'a> {
    fn new<S: Subject>(image: &'a Image, right: &'a State) -> Damaged<'a> {
        let store: S = open(&disk(image), Damage::Accept).unwrap();
        let mut ends = store.report().lost.clone().expect("it was refused").files;
        ends.retain(|file| file.split('.').count() == 4);
        Damaged { image, right, ends }
    }

    /// The power fails at each call of an acceptance, and after it; of the disks that this may
    /// leave at one call, so many. Under posix, of whose states all other models have a part.
    fn accepted_at_any_moment<S: Subject>(&self, most: usize, tally: &mut Tally) {
        let kinds = [CallKind::Create, CallKind::Write, CallKind::Sync, CallKind::SyncDir];
        for call in kinds.into_iter().chain([CallKind::Rename, CallKind::Remove]) {
            for nth in 0.. {
                let fs = durable(self.image);
                let fault = Fault { call, nth, what: FaultEffect::Eio };
                let dying = FaultFs::on_sim(&fs, vec![fault].into());
                let opened = S::open(Arc::new(dying.clone()), options(Damage::Accept));
                if opened.is_ok() && dying.fired().is_empty() {
                    break;
                }
                drop(opened);
                self.cut::<S>(&fs, most, tally);
            }
        }
        let fs = durable(self.image);
        drop(open::<S>(&fs, Damage::Accept).unwrap());
        let refused = tally.refused;
        self.cut::<S>(&fs, most, tally);
        assert_eq!(tally.refused, refused, "QR4: it was accepted");
    }

    fn cut<S: Subject>(&self, fs: &SimFs, most: usize, tally: &mut Tally) {
        let mut choices = Choices::enumerate();
        for _ in 0..most {
            let left = fs.power_cut(choices);
            self.judge::<S>(&left, tally);
            choices = left.choices();
            if !choices.advance() {
                break;
            }
        }
    }

    /// QR2; QR1: and what is aside is whole.
    fn judge<S: Subject>(&self, left: &SimFs, tally: &mut Tally) {
        let there = left.list(Path::new("")).unwrap();
        let again = open::<S>(left, Damage::Refuse);
        let store = match corrupt(&again) {
            true => open::<S>(left, Damage::Accept).unwrap(),
            false => again.unwrap(),
        };
        match store.report().lost.is_some() {
            true => tally.refused += 1,
            false => tally.fine += 1,
        }
        assert_eq!(&store.state().unwrap(), self.right, "QR2");
        drop(store);
        self.aside_is_whole(left, &there);
        self.no_name_comes_again::<S>(left, &there);
    }

    /// And the end of a segment is, before a snapshot covers it.
    fn aside_is_whole(&self, left: &SimFs, there: &[String]) {
        let fresh = |name: &String| name.ends_with(".snap") && !self.image.contains_key(name);
        let covered = there.iter().any(fresh);
        assert!(!covered || self.ends.iter().all(|end| there.contains(end)), "QR1: {there:?}");
        for file in aside(left) {
            let parts: Vec<&str> = file.split('.').collect();
            let from = if let [_, _, offset, _] = parts[..] { offset.parse().unwrap() } else { 0 };
            let kept = image(left).remove(&file).unwrap();
            assert_eq!(kept, self.image[&parts[..2].join(".")][from..], "QR1: {file}");
        }
    }

    /// QR5: its owner has removed what was aside, and its bytes are where new files will be.
    fn no_name_comes_again<S: Subject>(&self, left: &SimFs, there: &[String]) {
        for file in aside(left) {
            left.remove(Path::new(&file)).unwrap();
        }
        let store = open::<S>(left, Damage::Refuse).unwrap();
        store.put(1).unwrap();
        drop(store);
        let newest = self.image.keys().map(|name| epoch(name)).max().unwrap();
        let names = left.list(Path::new("")).unwrap();
        let fresh = names.iter().filter(|name| !there.contains(name));
        assert!(fresh.clone().count() > 0, "it was written to");
        for name in fresh {
            assert!(epoch(name) > newest, "QR5: {name} beside {:?}", self.image.keys());
        }
    }
}

fn aside(fs: &SimFs) -> Vec<String> {
    let names = fs.list(Path::new("")).unwrap();
    names.into_iter().filter(|name| name.ends_with(".quarantined")).collect()
}

/// From a name like `0000000000000005-00000002.log`.
fn epoch(name: &str) -> u32 {
    u32::from_str_radix(&name[17..25], 16).unwrap()
}

/// Damage of one file at a time, at some places.
fn one_file<S: Subject>() {
    let (whole, history) = built::<S>();
    let images = damaged::<S>(&whole);
    let mut tally = Tally::default();
    for image in images.iter().step_by(images.len() / 24) {
        let Ok(store) = open::<S>(&disk(image), Damage::Quarantine) else { continue };
        let from = store.report().lost.as_ref().expect("it was refused").from;
        if store.state().is_err() {
            continue; // below the snapshot too
        }
        let right = &history[from.0 as usize - 1];
        Damaged::new::<S>(image, right).accepted_at_any_moment::<S>(200, &mut tally);
    }
    assert!(tally.refused > 100 && tally.fine > 10, "{tally:?}");
}

/// Opens, puts some, and leaves everything as it is: the files, and the state then.
fn life<S: Subject>(before: &Image, puts: Range<u64>) -> (Image, State) {
    let fs = durable(before);
    let store: S = open(&fs, Damage::Refuse).unwrap();
    puts.for_each(|n| store.put(n).unwrap());
    let state = store.state().unwrap();
    drop(store);
    (image(&fs), state)
}

fn closed<S: Subject>(before: &Image) -> Image {
    let fs = durable(before);
    open::<S>(&fs, Damage::Refuse).unwrap().close().unwrap();
    image(&fs)
}

/// The first segment of `after` that `before` does not have.
fn fresh(before: &Image, after: &Image) -> String {
    let mut names = after.keys().filter(|name| name.ends_with(".log"));
    names.find(|name| !before.contains_key(*name)).unwrap().clone()
}

/// Flips a bit in `name` where that leaves a store of which `last` records are shown.
fn hit<S: Subject>(image: &Image, name: &str, last: u64) -> Image {
    let flipped = |at: usize| {
        let mut image = image.clone();
        image.get_mut(name).unwrap()[at] ^= 1;
        image
    };
    let fits = |image: &Image| {
        let shown = open::<S>(&disk(image), Damage::Quarantine);
        let lost = shown.ok().and_then(|store| store.report().lost.clone());
        lost.is_some_and(|lost| lost.from.0 == last + 1)
    };
    let mut places = (0..image[name].len()).map(flipped);
    places.find(fits).expect("a place that fits")
}

fn begin_together(first: &str, second: &str) {
    assert!(first[..16] == second[..16] && epoch(first) < epoch(second), "{first} {second}");
}

/// Two segments begin at one LSN, and the later one is damaged in its first frame. The earlier one
/// has other records there, which must not come back: a failed sync had dropped them.
fn overridden<S: Subject>() {
    let (before, right) = life::<S>(&Image::new(), 0..COVERED);
    let mut before = closed::<S>(&before);
    let (one, _) = life::<S>(&before, 30..32);
    let first = fresh(&before, &one);
    before.insert(first.clone(), Vec::new());
    let (mut whole, _) = life::<S>(&before, COVERED..RECORDS);
    let second = fresh(&before, &whole);
    begin_together(&first, &second);
    whole.insert(first.clone(), one[&first].clone());
    let image = hit::<S>(&whole, &second, COVERED);
    let mut tally = Tally::default();
    Damaged::new::<S>(&image, &right).accepted_at_any_moment::<S>(10_000, &mut tally);
    assert!(tally.refused > 0 && tally.fine > 0, "{tally:?}");
}

/// Two segments begin at one LSN, and the later one is damaged in what it copied from the earlier
/// one, which was removed; but that was not durable. `more` is written behind it.
fn copied<S: Subject>(more: u64) {
    let mut before = life::<S>(&Image::new(), 0..1).0;
    let mut alone = |n: &u64| {
        let now = life::<S>(&Image::new(), 0..*n).0;
        let logs = |image: &Image| image.keys().filter(|name| name.ends_with(".log")).count();
        logs(&std::mem::replace(&mut before, now.clone())) < logs(&now)
    };
    let last = (2..RECORDS).find(|n| alone(n)).expect("a record that begins a segment");
    let (one, right) = life::<S>(&Image::new(), 0..last);
    let first = one.keys().filter(|name| name.ends_with(".log")).max().unwrap();
    let (mut whole, _) = life::<S>(&one, last..last + more);
    let second = fresh(&one, &whole);
    begin_together(first, &second);
    whole.insert(first.clone(), one[first].clone());
    let image = hit::<S>(&whole, &second, last);
    let mut tally = Tally::default();
    Damaged::new::<S>(&image, &right).accepted_at_any_moment::<S>(10_000, &mut tally);
    assert!(tally.refused > 0 && tally.fine > 0, "{tally:?}");
}

fn at_any_moment<S: Subject>() {
    one_file::<S>();
    overridden::<S>();
    copied::<S>(2); // the damaged segment is the newest
    copied::<S>(8);
}

#[test]
fn a_payload_store_is_accepted_at_any_moment() {
    at_any_moment::<PayloadStore>();
}

#[test]
fn a_key_value_store_is_accepted_at_any_moment() {
    at_any_moment::<KvStore>();
}

#[test]
fn a_journal_is_accepted_at_any_moment() {
    at_any_moment::<Journal>();
}
