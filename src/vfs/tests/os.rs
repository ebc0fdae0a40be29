//! What `OsFs` adds to the contract: its lock, its read-only form, its errors, and links.
#![cfg(unix)]

use highwater_vfs::{OpenMode, OsFs, Vfs, read_full_at, write_all_at};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::tempdir;

fn at(path: &str) -> &Path {
    Path::new(path)
}

#[test]
fn the_lock_holds_until_drop_and_leaves_no_file() {
    let dir = tempdir().unwrap();
    let first = OsFs::open(dir.path()).unwrap();
    let error = OsFs::open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(error.to_string().contains("is in use"), "{error}");
    assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    assert!(first.list(at("")).unwrap().is_empty());
    drop(first);
    OsFs::open(dir.path()).unwrap();
}

#[test]
fn the_lock_sees_through_another_spelling_of_the_root() {
    let dir = tempdir().unwrap();
    fs::create_dir(dir.path().join("data")).unwrap();
    symlink(dir.path().join("data"), dir.path().join("link")).unwrap();
    let _first = OsFs::open(dir.path().join("data")).unwrap();
    let error = OsFs::open(dir.path().join("link")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

#[test]
fn the_root_must_be_a_directory_that_exists() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    let forms: [fn(PathBuf) -> io::Result<OsFs>; 2] = [|p| OsFs::open(p), |p| OsFs::read_only(p)];
    for open in forms {
        let missing = open(dir.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.to_string().contains("missing"), "{missing}");
        let file = open(dir.path().join("file")).unwrap_err();
        assert_eq!(file.kind(), ErrorKind::NotADirectory);
    }
}

#[test]
fn read_only_needs_no_lock_and_changes_nothing() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("a"), b"abc").unwrap();
    let _writer = OsFs::open(dir.path()).unwrap();
    let vfs = OsFs::read_only(dir.path()).unwrap();

    let refused = [
        vfs.open(at("a"), OpenMode::Write).map(drop),
        vfs.open(at("b"), OpenMode::CreateNew).map(drop),
        vfs.rename(at("a"), at("b")),
        vfs.remove(at("a")),
        vfs.create_dir(at("d")),
        vfs.sync_dir(at("")),
    ];
    for answer in refused {
        let error = answer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnlyFilesystem, "{error}");
    }
    assert_eq!(vfs.list(at("")).unwrap(), ["a"]);
    let file = vfs.open(at("a"), OpenMode::Read).unwrap();
    let mut bytes = [0; 4];
    assert_eq!(read_full_at(&*file, &mut bytes, 0).unwrap(), 3);
    assert_eq!(file.sync().unwrap_err().kind(), ErrorKind::PermissionDenied);
    // V1 comes first, as everywhere.
    assert_eq!(vfs.remove(at("../a")).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn links_are_not_followed() {
    let outside = tempdir().unwrap();
    fs::write(outside.path().join("secret"), b"s").unwrap();
    let dir = tempdir().unwrap();
    let vfs = OsFs::open(dir.path()).unwrap();
    symlink(outside.path().join("secret"), dir.path().join("file")).unwrap();
    symlink(outside.path(), dir.path().join("dir")).unwrap();
    symlink(outside.path().join("missing"), dir.path().join("dangling")).unwrap();
    write_all_at(&*vfs.open(at("mine"), OpenMode::CreateNew).unwrap(), b"m", 0).unwrap();

    let mut answers = Vec::new();
    for mode in [OpenMode::Read, OpenMode::Write, OpenMode::CreateNew] {
        for path in ["file", "dir", "dangling", "dir/secret", "dir/new"] {
            answers.push((path, vfs.open(at(path), mode).map(drop)));
        }
    }
    answers.push(("rename from", vfs.rename(at("file"), at("x"))));
    answers.push(("rename to", vfs.rename(at("mine"), at("file"))));
    answers.push(("rename below", vfs.rename(at("mine"), at("dir/mine"))));
    answers.push(("remove", vfs.remove(at("file"))));
    answers.push(("remove below", vfs.remove(at("dir/secret"))));
    answers.push(("create_dir below", vfs.create_dir(at("dir/d"))));
    answers.push(("list", vfs.list(at("dir")).map(drop)));
    answers.push(("sync_dir", vfs.sync_dir(at("dir"))));
    for (what, answer) in answers {
        let error = answer.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{what}: {error}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"s");
}

#[test]
fn a_name_that_is_not_utf8_is_reported() {
    let dir = tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    if fs::write(dir.path().join(name), b"").is_err() {
        return; // APFS takes no such name
    }
    let error = OsFs::open(dir.path()).unwrap().list(at("")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidData);
    assert!(error.to_string().contains("caf"), "{error}");
}

#[test]
fn errors_name_the_call_and_the_path() {
    let dir = tempdir().unwrap();
    let vfs = OsFs::open(dir.path()).unwrap();
    vfs.create_dir(at("log")).unwrap();
    fs::write(dir.path().join("a"), b"").unwrap();
    let file = vfs.open(at("a"), OpenMode::Read).unwrap();
    for (error, call, path) in [
        (vfs.open(at("log/1"), OpenMode::Read).unwrap_err(), "open", "log/1"),
        (vfs.open(at("log"), OpenMode::Read).unwrap_err(), "open", "log"),
        (vfs.rename(at("x"), at("y")).unwrap_err(), "rename", "/x"),
        (vfs.rename(at("a"), at("log")).unwrap_err(), "rename to", "/log"),
        (vfs.remove(at("log/2")).unwrap_err(), "remove", "log/2"),
        (vfs.create_dir(at("log")).unwrap_err(), "create_dir", "log"),
        (vfs.list(at("snap")).unwrap_err(), "list", "snap"),
        (vfs.sync_dir(at("a")).unwrap_err(), "sync_dir", "/a"),
        (file.write_at(b"x", 0).unwrap_err(), "write", "/a"),
        (file.set_len(0).unwrap_err(), "set_len", "/a"),
        (file.sync().unwrap_err(), "sync", "/a"),
        (vfs.open(at("../a"), OpenMode::Read).unwrap_err(), "V1", "../a"),
    ] {
        let text = error.to_string();
        assert!(text.contains(call) && text.contains(path), "{call}: {text}");
    }
}

#[test]
fn the_kind_of_a_system_error_is_kept() {
    let dir = tempdir().unwrap();
    let vfs = OsFs::open(dir.path()).unwrap();
    let name = "n".repeat(300); // longer than any filesystem takes
    let error = vfs.open(at(&name), OpenMode::CreateNew).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidFilename, "{error}");
}

#[test]
fn handles_outlive_the_vfs() {
    let dir = tempdir().unwrap();
    let vfs = OsFs::open(dir.path()).unwrap();
    let file = vfs.open(at("a"), OpenMode::CreateNew).unwrap();
    drop(vfs);
    write_all_at(&*file, b"late", 0).unwrap();
    file.sync().unwrap();
    assert_eq!(fs::read(dir.path().join("a")).unwrap(), b"late");
}

/// A length alone would be taken for room by all other tests: the zeros show only in what the file
/// occupies, and in what a sync costs. (Not on a file system that compresses.)
#[cfg(target_os = "linux")]
#[test]
fn reserved_room_is_written() {
    use std::os::unix::fs::MetadataExt;
    const ROOM: u64 = 256 << 10;
    let dir = tempdir().unwrap();
    let vfs = OsFs::open(dir.path()).unwrap();
    let blocks = || fs::metadata(dir.path().join("log")).unwrap().blocks();
    let file = vfs.open(at("log"), OpenMode::CreateNew).unwrap();
    file.set_len(ROOM).unwrap();
    assert!(blocks() < ROOM / 512, "this file system has no holes: the test shows nothing");
    file.set_len(0).unwrap();
    file.reserve(ROOM).unwrap();
    file.sync().unwrap(); // some file systems count what has reached the disk
    assert!(blocks() >= ROOM / 512, "{} blocks of {ROOM} bytes", blocks());
}
