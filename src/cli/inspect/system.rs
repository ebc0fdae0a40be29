//! The systems that are known here, and of which of them a folder is.

use highwater::inspect::{FileKind, FileReport, Inspection, inspect};
use highwater_formats::{Codec, Files, Likeness, codecs};
use highwater_raft::looks_like_one;
use highwater_vfs::{OpenMode, OsFs, Vfs, read_full_at};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// What the files of our own stores begin with; the last one is redb's.
const MAGIC: [&[u8]; 3] = [b"HWLOG\0\0", b"HWSNAP\0", b"redb\x1a\n\xa9"];

/// The largest file of another system that is read, in bytes; they are read whole.
const SIZE_MAX: u64 = 4 << 30;

/// A system whose files can be read.
#[derive(Clone, Copy)]
pub(crate) enum System {
    /// Our own.
    Native,
    /// Somebody else's.
    Other(&'static dyn Codec),
}

impl System {
    /// As reports and the command line call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            System::Native => "highwater",
            System::Other(codec) => codec.name(),
        }
    }

    fn all() -> impl Iterator<Item = System> {
        [System::Native].into_iter().chain(codecs().iter().map(|codec| System::Other(*codec)))
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for System {
    type Err = String;

    fn from_str(text: &str) -> Result<System, String> {
        let names = || System::all().map(System::name).collect::<Vec<_>>().join(", ");
        let found = System::all().find(|system| system.name() == text);
        found.ok_or_else(|| format!("no system {text:?}: {}", names()))
    }
}

/// A folder of the disk, read, and one level below it. Files of our own store are only looked at:
/// they may be many and large.
pub(crate) struct Folder {
    /// Where it is, read-only.
    pub(crate) vfs: Arc<OsFs>,
    /// What our own store makes of it.
    pub(crate) native: Inspection,
    /// All files but those of our own store.
    pub(crate) files: Files,
    /// What is there and cannot be read: links, pipes, folders further down.
    pub(crate) strange: Vec<String>,
}

impl Folder {
    /// Reads a folder; changes nothing.
    pub(crate) fn read(vfs: Arc<OsFs>) -> io::Result<Folder> {
        let native = inspect(&*vfs).map_err(io::Error::other)?;
        let mut folder = Folder { vfs, native, files: Files::new(), strange: Vec::new() };
        let found = &folder.native.files;
        let foreign = found.iter().filter(|file| file.kind == FileKind::Foreign);
        for name in foreign.map(|file| file.name.clone()).collect::<Vec<_>>() {
            folder.add(name, true)?;
        }
        Ok(folder)
    }

    fn add(&mut self, path: String, go_down: bool) -> io::Result<()> {
        match read(&*self.vfs, &path) {
            Ok(bytes) => self.files.put(path, bytes),
            Err(e) if e.kind() == ErrorKind::IsADirectory && go_down => {
                for name in self.vfs.list(Path::new(&path))? {
                    self.add(format!("{path}/{name}"), false)?;
                }
            }
            Err(e) if [ErrorKind::IsADirectory, ErrorKind::InvalidInput].contains(&e.kind()) => {
                self.strange.push(path);
            }
            Err(e) => return Err(e),
        }
        Ok(())
    }

    /// The systems that the folder is most like.
    pub(crate) fn candidates(&self) -> Vec<System> {
        let found = System::all().map(|system| (self.likeness(system), system));
        let found: Vec<_> = found.filter(|(likeness, _)| *likeness > Likeness::None).collect();
        let most = found.iter().map(|(likeness, _)| *likeness).max();
        let best = found.into_iter().filter(|(likeness, _)| Some(*likeness) == most);
        best.map(|(_, system)| system).collect()
    }

    /// Whether it is our own store of a Raft node: files and a folder with a log.
    pub(crate) fn is_raft(&self) -> bool {
        looks_like_one(self.native.files.iter().map(|file| file.name.as_str()))
    }

    /// Whether there is a file that may be the system's.
    pub(crate) fn is_of(&self, system: System) -> bool {
        self.likeness(system) > Likeness::None
    }

    fn likeness(&self, system: System) -> Likeness {
        let System::Other(codec) = system else {
            let raft = |file: &FileReport| looks_like_one([file.name.as_str()]);
            let ours = self.native.files.iter();
            let ours = ours.filter(|file| file.kind != FileKind::Foreign || raft(file));
            let best = ours.map(|file| self.begins(&file.name)).max().unwrap_or(Likeness::None);
            return if self.has_raft_log() { Likeness::Content } else { best };
        };
        codec.likeness(&self.files)
    }

    /// Whether the log of a Raft store is below it, even if the metadata are gone.
    fn has_raft_log(&self) -> bool {
        let is_one = |(path, bytes): (&str, &[u8])| {
            let folder = path.split_once('/').map(|(folder, _)| folder);
            looks_like_one(folder) && MAGIC.iter().any(|magic| bytes.starts_with(magic))
        };
        self.files.iter().any(is_one)
    }

    /// Whether a file that has a name of ours begins like one of ours.
    fn begins(&self, name: &str) -> Likeness {
        let mut head = [0; 7];
        let file = self.vfs.open(Path::new(name), OpenMode::Read);
        match file.and_then(|file| read_full_at(&*file, &mut head, 0)) {
            Ok(7) if MAGIC.contains(&&head[..]) => Likeness::Content,
            _ => Likeness::Name,
        }
    }

    /// Everything that is there.
    pub(crate) fn names(&self) -> Vec<&str> {
        let native = self.native.files.iter().filter(|file| file.kind != FileKind::Foreign);
        let native = native.map(|file| file.name.as_str());
        let read = self.files.iter().map(|(path, _)| path);
        let mut names: Vec<&str> =
            native.chain(read).chain(self.strange.iter().map(String::as_str)).collect();
        names.sort_unstable();
        names
    }
}

fn read(vfs: &dyn Vfs, path: &str) -> io::Result<Vec<u8>> {
    let file = vfs.open(Path::new(path), OpenMode::Read)?;
    let size = file.size()?;
    if size > SIZE_MAX {
        let why = format!("{path} has {size} bytes, and at most {SIZE_MAX} are read into memory");
        return Err(io::Error::new(ErrorKind::FileTooLarge, why));
    }
    let size = usize::try_from(size).map_err(io::Error::other)?;
    let mut bytes = vec![0; size];
    let read = read_full_at(&*file, &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}
