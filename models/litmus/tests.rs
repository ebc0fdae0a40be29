//! The programs against the disk, and the reader against texts that are no programs.

use super::*;
use highwater_sim::{Choices, SimFs};
use highwater_vfs::{OpenMode, Vfs};
use std::path::Path;

fn answered(program: &Program, ask: &Ask, model: Model) -> Answer {
    let place = format!("{}, {:?}, {model}", program.name, ask.name);
    answer(program, ask, model, LEAVES_MAX).unwrap_or_else(|why| panic!("{place}: {why}"))
}

/// Every question under every model, and the answer.
fn all_answers() -> Vec<(Program, Ask, Model, Answer)> {
    let mut all = Vec::new();
    for program in programs() {
        for ask in &program.asks {
            for model in Model::ALL {
                let answer = answered(&program, ask, model);
                all.push((program.clone(), ask.clone(), model, answer));
            }
        }
    }
    all
}

#[test]
fn all_programs_agree_under_all_models_and_every_disk_is_asked() {
    let all = all_answers();
    let wrong = all.iter().filter(|(.., answer)| !answer.complete || !answer.agrees());
    let line = |(p, ask, model, answer): &(Program, Ask, Model, Answer)| {
        format!("{}: {}, {model}: {answer:?}", p.name, ask.name)
    };
    let wrong: Vec<String> = wrong.map(line).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let reached = all.iter().filter(|(.., answer)| answer.reached).count();
    assert!(all.len() > 700 && reached > 250 && all.len() - reached > 250, "{reached}");
    // What is found is found in some states, and what is not in none.
    for (program, ask, model, answer) in &all {
        let found = answer.found.expect("small disks are counted");
        assert_eq!(found > 0, answer.reached, "{}: {}, {model}", program.name, ask.name);
        assert!(Some(found) <= answer.states);
        assert_eq!(answer.reached, answer.witness.is_some());
    }
}

/// A flipped expectation is noticed, whichever it is.
#[test]
fn every_flipped_expectation_is_a_disagreement() {
    for (program, mut ask, model, before) in all_answers() {
        match ask.allowed.iter().position(|m| *m == model) {
            Some(at) => drop(ask.allowed.remove(at)),
            None => ask.allowed.push(model),
        }
        let after = answered(&program, &ask, model);
        assert!(!after.agrees(), "{}: {}, {model}", program.name, ask.name);
        assert_eq!((after.reached, after.states), (before.reached, before.states));
    }
}

/// Looking at everything first leaves the same answers in the same number of states: how a
/// condition looks decides how often it must look, and nothing else.
#[test]
fn who_reads_everything_first_finds_the_same() {
    fn read_all(disk: &SimFs, dir: &str) {
        for name in disk.list(Path::new(dir)).expect("a directory") {
            let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
            match disk.open(Path::new(&path), OpenMode::Read) {
                Ok(file) => {
                    let mut all = vec![0; file.size().expect("a size") as usize];
                    highwater_vfs::read_full_at(&*file, &mut all, 0).expect("bytes");
                }
                Err(_) => read_all(disk, &path),
            }
        }
    }
    let mut compared = 0;
    for (program, ask, model, answer) in all_answers() {
        if ask.when == When::AnyPoint || answer.states > Some(2_000) {
            continue;
        }
        let disk = run::prepared(&program, model).expect("a disk");
        program.calls.iter().for_each(|(_, call)| call.run(&disk).expect("a call"));
        let (mut found, mut choices) = (0, Choices::enumerate());
        loop {
            let cut = disk.power_cut(choices);
            read_all(&cut, "");
            let states = cut.states_left().expect("a small disk");
            found += if ask.condition.holds(&cut).expect("an answer") { states } else { 0 };
            choices = cut.choices();
            if !choices.advance() {
                break;
            }
        }
        assert_eq!(Some(found), answer.found, "{}: {}, {model}", program.name, ask.name);
        compared += 1;
    }
    assert!(compared > 400, "{compared}");
}

#[test]
fn a_limit_makes_an_answer_partial_and_less_is_asked_of_it() {
    let all = programs();
    let program = all.iter().find(|p| p.name == "append-prefix").expect("it is there");
    let whole = answered(program, &program.asks[0], Model::Posix);
    assert!(whole.complete && whole.reached && whole.leaves > 2, "{whole:?}");
    let part = answer(program, &program.asks[0], Model::Posix, 1).expect("it runs");
    assert!(!part.complete && !part.reached && part.agrees(), "allowed, and not met yet: {part:?}");
    let mut ask = program.asks[0].clone();
    ask.allowed.clear();
    let part = answer(program, &ask, Model::Posix, whole.leaves - 1).expect("it runs");
    assert!(!part.complete && part.reached && !part.agrees(), "forbidden, and met: {part:?}");
}

#[test]
fn the_list_is_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("litmus");
    let files = std::fs::read_dir(folder).expect("the folder");
    let names = files.map(|f| f.expect("a file").file_name().into_string().expect("a name"));
    let names = names.filter_map(|name| name.strip_suffix(".litmus").map(String::from));
    let mut names: Vec<String> = names.collect();
    names.sort();
    let listed: Vec<String> = programs().into_iter().map(|program| program.name).collect();
    assert_eq!(listed, names, "left: programs.rs, right: models/litmus/");
}

#[test]
fn programs_are_lessons_that_fit_a_page() {
    for program in programs() {
        let text = programs::text(&program.name).expect("it is listed");
        let long = text.lines().find(|l| l.chars().count() > 80 && !l.contains("https://"));
        assert_eq!(long, None, "{}: wider than 80 columns", program.name);
        assert!(text.lines().count() <= 60, "{}: longer than a page", program.name);
        assert!(program.title.chars().count() <= 72, "{}: a long title", program.name);
        for ask in &program.asks {
            let (name, size) = (&program.name, ask.name.chars().count());
            assert!(size <= 60, "{name}: {:?} is long", ask.name);
        }
    }
}

const GOOD: &str = "title: t\nsource: s\ndo:\n create a\nask: q\n exists a\n allowed: all\n";

#[test]
fn a_program_is_read() {
    let text = "# words\ntitle: A # 1\nsource: one\nsource: two\ninit:\n mkdir d # a directory\n\
                do:\n  create d/a\n\twrite d/a 3 \"x#\"*2 + zeros*2+0xff\n  sync_dir /\n\
                ask at any point: why?\n not (exists d/a or size d/a > 3)\n and d/a at 1 = 0x00ff\n\
                forbidden: posix\nallowed: rest # but posix\nask: two\n d/a is a prefix of \"\"\n\
                allowed: all\n";
    let program = Program::parse("p", text).expect("a program");
    let calls: Vec<String> = program.calls.iter().map(|(n, c)| format!("{n} {c}")).collect();
    assert_eq!(calls, ["8 create d/a", "9 write d/a 3 \"x#x#\" + zeros*2 + 0xff", "10 sync_dir /"]);
    assert_eq!(
        (&*program.title, &program.sources[..]),
        ("A # 1", &["one".into(), "two".into()][..])
    );
    assert_eq!(program.asks[0].allowed, Model::ALL[1..]);
    assert_eq!((program.asks[0].when, program.asks[1].when), (When::AnyPoint, When::End));
    let exists = Condition::Exists("d/a".into());
    let size = Condition::Size("d/a".into(), condition::Relation::Greater, 3);
    let not = Condition::Not(Box::new(Condition::Or(vec![exists, size])));
    let at = Condition::At("d/a".into(), 1, vec![0, 0xff]);
    assert_eq!(program.asks[0].condition, Condition::And(vec![not, at]));
}

#[test]
fn errors_name_line_and_column_and_what_was_expected() {
    Program::parse("p", GOOD).expect("a program");
    for (from, to, line, column, what) in [
        ("title: t\n", "", 7, 1, "expected a title"),
        ("source: s\n", "", 7, 1, "expected a source"),
        ("title: t", "title:", 1, 7, "expected words behind title:"),
        ("do:\n create a\n", "", 3, 6, "expected do: before ask:"),
        ("do:", "do: now", 3, 5, "expected the end of the line, found \"now\""),
        ("do:", "to:", 3, 1, "expected title:, source:, init: or do:, found \"to:\""),
        ("do:\n", "do:\ninit:\n", 4, 6, "expected init: only once and before do:"),
        ("do:\n", "do:\nsource: x\n", 4, 9, "expected source: only once and before init:"),
        (" create a", " mkfile a", 4, 2, "expected a call: create, mkdir,"),
        (" create a", " create", 4, 8, "expected a path"),
        (" create a", " create ../a", 4, 9, "expected a path (such as a or d/a; / is the root)"),
        (" create a", " create size", 4, 9, "expected a path"),
        (" create a", " create a b", 4, 11, "expected the end of the call, found \"b\""),
        (" create a", " create a\n write a x \"b\"", 5, 10, "expected an offset"),
        (" create a", " create a\n write a 0 b", 5, 12, "expected bytes (\"text\""),
        (" create a", " create a\n append a \"é\"*9999999", 5, 15, "expected a count of at most"),
        (" create a", " create a\n append a \"xy\"*1048576", 5, 11, "at most 1048576 bytes"),
        (" create a", " create a\n append a \"x", 5, 11, "expected a closing \""),
        (
            " create a",
            " create a\n append a zeros",
            5,
            16,
            "\"*\" and how many zeros, found the end",
        ),
        (" create a", " create a\n create a", 5, 1, "expected a call that works: create a: "),
        (" exists a\n", "", 5, 1, "expected a condition below ask:, found none"),
        (" exists a", " exists b", 6, 2, "expected paths that some call names, found \"b\""),
        (" exists a", " exists a exists a", 6, 11, "expected and, or, or the end"),
        (" exists a", " (exists a", 6, 11, "expected ')', found the end"),
        (" exists a", " a is a suffix of \"x\"", 6, 9, "expected \"prefix\" (of \"a prefix of\")"),
        (" exists a", " a was \"x\"", 6, 4, "expected =, at, starts with, contains,"),
        (" exists a", " size a 3", 6, 9, "expected =, < or >, found \"3\""),
        (" exists a", " not\n", 6, 5, "expected a path"),
        ("allowed: all", "allowed:", 7, 10, "expected disk models, all, rest or none"),
        ("allowed: all", "allowed: ext9", 7, 11, "no disk model \"ext9\": posix,"),
        ("allowed: all", "allowed: posix  posix", 7, 18, "expected posix only once"),
        ("allowed: all", "allowed: all\n forbidden: rest", 8, 13, "expected rest only once"),
        ("allowed: all", "forbidden: xfs", 5, 1, "ext4-journal btrfs strict: neither"),
        (
            "allowed: all",
            "allowed: all\n exists a",
            8,
            2,
            "expected allowed:, forbidden: or another",
        ),
        ("ask: q", "ask: q\nask: r", 5, 1, "expected a condition below ask:"),
    ] {
        assert!(GOOD.contains(from), "{from:?}");
        let text = GOOD.replacen(from, to, 1);
        let error = Program::parse("p", &text).expect_err(&text);
        assert_eq!((error.line, error.column), (line, column), "{text}\n{error}");
        assert!(error.what.contains(what), "{text}\n{error}");
    }
    let deep = GOOD.replace(" exists a", &" (".repeat(1 << 16));
    let error = Program::parse("p", &deep).expect_err("deep");
    assert!(error.what.contains("at most 40"), "{error}");
}

/// Cut anywhere, or with a character changed, a program is read or refused, and never more.
#[test]
fn nothing_makes_the_reader_panic() {
    for name in ["leveldb-current", "length-hole", "append-aligned"] {
        let text = programs::text(name).expect("it is listed");
        for (at, _) in text.char_indices() {
            let _ = Program::parse("p", &text[..at]);
            for other in ["\"", "*", "é", "(", "\n", ":", "9"] {
                let _ = Program::parse("p", &format!("{}{other}{}", &text[..at], &text[at + 1..]));
            }
        }
    }
}
