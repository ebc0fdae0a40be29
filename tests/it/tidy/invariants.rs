//! Numbered invariants: each is kept by something and tested by something.
//!
//! A module declares them in its head, below a line `//! Invariants`, one a line, as `//! - L1: `
//! and what holds. The same id must then stand, as a word of its own,
//! - in the code of the engine, the simulation or the models: in the message of the assertion that
//!   keeps it, or in a plain comment where no assertion can; a doc comment does not count;
//! - in a test: a `#[cfg(test)]` module, a file below a `tests` folder, or this package.

use super::rules::{is_name, words};
use super::{Source, lexer};
use std::collections::BTreeMap;

/// Who may declare, and whose code may keep what was declared.
const DECLARE: [&str; 4] = ["src/store/", "src/formats/", "src/service/", "sim/"];
const KEEP: [&str; 5] = ["src/store/", "src/formats/", "src/service/", "sim/", "models/"];

/// One line of a head.
#[derive(Debug)]
struct Invariant<'a> {
    id: &'a str,
    text: &'a str,
    path: &'a str,
    line: usize,
}

/// Every invariant that is declared twice, kept by nothing or tested by nothing.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let mut declared: BTreeMap<&str, Invariant<'_>> = BTreeMap::new();
    let mut offences = Vec::new();
    for source in sources.iter().filter(|s| s.is_under(&DECLARE) && !s.is_aside()) {
        for invariant in head(source) {
            let Invariant { id, path, line, .. } = invariant;
            if let Some(first) = declared.get(id) {
                let earlier = format!("{}:{}", first.path, first.line);
                offences.push(format!("{path}:{line}: {id} is declared at {earlier} already"));
            } else {
                declared.insert(id, invariant);
            }
        }
    }
    for Invariant { id, text, path, line } in declared.values() {
        let lacks = match (
            sources.iter().any(|source| keeps(source, id)),
            sources.iter().any(|source| tests(source, id)),
        ) {
            (true, true) => continue,
            (true, false) => "tested by nothing",
            (false, true) => "kept by nothing",
            (false, false) => "neither kept nor tested",
        };
        offences.push(format!("{path}:{line}: {id} is {lacks} ({text})"));
    }
    if !offences.is_empty() {
        offences.push(HINT.into());
    }
    offences
}

const HINT: &str = "
An id belongs to one invariant. It is kept where the message of an assertion names it (\"L1: no
hole\"), or a // comment if nothing can assert it, in src/store, sim or models; it is tested where a
test names it: a #[cfg(test)] module, a tests folder, tests/, or a test's name (fn l1_has_no_hole).
Doc comments keep nothing, and L1-L3 names L1 and L3, not L2.";

/// The invariants that a file's head declares.
fn head(source: &Source) -> Vec<Invariant<'_>> {
    let lines = source.text.lines().enumerate().map(|(index, line)| (index + 1, line));
    let mut head = lines.take_while(|(_, line)| line.starts_with("//!"));
    let title =
        |line: &str| line.trim_start_matches("//!").trim_matches([' ', '#', ':']) == "Invariants";
    if !head.by_ref().any(|(_, line)| title(line)) {
        return Vec::new();
    }
    head.filter_map(|(line, text)| {
        let (id, text) = text.strip_prefix("//! - ")?.split_once(": ")?;
        is_id(id).then_some(Invariant { id, text, path: &source.path, line })
    })
    .collect()
}

/// One or two capitals and a number.
fn is_id(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = text.len() - digits.len();
    (1..=2).contains(&letters) && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// Whether an assertion's message or a plain comment of the code proper names the id.
fn keeps(source: &Source, id: &str) -> bool {
    if !source.is_rust() || !source.is_under(&KEEP) || source.is_aside() {
        return false;
    }
    let classes = lexer::classes(&source.text);
    let tests = source.test_ranges();
    words(&source.text, id).any(|at| {
        matches!(classes[at], lexer::Class::Comment | lexer::Class::Text)
            && !tests.iter().any(|range| range.contains(&at))
    })
}

/// Whether a test names the id, in whatever way.
fn tests(source: &Source, id: &str) -> bool {
    if !source.is_rust() {
        return false;
    }
    let tests = source.test_ranges();
    let aside = source.is_aside() || source.is_under(&["tests/"]);
    // In a test function's name ids are in lower case: fn l1_holds, fn holds_l1.
    let lower = id.to_lowercase();
    let named = source.text.match_indices(&lower).map(|(at, _)| at).filter(|at| {
        let (before, after) = (&source.text[..*at], &source.text[at + lower.len()..]);
        let apart = |c: char| c.is_alphanumeric();
        let name = before.rsplit(|c| !is_name(c)).next().unwrap_or("");
        before[..before.len() - name.len()].ends_with("fn ")
            && !before.ends_with(apart)
            && !after.starts_with(apart)
    });
    words(&source.text, id)
        .chain(named)
        .any(|at| aside || tests.iter().any(|range| range.contains(&at)))
}

mod samples {
    use super::*;

    /// The offences, without the hint at their end.
    fn offences(files: &[(&str, &str)]) -> Vec<String> {
        let source = |&(path, text): &(&str, &str)| Source { path: path.into(), text: text.into() };
        let mut offences = check(&files.iter().map(source).collect::<Vec<_>>());
        assert_eq!(offences.pop().unwrap_or(HINT.into()), HINT);
        offences
    }

    const HEAD: &str = "//! Log.\n//!\n//! Invariants\n//! - L1: no holes.\n\n";

    #[test]
    fn kept_and_tested_is_fine() {
        let kept = "fn f() { assert!(x, \"L1: a hole\") }\n";
        let comment = "fn f() { // keeps L1\n}\n";
        let tested = "#[cfg(test)]\nmod tests {\n// L1\n}\n";
        for kept in [kept, comment] {
            assert!(offences(&[("sim/a.rs", &[HEAD, kept, tested].concat())]).is_empty());
            let elsewhere = [("models/b.rs", kept), ("tests/it/c.rs", "fn l1_holds() {}")];
            let mut files = vec![("src/store/a.rs", HEAD)];
            files.extend(elsewhere);
            assert!(offences(&files).is_empty(), "{:?}", offences(&files));
        }
    }

    #[test]
    fn what_does_not_count_as_kept() {
        let tested = ("tests/it/c.rs", "// L1");
        for bad in [
            "/// L1\nfn f() {}",
            "// L12, XL1, L1a",
            "let L1 = 1;",
            "#[cfg(test)]\nmod tests { fn f() { assert!(x, \"L1\") } }",
        ] {
            let found = offences(&[("src/store/a.rs", &[HEAD, bad].concat()), tested]);
            assert_eq!(found.len(), 1, "{bad}: {found:?}");
            assert_eq!(found[0], "src/store/a.rs:4: L1 is kept by nothing (no holes.)");
        }
        // Code of others keeps nothing.
        assert_eq!(offences(&[("sim/a.rs", HEAD), ("src/cli/b.rs", "// L1"), tested]).len(), 1);
        let neither = ["sim/a.rs:4: L1 is neither kept nor tested (no holes.)"];
        assert_eq!(offences(&[("sim/a.rs", HEAD)]), neither);
    }

    #[test]
    fn what_does_not_count_as_tested() {
        let kept = [HEAD, "// L1\n"].concat();
        for other in
            [("models/b.rs", "// L1"), ("docs/b.md", "L1"), ("tests/it/c.rs", "fn l12() {}")]
        {
            let found = offences(&[("sim/a.rs", &kept), other]);
            assert_eq!(found.len(), 1, "{other:?}: {found:?}");
            assert!(found[0].contains("is tested by nothing"), "{found:?}");
        }
    }

    #[test]
    fn declared_twice() {
        let found = offences(&[
            ("sim/a.rs", HEAD),
            ("sim/b.rs", &[HEAD, "// L1"].concat()),
            ("sim/tests/c.rs", "// L1"),
        ]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0], "sim/b.rs:4: L1 is declared at sim/a.rs:4 already");
    }

    #[test]
    fn what_is_a_declaration() {
        let text = "//! # Invariants\n//!\n//! - L1: a\n//!   and more\n//! - AB12: b\n//! - n: c\n\
                    //! - L: d\n//! - 1: e\nuse x;\n//! - L2: f\n";
        let source = Source { path: "sim/a.rs".into(), text: text.into() };
        let ids: Vec<_> = head(&source).iter().map(|i| i.id).collect();
        assert_eq!(ids, ["L1", "AB12"]);
        let none = Source { path: "sim/a.rs".into(), text: "//! - L1: a list\n".into() };
        assert!(head(&none).is_empty());
    }
}
