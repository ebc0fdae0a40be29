//! The moments before operations begin, and what else stands between two calls of a life.

use highwater_sim::{
    Act, Broken, Decay, Easy, Explorer, Failure, Halt, Kv, Life, Promise, Rule, Settings, Subject,
    SyncCall, SyncKind, Trail, audit, replay,
};
use highwater_vfs::{OpenMode, Vfs, read_full_at};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// How many operations have begun.
#[derive(Clone, Debug, Default)]
struct Begun(u64);

impl Promise for Begun {
    fn power_cut(&mut self) {}

    fn fingerprint(&self) -> u128 {
        self.0.into()
    }
}

/// Creates a file, begins two operations at once, and writes; then notes what was told, and breaks
/// if that is what it dreads.
#[derive(Default)]
struct TwoAtOnce {
    dreaded: Option<u64>,
    told: Mutex<BTreeSet<u64>>,
}

impl Subject for TwoAtOnce {
    type Promise = Begun;

    fn live(&self, life: &Life<'_, Begun>) -> Result<(), Halt> {
        let failed = |e: io::Error| Halt::Failed(e.to_string());
        if life.nth > 0 {
            let begun = life.told.tell(|begun| begun.0);
            self.told.lock().unwrap().insert(begun);
            return match self.dreaded == Some(begun) {
                true => Err(Broken::new(Rule::P2Prefix, format!("{begun} have begun")).into()),
                false => Ok(()),
            };
        }
        let file = life.disk.open("a".as_ref(), OpenMode::CreateNew).map_err(failed)?;
        life.told.begin(|begun| begun.0 += 1);
        life.told.begin(|begun| begun.0 += 1);
        file.write_at(b"both", 0).map_err(failed)?;
        file.sync().map_err(failed)
    }
}

fn one_crash(kill: bool) -> Settings {
    Settings { crashes: 1, power: !kill, kill, ..Settings::default() }
}

#[test]
fn operations_that_begin_together_have_a_moment_each() {
    for kill in [false, true] {
        let subject = TwoAtOnce::default();
        let tally = Explorer::new(one_crash(kill)).run(&subject);
        assert_eq!(tally.found, None);
        assert_eq!(*subject.told.lock().unwrap(), BTreeSet::from([0, 1, 2]), "kill: {kill}");
        let letter = if kill { 'k' } else { 'p' };
        for (dreaded, moment) in [(0, "e1"), (1, "e2"), (2, "")] {
            let trail: Trail = format!("{letter}1{moment}/").parse().unwrap();
            let subject = TwoAtOnce { dreaded: Some(dreaded), ..TwoAtOnce::default() };
            let walked = replay(&subject, &one_crash(kill), &trail);
            assert_eq!(walked.diverged, None, "{trail}");
            let rule = walked.broken.map(|broken| broken.rule);
            assert_eq!(rule, Some(Rule::P2Prefix), "{trail}: {:?}", subject.told);
        }
        // Between the two nothing but a moment of its own can find it.
        let subject = TwoAtOnce { dreaded: Some(1), ..TwoAtOnce::default() };
        let found = Explorer::new(one_crash(kill)).run(&subject).found.expect("it is there");
        assert_eq!(found.trail.to_string(), format!("{letter}1e2/"));
        let third: Trail = format!("{letter}1e3/").parse().unwrap();
        let why = replay(&subject, &one_crash(kill), &third).diverged;
        assert!(why.is_some_and(|why| why.contains("none to cut before 1")), "there is no third");
    }
}

/// One file a key, in which a value stands twice, the second time inverted; what recovery adds is
/// a file of its own.
struct Files(Arc<dyn Vfs>);

impl Files {
    fn file(&self, name: &str, value: &[u8]) -> io::Result<()> {
        let file = self.0.open(name.as_ref(), OpenMode::CreateNew);
        let file = file.or_else(|_| self.0.open(name.as_ref(), OpenMode::Write))?;
        let inverted = value.iter().map(|byte| !byte);
        file.write_at(&value.iter().copied().chain(inverted).collect::<Vec<u8>>(), 0)?;
        file.sync()?;
        self.0.sync_dir(Path::new(""))
    }
}

impl Kv for Files {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        let names = disk.list(Path::new(""))?;
        let files = Files(disk);
        if !names.is_empty() {
            files.file("recovered", b"once")?;
        }
        Ok(files)
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.file(&key.to_string(), value)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let Ok(file) = self.0.open(key.to_string().as_ref(), OpenMode::Read) else {
            return Ok(None);
        };
        let mut bytes = vec![0; file.size()? as usize];
        read_full_at(&*file, &mut bytes, 0)?;
        let (value, inverted) = bytes.split_at(bytes.len() / 2);
        let good = !bytes.is_empty() && value.iter().map(|byte| !byte).eq(inverted.iter().copied());
        Ok(good.then(|| value.to_vec()))
    }
}

/// The first life is lived by each worker for itself, and by each disaster.
#[test]
fn an_audit_counts_the_syncs_of_one_first_life() {
    let site_of = |call: &SyncCall| match (call.kind, call.path.as_str()) {
        (SyncKind::File, "recovered") => "recovery".to_string(),
        (kind, _) => format!("{kind:?}"),
    };
    let puts = [1, 2, 3].map(|key| Act::Put(key, vec![key as u8]));
    for threads in [1, 2, 3] {
        let settings = Settings { threads, ..Settings::default() };
        let subject = Easy::new::<Files>(puts.to_vec());
        let audited = audit(&[subject], &settings, site_of, &mut |_| ());
        let calls: Vec<_> = audited.iter().map(|a| (a.site.as_str(), a.calls)).collect();
        assert_eq!(calls, [("Dir", 3), ("File", 3), ("recovery", 0)], "{threads} threads");
    }
}

/// Opens whatever is there, and takes no work if its spare file is not what it was.
struct Squeamish(Files);

impl Kv for Squeamish {
    fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> {
        let fresh = disk.list(Path::new(""))?.is_empty();
        let files = Files(disk);
        if fresh {
            files.file("0", b"spare")?;
        }
        Ok(Squeamish(files))
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        match self.0.get(0)? {
            Some(spare) if spare == b"spare" => self.0.put(key, value),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        self.0.get(key)
    }
}

/// To take no work is excused where the medium has changed by itself, and nowhere else.
#[test]
fn after_decay_an_engine_may_take_no_work() {
    for (failure, broken) in [
        (Failure::Decay(Decay::Flipped), None),
        (Failure::Lying, Some(Rule::P8Progress)),
        (Failure::Sync(highwater_sim::FailedSync::Late), Some(Rule::P8Progress)),
    ] {
        let settings = Settings { failure: Some(failure), crashes: 2, ..Settings::default() };
        let acts = if broken.is_some() { vec![Act::Put(1, vec![1])] } else { Vec::new() };
        let tally = Explorer::new(settings).run(&Easy::new::<Squeamish>(acts));
        assert_eq!(tally.found.map(|found| found.broken.rule), broken, "{failure}");
        assert!(tally.recoveries > 3, "{failure}: {}", tally.recoveries);
    }
}
