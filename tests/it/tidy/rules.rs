//! The rules that can be judged file by file. Each gives one line per offence.

use super::{Source, lexer};

pub(super) const WIDTH_MAX: usize = 100;
pub(super) const FILE_LINES_MAX: usize = 450;
pub(super) const FILE_LINES_GOAL: usize = 300;
pub(super) const FUNCTION_LINES_MAX: usize = 90;

/// Lines of Rust, and of Markdown outside tables and links, are at most [`WIDTH_MAX`] wide.
pub(super) fn line_width(source: &Source) -> Vec<String> {
    let exempt = |line: &str| {
        source.path.ends_with(".md") && (line.trim_start().starts_with('|') || line.contains("]("))
    };
    let width = |line: &str| line.chars().count();
    source.offences(
        |line| width(line) > WIDTH_MAX && !exempt(line),
        |line| format!("{} columns, at most {WIDTH_MAX}", width(line)),
    )
}

/// No Rust file is longer than [`FILE_LINES_MAX`].
pub(super) fn file_length(source: &Source) -> Vec<String> {
    let lines = source.text.lines().count();
    if !source.is_rust() || lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![format!("{}: {lines} lines, at most {FILE_LINES_MAX}: split it", source.path)]
}

/// No function is longer than [`FUNCTION_LINES_MAX`], signature and closing brace included.
pub(super) fn function_length(source: &Source) -> Vec<String> {
    let code = lexer::code(&source.text);
    let line_of = |at: usize| code[..at].matches('\n').count() + 1;
    let mut offences = Vec::new();
    for at in words(&code, "fn").filter(|_| source.is_rust()) {
        let Some(end) = body_end(&code[at..]) else { continue };
        let (first, last) = (line_of(at), line_of(at + end));
        if last - first + 1 > FUNCTION_LINES_MAX {
            let name: String =
                code[at + 2..].trim_start().chars().take_while(|c| is_name(*c)).collect();
            let lines = last - first + 1;
            let text = format!("fn {name} has {lines} lines, at most {FUNCTION_LINES_MAX}");
            offences.push(format!("{}:{first}: {text}", source.path));
        }
    }
    offences
}

/// Only `src/vfs/os.rs` names `std::fs`, tests aside.
pub(super) fn real_disk(source: &Source) -> Vec<String> {
    let ours = ["src/vfs/", "src/store/", "sim/", "models/"];
    if !source.is_under(&ours) || source.is_aside() || source.path == "src/vfs/os.rs" {
        return Vec::new();
    }
    let why = "names std::fs: go through highwater_vfs::Vfs (only src/vfs/os.rs touches the disk)";
    source.places(&std_module(&source.production_code(), "fs"), why)
}

/// Generated values are the same in every run: quickcheck by itself begins anew each time.
pub(super) fn seeded(source: &Source) -> Vec<String> {
    if source.path == "tests/lib.rs" || !source.path.ends_with(".rs") {
        return Vec::new();
    }
    let found: Vec<usize> = words(&lexer::code(&source.text), "quickcheck").collect();
    source.places(&found, "names quickcheck, which seeds itself: highwater_tests::properties!")
}

/// Nothing in `sim` reads a clock, the environment, a global random number, or an order of hashes.
pub(super) fn determinism(source: &Source) -> Vec<String> {
    if !source.is_under(&["sim/"]) || source.is_under(&["sim/benches/", "sim/examples/"]) {
        return Vec::new();
    }
    let code = lexer::code(&source.text);
    let mut offences = Vec::new();
    for (word, instead) in [
        ("SystemTime", "the simulation has no clock"),
        ("Instant", "the simulation has no clock: take the budget from the caller"),
        ("thread_rng", "random numbers come from the seed, through Choices"),
        ("HashMap", "its order differs from run to run: BTreeMap"),
        ("HashSet", "its order differs from run to run: BTreeSet"),
    ] {
        let found: Vec<usize> = words(&code, word).collect();
        offences.extend(source.places(&found, &format!("names {word}: {instead}")));
    }
    let env = std_module(&code, "env");
    offences.extend(source.places(&env, "names std::env: settings come from the caller"));
    offences
}

/// `cfg(loom)` and `cfg(shuttle)` stand in `src/store/sync.rs` alone.
pub(super) fn scheduler_cfgs(source: &Source) -> Vec<String> {
    if !source.is_rust() || source.path == "src/store/sync.rs" {
        return Vec::new();
    }
    let code = lexer::code(&source.text);
    let asks = |at: &usize| {
        let rest = code[*at..].trim_start_matches(is_name).trim_start_matches('!');
        let inner = rest.starts_with('(').then(|| &rest[..closing(rest, '(', ')').unwrap_or(0)]);
        let asked = |word| inner.is_some_and(|inner| words(inner, word).next().is_some());
        asked("loom") || asked("shuttle")
    };
    let mut found: Vec<usize> = words(&code, "cfg").chain(words(&code, "cfg_attr")).collect();
    found.retain(asks);
    source.places(&found, "a cfg for loom or shuttle: only src/store/sync.rs may ask")
}

/// No test is switched off.
pub(super) fn ignored_tests(source: &Source) -> Vec<String> {
    let code = if source.is_rust() { lexer::code(&source.text) } else { String::new() };
    let found: Vec<usize> = code.match_indices("#[ignore").map(|(at, _)| at).collect();
    source.places(&found, "a test that is never run says nothing: make it fast, or delete it")
}

/// Nothing is left to do, and no trace of debugging is left.
pub(super) fn leftovers(source: &Source) -> Vec<String> {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut offences = source.offences(
        |line| marks.iter().any(|mark| words(line, mark).next().is_some()),
        |_| String::from("a mark of something to do: do it, or write down why not"),
    );
    if source.is_rust() {
        let code = lexer::code(&source.text);
        for name in ["dbg", "todo", "unimplemented"] {
            let called = |at: &usize| code[at + name.len()..].starts_with('!');
            let found: Vec<usize> = words(&code, name).filter(called).collect();
            offences.extend(source.places(&found, &format!("{name}!")));
        }
    }
    offences
}

/// Whether a character may stand in a name.
pub(super) fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where `word` stands in `text` as a whole word.
pub(super) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let whole = move |at: &usize| {
        !text[..*at].ends_with(is_name) && !text[at + word.len()..].starts_with(is_name)
    };
    text.match_indices(word).map(|(at, _)| at).filter(whole)
}

/// Where `code` names a module of `std`: as `std::fs`, or in `use std::{fs, ...}`.
fn std_module(code: &str, module: &str) -> Vec<usize> {
    let mut found: Vec<usize> = words(code, &format!("std::{module}")).collect();
    for (at, start) in code.match_indices("std::{") {
        let open = at + start.len() - 1;
        let group = &code[open..open + closing(&code[open..], '{', '}').unwrap_or(0)];
        let first = |at: &usize| !group[..*at].ends_with("::");
        found.extend(words(group, module).filter(first).map(|at| open + at));
    }
    found
}

/// The offset of the bracket that closes the one at the beginning of `rest`.
fn closing(rest: &str, open: char, close: char) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        depth += i32::from(c == open) - i32::from(c == close);
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The offset of the brace that closes the body of the function which begins here, if it has one.
fn body_end(rest: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in rest.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            ';' if depth == 0 => return None,
            '{' if depth == 0 => return Some(at + closing(&rest[at..], '{', '}')?),
            _ => {}
        }
        if depth < 0 {
            return None; // the type of a function in a list of arguments
        }
    }
    None
}

mod samples {
    //! A bad sample for every rule, and a good one beside it.
    use super::*;

    fn rust(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn long_lines() {
        let wide = "x".repeat(101);
        assert_eq!(line_width(&rust("a.rs", &wide)), ["a.rs:1: 101 columns, at most 100"]);
        assert_eq!(line_width(&rust("a.md", &wide)).len(), 1);
        assert!(line_width(&rust("a.rs", &"é".repeat(100))).is_empty());
        assert!(line_width(&rust("a.md", &format!("| {wide} |"))).is_empty());
    }

    #[test]
    fn long_files() {
        assert_eq!(file_length(&rust("a.rs", &"\n".repeat(451))).len(), 1);
        assert!(file_length(&rust("a.rs", &"\n".repeat(450))).is_empty());
    }

    #[test]
    fn long_functions() {
        let function = |lines: usize| {
            format!(
                "trait T {{\n fn g(a: [u8; 2]);\n}}\nfn f() {{\n{}}}\n",
                "  '{';\n".repeat(lines)
            )
        };
        let found = function_length(&rust("a.rs", &function(89)));
        assert_eq!(found, ["a.rs:4: fn f has 91 lines, at most 90"]);
        assert!(function_length(&rust("a.rs", &function(88))).is_empty());
        let types = format!("fn f(g: fn() -> u8) {{}}\n{}", "struct S {}\n".repeat(100));
        assert!(function_length(&rust("a.rs", &types)).is_empty());
    }

    #[test]
    fn the_real_disk() {
        for bad in ["use std::fs;", "std::fs::read(p)", "use std::{io, fs::File};"] {
            for path in ["src/vfs/path.rs", "src/store/a.rs", "sim/a.rs", "models/a.rs"] {
                assert_eq!(real_disk(&rust(path, bad)).len(), 1, "{path}: {bad}");
            }
            assert!(real_disk(&rust("src/vfs/os.rs", bad)).is_empty());
            assert!(real_disk(&rust("src/vfs/tests/a.rs", bad)).is_empty());
            let tests = format!("#[cfg(test)]\nmod tests {{\n{bad}\n}}\n");
            assert!(real_disk(&rust("models/a.rs", &tests)).is_empty());
            assert_eq!(real_disk(&rust("models/a.rs", &format!("{tests}{bad}"))).len(), 1);
        }
        for good in ["// std::fs", "\"std::fs\"", "use std::os::unix::fs::X;", "std::fs2::x"] {
            assert!(real_disk(&rust("sim/a.rs", good)).is_empty(), "{good}");
        }
    }

    #[test]
    fn what_differs_from_run_to_run() {
        for bad in ["Instant::now()", "SystemTime", "std::env::var(x)", "use std::{env, io};"] {
            assert_eq!(determinism(&rust("sim/a.rs", bad)).len(), 1, "{bad}");
        }
        for bad in ["rand::thread_rng()", "HashMap<u8, u8>", "HashSet::new()"] {
            assert_eq!(determinism(&rust("sim/tests/a.rs", bad)).len(), 1, "{bad}");
            assert!(determinism(&rust("sim/benches/a.rs", bad)).is_empty());
            assert!(determinism(&rust("src/cli/a.rs", bad)).is_empty());
        }
        assert!(determinism(&rust("sim/a.rs", "// no HashMap\nInstantly")).is_empty());
        assert_eq!(seeded(&rust("src/a.rs", "use quickcheck::Gen;")).len(), 1);
        assert!(seeded(&rust("tests/lib.rs", "use quickcheck::Gen;")).is_empty());
    }

    #[test]
    fn cfgs_of_schedulers() {
        for bad in ["#[cfg(loom)]", "cfg!(shuttle)", "#[cfg(all(test, not(any(loom))))]"] {
            assert_eq!(scheduler_cfgs(&rust("src/store/a.rs", bad)).len(), 1, "{bad}");
            assert!(scheduler_cfgs(&rust("src/store/sync.rs", bad)).is_empty());
        }
        for good in ["#[cfg(test)] use loom::x;", "loom::model(f)", "// #[cfg(loom)]"] {
            assert!(scheduler_cfgs(&rust("models/a.rs", good)).is_empty(), "{good}");
        }
    }

    #[test]
    fn tests_switched_off() {
        assert_eq!(
            ignored_tests(&rust("a.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}")).len(),
            1
        );
        assert!(ignored_tests(&rust("a.rs", "// #[ignore]")).is_empty());
    }

    #[test]
    fn things_left_over() {
        let mark = concat!("// TO", "DO: later");
        for bad in [mark, "dbg!(x)", "todo!()", "unimplemented!()"] {
            assert_eq!(leftovers(&rust("a.rs", bad)).len(), 1, "{bad}");
        }
        assert_eq!(leftovers(&rust("docs/a.md", mark)).len(), 1);
        assert!(leftovers(&rust("a.rs", "// dbg!(x)\nlet todo = 1;")).is_empty());
    }
}
