//! The files of the real systems, where their folder is present.

use crate::{Codec, Files, Tail};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// One folder of files and what is known of it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) files: Files,
    pub(crate) known: Value,
}

/// The cases of a system; none, said aloud, where the folder is absent.
pub(crate) fn cases(system: &str) -> Vec<Case> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/golden").join(system);
    let Ok(root) = root.canonicalize() else {
        println!("SKIPPED: {} is absent", root.display());
        return Vec::new();
    };
    let mut found = Vec::new();
    folders(&root, &mut found);
    let case = |folder: PathBuf| Case {
        name: folder.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
        files: read(&folder, ""),
        known: json(&folder.join("expected-upstream.json")),
    };
    found.into_iter().map(case).collect()
}

fn folders(folder: &Path, found: &mut Vec<PathBuf>) {
    if folder.join("expected-upstream.json").exists() {
        found.push(folder.into());
        return;
    }
    let mut inner: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    inner.sort();
    inner.iter().filter(|path| path.is_dir()).for_each(|path| folders(path, found));
}

fn read(folder: &Path, prefix: &str) -> Files {
    let mut files = Files::new();
    for entry in fs::read_dir(folder).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name());
        let name = format!("{prefix}{}", name.to_str().unwrap());
        if path.is_dir() {
            let inner = read(&path, &format!("{name}/"));
            inner.iter().for_each(|(path, bytes)| files.put(path, bytes));
        } else if !name.ends_with(".json") {
            files.put(name, fs::read(&path).unwrap());
        }
    }
    files
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

impl Case {
    /// The state that a correct reader gives, where it is known.
    fn expected(&self) -> Option<&Value> {
        let unknown = ["append-after-damage/", "error-path/"];
        if unknown.iter().any(|folder| self.name.starts_with(folder)) {
            return None;
        }
        let known = &self.known;
        let intended = ["intended_prefix_entries", "intended_visible"];
        let intended = intended.into_iter().filter_map(|name| known.get(name)).next();
        let live = known.pointer("/live_engine_before_exit/visible");
        let upstream = || {
            let undamaged = !self.name.starts_with("damaged/");
            let places = ["/result/entries", "/result/wal/entries", "/results/shards=256/visible"];
            places.iter().find_map(|place| known.pointer(place)).filter(|_| undamaged)
        };
        intended.or(live).or_else(upstream)
    }

    /// Compares what a codec makes of it; says what differs.
    pub(crate) fn check(&self, codec: &dyn Codec, verdict: impl Fn(&str) -> Option<Tail>) {
        let Case { name, files, .. } = self;
        let found = codec.examine(files, None);
        if let Some(expected) = self.expected() {
            assert_eq!(&found.state, expected, "{name}: {:#?}", found.files);
        }
        if let Some(verdict) = verdict(name) {
            assert_eq!(found.verdict(), verdict, "{name}: {:#?}", found.files);
        }
        let is_damaged = |file: &&crate::FileReport| file.tail != Tail::Clean;
        for file in found.files.iter().filter(is_damaged) {
            assert!(file.reason.is_some(), "{name}: {file:?}");
        }
    }
}

/// The files that a page of the book shows byte by byte: a line with a name, then lines with an
/// offset, bytes and what they are.
pub(crate) fn examples(page: &str) -> Files {
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let blocks = page.split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    for line in blocks.flat_map(str::lines) {
        let is_offset = |text: &str| text.len() == 8 && u32::from_str_radix(text, 16).is_ok();
        match line.split_once("  ").filter(|(offset, _)| is_offset(offset)) {
            Some((offset, rest)) => {
                let (_, file) = files.last_mut().expect("a name comes first");
                assert_eq!(usize::from_str_radix(offset, 16).unwrap(), file.len(), "{line}");
                let bytes = rest.split("  ").next().unwrap().split(' ');
                file.extend(bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()));
            }
            None => files.push((line.into(), Vec::new())),
        }
    }
    files.into_iter().collect()
}

/// Cuts each file at every byte and fills it with zeros behind every byte: there is an answer, and
/// where something is said to be wrong it says what. Nothing clean may show what was never there.
pub(crate) fn cut_everywhere(codec: &dyn Codec, files: &Files) -> Vec<(String, usize, Tail)> {
    let mut answers = Vec::new();
    for (path, bytes) in files.iter() {
        for cut in 0..bytes.len() {
            let mut zeroed = bytes[..cut].to_vec();
            for size in [cut, bytes.len()] {
                zeroed.resize(size, 0);
                let mut damaged = files.clone();
                damaged.put(path, zeroed.clone());
                let found = codec.examine(&damaged, None);
                let reasons = found.files.iter().filter(|file| file.tail != Tail::Clean);
                assert!(reasons.into_iter().all(|file| file.reason.is_some()), "{path} at {cut}");
                if size == cut {
                    answers.push((path.into(), cut, found.verdict()));
                }
            }
        }
    }
    answers
}

/// Files under these names with any bytes, some of them of real files: there is an answer.
pub(crate) fn answers_anything(codec: &dyn Codec, names: &[&str], parts: &[Vec<u8>]) {
    let files = names.iter().copied().zip(parts.iter().cloned()).collect::<Files>();
    let _ = codec.likeness(&files);
    let found = codec.examine(&files, None);
    assert_eq!(found.files.len(), names.len().min(parts.len()));
    let bytes: usize = parts.iter().map(Vec::len).sum();
    assert!(found.dump.len() <= bytes + names.len(), "FM1: more lines than bytes");
}
