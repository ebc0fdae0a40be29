//! Probes of a file's bytes: V4, V5, V6, V7.

use super::bench::{Bench, Miss, equal, granted, probes, same, same_bytes};
use crate::{File, OpenMode, read_full_at, write_all_at};
use std::path::Path;

probes! {
    "V4" "a read starts at its offset" read_offset,
    "V4" "a read stops at the end" read_stops,
    "V4" "a read at the end gives 0" read_at_end,
    "V4" "a read past the end gives 0" read_past_end,
    "V4" "an empty read gives 0" read_empty,
    "V5" "a write changes its range only" write_range,
    "V5" "a write at the end extends the file" write_extends,
    "V5" "a gap reads as zeros" gap,
    "V5" "a gap over cut bytes reads as zeros" gap_over_cut,
    "V5" "an empty write changes nothing" write_empty,
    "V6" "set_len truncates" cut,
    "V6" "set_len extends with zeros" grow,
    "V6" "set_len does not bring cut bytes back" cut_and_grow,
    "V6" "set_len to the same size changes nothing" set_len_same,
    "V6" "reserve extends with zeros and never cuts" reserve,
    "V7" "a write is seen by every handle" write_seen,
    "V7" "a length is seen by every handle" length_seen,
    "V7" "a name is seen by every call" name_seen,
    "V7" "a sync changes nothing visible" sync_invisible,
}

type Outcome = Result<(), Miss>;

/// `size` bytes, of which no two neighbours and no two sectors are alike, and none is zero.
fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at % 251) as u8 + 1).collect()
}

/// What is there from `offset` on, `size` bytes at most.
fn read(file: &dyn File, size: usize, offset: u64) -> Result<Vec<u8>, Miss> {
    let mut buf = vec![0; size];
    let what = format!("a read of {size} bytes at {offset}");
    let done = granted(read_full_at(file, &mut buf, offset), &what)?;
    buf.truncate(done);
    Ok(buf)
}

fn read_offset(b: &Bench<'_>) -> Outcome {
    let bytes = pattern(10_000);
    let file = b.file("f", &bytes)?;
    for (size, offset) in [(1, 0), (1, 9_999), (10, 511), (600, 4_000), (10_000, 0)] {
        let when = format!("at offset {offset}");
        same(&read(&file, size, offset as u64)?, &bytes[offset..offset + size], &when)?;
    }
    Ok(())
}

fn read_stops(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", b"abcdef")?;
    same(&read(&file, 100, 0)?, b"abcdef", "when asked for more than there is")?;
    same(&read(&file, 100, 4)?, b"ef", "when asked across the end")
}

fn read_at_end(b: &Bench<'_>) -> Outcome {
    let empty = b.file("empty", b"")?;
    equal(granted(empty.read_at(&mut [0; 8], 0), "a read of an empty file")?, 0, "its count")?;
    let file = b.file("f", b"abc")?;
    equal(granted(file.read_at(&mut [0; 8], 3), "a read at the end")?, 0, "its count")
}

fn read_past_end(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", b"abc")?;
    for offset in [4, 4_096, 1 << 40, i64::MAX as u64, u64::MAX] {
        let what = format!("a read at offset {offset}");
        equal(granted(file.read_at(&mut [0; 8], offset), &what)?, 0, "its count")?;
    }
    Ok(())
}

fn read_empty(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", b"abc")?;
    for offset in [0, 3, 4] {
        let what = format!("an empty read at offset {offset}");
        equal(granted(file.read_at(&mut [], offset), &what)?, 0, "its count")?;
    }
    Ok(())
}

fn write_range(b: &Bench<'_>) -> Outcome {
    let mut bytes = pattern(10_000);
    let file = b.file("f", &bytes)?;
    for (size, offset) in [(1, 0), (3, 510), (5_000, 4_000), (1, 9_999)] {
        let new = vec![0xEE; size];
        let what = format!("a write of {size} bytes at {offset}");
        granted(write_all_at(&file, &new, offset as u64), &what)?;
        bytes[offset..offset + size].copy_from_slice(&new);
        same_bytes(&file, &bytes, &format!("after {what}"))?;
    }
    Ok(())
}

fn write_extends(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", b"abc")?;
    granted(write_all_at(&file, b"def", 3), "a write at the end")?;
    same_bytes(&file, b"abcdef", "after a write at the end")?;
    granted(write_all_at(&file, b"FGH", 5), "a write across the end")?;
    same_bytes(&file, b"abcdeFGH", "after a write across the end")
}

fn gap(b: &Bench<'_>) -> Outcome {
    for offset in [5, 511, 513, 4_097, 10_000] {
        let file = b.file(&format!("f{offset}"), b"abc")?;
        granted(write_all_at(&file, b"X", offset as u64), "a write past the end")?;
        let mut want = vec![0; offset];
        want[..3].copy_from_slice(b"abc");
        want.push(b'X');
        same_bytes(&file, &want, &format!("after a write at offset {offset}"))?;
    }
    Ok(())
}

fn gap_over_cut(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", &pattern(6_000))?;
    granted(file.set_len(2), "set_len(2)")?;
    granted(write_all_at(&file, b"X", 5_000), "a write past the end")?;
    let mut want = vec![0; 5_000];
    want[..2].copy_from_slice(&pattern(2));
    want.push(b'X');
    same_bytes(&file, &want, "after a write past a cut")
}

fn write_empty(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", b"abc")?;
    for offset in [0, 3, 10] {
        let what = format!("an empty write at offset {offset}");
        equal(granted(file.write_at(b"", offset), &what)?, 0, "its count")?;
        same_bytes(&file, b"abc", &format!("after {what}"))?;
    }
    Ok(())
}

fn cut(b: &Bench<'_>) -> Outcome {
    let bytes = pattern(6_000);
    let file = b.file("f", &bytes)?;
    for len in [5_999, 4_096, 513, 1, 0] {
        granted(file.set_len(len), &format!("set_len({len})"))?;
        same_bytes(&file, &bytes[..len as usize], &format!("after set_len({len})"))?;
    }
    Ok(())
}

fn grow(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", b"abc")?;
    let mut want = b"abc".to_vec();
    for len in [4, 512, 6_000] {
        granted(file.set_len(len), &format!("set_len({len})"))?;
        want.resize(len as usize, 0);
        same_bytes(&file, &want, &format!("after set_len({len})"))?;
    }
    Ok(())
}

fn cut_and_grow(b: &Bench<'_>) -> Outcome {
    let mut want = pattern(6_000);
    let file = b.file("f", &want)?;
    granted(file.set_len(700), "set_len(700)")?;
    granted(file.set_len(6_000), "set_len(6000)")?;
    want.truncate(700);
    want.resize(6_000, 0);
    same_bytes(&file, &want, "after a cut to 700 and growth to 6000")
}

fn set_len_same(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", b"abc")?;
    granted(file.set_len(3), "set_len to the same size")?;
    same_bytes(&file, b"abc", "after set_len to the same size")
}

fn reserve(b: &Bench<'_>) -> Outcome {
    let file = b.file("f", b"abc")?;
    let mut want = b"abc".to_vec();
    for len in [2, 4, 6_000, 512] {
        granted(file.reserve(len), &format!("reserve({len})"))?;
        want.resize(want.len().max(len as usize), 0);
        same_bytes(&file, &want, &format!("after reserve({len})"))?;
    }
    Ok(())
}

fn write_seen(b: &Bench<'_>) -> Outcome {
    let writer = b.file("f", b"abc")?;
    let reader = b.reopen("f", OpenMode::Read)?;
    let other = b.reopen("f", OpenMode::Write)?;
    granted(write_all_at(&writer, b"ABCDE", 0), "a write")?;
    same_bytes(&reader, b"ABCDE", "through an older Read handle, unsynced,")?;
    same_bytes(&other, b"ABCDE", "through an older Write handle, unsynced,")?;
    granted(write_all_at(&other, b"x", 2), "a write through the other handle")?;
    same_bytes(&writer, b"ABxDE", "through the first handle, unsynced,")?;
    b.holds("f", b"ABxDE", "through a new handle, unsynced,")
}

fn length_seen(b: &Bench<'_>) -> Outcome {
    let writer = b.file("f", b"abc")?;
    let reader = b.reopen("f", OpenMode::Read)?;
    granted(writer.set_len(5), "set_len(5)")?;
    equal(granted(reader.size(), "size()")?, 5, "the size through another handle")?;
    granted(writer.set_len(1), "set_len(1)")?;
    same_bytes(&reader, b"a", "through another handle after set_len(1)")?;
    granted(write_all_at(&writer, b"z", 9), "a write past the end")?;
    equal(granted(reader.size(), "size()")?, 10, "the size through another handle")
}

fn name_seen(b: &Bench<'_>) -> Outcome {
    b.file("a", b"abc")?;
    b.holds("a", b"abc", "by name, unsynced,")?;
    granted(b.rename(&b.path("a"), &b.path("b")), "rename")?;
    b.absent("a", "after rename, unsynced,")?;
    b.holds("b", b"abc", "after rename, unsynced,")?;
    granted(b.remove(&b.path("b")), "remove")?;
    b.absent("b", "after remove, unsynced,")?;
    let dir = b.dir("d")?;
    b.file_at(&dir.join("f"), b"x").map(drop)
}

fn sync_invisible(b: &Bench<'_>) -> Outcome {
    let bytes = pattern(5_000);
    let file = b.file("f", &bytes)?;
    granted(file.sync(), "sync()")?;
    same_bytes(&file, &bytes, "after sync")?;
    granted(b.sync_dir(Path::new("")), "sync_dir(\"\")")?;
    b.holds("f", &bytes, "after sync_dir")?;
    granted(write_all_at(&file, b"Z", 5_000), "a write after sync")?;
    granted(file.sync(), "a second sync()")?;
    equal(granted(file.size(), "size()")?, 5_001, "the size after a second sync")
}
