//! The barrier audit: each sync call site is left out in turn, and something must break.
//!
//! The engine has no hook for this. A layer over the disk leaves the sync out, and asks whoever
//! runs the audit for the name of the place that is calling.

use crate::campaign::{Campaign, Report};
use crate::count::{Count, plus};
use crate::failure::Failure;
use crate::finding::Finding;
use crate::model::FailedSync;
use crate::settings::Settings;
use crate::subject::Subject;
use crate::without::{SyncCall, SyncKind, WithoutSync, Wrapped};
use crate::{Stage, Verdict};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Names the place that makes a sync. It is called in the engine's own call, so it may look at the
/// stack.
pub type SiteOf = fn(&SyncCall) -> String;

/// What the audit says of one sync call site.
#[derive(Clone, Debug)]
pub struct Audited<S> {
    /// The place.
    pub site: String,
    /// Of a file or a directory.
    pub sync: SyncKind,
    /// How often it was met in the first life; 0 for one that only recovery comes by.
    pub calls: u64,
    /// The simplest disaster that needs it, and the counterexample; `None` if it is redundant in
    /// all that was explored.
    pub needed: Option<(String, Finding<Wrapped<S>>)>,
    /// The crash states explored without it, over all disasters; for a redundant one, all of them
    /// held.
    pub states: Count,
    /// Whether those are all there are.
    pub exhaustive: bool,
}

/// From the simplest disaster to the worst.
fn disasters(settings: &Settings) -> Vec<(String, Settings)> {
    let one = Settings { power: true, kill: true, crashes: 1, ..settings.clone() };
    let mut all = vec![
        ("power loss".into(), Settings { kill: false, ..one.clone() }),
        ("kill".into(), Settings { power: false, ..one.clone() }),
    ];
    if settings.crashes > 1 {
        all.push(("second crash".into(), Settings { crashes: settings.crashes, ..one.clone() }));
    }
    for family in FailedSync::TOLD {
        let failure = Some(Failure::Sync(family));
        let crashes = settings.crashes; // it may fail in the recovery too
        all.push((family.to_string(), Settings { failure, crashes, ..one.clone() }));
    }
    all
}

fn judged<S: Subject + Clone>(subject: &S, settings: &Settings) -> Report<S> {
    let settings = settings.clone();
    Campaign { settings, failures: Vec::new(), control: false }.run(subject, &mut |_| ())
}

fn without<S: Subject + Clone>(subject: &S, site: &str, site_of: SiteOf) -> Wrapped<S> {
    let site: Arc<str> = site.into();
    Wrapped::new(subject.clone(), move |disk| {
        let site = Arc::clone(&site);
        Arc::new(WithoutSync::when(disk, move |call| site_of(call) == *site))
    })
}

/// A subject and the disasters that it survives with all its syncs.
type Sound<'a, S> = (&'a S, Arc<[(String, Settings)]>);

/// The syncs that a subject came by, and how often.
type Met = BTreeMap<String, (SyncKind, u64)>;

/// The syncs that a subject comes by; `None` if it does not survive with all of them.
fn met<S: Subject + Clone>(subject: &S, settings: &Settings, site_of: SiteOf) -> Option<Met> {
    let noted = Arc::new(Mutex::new(Met::new()));
    let met = Arc::clone(&noted);
    let watched = Wrapped::new(subject.clone(), move |disk| {
        let met = Arc::clone(&met);
        Arc::new(WithoutSync::when(disk, move |call| {
            let mut met = met.lock().unwrap_or_else(PoisonError::into_inner);
            met.entry(site_of(call)).or_insert((call.kind, 0)).1 += 1;
            false
        }))
    });
    let tally = crate::Explorer::new(settings.clone()).run(&watched);
    let survived = tally.found.is_none() && !tally.out_of_budget && !tally.diverged;
    let met = std::mem::take(&mut *noted.lock().unwrap_or_else(PoisonError::into_inner));
    survived.then_some(met)
}

/// All syncs that a subject comes by, counted in its first life, and the disasters it survives.
///
/// Each worker of an exploration lives the first life for itself, and one that found something
/// ends the others sooner or later: neither their counts nor what a failed one came by can be told.
fn sound<S: Subject + Clone>(
    subject: &S,
    settings: &Settings,
    site_of: SiteOf,
) -> (Met, Vec<(String, Settings)>) {
    let alone = Settings { crashes: 0, threads: 1, failure: None, ..settings.clone() };
    let mut all = met(subject, &alone, site_of).unwrap_or_default();
    let mut disasters = disasters(settings);
    // What breaks with all its syncs says nothing about one of them.
    disasters.retain(|(_, settings)| {
        let met = met(subject, settings, site_of);
        for (site, (kind, _)) in met.iter().flatten() {
            all.entry(site.clone()).or_insert((*kind, 0));
        }
        met.is_some()
    });
    (all, disasters)
}

/// Audits every sync of the engine that any of these subjects comes by, in the order of their
/// names.
///
/// ```
/// # use highwater_sim::{Act, Easy, Kv, Settings, audit};
/// # use highwater_vfs::{OpenMode, Vfs, read_full_at, write_all_at};
/// # use std::{io, sync::Arc};
/// # struct Files(Arc<dyn Vfs>);
/// # impl Kv for Files { // one new file a key, written once
/// #     fn open(disk: Arc<dyn Vfs>) -> io::Result<Self> { Ok(Files(disk)) }
/// #     fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
/// #         let file = self.0.open("new".as_ref(), OpenMode::CreateNew);
/// #         let file = file.or_else(|_| self.0.open("new".as_ref(), OpenMode::Write))?;
/// #         write_all_at(&*file, value, 0)?;
/// #         file.sync()?;
/// #         file.sync()?; // one is enough
/// #         self.0.rename("new".as_ref(), key.to_string().as_ref())?;
/// #         self.0.sync_dir("".as_ref())
/// #     }
/// #     fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
/// #         let Ok(file) = self.0.open(key.to_string().as_ref(), OpenMode::Read) else {
/// #             return Ok(None);
/// #         };
/// #         let mut value = vec![0; file.size()? as usize];
/// #         read_full_at(&*file, &mut value, 0)?;
/// #         Ok(Some(value))
/// #     }
/// # }
/// // Its first sync, its second, and that of the directory: either of the first two would do.
/// let settings = Settings { crashes: 1, ..Settings::default() };
/// let site_of = |call: &highwater_sim::SyncCall| format!("{:?} {}", call.kind, call.ordinal % 3);
/// let audited = audit(&[Easy::puts::<Files>(1)], &settings, site_of, &mut |_| ());
/// let needed: Vec<bool> = audited.iter().map(|site| site.needed.is_some()).collect();
/// assert_eq!(needed, [true, false, false]); // "Dir 2", "File 0", "File 1"
/// ```
pub fn audit<S: Subject + Clone>(
    subjects: &[S],
    settings: &Settings,
    site_of: SiteOf,
    stage: &mut dyn FnMut(Stage),
) -> Vec<Audited<S>> {
    let mut all: BTreeMap<String, (SyncKind, u64, Vec<Sound<'_, S>>)> = BTreeMap::new();
    for subject in subjects {
        stage(Stage { name: "looking for syncs".into(), ..Stage::default() });
        let (met, sound) = sound(subject, settings, site_of);
        let sound: Arc<[_]> = sound.into();
        for (site, (kind, calls)) in met {
            let entry = all.entry(site).or_insert((kind, 0, Vec::new()));
            entry.1 += calls;
            entry.2.push((subject, Arc::clone(&sound)));
        }
    }
    let one = |(site, (sync, calls, subjects)): (String, (SyncKind, u64, Vec<Sound<'_, S>>))| {
        let mut audited =
            Audited { site, sync, calls, needed: None, states: Some(0), exhaustive: true };
        stage(Stage { name: format!("without {}", audited.site), ..Stage::default() });
        'found: for (disaster, settings) in disasters(settings) {
            for (subject, sound) in &subjects {
                if !sound.iter().any(|s| s.0 == disaster) {
                    audited.exhaustive = false; // nobody can say what it is for there
                    continue;
                }
                let report = judged(&without(*subject, &audited.site, site_of), &settings);
                audited.states = plus(audited.states, report.tally.states_covered);
                audited.exhaustive &= report.exhaustive();
                if let Some(finding) = report.finding {
                    audited.needed = Some((disaster, finding));
                    break 'found;
                }
                audited.exhaustive &= report.verdict == Verdict::Held;
            }
        }
        audited
    };
    all.into_iter().map(one).collect()
}
