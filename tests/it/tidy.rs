//! What a reader may take for granted of every file, kept by a test: widths and lengths, who may
//! name the real disk or a clock, who may depend on whom, and that each numbered invariant is kept
//! and tested somewhere. Every rule has a bad sample beside it that it must find.

mod between;
mod invariants;
mod lexer;
mod rules;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One file of the repository.
#[derive(Debug)]
struct Source {
    /// From the root of the repository, with `/`.
    path: String,
    text: String,
}

impl Source {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn is_under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// Whether the whole file is beside the product: tests, benches, examples, fuzzing.
    fn is_aside(&self) -> bool {
        let folders = ["tests", "benches", "examples", "fuzz"];
        let (folder, name) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
        folder.split('/').any(|part| folders.contains(&part))
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
    }

    /// The byte ranges of the modules under `#[cfg(test)]`.
    fn test_ranges(&self) -> Vec<Range<usize>> {
        let code = lexer::code(&self.text);
        let starts = code.match_indices("#[cfg(test)]").map(|(at, mark)| (at, at + mark.len()));
        starts
            .filter_map(|(start, mark_end)| {
                let brace = mark_end + code[mark_end..].find(['{', ';'])?;
                let is_module = rules::words(&code[mark_end..brace], "mod").next().is_some();
                if !is_module || code[brace..].starts_with(';') {
                    return None;
                }
                let mut depth = 0;
                let end = code[brace..].find(|c| {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    depth == 0
                })?;
                Some(start..brace + end + 1)
            })
            .collect()
    }

    /// The code without comments, contents of strings and test modules; offsets stay.
    fn production_code(&self) -> String {
        let mut code = lexer::code(&self.text);
        for range in self.test_ranges() {
            let blank = code[range.clone()].replace(|c| c != '\n', " ");
            code.replace_range(range, &blank);
        }
        code
    }

    /// One line per line that is bad.
    fn offences(&self, bad: impl Fn(&str) -> bool, why: impl Fn(&str) -> String) -> Vec<String> {
        let lines = self.text.lines().enumerate().filter(|(_, line)| bad(line));
        lines.map(|(index, line)| format!("{}:{}: {}", self.path, index + 1, why(line))).collect()
    }

    /// One line per offset.
    fn places(&self, offsets: &[usize], why: &str) -> Vec<String> {
        let line = |at: &usize| self.text[..*at].matches('\n').count() + 1;
        offsets.iter().map(|at| format!("{}:{}: {why}", self.path, line(at))).collect()
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every `.rs`, `.md` and `.toml` file of the repository, sorted by path.
fn repository() -> Vec<Source> {
    fn walk(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with('.') || name == "target" {
                continue;
            }
            let wanted = [".rs", ".md", ".toml"].iter().any(|end| name.ends_with(end));
            if path.is_dir() {
                walk(root, &path, sources);
            } else if wanted && let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
                sources.push(Source { path, text });
            }
        }
    }
    let (root, mut sources) = (root(), Vec::new());
    walk(&root, &root, &mut sources);
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(sources.len() > 10, "the repository was not found at {}", root.display());
    sources
}

fn clean(offences: &[String]) {
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

fn keep(rule: fn(&Source) -> Vec<String>) {
    clean(&repository().iter().flat_map(rule).collect::<Vec<_>>());
}

#[test]
fn lines_are_not_too_wide() {
    keep(rules::line_width);
}

#[test]
fn files_are_not_too_long() {
    let sources = repository();
    let mut offences: Vec<String> = sources.iter().flat_map(rules::file_length).collect();
    if !offences.is_empty() {
        let goal = rules::FILE_LINES_GOAL;
        offences.push(format!("(The goal is {goal}. Above it, no offence yet:)"));
        let lines = |source: &Source| source.text.lines().count();
        let long = sources.iter().filter(|s| s.is_rust() && lines(s) > goal);
        offences.extend(long.map(|source| format!("  {}: {}", source.path, lines(source))));
    }
    clean(&offences);
}

#[test]
fn functions_are_not_too_long() {
    keep(rules::function_length);
}

#[test]
fn only_os_rs_touches_the_real_disk() {
    keep(rules::real_disk);
}

#[test]
fn nothing_in_sim_differs_from_run_to_run() {
    keep(rules::determinism);
    keep(rules::seeded);
}

#[test]
fn only_sync_rs_asks_for_the_scheduler() {
    keep(rules::scheduler_cfgs);
}

#[test]
fn no_test_is_switched_off() {
    keep(rules::ignored_tests);
}

#[test]
fn nothing_is_left_over() {
    keep(rules::leftovers);
}

#[test]
fn invariants_are_kept_and_tested() {
    clean(&invariants::check(&repository()));
}

#[test]
fn links_in_the_docs_lead_somewhere() {
    let exists = |path: &str| root().join(path).exists();
    let docs = repository().into_iter().filter(|s| s.path.ends_with(".md"));
    clean(&docs.flat_map(|source| between::dead_links(&source, exists)).collect::<Vec<_>>());
}

#[test]
fn packages_depend_downwards_only() {
    keep(between::arrows);
}

mod samples {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn test_modules_are_told_apart() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { '}'; }\n}\nfn c() {}\n";
        let code = source("a.rs", text).production_code();
        assert!(code.contains("fn a") && !code.contains("fn b") && code.contains("fn c"));
        for (text, count) in [
            ("#[cfg(test)]\nuse x::{y};\nfn f() {}", 0),
            ("#[cfg(test)]\nmod tests;\nfn f() {}", 0),
            ("#[cfg(test)]\n#[path = \"x\"]\npub(crate) mod tests { }", 1),
            ("// #[cfg(test)]\nmod tests {}", 0),
        ] {
            assert_eq!(source("a.rs", text).test_ranges().len(), count, "{text}");
        }
    }
}
