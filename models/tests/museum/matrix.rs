//! The kill matrix, and the page that shows it: `docs/track-record.md`.
//!
//! After a change: `UPDATE_DOCS=1 cargo test -p highwater-models --test museum track_record`.

use crate::page::{self, letters, root};
use highwater_models::museum::matrix::{Ability, model_of, needs};
use highwater_models::museum::{CLASSES, PIECES, Piece, catalogue, class};
use highwater_models::{Job, engine};
use highwater_sim::{Campaign, Settings, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A line of the matrix.
struct Row {
    verdict: Verdict,
    needs: Vec<Ability>,
    /// Operations of the shrunk counterexample.
    ops: usize,
    /// Recoveries until it was found.
    recoveries: u64,
}

fn row(piece: &Piece) -> Row {
    let engine = engine(&format!("museum/{}", piece.id())).expect("every piece is listed");
    let usual = engine.campaign();
    let settings = Settings { model: model_of(piece), ..usual.settings.clone() };
    let campaign = Campaign { settings, control: false, ..usual };
    let plan = engine.plan();
    let outcome = engine.run(&Job { campaign, plan, ..Job::default() }, &mut |_| ());
    let ops = outcome.counterexample.map_or(0, |found| found.workload.len());
    let (verdict, recoveries) = (outcome.verdict, outcome.recoveries);
    Row { verdict, needs: needs(piece), ops, recoveries }
}

/// All lines, by bug.
fn rows() -> BTreeMap<&'static str, Row> {
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some(piece) = PIECES.get(next.fetch_add(1, Ordering::Relaxed)) {
            let row = row(piece);
            rows.lock().expect("no worker panics").insert(piece.bug, row);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    rows.into_inner().expect("no worker panics")
}

#[test]
fn the_track_record_is_what_the_matrix_says() {
    let rows = rows();
    for piece in PIECES {
        let verdict = if piece.broken { Verdict::Broken } else { Verdict::Violated };
        assert_eq!(rows[piece.bug].verdict, verdict, "{} with all abilities", piece.bug);
    }
    for ability in Ability::ALL {
        let users = rows.values().filter(|row| row.needs.contains(&ability)).count();
        assert!(users > 0, "no bug needs {}: what is it for?", ability.name());
    }
    page::is_up_to_date("track-record.md", &[("matrix", matrix(&rows))]);
}

#[test]
fn the_catalogue_is_whole() {
    let bugs: Vec<&str> = catalogue().iter().map(|piece| piece.bug).collect();
    assert_eq!(bugs.len(), 78);
    assert_eq!(bugs.iter().collect::<BTreeSet<_>>().len(), 78, "a bug is there twice");
    for piece in catalogue() {
        assert!(CLASSES.iter().any(|(name, _)| *name == class(piece)), "{}", piece.bug);
    }
    let source = root().join("../shared/bugs.md");
    let Ok(text) = std::fs::read_to_string(&source) else {
        println!("skipped: no {} to compare the bugs with", source.display());
        return;
    };
    let headings = text.lines().filter_map(|line| line.strip_prefix("### "));
    let ids: Vec<&str> = headings.filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(bugs, ids);
}

/// The pieces, class by class.
fn matrix(rows: &BTreeMap<&'static str, Row>) -> String {
    let heads: Vec<&str> = Ability::ALL.iter().map(|ability| ability.name()).collect();
    let mut text = String::new();
    for (name, about) in CLASSES {
        let of_class = |piece: &&Piece| class(piece) == *name;
        let pieces: Vec<&Piece> = catalogue().into_iter().filter(of_class).collect();
        if pieces.is_empty() {
            continue;
        }
        text += &format!("\n### {name}: {about}\n\n");
        text += &format!("| bug | what went wrong | rule | shows | {} |", heads.join(" | "));
        text += " ops | recoveries |\n|---|---|---|---|";
        text += &format!("{}--:|--:|\n", ":-:|".repeat(heads.len()));
        for piece in pieces {
            text += &line(piece, &rows[piece.bug]);
        }
    }
    text + "\n"
}

fn line(piece: &Piece, row: &Row) -> String {
    let rule = piece.rule.to_string();
    let rule = rule.split(' ').next().unwrap_or_default();
    let what = linked(piece.title, piece.source);
    let mut line = format!("| {} | {what}; {} | {rule} |", piece.bug, origin(piece));
    line += &format!(" {} |", letters(piece.shows));
    for ability in Ability::ALL {
        line += match row.needs.contains(&ability) {
            true => " ● |",
            false => " |",
        };
    }
    line + &format!(" {} | {} |\n", row.ops, row.recoveries)
}

fn linked(title: &str, source: &str) -> String {
    if source.starts_with("https://") { format!("[{title}]({source})") } else { title.into() }
}

/// Project and year, which each piece's file begins with: `//! etcd (2018). …`.
fn origin(piece: &Piece) -> String {
    let file = format!("models/museum/{}.rs", piece.id().replace('-', "_"));
    let text = std::fs::read_to_string(root().join(&file)).expect("a piece is a file");
    let story = text.lines().nth(2).and_then(|line| line.strip_prefix("//! "));
    let (project, rest) = story.and_then(|story| story.split_once(" (")).unwrap_or_default();
    let inside = rest.split(')').next().unwrap_or_default();
    let year = |word: &&str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    let words = inside.split(|c: char| !c.is_alphanumeric());
    let years: Vec<&str> = words.filter(year).collect();
    assert!(!project.is_empty() && !years.is_empty(), "{file}: line 3 begins with project (year)");
    format!("{project} {}", years.join(", "))
}
