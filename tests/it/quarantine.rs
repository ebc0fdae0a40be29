//! A damaged store that is opened nevertheless: it shows the state right before the damage, says
//! what it does not show, and loses no byte of it.

mod acceptance;

use crate::damage::{Image, disk, image};
use acceptance::durable;
use highwater::inspect::{FileKind, Verdict, inspect};
use highwater::{
    Damage, Durability, Error, Journal, KvStore, Lsn, Options, PayloadStore, RecoveryReport,
    Result, TestClock, Value,
};
use highwater_sim::{Choices, Model, SimFs};
use highwater_vfs::Vfs;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a store shows, by key or position.
type State = BTreeMap<u64, Vec<u8>>;

/// A view, as far as this is concerned.
trait Subject: Sized {
    fn open(disk: Arc<dyn Vfs>, options: Options) -> Result<Self>;
    fn state(&self) -> Result<State>;
    fn put(&self, n: u64) -> Result<()>;
    fn snapshot(&self) -> Result<Lsn>;
    fn close(&self) -> Result<()>;
    fn report(&self) -> &RecoveryReport;
}

/// What every view has under the same name.
macro_rules! its_own {
    () => {
        fn close(&self) -> Result<()> {
            self.close()
        }

        fn report(&self) -> &RecoveryReport {
            self.report()
        }
    };
}

/// Overwrites one of three ids.
impl Subject for PayloadStore {
    fn open(disk: Arc<dyn Vfs>, options: Options) -> Result<PayloadStore> {
        PayloadStore::open(disk, options)
    }

    fn state(&self) -> Result<State> {
        let get = |id| Ok((id, self.retrieve(id)?.expect("it is there")));
        self.ids().into_iter().map(get).collect()
    }

    fn put(&self, n: u64) -> Result<()> {
        self.store(n % 3, &[n as u8; 20]).map(drop)
    }

    fn snapshot(&self) -> Result<Lsn> {
        self.create_snapshot()
    }

    its_own!();
}

impl Subject for KvStore {
    fn open(disk: Arc<dyn Vfs>, options: Options) -> Result<KvStore> {
        KvStore::open(disk, options, Arc::new(TestClock::new(1)))
    }

    fn state(&self) -> Result<State> {
        let get = |key: Vec<u8>| (u64::from(key[0]), format!("{:?}", self.get(key)).into_bytes());
        Ok(self.keys().into_iter().map(get).collect())
    }

    fn put(&self, n: u64) -> Result<()> {
        self.set([n as u8 % 3], Value::Int(n as i64), None).map(drop)
    }

    fn snapshot(&self) -> Result<Lsn> {
        self.create_snapshot()
    }

    its_own!();
}

impl Subject for Journal {
    fn open(disk: Arc<dyn Vfs>, options: Options) -> Result<Journal> {
        Journal::open(disk, options)
    }

    fn state(&self) -> Result<State> {
        let mut reader = self.reader(Lsn(1));
        let records = std::iter::from_fn(|| reader.next_record().transpose());
        records.map(|record| record.map(|(lsn, bytes)| (lsn.0, bytes))).collect()
    }

    fn put(&self, n: u64) -> Result<()> {
        self.append(&[n as u8; 20]).map(drop)
    }

    /// A journal makes them when it cleans up; nothing is let go without a cursor.
    fn snapshot(&self) -> Result<Lsn> {
        self.clean_up()
    }

    its_own!();
}

fn options(damage: Damage) -> Options {
    let durability = Durability::Fsync;
    let base = Options::default();
    Options { durability, damage, segment_size: 300, reserve: 0, auto_checkpoint: false, ..base }
}

fn open<S: Subject>(fs: &SimFs, damage: Damage) -> Result<S> {
    S::open(Arc::new(fs.clone()), options(damage))
}

const RECORDS: u64 = 12;
/// Where the snapshot was made.
const COVERED: u64 = 4;

/// The files of a store that was not closed, and its state after each record.
fn built<S: Subject>() -> (Image, Vec<State>) {
    let fs = SimFs::new(Model::Posix);
    let store: S = open(&fs, Damage::Refuse).unwrap();
    let mut history = vec![store.state().unwrap()];
    for n in 1..=RECORDS {
        store.put(n).unwrap();
        history.push(store.state().unwrap());
        if n == COVERED {
            store.snapshot().unwrap();
        }
    }
    drop(store);
    (image(&fs), history)
}

fn corrupt<T>(result: &Result<T>) -> bool {
    matches!(result, Err(Error::Corrupt(_)))
}

/// Every byte with a wrong bit, and every file cut off or gone: those that are refused.
fn damaged<S: Subject>(whole: &Image) -> Vec<Image> {
    let mut images = Vec::new();
    for (name, bytes) in whole {
        let with = |bytes: Vec<u8>| {
            let mut image = whole.clone();
            image.insert(name.clone(), bytes);
            image
        };
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            images.push(with(flipped));
        }
        images.extend((0..bytes.len()).step_by(5).map(|size| with(bytes[..size].to_vec())));
        let mut gone = whole.clone();
        gone.remove(name);
        images.push(gone);
    }
    // All snapshots and one segment: what is left begins too late.
    let no_snapshots = whole.iter().filter(|(name, _)| !name.ends_with(".snap"));
    let mut late: Image = no_snapshots.map(|(name, bytes)| (name.clone(), bytes.clone())).collect();
    late.pop_first();
    images.push(late);
    images.retain(|image| corrupt(&open::<S>(&disk(image), Damage::Refuse)));
    images
}

/// QR1: every segment is there, in place or aside; and of one that stays, what is not shown too.
fn nothing_is_gone(before: &Image, after: &Image, files: &[String]) {
    for (name, bytes) in before.iter().filter(|(name, _)| name.ends_with(".log")) {
        let aside = after.get(&format!("{name}.quarantined"));
        assert!(after.get(name).or(aside) == Some(bytes), "QR1: {name} {files:?}");
    }
    for file in files {
        let parts: Vec<&str> = file.split('.').collect();
        let from = if let [_, _, offset, _] = parts[..] { offset.parse().unwrap() } else { 0 };
        let name = parts[..2].join(".");
        assert_eq!(after.get(file).unwrap(), &before[&name][from..], "QR1: {file}");
    }
}

fn what_is_shown<S: Subject>() {
    let (whole, history) = built::<S>();
    let images = damaged::<S>(&whole);
    assert!(images.len() > 300, "{} are refused", images.len());
    let (mut shown, mut below) = (BTreeMap::new(), 0);
    for image in &images {
        let fs = disk(image);
        let store: S = match open(&fs, Damage::Quarantine) {
            // A segment is gone that a snapshot needs: nothing can be shown instead.
            Err(Error::Corrupt(damage)) if !image.contains_key(&damage.file) => continue,
            opened => opened.unwrap(),
        };
        let lost = store.report().lost.clone().expect("it was refused");
        let right = &history[lost.from.0 as usize - 1];
        let Ok(state) = store.state() else {
            below += 1; // what the snapshot covers is damaged too: that is told who reads it
            continue;
        };
        assert_eq!(&state, right, "{lost:?}");
        assert!(lost.from <= lost.through && lost.through <= Lsn(RECORDS), "{lost:?}");
        let files = lost.files.iter().all(|file| image.contains_key(file));
        assert!(files, "{lost:?}");
        assert!(store.report().to_string().contains("lost: LSN"), "{}", store.report());
        assert!(matches!(store.put(1), Err(Error::ReadOnly)));
        assert_eq!(&crate::damage::image(&fs), image, "nothing is changed");
        *shown.entry(lost.from.0).or_insert(0) += 1;
        drop(store);
        let store: S = open(&fs, Damage::Accept).unwrap();
        let told = store.report().lost.clone().expect("it was refused");
        assert_eq!(&store.state().unwrap(), right);
        assert_eq!((told.from, told.through), (lost.from, lost.through));
        let is_aside = |file: &String| told.files.iter().any(|kept| kept.starts_with(&**file));
        assert!(lost.files.iter().all(is_aside), "QR1: {lost:?} {told:?}");
        nothing_is_gone(image, &crate::damage::image(&fs), &told.files);
        assert!(told.files.iter().all(|file| file.ends_with(".quarantined")), "{told:?}");
        store.put(7).unwrap();
        let after = store.state().unwrap();
        store.close().unwrap();
        drop(store);
        let store: S = open(&fs, Damage::Refuse).unwrap();
        assert_eq!(store.state().unwrap(), after, "it goes on: {told:?}");
        assert!(
            store.report().foreign.iter().any(|name| told.files.contains(name))
                || told.files.is_empty()
        );
    }
    assert!(
        shown.len() > 4 && below < images.len() / 10,
        "damage at many places: {shown:?} {below}"
    );
}

#[test]
fn a_damaged_payload_store_is_shown_and_accepted() {
    what_is_shown::<PayloadStore>();
}

#[test]
fn a_damaged_key_value_store_is_shown_and_accepted() {
    what_is_shown::<KvStore>();
}

#[test]
fn a_damaged_journal_is_shown_and_accepted() {
    what_is_shown::<Journal>();
}

/// QR3: a store of which nothing can be shown is accepted, and is a store of its kind still: to
/// whoever looks at it, and after a power cut.
fn known_for_what_it_is<S: Subject>(view: &str) {
    let (whole, _) = built::<S>();
    let first = whole.keys().filter(|name| name.ends_with(".log")).min().expect("a segment");
    let later = whole.iter().filter(|(name, _)| name.ends_with(".log") && *name != first);
    let late: Image = later.map(|(name, bytes)| (name.clone(), bytes.clone())).collect();
    let fs = durable(&late);
    let store: S = open(&fs, Damage::Accept).unwrap();
    assert_eq!(store.report().lost.as_ref().map(|lost| lost.from), Some(Lsn(1)));
    assert!(store.state().unwrap().is_empty());
    drop(store);
    for left in [fs.clone(), fs.power_cut(Choices::enumerate())] {
        let found = inspect(&left).unwrap();
        let segments = found.files.iter().filter(|file| file.kind == FileKind::Segment).count();
        assert_eq!((found.view, found.verdict, segments), (view, Verdict::Clean, 1), "{found}");
        let store: S = open(&left, Damage::Refuse).unwrap();
        assert!(store.state().unwrap().is_empty());
        store.put(5).unwrap();
        drop(store);
        assert_eq!(open::<S>(&left, Damage::Refuse).unwrap().state().unwrap().len(), 1);
    }
}

#[test]
fn qr3_a_store_without_anything_left_is_known_for_what_it_is() {
    known_for_what_it_is::<PayloadStore>("a payload store");
    known_for_what_it_is::<KvStore>("a key-value store");
    known_for_what_it_is::<Journal>("a journal");
}
