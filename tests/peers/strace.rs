//! Whether durable means durable: the sync calls that a durable append makes, counted from outside.

use crate::measure::child;
use crate::slice::Step;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

const CALLS: [&str; 4] = ["fsync", "fdatasync", "msync", "sync_file_range"];
const COMMITS: u64 = 100;

/// Sync calls a durable append, by name; `None` where there is no strace, or no durable append.
pub(crate) fn syncs(peer: &str, dir: &Path) -> Option<BTreeMap<String, f64>> {
    let none = count(peer, dir, 0)?;
    let many = count(peer, dir, COMMITS)?;
    let one = |name: &str| {
        let of = |counts: &BTreeMap<String, u64>| counts.get(name).copied().unwrap_or(0);
        of(&many).saturating_sub(of(&none)) as f64 / COMMITS as f64
    };
    Some(CALLS.iter().map(|name| (name.to_string(), one(name))).filter(|c| c.1 > 0.0).collect())
}

fn count(peer: &str, dir: &Path, commits: u64) -> Option<BTreeMap<String, u64>> {
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).ok()?;
    let trace = dir.join("strace");
    let slice = child(Step::Count, peer, dir).ok()?;
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-qq", "-e", &format!("trace={}", CALLS.join(",")), "-o"]).arg(&trace);
    strace.arg(slice.get_program()).args(slice.get_args());
    strace.args(["--records", &commits.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
    if !strace.status().ok()?.success() {
        return None;
    }
    Some(names(&fs::read_to_string(trace).ok()?))
}

/// How often each call was begun: strace tells in two lines of a call that others interrupt.
fn names(trace: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in trace.lines().filter(|line| !line.contains("resumed>")) {
        let call = line.split('(').next().unwrap_or_default();
        let name = call.split_whitespace().last().unwrap_or_default();
        if CALLS.contains(&name) {
            *counts.entry(name.to_string()).or_default() += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_once() {
        let trace = "12 fdatasync(3) = 0\n13 fsync(4 <unfinished ...>\n12 fdatasync(3) = 0\n\
                     13 <... fsync resumed>) = 0\n12 openat(1)\n12 +++ exited with 0 +++\n";
        let counts = names(trace);
        assert_eq!((counts["fdatasync"], counts["fsync"], counts.len()), (2, 1, 2));
    }
}
