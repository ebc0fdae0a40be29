//! What a store's folder holds, file by file; nothing is changed.

use crate::error::{Error, Result, io};
use crate::metadata::{self, Metadata};
use crate::snapshot::serial;
use crate::store::folder;
use crate::{RaftStore, Under};
use highwater::Corruption;
use highwater::inspect::{FileTail, Verdict};
use highwater_vfs::{OpenMode, Vfs};
use std::path::Path;
use std::sync::Arc;

/// What [`inspect`] found.
#[derive(Debug)]
pub struct Inspection {
    /// The worst of what follows.
    pub verdict: Verdict,
    /// Every file, in the order of the names.
    pub files: Vec<FileReport>,
    /// Why opening the store would be refused.
    pub refused: Option<Corruption>,
    /// What opening it would show; `None` if it would be refused, or would begin a new one.
    pub store: Option<RaftStore>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// From the store's folder.
    pub path: String,
    /// `metadata`, `segment`, `snapshot`, `temporary` or `foreign`.
    pub kind: &'static str,
    /// Bytes.
    pub size: u64,
    /// Records of a segment that were read.
    pub records: u64,
    /// How its reading ended.
    pub tail: FileTail,
    /// Bytes from its start to where that was.
    pub offset: u64,
    /// Why, if not at its end.
    pub reason: Option<String>,
}

/// Whether one of a folder's names is one that only a Raft store gives: its metadata, or its log.
pub fn looks_like_one<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    let of_log = |name: &str| {
        let number = name.strip_prefix("log-").and_then(|hex| u64::from_str_radix(hex, 16).ok());
        number.is_some_and(|number| name == folder(number))
    };
    names.into_iter().any(|name| [metadata::FILE, metadata::NEW].contains(&name) || of_log(name))
}

/// Looks at a store, and changes nothing.
///
/// ```
/// use highwater_raft::{Entry, LogId, Options, RaftStore, inspect};
/// use highwater_vfs::{OsFs, Vfs};
/// use std::sync::Arc;
///
/// let dir = tempfile::tempdir()?;
/// let disk: Arc<dyn Vfs> = Arc::new(OsFs::open(dir.path())?);
/// let store = RaftStore::open(Arc::clone(&disk), Options::default())?;
/// store.append(&[Entry { id: LogId { index: 1, term: 1 }, payload: b"set x".to_vec() }])?;
/// store.close()?;
/// let found = inspect(disk)?;
/// assert_eq!(found.verdict.name(), "clean");
/// assert_eq!(found.files.len(), 2, "the metadata and a segment");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// What the disk reports; damage is none.
pub fn inspect(disk: Arc<dyn Vfs>) -> Result<Inspection> {
    let (log, mut refused) = split(Metadata::open_read_only(&*disk).map(|it| it.known().log))?;
    let mut found =
        Inspection { verdict: Verdict::Clean, files: vec![], refused: None, store: None };
    for name in disk.list(Path::new("")).map_err(io("list", ""))? {
        match log.flatten() {
            Some(number) if name == folder(number) => found.add_log(&disk, &name)?,
            _ => found.add(&*disk, name)?,
        }
    }
    if let Some(damage) = &refused {
        found.blame(damage);
    } else {
        let (store, damage) = split(RaftStore::open_read_only(Arc::clone(&disk)))?;
        let store = store.flatten();
        let read = store.as_ref().map_or(Ok(None), RaftStore::open_snapshot);
        let (snapshot, rot) = split(read)?;
        if let Some(snapshot) = snapshot.flatten() {
            let stands = crate::snapshot::name(snapshot.meta().serial);
            let file = found.files.iter_mut().find(|file| Path::new(&file.path) == stands);
            file.into_iter().for_each(|file| (file.tail, file.reason) = (FileTail::Clean, None));
        }
        damage.iter().chain(&rot).for_each(|damage| found.blame(damage));
        (found.store, refused) = (store, damage);
    }
    found.refused = refused;
    Ok(found)
}

/// Damage apart from what the disk reports.
fn split<T>(result: Result<T>) -> Result<(Option<T>, Option<Corruption>)> {
    match result {
        Ok(found) => Ok((Some(found), None)),
        Err(Error::Store(highwater::Error::Corrupt(damage))) => Ok((None, Some(damage))),
        Err(e) => Err(e),
    }
}

impl Inspection {
    /// Any file but those of the log. A snapshot that nothing names is one that a crash left.
    fn add(&mut self, disk: &dyn Vfs, path: String) -> Result<()> {
        let size = match disk.open(Path::new(&path), OpenMode::Read) {
            Ok(file) => file.size().map_err(io("size of", &path))?,
            Err(_) => 0, // a folder, or what is nobody's
        };
        let (kind, tail) = match (path.as_str(), serial(&path)) {
            (metadata::FILE, _) => ("metadata", FileTail::Clean),
            (metadata::NEW, _) => ("temporary", FileTail::Clean),
            (name, Some(_)) if name.ends_with(".new") => ("temporary", FileTail::Clean),
            (_, Some(_)) => ("snapshot", FileTail::Unfounded),
            _ => ("foreign", FileTail::Unread),
        };
        let reason = (tail == FileTail::Unfounded).then_some("the metadata name no such snapshot");
        let reason = reason.map(ToString::to_string);
        self.files.push(FileReport { path, kind, size, records: 0, tail, offset: size, reason });
        Ok(())
    }

    fn add_log(&mut self, disk: &Arc<dyn Vfs>, folder: &str) -> Result<()> {
        let under = Under::new(Arc::clone(disk), folder).map_err(io("open", folder))?;
        let log = highwater::inspect::inspect(&under)?;
        self.verdict = self.verdict.max(log.verdict);
        self.files.extend(log.files.into_iter().map(|file| FileReport {
            path: format!("{folder}/{}", file.name),
            kind: file.kind.name(),
            size: file.size,
            records: file.records,
            tail: file.tail,
            offset: file.offset,
            reason: file.reason,
        }));
        Ok(())
    }

    /// Damage, and the file that has it, if it is there.
    fn blame(&mut self, damage: &Corruption) {
        self.verdict = Verdict::Corrupt;
        let file = self.files.iter_mut().find(|file| file.path == damage.file);
        if let Some(file) = file {
            (file.tail, file.offset) = (FileTail::Corrupt, damage.offset);
            file.reason = Some(format!("expected {}, found {}", damage.expected, damage.actual));
        }
    }
}
