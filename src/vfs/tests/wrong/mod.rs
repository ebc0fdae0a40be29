//! A filesystem that is wrong in exactly the ways asked for: `OsFs` behind it does the rest.

mod file;

use file::{Nothing, WrongFile};
use highwater_vfs::{File, OpenMode, OsFs, Vfs, check_path};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// One way of being wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[rustfmt::skip]
pub(crate) enum Bug {
    // V1
    FollowsAbsolute, FollowsDotDot, FollowsDot, FollowsEmpty, FollowsLossy, AsciiOnly, FlatNames,
    NoRoot,
    // V2
    CreateNewOpens, CreateNewPreallocates, CreateNewMakesParents, ReadCreates, WriteCreates,
    OpensDirectories, WriteIgnored, WriteHandleDoesNotRead, CreateNewHandleDoesNotRead,
    ReadHandleWrites, ReadHandleIgnoresWrites, ReadHandleSetsLen, ReadHandleSyncs, WriteTruncates,
    // V3
    FollowsName, RemoveEmpties, RenameCopiesInPlace, RemoveKeepsBytes, RemoveMissingOk,
    RemovesDirectories,
    // V4
    ReadIgnoresOffset, ReadPads, ReadEndsInError, ReadFarIsError, EmptyReadIsError, ReadOvercounts,
    // V5
    WriteZeroesSector, WriteTruncatesBehind, AlwaysAppends, NeverExtends, GapIsGarbage,
    GapShowsCutBytes, EmptyWriteExtends, WriteOvercounts, WritesNothing,
    // V6
    SetLenNeverCuts, SetLenNeverGrows, GrowthIsGarbage, CutBytesComeBack, SetLenSameEmpties,
    ReserveCuts,
    // V7
    BuffersWrites, CachesLength, CachesNames, SyncPads,
    // V8
    ListUnsorted, ListIgnoresCase, ListHidesDirectories, ListHidesDotNames, ListIsRecursive,
    ListShowsDots, ListIsAsOfSync, ListOfMissingIsEmpty,
    // V10
    CreateDirPresentOk, CreateDirMakesParents, SyncDirRootOnly, SyncDirOfAnythingOk,
    // V11
    RenameRefusesPresent, RenameLinks, RenameItselfRemoves, RenameStaysInDirectory,
    RenameMissingOk, RenamesDirectories,
    // no answer at all
    Panics, AlwaysInterrupted,
}

#[derive(Debug)]
pub(crate) struct Wrong {
    inner: OsFs,
    root: PathBuf,
    bugs: Vec<Bug>,
    /// What `CachesNames` opened before, by path.
    opened: Mutex<BTreeMap<PathBuf, Arc<dyn File>>>,
    /// What `ListIsAsOfSync` saw at the last `sync_dir`.
    listed: Mutex<BTreeMap<PathBuf, Vec<String>>>,
}

impl Wrong {
    pub(crate) fn new(root: &Path, bugs: &[Bug]) -> Wrong {
        Wrong {
            inner: OsFs::open(root).unwrap(),
            root: root.to_path_buf(),
            bugs: bugs.to_vec(),
            opened: Mutex::default(),
            listed: Mutex::default(),
        }
    }

    fn has(&self, bug: Bug) -> bool {
        self.bugs.contains(&bug)
    }

    fn path(&self, path: &Path) -> io::Result<PathBuf> {
        let Some(text) = path.to_str() else {
            return match self.has(Bug::FollowsLossy) {
                true => Ok("lossy".into()),
                false => Err(ErrorKind::InvalidInput.into()),
            };
        };
        if self.has(Bug::NoRoot) && text.is_empty() && !self.listed.lock().unwrap().is_empty() {
            return Err(ErrorKind::InvalidInput.into());
        }
        if self.has(Bug::NoRoot) {
            self.listed.lock().unwrap().insert(path.into(), Vec::new());
        }
        if self.has(Bug::AsciiOnly) && !text.is_ascii() {
            return Err(ErrorKind::InvalidInput.into());
        }
        let mut text = text.to_string();
        if self.has(Bug::FollowsAbsolute) {
            text = text.trim_start_matches('/').into();
        }
        if self.has(Bug::FlatNames) {
            text = text.replace('/', "-");
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" if self.has(Bug::FollowsEmpty) => {}
                "." if self.has(Bug::FollowsDot) => {}
                ".." if self.has(Bug::FollowsDotDot) => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        // What is still wrong ends here, before a bug touches the real disk by itself.
        let path = PathBuf::from(parts.join("/"));
        check_path(&path)?;
        Ok(path)
    }

    fn real(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    fn trash(&self, path: &Path) -> PathBuf {
        format!(".trash-{}", path.to_string_lossy().replace('/', "-")).into()
    }

    fn open_inner(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let answer = self.inner.open(path, mode);
        let Err(error) = &answer else { return answer };
        let create = || self.inner.open(path, OpenMode::CreateNew);
        match (error.kind(), mode) {
            (ErrorKind::AlreadyExists, _) if self.has(Bug::CreateNewOpens) => {
                self.inner.open(path, OpenMode::Write)
            }
            (ErrorKind::NotFound, OpenMode::Read) if self.has(Bug::ReadCreates) => create(),
            (ErrorKind::NotFound, OpenMode::Write) if self.has(Bug::WriteCreates) => create(),
            (ErrorKind::NotFound, _) if self.has(Bug::CreateNewMakesParents) => {
                fs::create_dir_all(self.real(path).parent().unwrap())?;
                self.inner.open(path, mode)
            }
            (ErrorKind::IsADirectory, _) if self.has(Bug::OpensDirectories) => {
                Ok(Arc::new(Nothing))
            }
            _ => answer,
        }
    }

    fn copy_in_place(&self, from: &Path, to: &Path) -> io::Result<()> {
        let bytes = fs::read(self.real(from))?;
        let target = self.inner.open(to, OpenMode::Write)?;
        target.set_len(0)?;
        highwater_vfs::write_all_at(&*target, &bytes, 0)?;
        self.inner.remove(from)
    }

    fn names(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = match self.inner.list(dir) {
            Err(_) if self.has(Bug::ListOfMissingIsEmpty) => Vec::new(),
            answer => answer?,
        };
        names.retain(|name| !name.starts_with(".trash-"));
        Ok(names)
    }
}

impl Vfs for Wrong {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let path = self.path(path)?;
        if self.has(Bug::CachesNames)
            && mode != OpenMode::CreateNew
            && let Some(file) = self.opened.lock().unwrap().get(&path)
        {
            return Ok(file.clone());
        }
        if self.has(Bug::RemoveKeepsBytes) && mode == OpenMode::CreateNew {
            let _ = self.inner.rename(&self.trash(&path), &path);
            if self.inner.open(&path, OpenMode::Read).is_ok() {
                return self.inner.open(&path, OpenMode::Write);
            }
        }
        let writes = self.has(Bug::ReadHandleWrites) && mode == OpenMode::Read;
        let inner = self.open_inner(&path, if writes { OpenMode::Write } else { mode })?;
        if self.has(Bug::WriteTruncates) && mode == OpenMode::Write {
            inner.set_len(0)?;
        }
        if self.has(Bug::CreateNewPreallocates) && mode == OpenMode::CreateNew {
            inner.set_len(4_096)?;
        }
        let file = WrongFile::new(inner, mode, self.bugs.clone(), self.real(&path));
        let file: Arc<dyn File> = Arc::new(file);
        if self.has(Bug::CachesNames) {
            self.opened.lock().unwrap().insert(path, file.clone());
        }
        Ok(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from, to) = (self.path(from)?, self.path(to)?);
        let present = self.real(&to).is_file();
        if self.has(Bug::RenameRefusesPresent) && present {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if self.has(Bug::RenameItselfRemoves) && from == to {
            return self.inner.remove(&from);
        }
        if self.has(Bug::RenameStaysInDirectory) && from.parent() != to.parent() {
            return Err(ErrorKind::CrossesDevices.into());
        }
        if self.has(Bug::RenameMissingOk) && !self.real(&from).exists() {
            return Ok(());
        }
        if self.has(Bug::RenamesDirectories) && self.real(&from).is_dir() {
            return fs::rename(self.real(&from), self.real(&to));
        }
        if self.has(Bug::RenameCopiesInPlace) && present && from != to {
            return self.copy_in_place(&from, &to);
        }
        if self.has(Bug::RenameLinks) && from != to {
            let _ = self.inner.remove(&to);
            return fs::hard_link(self.real(&from), self.real(&to));
        }
        self.inner.rename(&from, &to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let path = self.path(path)?;
        if self.has(Bug::RemoveEmpties) {
            self.inner.open(&path, OpenMode::Write)?.set_len(0)?;
        }
        if self.has(Bug::RemoveKeepsBytes) && self.real(&path).is_file() {
            return self.inner.rename(&path, &self.trash(&path));
        }
        match self.inner.remove(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound && self.has(Bug::RemoveMissingOk) => Ok(()),
            Err(e) if e.kind() == ErrorKind::IsADirectory && self.has(Bug::RemovesDirectories) => {
                fs::remove_dir(self.real(&path))
            }
            answer => answer,
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let path = self.path(path)?;
        if self.has(Bug::CreateDirMakesParents) {
            fs::create_dir_all(self.real(&path).parent().unwrap())?;
        }
        match self.inner.create_dir(&path) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists && self.has(Bug::CreateDirPresentOk) => {
                Ok(())
            }
            answer => answer,
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let dir = self.path(dir)?;
        if self.has(Bug::ListIsAsOfSync) {
            return Ok(self.listed.lock().unwrap().get(&dir).cloned().unwrap_or_default());
        }
        let mut names = self.names(&dir)?;
        if self.has(Bug::ListIsRecursive) {
            for name in names.clone() {
                if let Ok(below) = self.inner.list(&dir.join(&name)) {
                    names.extend(below.iter().map(|n| format!("{name}/{n}")));
                }
            }
        }
        if self.has(Bug::ListShowsDots) && dir != Path::new("") {
            names.splice(0..0, [String::from("."), String::from("..")]);
        }
        if self.has(Bug::ListHidesDirectories) {
            names.retain(|name| !self.real(&dir.join(name)).is_dir());
        }
        if self.has(Bug::ListHidesDotNames) {
            names.retain(|name| !name.starts_with('.'));
        }
        if self.has(Bug::ListUnsorted) {
            names.reverse();
        }
        if self.has(Bug::ListIgnoresCase) {
            names.sort_by_key(|name| name.to_lowercase());
        }
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let dir = self.path(dir)?;
        if self.has(Bug::SyncDirRootOnly) && dir != Path::new("") {
            return Err(ErrorKind::Unsupported.into());
        }
        match self.inner.sync_dir(&dir) {
            Err(_) if self.has(Bug::SyncDirOfAnythingOk) => Ok(()),
            answer => {
                if self.has(Bug::ListIsAsOfSync) {
                    self.listed.lock().unwrap().insert(dir.clone(), self.names(&dir)?);
                }
                answer
            }
        }
    }
}
