//! What the probes are written with: names of their own, patience, and comparisons.

use crate::{File, OpenMode, Vfs, read_full_at, write_all_at};
use std::fmt::Debug;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How often in a row a call may say `Interrupted` before that counts as an answer.
const INTERRUPTIONS_MAX: usize = 1_000;

/// No probe writes a file as large as this, in bytes.
const SIZE_MAX: u64 = 1 << 20;

pub(super) const MODES: [OpenMode; 3] = [OpenMode::Read, OpenMode::Write, OpenMode::CreateNew];

/// The table of a file's probes: clause, name, function.
macro_rules! probes {
    ($($clause:literal $name:literal $run:ident,)*) => {
        pub(super) const PROBES: &[super::Probe] =
            &[$(super::Probe { clause: $clause, name: $name, run: $run },)*];
    };
}
pub(super) use probes;

/// Expected this, that happened.
#[derive(Debug)]
pub(super) struct Miss {
    pub(super) expected: String,
    pub(super) happened: String,
}

impl Miss {
    pub(super) fn new(expected: impl Into<String>, happened: impl Into<String>) -> Miss {
        Miss { expected: expected.into(), happened: happened.into() }
    }
}

/// The implementation under test, and a prefix that keeps the probes out of each other's way.
pub(super) struct Bench<'a> {
    vfs: &'a dyn Vfs,
    prefix: String,
}

impl<'a> Bench<'a> {
    pub(super) fn new(vfs: &'a dyn Vfs, index: usize) -> Bench<'a> {
        Bench { vfs, prefix: format!("probe{index:02}-") }
    }

    /// This probe's name for `name`, as text.
    pub(super) fn name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// This probe's path for `name`, in the root.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.name(name).into()
    }

    pub(super) fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Handle> {
        patient(|| self.vfs.open(path, mode)).map(Handle)
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        patient(|| self.vfs.rename(from, to))
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        patient(|| self.vfs.remove(path))
    }

    pub(super) fn create_dir(&self, path: &Path) -> io::Result<()> {
        patient(|| self.vfs.create_dir(path))
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        patient(|| self.vfs.list(dir))
    }

    pub(super) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        patient(|| self.vfs.sync_dir(dir))
    }

    /// A new file in the root, with these bytes.
    pub(super) fn file(&self, name: &str, bytes: &[u8]) -> Result<Handle, Miss> {
        self.file_at(&self.path(name), bytes)
    }

    /// A new file anywhere, with these bytes.
    pub(super) fn file_at(&self, path: &Path, bytes: &[u8]) -> Result<Handle, Miss> {
        let what = format!("open({path:?}, CreateNew)");
        let file = granted(self.open(path, OpenMode::CreateNew), &what)?;
        granted(write_all_at(&file, bytes, 0), &format!("writing {} bytes", bytes.len()))?;
        Ok(file)
    }

    /// A new directory in the root.
    pub(super) fn dir(&self, name: &str) -> Result<PathBuf, Miss> {
        let path = self.path(name);
        granted(self.create_dir(&path), &format!("create_dir({path:?})"))?;
        Ok(path)
    }

    /// Opens what must be there.
    pub(super) fn reopen(&self, name: &str, mode: OpenMode) -> Result<Handle, Miss> {
        granted(self.open(&self.path(name), mode), &format!("open({name:?}, {mode:?})"))
    }

    /// Whether the file in the root has these bytes, asked through a new handle.
    pub(super) fn holds(&self, name: &str, bytes: &[u8], when: &str) -> Result<(), Miss> {
        same_bytes(&self.reopen(name, OpenMode::Read)?, bytes, when)
    }

    /// Whether there is no file of this name in the root.
    pub(super) fn absent(&self, name: &str, when: &str) -> Result<(), Miss> {
        let what = format!("open({name:?}, Read) {when}");
        refused(self.open(&self.path(name), OpenMode::Read), &[ErrorKind::NotFound], &what)
    }

    /// This probe's own names in the root, without the prefix.
    pub(super) fn names(&self) -> Result<Vec<String>, Miss> {
        let names = granted(self.list(Path::new("")), "list(\"\")")?;
        Ok(names.iter().filter_map(|n| n.strip_prefix(&self.prefix)).map(String::from).collect())
    }
}

/// An open file whose answers have been looked at: so the loops over it come to an end.
#[derive(Debug)]
pub(super) struct Handle(Arc<dyn File>);

impl File for Handle {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let size = buf.len();
        plausible(patient(|| self.0.read_at(buf, offset))?, size)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        plausible(patient(|| self.0.write_at(buf, offset))?, buf.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        patient(|| self.0.set_len(len))
    }

    fn reserve(&self, len: u64) -> io::Result<()> {
        patient(|| self.0.reserve(len))
    }

    fn size(&self) -> io::Result<u64> {
        patient(|| self.0.size())
    }

    fn sync(&self) -> io::Result<()> {
        patient(|| self.0.sync())
    }
}

/// Tries again what a signal interrupted, but not for ever.
fn patient<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..INTERRUPTIONS_MAX {
        match call() {
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
    Err(io::Error::other(format!("Interrupted {INTERRUPTIONS_MAX} times in a row")))
}

fn plausible(moved: usize, size: usize) -> io::Result<usize> {
    if moved <= size {
        return Ok(moved);
    }
    Err(io::Error::other(format!("{moved} bytes moved out of a buffer of {size}")))
}

/// The value of a call that must succeed.
pub(super) fn granted<T>(answer: io::Result<T>, what: &str) -> Result<T, Miss> {
    answer.map_err(|e| Miss::new(format!("{what} to succeed"), failed(&e)))
}

/// A call that must fail in one of these ways.
pub(super) fn refused<T>(
    answer: io::Result<T>,
    kinds: &[ErrorKind],
    what: &str,
) -> Result<(), Miss> {
    let happened = match answer {
        Err(e) if kinds.contains(&e.kind()) => return Ok(()),
        Err(e) => failed(&e),
        Ok(_) => String::from("it succeeded"),
    };
    let kinds: Vec<String> = kinds.iter().map(|kind| format!("{kind:?}")).collect();
    Err(Miss::new(format!("{what} to fail with {}", kinds.join(" or ")), happened))
}

fn failed(error: &io::Error) -> String {
    format!("it failed with {:?}: {error}", error.kind())
}

/// A value that must be this one.
pub(super) fn equal<T: PartialEq + Debug>(got: T, want: T, what: &str) -> Result<(), Miss> {
    if got == want {
        return Ok(());
    }
    Err(Miss::new(format!("{what} to be {want:?}"), format!("it was {got:?}")))
}

/// Whether the file has this size and these bytes.
pub(super) fn same_bytes(file: &dyn File, want: &[u8], when: &str) -> Result<(), Miss> {
    let expected = || format!("{} {when}", shown(want));
    let size = granted(file.size(), &format!("size() {when}"))?;
    if size > SIZE_MAX {
        return Err(Miss::new(expected(), format!("the size was {size}")));
    }
    // One byte more than the size: the end is where the size says.
    let mut got = vec![0; size as usize + 1];
    let read = granted(read_full_at(file, &mut got, 0), &format!("reading {when}"))?;
    got.truncate(read);
    if read as u64 != size {
        return Err(Miss::new(expected(), format!("of {size} bytes {read} could be read")));
    }
    same(&got, want, when)
}

/// Whether two rows of bytes are equal.
pub(super) fn same(got: &[u8], want: &[u8], when: &str) -> Result<(), Miss> {
    if got == want {
        return Ok(());
    }
    let mut happened = format!("there were {}", shown(got));
    if let Some(at) = got.iter().zip(want).position(|(a, b)| a != b) {
        let (a, b) = (got[at], want[at]);
        happened.push_str(&format!(", 0x{a:02x} instead of 0x{b:02x} at offset {at}"));
    }
    Err(Miss::new(format!("{} {when}", shown(want)), happened))
}

fn shown(bytes: &[u8]) -> String {
    match bytes.len() {
        0 => String::from("no bytes"),
        n @ 1..=32 => format!("the {n} bytes \"{}\"", bytes.escape_ascii()),
        n => format!("{n} bytes"),
    }
}
