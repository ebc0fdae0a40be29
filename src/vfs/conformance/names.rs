//! Probes of the namespace: V1, V8, and what can be seen of V10 and V11.

use super::bench::{Bench, MODES, Miss, equal, granted, probes, refused, same_bytes};
use crate::OpenMode;
use std::io::ErrorKind::{AlreadyExists, InvalidInput, IsADirectory, NotADirectory, NotFound};
use std::path::Path;

probes! {
    "V1" "absolute paths are refused" absolute,
    "V1" "'..' is refused" dot_dot,
    "V1" "'.' is refused" dot,
    "V1" "empty components are refused" empty_component,
    "V1" "what is not UTF-8 is refused" not_utf8,
    "V1" "names are UTF-8, not ASCII" utf8,
    "V1" "'/' separates directories" nested,
    "V1" "the root is the empty path" root,
    "V8" "list is sorted by bytes" list_sorted,
    "V8" "list names files and directories" list_kinds,
    "V8" "list sees unsynced names" list_unsynced,
    "V8" "list refuses what is no directory" list_refuses,
    "V10" "create_dir refuses a present name" create_dir_present,
    "V10" "create_dir does not make the parent" create_dir_parent,
    "V10" "sync_dir takes every directory" sync_dir_accepts,
    "V10" "sync_dir refuses what is no directory" sync_dir_refuses,
    "V11" "rename replaces a file" rename_replaces,
    "V11" "rename onto itself changes nothing" rename_itself,
    "V11" "rename crosses directories" rename_across,
    "V11" "rename refuses a missing name" rename_missing,
    "V11" "rename refuses directories" rename_directory,
}

type Outcome = Result<(), Miss>;

/// Every call must refuse `bad`. Reading comes first: an implementation that follows the path is
/// found out before it is asked to change what is there.
fn refused_by_all(b: &Bench<'_>, bad: &Path) -> Outcome {
    let (good, other) = (b.path("f"), b.path("other"));
    for mode in MODES {
        refused(b.open(bad, mode), &[InvalidInput], &format!("open({bad:?}, {mode:?})"))?;
    }
    refused(b.list(bad), &[InvalidInput], &format!("list({bad:?})"))?;
    refused(b.sync_dir(bad), &[InvalidInput], &format!("sync_dir({bad:?})"))?;
    refused(b.rename(bad, &other), &[InvalidInput], &format!("rename({bad:?}, _)"))?;
    refused(b.rename(&good, bad), &[InvalidInput], &format!("rename(_, {bad:?})"))?;
    refused(b.remove(bad), &[InvalidInput], &format!("remove({bad:?})"))?;
    refused(b.create_dir(bad), &[InvalidInput], &format!("create_dir({bad:?})"))
}

/// A file `f` and a directory `d` with a file `f`, so that a bad path would lead somewhere.
fn refused_forms(b: &Bench<'_>, forms: &[&str]) -> Outcome {
    b.file("f", b"x")?;
    let dir = b.dir("d")?;
    b.file_at(&dir.join("f"), b"x")?;
    let (file, dir) = (b.name("f"), b.name("d"));
    forms.iter().try_for_each(|form| {
        refused_by_all(b, Path::new(&form.replace("F", &file).replace("D", &dir)))
    })
}

fn absolute(b: &Bench<'_>) -> Outcome {
    refused_forms(b, &["/F", "/D/f", "/"])
}

fn dot_dot(b: &Bench<'_>) -> Outcome {
    refused_forms(b, &["D/../F", "../F", "D/..", ".."])
}

fn dot(b: &Bench<'_>) -> Outcome {
    refused_forms(b, &["./F", "D/./f", "D/.", "."])
}

fn empty_component(b: &Bench<'_>) -> Outcome {
    refused_forms(b, &["D//f", "F/", "D/"])
}

#[cfg(unix)]
fn not_utf8(b: &Bench<'_>) -> Outcome {
    use std::os::unix::ffi::OsStrExt;
    b.file("f", b"x")?;
    refused_by_all(b, Path::new(std::ffi::OsStr::from_bytes(b"\xff\xfe")))
}

#[cfg(not(unix))]
fn not_utf8(_: &Bench<'_>) -> Outcome {
    Ok(()) // no portable way to write such a path
}

fn utf8(b: &Bench<'_>) -> Outcome {
    b.file("水位 2", b"x")?;
    b.holds("水位 2", b"x", "in a file with a name outside ASCII")?;
    equal(b.names()?, vec![String::from("水位 2")], "the names")
}

fn nested(b: &Bench<'_>) -> Outcome {
    let dir = b.dir("d")?;
    b.file_at(&dir.join("f"), b"inner")?;
    let file = granted(b.open(&dir.join("f"), OpenMode::Read), "open(\"d/f\", Read)")?;
    same_bytes(&file, b"inner", "in d/f")?;
    equal(b.names()?, vec![String::from("d")], "the names in the root")?;
    let names = granted(b.list(&dir), "list(\"d\")")?;
    equal(names, vec![String::from("f")], "the names in d")
}

fn root(b: &Bench<'_>) -> Outcome {
    let root = Path::new("");
    b.file("f", b"x")?;
    granted(b.sync_dir(root), "sync_dir(\"\")")?;
    equal(b.names()?, vec![String::from("f")], "the names in the root")?;
    for mode in MODES {
        refused(b.open(root, mode), &[IsADirectory], &format!("open(\"\", {mode:?})"))?;
    }
    refused(b.create_dir(root), &[AlreadyExists], "create_dir(\"\")")?;
    refused(b.remove(root), &[IsADirectory], "remove(\"\")")?;
    refused(b.rename(&b.path("f"), root), &[IsADirectory], "rename(_, \"\")")?;
    refused(b.rename(root, &b.path("g")), &[IsADirectory], "rename(\"\", _)")
}

fn list_sorted(b: &Bench<'_>) -> Outcome {
    let dir = b.dir("d")?;
    // By bytes: "B" before "a", "10" before "9", "z" before what is outside ASCII.
    for name in ["a", "水", "9", "B", "_", "10", "z", "aa", "a.tmp"] {
        b.file_at(&dir.join(name), b"")?;
    }
    let want = ["10", "9", "B", "_", "a", "a.tmp", "aa", "z", "水"].map(String::from).to_vec();
    equal(granted(b.list(&dir), "list")?, want, "the names, by bytes,")
}

fn list_kinds(b: &Bench<'_>) -> Outcome {
    let dir = b.dir("d")?;
    equal(granted(b.list(&dir), "list")?, Vec::new(), "the names in a new directory")?;
    b.file_at(&dir.join("file"), b"")?;
    granted(b.create_dir(&dir.join("inner")), "create_dir below a directory")?;
    b.file_at(&dir.join("inner").join("deep"), b"")?;
    b.file_at(&dir.join(".hidden"), b"")?;
    let want = [".hidden", "file", "inner"].map(String::from).to_vec();
    equal(granted(b.list(&dir), "list")?, want, "the names of files and directories")
}

fn list_unsynced(b: &Bench<'_>) -> Outcome {
    b.file("a", b"")?;
    equal(b.names()?, vec![String::from("a")], "the names after CreateNew, unsynced,")?;
    granted(b.rename(&b.path("a"), &b.path("b")), "rename")?;
    equal(b.names()?, vec![String::from("b")], "the names after rename, unsynced,")?;
    b.dir("c")?;
    equal(b.names()?.len(), 2, "the number of names after create_dir, unsynced,")?;
    granted(b.remove(&b.path("b")), "remove")?;
    equal(b.names()?, vec![String::from("c")], "the names after remove, unsynced,")
}

fn list_refuses(b: &Bench<'_>) -> Outcome {
    refused(b.list(&b.path("d")), &[NotFound], "list of a missing name")?;
    b.file("f", b"")?;
    refused(b.list(&b.path("f")), &[NotADirectory], "list of a file")
}

fn create_dir_present(b: &Bench<'_>) -> Outcome {
    b.file("f", b"abc")?;
    refused(b.create_dir(&b.path("f")), &[AlreadyExists], "create_dir of a file's name")?;
    b.holds("f", b"abc", "after a refused create_dir")?;
    let dir = b.dir("d")?;
    b.file_at(&dir.join("f"), b"")?;
    refused(b.create_dir(&dir), &[AlreadyExists], "create_dir of a directory's name")?;
    equal(granted(b.list(&dir), "list")?.len(), 1, "the number of names in it")
}

fn create_dir_parent(b: &Bench<'_>) -> Outcome {
    let deep = b.path("d").join("inner");
    refused(b.create_dir(&deep), &[NotFound], "create_dir below a missing directory")?;
    b.file("f", b"")?;
    let answer = b.create_dir(&b.path("f").join("inner"));
    refused(answer, &[NotFound, NotADirectory], "create_dir below a file")?;
    equal(b.names()?, vec![String::from("f")], "the names after a refused create_dir")
}

fn sync_dir_accepts(b: &Bench<'_>) -> Outcome {
    let dir = b.dir("d")?;
    granted(b.sync_dir(&dir), "sync_dir of an empty directory")?;
    let file = b.file_at(&dir.join("f"), b"abc")?;
    granted(b.sync_dir(&dir), "sync_dir")?;
    granted(b.sync_dir(Path::new("")), "sync_dir(\"\")")?;
    same_bytes(&file, b"abc", "after sync_dir")?;
    equal(granted(b.list(&dir), "list")?.len(), 1, "the number of names after sync_dir")
}

fn sync_dir_refuses(b: &Bench<'_>) -> Outcome {
    refused(b.sync_dir(&b.path("d")), &[NotFound], "sync_dir of a missing name")?;
    b.file("f", b"")?;
    refused(b.sync_dir(&b.path("f")), &[NotADirectory], "sync_dir of a file")
}

fn rename_replaces(b: &Bench<'_>) -> Outcome {
    b.file("source", b"new")?;
    b.file("target", b"older")?;
    granted(b.rename(&b.path("source"), &b.path("target")), "rename onto a file")?;
    b.holds("target", b"new", "after it was replaced")?;
    b.absent("source", "after it was renamed")?;
    equal(b.names()?, vec![String::from("target")], "the names after rename")
}

fn rename_itself(b: &Bench<'_>) -> Outcome {
    b.file("f", b"abc")?;
    granted(b.rename(&b.path("f"), &b.path("f")), "rename onto itself")?;
    b.holds("f", b"abc", "after a rename onto itself")
}

fn rename_across(b: &Bench<'_>) -> Outcome {
    let dir = b.dir("d")?;
    b.file("f", b"abc")?;
    granted(b.rename(&b.path("f"), &dir.join("g")), "rename into a directory")?;
    b.absent("f", "after it was moved")?;
    equal(granted(b.list(&dir), "list")?, vec![String::from("g")], "the names in d")?;
    granted(b.rename(&dir.join("g"), &b.path("h")), "rename out of a directory")?;
    equal(granted(b.list(&dir), "list")?, Vec::new(), "the names in d")?;
    b.holds("h", b"abc", "after it was moved back")
}

fn rename_missing(b: &Bench<'_>) -> Outcome {
    b.file("f", b"abc")?;
    let (missing, file) = (b.path("missing"), b.path("f"));
    refused(b.rename(&missing, &file), &[NotFound], "rename of a missing name")?;
    refused(b.rename(&missing, &missing), &[NotFound], "rename of a missing name onto itself")?;
    let below = b.path("d").join("f");
    refused(b.rename(&file, &below), &[NotFound], "rename below a missing directory")?;
    b.holds("f", b"abc", "after refused renames")
}

fn rename_directory(b: &Bench<'_>) -> Outcome {
    let dir = b.dir("d")?;
    b.file("f", b"abc")?;
    refused(b.rename(&dir, &b.path("e")), &[IsADirectory], "rename of a directory")?;
    refused(b.rename(&b.path("f"), &dir), &[IsADirectory], "rename onto a directory")?;
    b.holds("f", b"abc", "after a refused rename")?;
    equal(b.names()?, ["d", "f"].map(String::from).to_vec(), "the names after refused renames")
}
