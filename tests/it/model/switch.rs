//! A disk whose power is cut, or whose process is killed, before its n-th changing call.

use highwater_sim::{Choices, FaultFs, Rng, SimFs};
use highwater_vfs::{File, OpenMode, Vfs};
use std::fmt::{self, Debug};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// What is pending survives as the seed says.
    Power(u64),
    Kill,
}

impl Crash {
    /// The disk that is found after it.
    pub(crate) fn of(self, disk: &SimFs) -> SimFs {
        match self {
            Crash::Power(seed) => disk.power_cut(Choices::sample(Rng::new(seed))),
            Crash::Kill => disk.kill(),
        }
    }
}

struct Shared {
    faults: FaultFs,
    disk: SimFs,
    crash: Crash,
    at: u64,
    /// Calls so far, and the disk that was left once the call came.
    state: Mutex<(u64, Option<SimFs>)>,
}

/// The disk of one life. After the crash every call fails, so that the engine soon stops.
#[derive(Clone)]
pub(crate) struct Switch(Arc<Shared>);

impl Debug for Switch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Switch")
    }
}

impl Switch {
    pub(crate) fn new(faults: FaultFs, disk: SimFs, crash: Crash, at: u64) -> Switch {
        Switch(Arc::new(Shared { faults, disk, crash, at, state: Mutex::default() }))
    }

    /// The disk that the crash has left, if it has come.
    pub(crate) fn left(&self) -> Option<SimFs> {
        self.0.state.lock().unwrap().1.clone()
    }

    fn alive(&self) -> io::Result<()> {
        match self.left() {
            Some(_) => Err(io::Error::other("the power is gone")),
            None => Ok(()),
        }
    }

    /// A changing call begins.
    fn change(&self) -> io::Result<()> {
        let mut state = self.0.state.lock().unwrap();
        if state.1.is_none() && state.0 == self.0.at {
            state.1 = Some(self.0.crash.of(&self.0.disk));
        }
        state.0 += 1;
        drop(state);
        self.alive()
    }
}

impl Vfs for Switch {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        if mode == OpenMode::CreateNew { self.change() } else { self.alive() }?;
        let file = self.0.faults.open(path, mode)?;
        Ok(Arc::new(SwitchFile { file, switch: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change()?;
        self.0.faults.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.0.faults.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change()?;
        self.0.faults.create_dir(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.alive()?;
        self.0.faults.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change()?;
        self.0.faults.sync_dir(dir)
    }
}

#[derive(Debug)]
struct SwitchFile {
    file: Arc<dyn File>,
    switch: Switch,
}

impl File for SwitchFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.switch.alive()?;
        self.file.read_at(buf, offset)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.switch.change()?;
        self.file.write_at(buf, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.switch.change()?;
        self.file.set_len(len)
    }

    fn size(&self) -> io::Result<u64> {
        self.switch.alive()?;
        self.file.size()
    }

    fn sync(&self) -> io::Result<()> {
        self.switch.change()?;
        self.file.sync()
    }
}
