//! `highwater litmus`: what a power cut may leave, question by question.

use crate::args::{Format, LitmusArgs};
use crate::exit::{self, Done, Failure};
use crate::out::{WIDTH, coloured, data, json, note, wrapped};
use crate::run::models;
use highwater_models::litmus::{Answer, Ask, Program, When, answer, programs};
use highwater_sim::Model;
use serde::Serialize;
use std::path::Path;

/// The most bytes a program may have.
const FILE_MAX: u64 = 1 << 20;
/// Columns of a model in the table; what they leave is for the question.
const COLUMN: usize = 6;

/// One question under one model. The names of the fields are promised.
#[derive(Debug, Serialize)]
struct Row<'a> {
    /// The program's name.
    program: &'a str,
    /// Its file; of a program that is built in, the file's name.
    file: &'a str,
    /// The question.
    ask: &'a str,
    /// Whether the power may fail at any point, or else at the end.
    any_point: bool,
    /// The disk model.
    model: String,
    /// Whether the program says that some disk answers with yes.
    allowed: bool,
    /// Whether some disk did.
    reached: bool,
    /// Whether every disk was asked.
    complete: bool,
    /// Crash states, in decimal digits; null if they could not be counted.
    states: Option<String>,
    /// Those in which the answer is yes.
    states_found: Option<String>,
    /// Whether the disk does what the program says.
    agrees: bool,
    /// A disk that answered with yes, a file a line; null if none did.
    witness: Option<&'a [String]>,
}

/// A program and where it comes from.
struct Source {
    file: String,
    program: Program,
}

/// A program's questions, each with its answers under the models of the run.
type Answered<'a> = (&'a Source, Vec<(&'a Ask, Vec<Answer>)>);

/// Runs the programs.
pub(crate) fn run(args: &LitmusArgs) -> Done {
    let sources = sources(args)?;
    let models = models(&args.model);
    let mut all: Vec<Answered<'_>> = Vec::new();
    for source in &sources {
        let mut asks = Vec::new();
        for ask in &source.program.asks {
            let answers = models.iter().map(|model| {
                answer(&source.program, ask, *model, args.limit).map_err(|why| {
                    let what = format!("{}, {:?} under {model}: {why}", source.file, ask.name);
                    Failure::new(exit::BUG, format!("this is a bug in highwater itself:\n{what}"))
                })
            });
            asks.push((ask, answers.collect::<Result<Vec<_>, _>>()?));
        }
        all.push((source, asks));
    }
    let wrong = answers(&all).filter(|(.., answer)| !answer.agrees()).count();
    match args.format {
        Format::Json => data(&json(&rows(&all, &models)))?,
        Format::Human => note(&human(&all, &models)),
    }
    Ok(if wrong == 0 { exit::HELD } else { exit::VIOLATED })
}

fn sources(args: &LitmusArgs) -> Result<Vec<Source>, Failure> {
    if args.files.is_empty() {
        let built_in = programs().into_iter();
        let source =
            |program: Program| Source { file: format!("{}.litmus", program.name), program };
        return Ok(built_in.map(source).collect());
    }
    args.files.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<Source, Failure> {
    let file = path.display().to_string();
    let usage = |why: String| Failure::usage(format!("{file}: {why}"));
    let size = std::fs::metadata(path).map_err(|why| usage(why.to_string()))?.len();
    if size > FILE_MAX {
        return Err(usage(format!("{size} bytes; a program has at most {FILE_MAX}")));
    }
    let bytes = std::fs::read(path).map_err(|why| usage(why.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|why| {
        let before = &why.as_bytes()[..why.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        usage(format!("line {line}: not UTF-8"))
    })?;
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let program = Program::parse(&name.unwrap_or_default(), &text);
    let program = program.map_err(|why| usage(why.to_string()))?;
    Ok(Source { file, program })
}

fn answers<'a>(
    all: &'a [Answered<'a>],
) -> impl Iterator<Item = (&'a Source, &'a Ask, usize, &'a Answer)> {
    let of = |(source, asks): &'a Answered<'a>| {
        let one = move |(ask, answers): &'a (&'a Ask, Vec<Answer>)| {
            answers.iter().enumerate().map(move |(at, answer)| (*source, *ask, at, answer))
        };
        asks.iter().flat_map(one)
    };
    all.iter().flat_map(of)
}

fn rows<'a>(all: &'a [Answered<'a>], models: &[Model]) -> Vec<Row<'a>> {
    let row = |(source, ask, at, answer): (&'a Source, &'a Ask, usize, &'a Answer)| Row {
        program: &source.program.name,
        file: &source.file,
        ask: &ask.name,
        any_point: ask.when == When::AnyPoint,
        model: models[at].to_string(),
        allowed: answer.allowed,
        reached: answer.reached,
        complete: answer.complete,
        states: answer.states.map(|count| count.to_string()),
        states_found: answer.found.map(|count| count.to_string()),
        agrees: answer.agrees(),
        witness: answer.witness.as_deref(),
    };
    answers(all).map(row).collect()
}

/// The table, what disagrees, and the sum.
fn human(all: &[Answered<'_>], models: &[Model]) -> String {
    let room = WIDTH - COLUMN * models.len();
    let mut text = head(models, room);
    for (source, asks) in all {
        text += &wrapped("", &format!("{}: {}", source.program.name, source.program.title));
        for (ask, answers) in asks {
            text += &line(ask, answers, room);
        }
    }
    text += LEGEND;
    let (mut wrong, mut count, mut partial) = (0, 0, 0);
    for (source, ask, at, answer) in answers(all) {
        count += 1;
        partial += usize::from(!answer.complete);
        if !answer.agrees() {
            wrong += 1;
            text += &disagreement(source, ask, models[at], answer);
        }
    }
    let asks: usize = all.iter().map(|(_, asks)| asks.len()).sum();
    let s = |count: usize| if count == 1 { "" } else { "s" };
    let programs = all.len();
    let mut sum = format!("{programs} program{}, {asks} question{}", s(programs), s(asks));
    sum += &format!(", {} model{}: ", models.len(), s(models.len()));
    sum += &match wrong {
        0 => format!("all {count} answers"),
        _ => format!("{wrong} of {count} answers"),
    };
    if partial > 0 {
        sum += &format!(" ({partial} partial)");
    }
    let word = if wrong == 0 { "agree" } else { "DISAGREE" };
    text + &format!("\n{sum} {}\n", coloured(word, wrong == 0))
}

const LEGEND: &str = "
A allowed, and some disk has it    ~ not every disk was asked (--limit)
F forbidden, and no disk has it    ! the disk disagrees with the program
";

/// The models' names, in two lines.
fn head(models: &[Model], room: usize) -> String {
    let names: Vec<String> = models.iter().map(ToString::to_string).collect();
    let part = |upper: bool| {
        let cells = names.iter().map(|name| match (name.split_once('-'), upper) {
            (Some((first, _)), true) => format!("{first}-"),
            (Some((_, second)), false) => second.chars().take(COLUMN - 1).collect(),
            (None, true) => String::new(),
            (None, false) => name.clone(),
        });
        let cells: String = cells.map(|cell| format!("{cell:COLUMN$}")).collect();
        format!("{}{}", " ".repeat(room), cells)
    };
    format!("{}\n{}\n", part(true).trim_end(), part(false).trim_end())
}

/// A question and its answers, the question in as many lines as it needs.
fn line(ask: &Ask, answers: &[Answer], room: usize) -> String {
    let when = if ask.when == When::AnyPoint { " (at any point)" } else { "" };
    let mut lines = vec![String::from(" ")];
    for word in format!("{}{when}", ask.name).split(' ') {
        let last = lines.last_mut().expect("there is one");
        if last.chars().count() + 1 + word.chars().count() >= room {
            lines.push(format!("    {word}"));
        } else {
            *last += &format!(" {word}");
        }
    }
    let last = lines.pop().expect("there is one");
    let before: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let cells: Vec<String> = answers.iter().map(cell).collect();
    format!("{before}{last:room$}{}\n", cells.concat().trim_end())
}

fn cell(answer: &Answer) -> String {
    let letter = if answer.allowed { 'A' } else { 'F' };
    let mark = match (answer.agrees(), answer.complete) {
        (false, _) => "!",
        (true, false) => "~",
        (true, true) => "",
    };
    let padded = format!("{:COLUMN$}", format!("{letter}{mark}"));
    if answer.agrees() { padded } else { coloured(&padded, false) }
}

fn disagreement(source: &Source, ask: &Ask, model: Model, answer: &Answer) -> String {
    let name = &source.program.name;
    let mut text = format!("\n{} {name} under {model}\n", coloured("DISAGREE", false));
    let states = answer.states.map_or("all".into(), |count| format!("{count}"));
    let what = match answer.allowed {
        true => format!("allowed, but none of {states} crash states has it: {}", ask.name),
        false => format!("forbidden, but found: {}", ask.name),
    };
    text += &wrapped("  ", &what);
    answer.witness.iter().flatten().for_each(|line| text += &wrapped("    ", line));
    text
}
