//! Files that the real systems wrote, undamaged and damaged, and what has to come out of them.

use highwater_formats::{Codec, Files, Likeness, Tail, codecs};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// The systems, by the folders of their cases.
const SYSTEMS: [&str; 4] = ["velesdb", "velesdb-plan", "keyval", "data-bridge-kv"];

/// Damaged cases in which no format could detect anything: cut exactly at the end of a record, or
/// with a temporary left over.
const INTACT: [&str; 6] = [
    "velesdb/damaged/cut-tail-13",
    "velesdb/damaged/cut-store-tail-23",
    "velesdb/damaged/legacy-cut-tail-9",
    "keyval/damaged/cut-tail-41",
    "data-bridge-kv/damaged/leftover-current-new",
    "data-bridge-kv/damaged/rotate-crash-between-renames",
];

fn golden() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let golden = root.join("../shared/golden");
    if !golden.exists() {
        println!("SKIPPED: no {}", golden.display());
        return None;
    }
    Some(golden)
}

/// A case: a folder with the files of a system, and what is known of it.
struct Case {
    name: String,
    files: Files,
    expected: Value,
    upstream: Value,
}

/// All cases below `folder`.
fn cases(golden: &Path, folder: &Path, found: &mut Vec<Case>) {
    let json = |name: &str| match fs::read(folder.join(name)) {
        Ok(bytes) => serde_json::from_slice(&bytes).unwrap(),
        Err(_) => Value::Null,
    };
    let (expected, upstream) = (json("expected.json"), json("expected-upstream.json"));
    if expected.is_null() && upstream.is_null() {
        let mut folders: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders.iter().filter(|path| path.is_dir()).for_each(|path| cases(golden, path, found));
        return;
    }
    let name = folder.strip_prefix(golden).unwrap().to_str().unwrap().to_owned();
    found.push(Case { name, files: read(folder, ""), expected, upstream });
}

/// The files of a folder and of those below it, but for what is said about them.
fn read(folder: &Path, prefix: &str) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            for (path, bytes) in read(&path, &format!("{name}/")).iter() {
                files.put(path, bytes);
            }
        } else if !name.ends_with(".json") {
            files.put(name, fs::read(&path).unwrap());
        }
    }
    files
}

impl Case {
    fn is_damaged(&self) -> bool {
        self.name.split('/').count() > 2
    }

    /// The state that a correct reader shows; `None` if any classified answer will do.
    fn state(&self) -> Option<Value> {
        let (expected, upstream) = (&self.expected, &self.upstream);
        if self.name.contains("/append-after-damage/") || self.name.contains("/error-path/") {
            return None;
        }
        let intended = ["intended_entries", "intended_prefix_entries", "intended_visible"];
        let stated = [
            expected.get("entries"),
            intended.iter().find_map(|field| upstream.get(field)),
            upstream.pointer("/live_engine_before_exit/visible"),
        ];
        let stated = stated.into_iter().flatten().next().cloned();
        if stated.is_some() || self.is_damaged() {
            return stated;
        }
        if let Some(visible) = upstream.pointer("/results/shards=256/visible") {
            return Some(visible.clone());
        }
        // A folder of snapshots alone has no log.
        let entries = ["/result/entries", "/result/wal/entries"];
        let entries = entries.iter().find_map(|path| upstream.pointer(path).cloned());
        Some(entries.unwrap_or_else(|| json!([])))
    }
}

#[test]
fn every_golden_case_is_read_as_it_has_to_be() {
    let Some(golden) = golden() else { return };
    let (mut wrong, mut exact, mut classified) = (Vec::new(), 0, 0);
    for system in SYSTEMS {
        let Some(codec) = codecs().iter().find(|codec| codec.name() == system) else {
            println!("SKIPPED: no codec {system}");
            continue;
        };
        let mut found = Vec::new();
        cases(&golden, &golden.join(system), &mut found);
        assert!(!found.is_empty(), "no cases of {system}");
        for case in &found {
            match case.state() {
                Some(state) => {
                    exact += 1;
                    judge(case, *codec, &state, &mut wrong);
                }
                None => {
                    classified += 1;
                    codecs().iter().for_each(|codec| drop(codec.examine(&case.files, None)));
                }
            }
        }
    }
    println!("{exact} cases exact, {classified} classified");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(exact >= 98 && classified >= 69, "{exact} {classified}");
}

fn judge(case: &Case, codec: &dyn Codec, state: &Value, wrong: &mut Vec<String>) {
    let name = &case.name;
    let examined = codec.examine(&case.files, None);
    if examined.state != *state {
        wrong.push(format!("{name}: the state is\n  {}\nnot\n  {state}", examined.state));
    }
    let clean = !case.is_damaged() || INTACT.contains(&name.as_str());
    if (examined.verdict() == Tail::Clean) != clean {
        wrong.push(format!("{name}: {:?}", examined.files));
    }
    let likeness = codec.likeness(&case.files);
    let others = codecs().iter().filter(|other| other.name() != codec.name());
    let best = others.map(|other| other.likeness(&case.files)).max();
    if likeness == Likeness::None || best >= Some(likeness) {
        wrong.push(format!("{name}: {likeness:?} of its own system, {best:?} of others"));
    }
}
