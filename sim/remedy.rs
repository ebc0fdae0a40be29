//! The remedy: which sync, put in by the explorer, makes a finding go away.
//!
//! A candidate is a place in the engine's calls, known by the kind of the call and the name of the
//! file with its numbers left out: "after each write to `log.#`, sync it".

use crate::explore::Explorer;
use crate::replay::{Replayed, replay};
use crate::subject::Subject;
use crate::trail::{CrashKind, Trail};
use crate::without::{SyncKind, Wrapped};
use crate::{CallKind, Rule, Settings};
use highwater_vfs::{File, OpenMode, Vfs};
use std::fmt::{self, Debug};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A sync that is put in behind certain calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Insertion {
    /// Behind which calls.
    pub after: CallKind,
    /// Of which files: the name, with `#` for a number.
    pub name: String,
    /// What is synced: the file, or the directory that holds its name.
    pub sync: SyncKind,
}

impl fmt::Display for Insertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Insertion { after, name, sync } = self;
        match sync {
            SyncKind::File => write!(f, "sync `{name}` after each {after}"),
            SyncKind::Dir => {
                let dir = name.rsplit_once('/').map_or("the root directory", |parts| parts.0);
                write!(f, "sync_dir {dir} after each {after} of `{name}`")
            }
        }
    }
}

/// What makes a finding go away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// These syncs: with them all that was explored holds.
    Syncs(Vec<Insertion>),
    /// No sync, and no two: the engine does the right things in the wrong order, or wrong things.
    NoSync,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remedy::Syncs(syncs) => {
                let syncs: Vec<String> = syncs.iter().map(Insertion::to_string).collect();
                f.write_str(&syncs.join(", and "))
            }
            Remedy::NoSync => f.write_str(
                "no added sync helps: the order of the calls, or what they do, is wrong",
            ),
        }
    }
}

/// A name without its numbers: each run of hexadecimal digits with a decimal one among them.
fn class_of(path: &str) -> String {
    let mut class = String::new();
    let mut run = String::new();
    for c in path.chars().chain(['\0']) {
        if c.is_ascii_hexdigit() {
            run.push(c);
            continue;
        }
        let number = run.bytes().any(|b| b.is_ascii_digit());
        class.push_str(if number { "#" } else { &run });
        run.clear();
        class.push(c);
    }
    class.pop();
    class
}

type Met = Arc<Mutex<Vec<Insertion>>>;

/// A disk with syncs put in; it notes where others could be.
#[derive(Clone)]
struct WithSyncs {
    inner: Arc<dyn Vfs>,
    put_in: Arc<Vec<Insertion>>,
    met: Met,
}

impl Debug for WithSyncs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithSyncs({:?})", self.inner)
    }
}

impl WithSyncs {
    fn did(&self, after: CallKind, path: &str, file: Option<&dyn File>) -> io::Result<()> {
        let name = class_of(path);
        let kinds = match after {
            CallKind::Write | CallKind::SetLen => &[SyncKind::File][..],
            // What a former life left in the cache may be durable nowhere.
            CallKind::Rename | CallKind::Open => &[SyncKind::File, SyncKind::Dir],
            _ => &[SyncKind::Dir],
        };
        for &sync in kinds {
            let here = Insertion { after, name: name.clone(), sync };
            if self.put_in.contains(&here) {
                match (sync, file) {
                    (SyncKind::File, Some(file)) => file.sync()?,
                    (SyncKind::File, None) => {
                        self.inner.open(path.as_ref(), OpenMode::Write)?.sync()?
                    }
                    (SyncKind::Dir, _) => {
                        let dir = path.rsplit_once('/').map_or("", |parts| parts.0);
                        self.inner.sync_dir(dir.as_ref())?;
                    }
                }
            }
            let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
            if !met.contains(&here) {
                met.push(here);
            }
        }
        Ok(())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}

impl Vfs for WithSyncs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let inner = self.inner.open(path, mode)?;
        match mode {
            OpenMode::CreateNew => self.did(CallKind::Create, text(path), Some(&*inner))?,
            OpenMode::Write => self.did(CallKind::Open, text(path), Some(&*inner))?,
            OpenMode::Read => {}
        }
        Ok(Arc::new(WithFile { inner, disk: self.clone(), path: text(path).into() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)?;
        self.did(CallKind::Rename, text(to), None)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.inner.remove(path)?;
        self.did(CallKind::Remove, text(path), None)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir(path)?;
        self.did(CallKind::CreateDir, text(path), None)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.inner.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }
}

struct WithFile {
    inner: Arc<dyn File>,
    disk: WithSyncs,
    path: Box<str>,
}

impl Debug for WithFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WithFile({:?})", self.inner)
    }
}

impl File for WithFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.inner.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        let count = self.inner.write_at(buf, offset)?;
        self.disk.did(CallKind::Write, &self.path, Some(&*self.inner))?;
        Ok(count)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)?;
        self.disk.did(CallKind::SetLen, &self.path, Some(&*self.inner))
    }

    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn sync(&self) -> io::Result<()> {
        self.inner.sync()
    }
}

fn with<S: Subject + Clone>(subject: &S, put_in: Vec<Insertion>, met: &Met) -> Wrapped<S> {
    let (put_in, met) = (Arc::new(put_in), Arc::clone(met));
    Wrapped::new(subject.clone(), move |inner| {
        Arc::new(WithSyncs { inner, put_in: Arc::clone(&put_in), met: Arc::clone(&met) })
    })
}

/// Recoveries that one unit of work of one attempt may cost, and all attempts together.
const ATTEMPT: u64 = 5_000;
const ALL_ATTEMPTS: u64 = 200_000;

/// The finding: the shrunk subject and settings, and what they were shrunk from.
pub(crate) struct Patient<'a, S> {
    pub(crate) small: (&'a S, &'a Settings),
    pub(crate) whole: (&'a S, &'a Settings),
}

impl<S: Subject + Clone> Patient<'_, S> {
    /// The fewest syncs, at most two, that make the finding go away; `None` if no crash took
    /// anything away that a sync could have kept, or if it would take too long to know.
    pub(crate) fn remedy(&self, trail: &Trail, replayed: &Replayed, rule: Rule) -> Option<Remedy> {
        let power = trail.lives.iter().filter_map(|l| l.cut).any(|c| c.kind == CrashKind::Power);
        if !power || replayed.lost.is_empty() || matches!(rule, Rule::P6Silence | Rule::P11Bounds) {
            return None;
        }
        let met = Met::default();
        replay(&with(self.small.0, Vec::new(), &met), self.small.1, trail);
        // And what it does on other trails: a call of recovery, say, that this one never came to.
        let few = Settings { crashes: 1, power: false, unit_limit: 100, ..self.small.1.clone() };
        Explorer::new(few).run(&with(self.small.0, Vec::new(), &met));
        let met = met.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // What was lost comes first: a sync behind that very call is the likeliest.
        let lost = |i: &Insertion| {
            !replayed.lost.iter().any(|l| class_of(&l.call).contains(&i.name) && l.is_by(i.after))
        };
        let mut candidates = met;
        candidates.sort_by_key(lost);
        let pairs = || {
            let first = candidates.iter().enumerate();
            first.flat_map(|(n, a)| candidates[n + 1..].iter().map(move |b| vec![a, b]))
        };
        let mut spent = 0;
        for syncs in candidates.iter().map(|one| vec![one]).chain(pairs()) {
            let syncs: Vec<Insertion> = syncs.into_iter().cloned().collect();
            if self.holds(self.small, &syncs, &mut spent)
                && self.holds(self.whole, &syncs, &mut spent)
            {
                return Some(Remedy::Syncs(syncs));
            }
            if spent > ALL_ATTEMPTS {
                return None;
            }
        }
        Some(Remedy::NoSync)
    }

    fn holds(
        &self,
        (subject, settings): (&S, &Settings),
        syncs: &[Insertion],
        spent: &mut u64,
    ) -> bool {
        let settings = Settings { unit_limit: ATTEMPT, ..settings.clone() };
        let tally = Explorer::new(settings).run(&with(subject, syncs.to_vec(), &Met::default()));
        *spent += tally.recoveries + 1;
        tally.found.is_none() && !tally.out_of_budget && !tally.diverged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_left_out_of_names() {
        for (name, class) in [
            ("log.17", "log.#"),
            ("0000000000000001-00000001.log", "#-#.log"),
            ("data/wal", "data/wal"),
            ("a1b2/dead.tmp", "#/dead.tmp"),
            ("", ""),
        ] {
            assert_eq!(class_of(name), class);
        }
    }
}
