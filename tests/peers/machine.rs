//! What the machine allows, and what it is.

use crate::busy::Watch;
use crate::peer::Done;
use crate::slice::Outcome;
use rustix::fs::{FallocateFlags, fallocate};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Of all that is measured of the machine, in the order of the table: key, words, unit.
pub(crate) const LIMITS: [(&str, &str, &str); 19] = [
    ("crc-256", "crc32fast, 256 B at a time", "MB/s"),
    ("crc-4096", "crc32fast, 4 KiB at a time", "MB/s"),
    ("copy-256", "memcpy, 256 B at a time", "MB/s"),
    ("copy-4096", "memcpy, 4 KiB at a time", "MB/s"),
    ("new-4", "pwrite of 4 KiB, new file", "MB/s"),
    ("new-sync-4", "the same, then fdatasync", "MB/s"),
    ("over-4", "pwrite of 4 KiB, over itself", "MB/s"),
    ("new-16", "pwrite of 16 KiB, new file", "MB/s"),
    ("new-sync-16", "the same, then fdatasync", "MB/s"),
    ("over-16", "pwrite of 16 KiB, over itself", "MB/s"),
    ("new-64", "pwrite of 64 KiB, new file", "MB/s"),
    ("new-sync-64", "the same, then fdatasync", "MB/s"),
    ("over-64", "pwrite of 64 KiB, over itself", "MB/s"),
    ("new-1024", "pwrite of 1 MiB, new file", "MB/s"),
    ("new-sync-1024", "the same, then fdatasync", "MB/s"),
    ("over-1024", "pwrite of 1 MiB, over itself", "MB/s"),
    ("sync-growing", "pwrite of 256 B and fdatasync, growing file", "1/s"),
    ("sync-fallocated", "the same, fallocated file", "1/s"),
    ("sync-zeroed", "the same, zero-filled file", "1/s"),
];

/// Measures all of them; `span` for each, and files of `bytes`.
pub(crate) fn limits(dir: &Path, span: Duration, bytes: u64) -> Done<Outcome> {
    let watch = Watch::start();
    let mut outcome = Outcome::default();
    for size in [256, 4096] {
        outcome.add(
            &format!("crc-{size}"),
            over_memory(size, span, |from, _| {
                black_box(crc32fast::hash(from));
            }),
        );
        outcome.add(
            &format!("copy-{size}"),
            over_memory(size, span, |from, to| {
                to.copy_from_slice(from);
                black_box(&*to);
            }),
        );
    }
    for kib in [4, 16, 64, 1024] {
        let path = dir.join("bytes");
        let file = File::create(&path)?;
        let piece = vec![7; kib << 10];
        let write = || -> Done<f64> {
            let began = Instant::now();
            for at in (0..bytes).step_by(piece.len()) {
                file.write_all_at(&piece, at)?;
            }
            Ok(began.elapsed().as_secs_f64())
        };
        let rate = |seconds: f64| bytes as f64 / seconds / 1e6;
        let new = write()?;
        let began = Instant::now();
        file.sync_data()?;
        let synced = new + began.elapsed().as_secs_f64();
        outcome.add(&format!("new-{kib}"), rate(new));
        outcome.add(&format!("new-sync-{kib}"), rate(synced));
        outcome.add(&format!("over-{kib}"), rate(write()?));
        fs::remove_file(path)?;
    }
    for how in ["growing", "fallocated", "zeroed"] {
        outcome.add(&format!("sync-{how}"), syncs(dir, how, span)?);
    }
    outcome.others = watch.others();
    Ok(outcome)
}

/// MB/s over 4 MiB of memory.
fn over_memory(size: usize, span: Duration, mut step: impl FnMut(&[u8], &mut [u8])) -> f64 {
    let (from, mut to) = (vec![7u8; 4 << 20], vec![0u8; 4 << 20]);
    let (began, mut bytes) = (Instant::now(), 0);
    while began.elapsed() < span {
        for (from, to) in from.chunks_exact(size).zip(to.chunks_exact_mut(size)) {
            step(black_box(from), to);
        }
        bytes += from.len();
    }
    bytes as f64 / began.elapsed().as_secs_f64() / 1e6
}

/// How often a second 256 bytes can be written and synced.
pub(crate) fn syncs(dir: &Path, how: &str, span: Duration) -> Done<f64> {
    const ROOM: u64 = 4 << 20;
    let path = dir.join("syncs");
    let file = match how {
        "zeroed" => crate::peers::ideal::zeroed(&path, ROOM)?,
        _ => File::create(&path)?,
    };
    if how == "fallocated" {
        fallocate(&file, FallocateFlags::empty(), 0, ROOM)?;
    }
    file.sync_all()?;
    let (began, mut count) = (Instant::now(), 0u64);
    while began.elapsed() < span {
        let at = count * 256;
        file.write_all_at(&[7; 256], if how == "growing" { at } else { at % ROOM })?;
        file.sync_data()?;
        count += 1;
    }
    let rate = count as f64 / began.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// What it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    pub(crate) filesystem: String,
}

/// What can be learned of it from `/proc`.
pub(crate) fn facts(dir: &Path) -> Facts {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let after = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split(':').nth(1).unwrap_or_default().trim().to_string()
    };
    let memory = after(&read("/proc/meminfo"), "MemTotal");
    let kib: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
    Facts {
        processor: after(&read("/proc/cpuinfo"), "model name"),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_gib: kib.div_ceil(1 << 20),
        kernel: read("/proc/sys/kernel/osrelease").split('.').take(2).collect::<Vec<_>>().join("."),
        filesystem: filesystem(&read("/proc/mounts"), dir),
    }
}

/// The kind of the mount that `dir` is in: the longest that is above it.
fn filesystem(mounts: &str, dir: &Path) -> String {
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    let above = mounts.filter(|(at, _)| dir.starts_with(at));
    above.max_by_key(|(at, _)| at.len()).map_or(String::new(), |(_, kind)| kind.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_mount_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\ntmpfs /x tmpfs rw 0 0\n/dev/b /xy xfs rw 0 0\n";
        let kind = |dir: &str| filesystem(mounts, Path::new(dir));
        assert_eq!([kind("/home"), kind("/x/y"), kind("/xy/z")], ["ext4", "tmpfs", "xfs"]);
    }
}
