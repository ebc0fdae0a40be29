//! Probes of opening and of the handles it gives: V2, V3.

use super::bench::{Bench, MODES, Miss, equal, granted, probes, refused, same_bytes};
use crate::{File, OpenMode, write_all_at};
use std::io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, NotFound, PermissionDenied};

probes! {
    "V2" "CreateNew makes an empty file" create_new,
    "V2" "CreateNew refuses a present name" create_new_present,
    "V2" "Read refuses a missing name" read_missing,
    "V2" "Write refuses a missing name" write_missing,
    "V2" "no mode makes the parent" parent_missing,
    "V2" "no mode opens a directory" open_directory,
    "V2" "Write handles write" write_handle_writes,
    "V2" "Write handles also read" write_handle_reads,
    "V2" "CreateNew handles also read" create_new_handle_reads,
    "V2" "Read handles refuse writes" read_handle_writes,
    "V2" "Read handles refuse set_len" read_handle_set_len,
    "V2" "Read handles refuse sync" read_handle_sync,
    "V2" "nothing truncates on open" open_keeps,
    "V3" "a handle survives a rename" handle_renamed,
    "V3" "a handle survives a remove" handle_removed,
    "V3" "a handle survives being replaced" handle_replaced,
    "V3" "a new file of an old name is another" name_again,
    "V3" "remove refuses what is no file" remove_refuses,
}

type Outcome = Result<(), Miss>;

fn create_new(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", b"")?;
    same_bytes(&file, b"", "in a new file")?;
    granted(write_all_at(&file, b"abc", 0), "writing to a CreateNew handle")?;
    b.holds("f", b"abc", "in the file")
}

fn create_new_present(b: &Bench<'_>) -> Outcome {
    b.file("f", b"old")?;
    let answer = b.open(&b.path("f"), OpenMode::CreateNew);
    refused(answer, &[AlreadyExists], "CreateNew of a present name")?;
    b.holds("f", b"old", "after a refused CreateNew")
}

fn read_missing(b: &Bench<'_>) -> Outcome {
    b.absent("f", "of a missing name")?;
    equal(b.names()?, Vec::new(), "the names after a refused Read")
}

fn write_missing(b: &Bench<'_>) -> Outcome {
    let answer = b.open(&b.path("f"), OpenMode::Write);
    refused(answer, &[NotFound], "Write of a missing name")?;
    equal(b.names()?, Vec::new(), "the names after a refused Write")
}

fn parent_missing(b: &Bench<'_>) -> Outcome {
    for mode in MODES {
        let answer = b.open(&b.path("d").join("f"), mode);
        refused(answer, &[NotFound], &format!("{mode:?} below a missing directory"))?;
    }
    b.file("f", b"x")?;
    for mode in MODES {
        let answer = b.open(&b.path("f").join("g"), mode);
        refused(answer, &[NotFound, NotADirectory], &format!("{mode:?} below a file"))?;
    }
    equal(b.names()?, vec![String::from("f")], "the names after refused opens")
}

fn open_directory(b: &Bench<'_>) -> Outcome {
    let dir = b.dir("d")?;
    MODES.iter().try_for_each(|&mode| {
        refused(b.open(&dir, mode), &[IsADirectory], &format!("{mode:?} of a directory"))
    })
}

fn write_handle_writes(b: &Bench<'_>) -> Outcome {
    b.file("f", b"old")?;
    let file = b.reopen("f", OpenMode::Write)?;
    granted(write_all_at(&file, b"new", 0), "writing to a Write handle")?;
    granted(file.set_len(2), "set_len of a Write handle")?;
    granted(file.sync(), "sync of a Write handle")?;
    b.holds("f", b"ne", "after writes through a Write handle")
}

fn write_handle_reads(b: &Bench<'_>) -> Outcome {
    b.file("f", b"abc")?;
    same_bytes(&b.reopen("f", OpenMode::Write)?, b"abc", "read through a Write handle")
}

fn create_new_handle_reads(b: &Bench<'_>) -> Outcome {
    same_bytes(&b.file("f", b"abc")?, b"abc", "read through a CreateNew handle")
}

fn read_handle_writes(b: &Bench<'_>) -> Outcome {
    b.file("f", b"abc")?;
    let file = b.reopen("f", OpenMode::Read)?;
    refused(file.write_at(b"X", 0), &[PermissionDenied], "write_at of a Read handle")?;
    refused(file.write_at(b"", 0), &[PermissionDenied], "an empty write of a Read handle")?;
    b.holds("f", b"abc", "after a refused write")
}

fn read_handle_set_len(b: &Bench<'_>) -> Outcome {
    b.file("f", b"abc")?;
    let file = b.reopen("f", OpenMode::Read)?;
    refused(file.set_len(1), &[PermissionDenied], "set_len of a Read handle")?;
    b.holds("f", b"abc", "after a refused set_len")
}

fn read_handle_sync(b: &Bench<'_>) -> Outcome {
    b.file("f", b"abc")?;
    let file = b.reopen("f", OpenMode::Read)?;
    refused(file.sync(), &[PermissionDenied], "sync of a Read handle")
}

fn open_keeps(b: &Bench<'_>) -> Outcome {
    b.file("f", b"abc")?;
    for mode in [OpenMode::Read, OpenMode::Write] {
        drop(b.reopen("f", mode)?);
        b.holds("f", b"abc", &format!("after opening for {mode:?}"))?;
    }
    Ok(())
}

fn handle_renamed(b: &Bench<'_>) -> Outcome {
    let file = b.file("old", b"abc")?;
    granted(b.rename(&b.path("old"), &b.path("new")), "rename")?;
    same_bytes(&file, b"abc", "through a handle whose file was renamed")?;
    b.file("old", b"other")?;
    granted(write_all_at(&file, b"ABCD", 0), "writing to a renamed file")?;
    granted(file.sync(), "sync of a renamed file")?;
    b.holds("new", b"ABCD", "under the new name")?;
    b.holds("old", b"other", "in a later file under the old name")
}

fn handle_removed(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", b"abc")?;
    let reader = b.reopen("f", OpenMode::Read)?;
    granted(b.remove(&b.path("f")), "remove")?;
    b.absent("f", "after remove")?;
    same_bytes(&file, b"abc", "through a handle whose file was removed")?;
    granted(write_all_at(&file, b"XY", 1), "writing to a removed file")?;
    granted(file.set_len(5), "set_len of a removed file")?;
    granted(file.sync(), "sync of a removed file")?;
    same_bytes(&reader, b"aXY\0\0", "through another handle of the removed file")
}

fn handle_replaced(b: &Bench<'_>) -> Outcome {
    let old = b.file("target", b"old")?;
    let new = b.file("source", b"new!")?;
    granted(b.rename(&b.path("source"), &b.path("target")), "rename onto a file")?;
    same_bytes(&old, b"old", "through a handle of the replaced file")?;
    granted(write_all_at(&old, b"OLD", 0), "writing to the replaced file")?;
    b.holds("target", b"new!", "after a write to the replaced file")?;
    granted(write_all_at(&new, b"NEW", 0), "writing to the renamed file")?;
    b.holds("target", b"NEW!", "after a write to the file that replaced it")
}

fn name_again(b: &Bench<'_>) -> Outcome {
    let old = b.file("f", b"old")?;
    granted(b.remove(&b.path("f")), "remove")?;
    let new = b.file("f", b"")?;
    same_bytes(&new, b"", "in a new file under a removed name")?;
    same_bytes(&old, b"old", "in the removed file")
}

fn remove_refuses(b: &Bench<'_>) -> Outcome {
    refused(b.remove(&b.path("f")), &[NotFound], "remove of a missing name")?;
    let dir = b.dir("d")?;
    refused(b.remove(&dir), &[IsADirectory], "remove of a directory")?;
    equal(b.names()?, vec![String::from("d")], "the names after a refused remove")
}
