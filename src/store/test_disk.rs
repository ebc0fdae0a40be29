//! A disk in memory for the tests of this crate: it notes every call that changes something, and
//! fails the one that it is told to. It knows nothing of crashes; the simulation does.

use highwater_vfs::{File, OpenMode, Vfs};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

pub(crate) type Image = BTreeMap<String, Vec<u8>>;
type Contents = Arc<Mutex<Vec<u8>>>;

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Contents>,
    calls: Vec<String>,
    /// The call, counted in `calls`, that fails.
    failing: Option<usize>,
    /// All calls of this kind fail, on names with this ending.
    refused: Option<(&'static str, &'static str)>,
    /// The next call of this kind panics.
    panics: Option<&'static str>,
    reads: usize,
}

/// Where calls of some kinds, on names with some endings, are held up.
#[derive(Debug, Default)]
struct Gate {
    shut: Mutex<(Vec<(&'static str, &'static str)>, bool)>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self, kind: &str, name: &str) {
        let mut shut = self.shut.lock().unwrap();
        while shut.0.iter().any(|(k, end)| *k == kind && name.ends_with(end)) {
            shut.1 = true;
            self.changed.notify_all();
            shut = self.changed.wait(shut).unwrap();
        }
    }
}

/// A clone is another handle to the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestDisk(Arc<Mutex<State>>, Arc<Gate>);

impl TestDisk {
    pub(crate) fn of(image: &Image) -> TestDisk {
        let disk = TestDisk::default();
        let file = |(name, bytes): (&String, &Vec<u8>)| {
            (name.clone(), Arc::new(Mutex::new(bytes.clone())))
        };
        disk.lock().files = image.iter().map(file).collect();
        disk
    }

    pub(crate) fn image(&self) -> Image {
        let state = self.lock();
        let file =
            |(name, bytes): (&String, &Contents)| (name.clone(), bytes.lock().unwrap().clone());
        state.files.iter().map(file).collect()
    }

    pub(crate) fn vfs(&self) -> Arc<dyn Vfs> {
        Arc::new(self.clone())
    }

    /// What changed something since the last time this was asked: "write NAME", "sync NAME",
    /// "create NAME", "rename NAME", "remove NAME", "sync_dir ".
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().calls)
    }

    /// The kinds of the calls, and the endings of the names: "create log, sync_dir, write log".
    pub(crate) fn kinds(&self) -> String {
        let kind = |call: String| {
            let (kind, name) = call.split_once(' ').unwrap();
            let end = name.rsplit('.').next().unwrap();
            if end.is_empty() { kind.to_string() } else { format!("{kind} {end}") }
        };
        self.calls().into_iter().map(kind).collect::<Vec<_>>().join(", ")
    }

    /// The `nth` such call from now on fails, counted from 0.
    pub(crate) fn fail(&self, nth: usize) {
        let mut state = self.lock();
        state.calls.clear();
        state.failing = Some(nth);
    }

    /// From now on all calls of a kind fail on names with an ending.
    pub(crate) fn refuse(&self, kind: &'static str, ending: &'static str) {
        self.lock().refused = Some((kind, ending));
    }

    /// The next call of a kind panics.
    pub(crate) fn panic(&self, kind: &'static str) {
        self.lock().panics = Some(kind);
    }

    pub(crate) fn heal(&self) {
        let mut state = self.lock();
        (state.failing, state.refused) = (None, None);
    }

    /// From now on calls of a kind on names with an ending wait, besides those that do already.
    pub(crate) fn hold(&self, kind: &'static str, ending: &'static str) {
        let mut shut = self.1.shut.lock().unwrap();
        shut.0.push((kind, ending));
        shut.1 = false;
    }

    /// Waits until somebody waits there.
    pub(crate) fn held(&self) {
        let shut = self.1.shut.lock().unwrap();
        drop(self.1.changed.wait_while(shut, |shut| !shut.1).unwrap());
    }

    /// Lets those go on that were held up first.
    pub(crate) fn release(&self) {
        self.1.shut.lock().unwrap().0.remove(0);
        self.1.changed.notify_all();
    }

    pub(crate) fn reads(&self) -> usize {
        std::mem::take(&mut self.lock().reads)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn call(&self, kind: &'static str, name: &str) -> io::Result<MutexGuard<'_, State>> {
        self.1.pass(kind, name);
        let mut state = self.lock();
        if state.panics.take_if(|panics| *panics == kind).is_some() {
            drop(state);
            panic!("the disk panics");
        }
        let nth = state.calls.len();
        state.calls.push(format!("{kind} {name}"));
        let refused = state.refused.is_some_and(|(k, end)| k == kind && name.ends_with(end));
        if refused || state.failing == Some(nth) {
            let full = io::Error::new(ErrorKind::StorageFull, "injected");
            return Err(if kind == "reserve" { full } else { io::Error::other("injected") });
        }
        Ok(state)
    }

    fn key(path: &Path) -> &str {
        path.to_str().unwrap()
    }
}

impl Vfs for TestDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let name = TestDisk::key(path);
        let contents = if mode == OpenMode::CreateNew {
            let mut state = self.call("create", name)?;
            if state.files.contains_key(name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            Arc::clone(state.files.entry(name.into()).or_default())
        } else {
            Arc::clone(self.lock().files.get(name).ok_or(ErrorKind::NotFound)?)
        };
        let writable = mode != OpenMode::Read;
        Ok(Arc::new(TestFile { disk: self.clone(), contents, name: name.into(), writable }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.call("rename", TestDisk::key(to))?;
        let contents = state.files.remove(TestDisk::key(from)).ok_or(ErrorKind::NotFound)?;
        state.files.insert(TestDisk::key(to).into(), contents);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.call("remove", TestDisk::key(path))?;
        state.files.remove(TestDisk::key(path)).map(drop).ok_or(ErrorKind::NotFound.into())
    }

    fn create_dir(&self, _: &Path) -> io::Result<()> {
        unreachable!("the store is flat")
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(self.lock().files.keys().cloned().collect())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        self.call("sync_dir", "").map(drop)
    }
}

#[derive(Debug)]
struct TestFile {
    disk: TestDisk,
    contents: Contents,
    name: String,
    writable: bool,
}

impl File for TestFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.disk.lock().reads += 1;
        let contents = self.contents.lock().unwrap();
        let rest = contents.get(offset as usize..).unwrap_or(&[]);
        let read = rest.len().min(buf.len());
        buf[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    /// A write that fails has written half.
    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        assert!(self.writable, "a write through a handle for reading: {}", self.name);
        let result = self.disk.call("write", &self.name).map(drop);
        let buf = if result.is_ok() { buf } else { &buf[..buf.len() / 2] };
        let mut contents = self.contents.lock().unwrap();
        let end = offset as usize + buf.len();
        let size = contents.len().max(end);
        contents.resize(size, 0);
        contents[offset as usize..end].copy_from_slice(buf);
        result.map(|()| buf.len())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        panic!("nothing truncates: {}", self.name)
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        drop(self.disk.call("reserve", &self.name)?);
        let mut contents = self.contents.lock().unwrap();
        let len = contents.len().max(len as usize);
        contents.resize(len, 0);
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.contents.lock().unwrap().len() as u64)
    }

    fn sync(&self) -> io::Result<()> {
        assert!(self.writable, "a sync of a handle for reading: {}", self.name);
        self.disk.call("sync", &self.name).map(drop)
    }
}
