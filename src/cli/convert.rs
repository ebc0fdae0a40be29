//! `highwater import` and `highwater export`: another system's files into a store of ours, and out
//! of one. What is read is never touched, and what is written is there whole or not at all: it is
//! made beside the place where it belongs, synced, and renamed.

use crate::args::{Damage, ExportArgs, ImportArgs};
use crate::exit::{self, Done, ENVIRONMENT, Failure, NOTHING, VIOLATED};
use crate::inspect::{Folder, System};
use crate::out::{note, wrapped};
use crate::views::{codec, formats, of_format, of_store};
use highwater_formats::{Codec, Examined, Files, Tail};
use highwater_vfs::{OpenMode, OsFs, Vfs, write_all_at};
use serde_json::Value;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Another system's files into a new store.
pub(crate) fn import(args: &ImportArgs) -> Done {
    let unreadable = |e: io::Error| Failure::usage(format!("{}: {e}", args.path.display()));
    let folder = OsFs::read_only(&args.path).map_err(unreadable)?;
    let folder = Folder::read(Arc::new(folder)).map_err(unreadable)?;
    let new = Place::free(&args.into)?;
    let codec = system(args, &folder)?;
    let examined = codec.examine(&folder.files, None);
    let view = of_format(codec.name()).expect("every codec has a store that takes it in");
    report(codec, &examined);
    if is_damaged(&examined) && args.damage == Damage::Refuse {
        let why = "damaged: nothing imported (--damage quarantine takes what is whole)";
        return Err(Failure::new(VIOLATED, why));
    }
    let count = new.fill(|disk| {
        let count = view.import(&folder.files, codec.name(), Arc::clone(&disk))?;
        match of_store(&*disk).map_err(|e| Failure::usage(e.to_string()))? {
            Some(_) => Ok(count),
            // A store that never held anything has no file, and nobody would know it for one.
            None => Err(nothing(args, codec)),
        }
    })?;
    let (name, store) = (codec.name(), view.name());
    let into = args.into.display();
    note(&wrapped("", &format!("{count} imported from {name} into {store}: {into}")));
    Ok(exit::HELD)
}

fn nothing(args: &ImportArgs, codec: &dyn Codec) -> Failure {
    let (path, name) = (args.path.display(), codec.name());
    let why = "holds nothing to import: no store was made (a program that opens an empty folder \
               begins one there)";
    Failure::new(NOTHING, format!("{path}: {name} {why}"))
}

fn system(args: &ImportArgs, folder: &Folder) -> Result<&'static dyn Codec, Failure> {
    let asked = args.system.map(|system| vec![system]).unwrap_or_else(|| folder.candidates());
    let systems: Vec<System> = asked.into_iter().filter(|it| folder.is_of(*it)).collect();
    match systems.as_slice() {
        [System::Other(codec)] => Ok(*codec),
        [System::Native] => Err(Failure::usage("it is a store of highwater already")),
        [] => {
            let whose = args.system.map_or("a system that is known here", System::name);
            Err(Failure::new(NOTHING, format!("no files of {whose}")))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|system| system.name()).collect();
            let why =
                format!("files that may be of {}: say which with --as", names.join(" or of "));
            Err(Failure::new(NOTHING, why))
        }
    }
}

/// A torn tail is none: a crash leaves those.
fn is_damaged(examined: &Examined<Value>) -> bool {
    let unshown = examined.more.iter().any(|(field, _)| *field == "entry_errors");
    examined.verdict() == Tail::Corrupt || unshown
}

fn report(codec: &dyn Codec, examined: &Examined<Value>) {
    for file in examined.files.iter().filter(|file| file.tail != Tail::Clean) {
        let why = file.reason.as_deref().unwrap_or_default();
        let (path, tail, offset) = (&file.path, file.tail.name(), file.offset);
        note(&wrapped("", &format!("{}: {path}: {tail} at {offset}: {why}", codec.name())));
    }
    examined.lost.iter().for_each(|lost| note(&wrapped("not imported: ", lost)));
}

/// A store into the files of another system.
pub(crate) fn export(args: &ExportArgs) -> Done {
    let unreadable =
        |e: &dyn std::fmt::Display| Failure::usage(format!("{}: {e}", args.store.display()));
    let format = args.format.as_str();
    let known = codec(format).and(of_format(format));
    let view = known
        .ok_or_else(|| Failure::usage(format!("no format {format:?}: {}", formats().join(", "))))?;
    let store = Arc::new(OsFs::read_only(&args.store).map_err(|e| unreadable(&e))?);
    let Some(found) = of_store(&*store).map_err(|e| unreadable(&e))? else {
        let why = format!("{}: there is no file of a store in it", args.store.display());
        return Err(Failure::new(NOTHING, why));
    };
    if found != view.name() {
        let takes = view.name();
        return Err(Failure::usage(format!("{format} is of {takes}, and this is {found}")));
    }
    let new = Place::free(&args.into)?;
    if new.is_below(&args.store) {
        let why = format!("{}: it is within the store", args.into.display());
        return Err(Failure::usage(why));
    }
    let files = view.export(store, format)?;
    new.fill(|disk| write(&files, &*disk).map_err(environment))?;
    let count = files.iter().count();
    let into = args.into.display();
    note(&wrapped("", &format!("{count} files of {format}: {into}")));
    Ok(exit::HELD)
}

/// Files, synced.
fn write(files: &Files, disk: &dyn Vfs) -> io::Result<()> {
    for (path, bytes) in files.iter() {
        if let Some((folder, _)) = path.rsplit_once('/') {
            match disk.create_dir(Path::new(folder)) {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
        }
        let file = disk.open(Path::new(path), OpenMode::CreateNew)?;
        write_all_at(&*file, bytes, 0)?;
        file.sync()?;
        if let Some((folder, _)) = path.rsplit_once('/') {
            disk.sync_dir(Path::new(folder))?;
        }
    }
    disk.sync_dir(Path::new(""))
}

fn environment(e: io::Error) -> Failure {
    Failure::new(ENVIRONMENT, e.to_string())
}

/// Where something new belongs.
struct Place {
    path: PathBuf,
    /// Beside it: where it is made.
    beside: PathBuf,
}

impl Place {
    /// A path where there is nothing, or an empty folder.
    fn free(path: &Path) -> Result<Place, Failure> {
        let refuse = |why: &str| Failure::usage(format!("{}: {why}", path.display()));
        match fs::read_dir(path) {
            Ok(mut found) => {
                if found.next().is_some() {
                    return Err(refuse("it is not empty"));
                }
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(refuse(&e.to_string())),
        }
        let name = path.file_name().ok_or_else(|| refuse("not the name of a folder"))?;
        let mut beside = name.to_os_string();
        beside.push(".unfinished");
        let beside = path.with_file_name(beside);
        Ok(Place { path: path.into(), beside })
    }

    /// Whether it would be in a folder.
    fn is_below(&self, folder: &Path) -> bool {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let real = |path: &Path| fs::canonicalize(path).ok();
        let (parent, folder) = (real(parent.unwrap_or(Path::new("."))), real(folder));
        parent.zip(folder).is_some_and(|(parent, folder)| parent.starts_with(folder))
    }

    /// Makes a folder, has it filled, and puts it there.
    #[expect(clippy::disallowed_types, reason = "OsFs would lock a folder that is somebody else's")]
    fn fill<T>(self, fill: impl FnOnce(Arc<dyn Vfs>) -> Result<T, Failure>) -> Result<T, Failure> {
        let Place { path, beside } = &self;
        fs::create_dir(beside).map_err(|e| {
            let advice = match e.kind() {
                ErrorKind::AlreadyExists => ": if nobody is making it, it was cut short: remove it",
                ErrorKind::NotFound => ": the folder above it has to be there",
                _ => "",
            };
            Failure::new(ENVIRONMENT, format!("cannot make {}: {e}{advice}", beside.display()))
        })?;
        let filled = OsFs::open(beside).map_err(environment).and_then(|disk| fill(Arc::new(disk)));
        let placed = filled.and_then(|filled| {
            fs::rename(beside, path).map_err(environment)?;
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = fs::File::open(parent.unwrap_or(Path::new(".")));
            parent.and_then(|parent| parent.sync_all()).map_err(environment)?;
            Ok(filled)
        });
        if placed.is_err() {
            // It is ours, and not whole; what failed is worse than that it stays.
            let _ = fs::remove_dir_all(beside);
        }
        placed
    }
}
