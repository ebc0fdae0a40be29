//! Reading a program.

use super::condition::Relation;
use super::tokens::Tokens;
use super::{Ask, Call, Condition, LitmusError, Program, When};
use crate::error::quoted;
use highwater_sim::{Model, SimFs};

/// Parentheses and `not`s within each other.
const DEPTH_MAX: usize = 40;
const CALLS: &str = "a call: create, mkdir, write, append, set_len, rename, remove, sync, sync_dir";

/// What stands behind a heading, and where.
type Rest<'a> = (usize, usize, &'a str);

/// A question as far as it is read.
struct Open<'a> {
    line: usize,
    name: String,
    when: When,
    condition: Tokens<'a>,
    /// Each model and whether it is under `allowed`.
    models: Vec<(Model, bool)>,
    /// Whether `rest` is allowed.
    rest: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Init,
    Do,
    Ask,
}

struct Reader<'a> {
    program: Program,
    section: Section,
    open: Option<Open<'a>>,
}

impl Program {
    /// Reads a program; `name` is what it will be called.
    ///
    /// # Errors
    /// A text that is no program: the error names line and column, and what was expected there.
    pub fn parse(name: &str, text: &str) -> Result<Program, LitmusError> {
        let program = Program {
            name: name.into(),
            title: String::new(),
            sources: Vec::new(),
            init: Vec::new(),
            calls: Vec::new(),
            asks: Vec::new(),
        };
        let mut reader = Reader { program, section: Section::None, open: None };
        let mut last = 0;
        for (index, line) in text.lines().enumerate() {
            last = index + 1;
            reader.line(last, line)?;
        }
        reader.close()?;
        let Reader { program, .. } = reader;
        let lacks =
            |what: &str| LitmusError::new(last + 1, 1, format!("expected {what}, found the end"));
        if program.title.is_empty() {
            return Err(lacks("a title: what it shows"));
        } else if program.sources.is_empty() {
            return Err(lacks("a source: where it comes from"));
        } else if program.calls.is_empty() {
            return Err(lacks("do: and at least one call"));
        } else if program.asks.is_empty() {
            return Err(lacks("ask: and what may be found"));
        }
        program.rehearse()?;
        Ok(program)
    }

    /// Every call must succeed where no power fails.
    fn rehearse(&self) -> Result<(), LitmusError> {
        let disk = SimFs::new(Model::Strict);
        for (line, call) in self.init.iter().chain(&self.calls) {
            call.run(&disk).map_err(|why| {
                LitmusError::new(*line, 1, format!("expected a call that works: {call}: {why}"))
            })?;
        }
        Ok(())
    }
}

/// A line `key: rest`, if its key is one of ours.
fn heading(line: &str) -> Option<(&str, Rest<'_>)> {
    let (key, rest) = line.split_once(':')?;
    let keys = ["title", "source", "init", "do", "ask", "ask at any point", "allowed", "forbidden"];
    let key = keys.into_iter().find(|k| *k == key.trim())?;
    let text = rest.trim();
    let column = line[..line.len() - rest.trim_start().len()].chars().count() + 1;
    Some((key, (0, column, text)))
}

impl<'a> Reader<'a> {
    fn line(&mut self, number: usize, line: &'a str) -> Result<(), LitmusError> {
        if let Some((key, (_, column, text))) = heading(line) {
            return self.heading(key, (number, column, text));
        }
        let mut tokens = Tokens::default();
        match (self.section, &mut self.open) {
            (Section::Ask, Some(open)) if open.models.is_empty() && open.rest.is_none() => {
                return open.condition.add(number, line);
            }
            _ => tokens.add(number, line)?,
        }
        if tokens.is_empty() {
            return Ok(());
        }
        match self.section {
            Section::None => Err(tokens.expected("title:, source:, init: or do:")),
            Section::Ask => Err(tokens.expected("allowed:, forbidden: or another ask:")),
            Section::Init => call(&mut tokens).map(|c| self.program.init.push((number, c))),
            Section::Do => call(&mut tokens).map(|c| self.program.calls.push((number, c))),
        }
    }

    fn heading(&mut self, key: &'a str, rest: Rest<'a>) -> Result<(), LitmusError> {
        let (number, column, text) = rest;
        let error = |what: String| Err(LitmusError::new(number, column, what));
        let bare = text.split('#').next().unwrap_or_default().trim();
        match key {
            "title" | "source" | "ask" | "ask at any point" if text.is_empty() => {
                return error(format!("expected words behind {key}:, found the end of the line"));
            }
            "init" | "do" if !bare.is_empty() => {
                return error(format!("expected the end of the line, found {}", quoted(bare)));
            }
            _ => {}
        }
        let late = |what: &str| error(format!("expected {key}: only once and before {what}:"));
        let program = &mut self.program;
        match key {
            "title" if !program.title.is_empty() || self.section != Section::None => late("init"),
            "title" => {
                program.title = text.into();
                Ok(())
            }
            "source" if self.section != Section::None => late("init"),
            "source" => {
                program.sources.push(text.into());
                Ok(())
            }
            "init" if self.section != Section::None => late("do"),
            "init" => {
                self.section = Section::Init;
                Ok(())
            }
            "do" if !matches!(self.section, Section::None | Section::Init) => late("ask"),
            "do" => {
                self.section = Section::Do;
                Ok(())
            }
            "ask" | "ask at any point" => {
                if !matches!(self.section, Section::Do | Section::Ask) {
                    return error("expected do: before ask:".into());
                }
                self.close()?;
                self.section = Section::Ask;
                let when = if key == "ask" { When::End } else { When::AnyPoint };
                let (condition, models) = (Tokens::default(), Vec::new());
                let name = text.into();
                self.open = Some(Open { line: number, name, when, condition, models, rest: None });
                Ok(())
            }
            _ => match &mut self.open {
                Some(open) => open.models(key == "allowed", rest),
                None => error(format!("expected ask: before {key}:")),
            },
        }
    }

    /// The question that was open is complete.
    fn close(&mut self) -> Result<(), LitmusError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        self.program.asks.push(open.close(&self.program)?);
        Ok(())
    }
}

impl Open<'_> {
    fn models(
        &mut self,
        allowed: bool,
        (number, column, text): Rest<'_>,
    ) -> Result<(), LitmusError> {
        let text = text.split('#').next().unwrap_or_default();
        let mut at = column;
        let mut any = false;
        for word in text.split(' ') {
            let here = at;
            at += word.chars().count() + 1;
            let error = |what: String| LitmusError::new(number, here, what);
            any |= !word.is_empty();
            match word {
                "" | "none" => {}
                "all" | "rest" if self.rest.is_some() => {
                    return Err(error(format!("expected {word} only once in a question")));
                }
                "all" | "rest" => self.rest = Some(allowed),
                _ => {
                    let model = word.parse().map_err(|why: String| {
                        error(format!("expected all, rest, none or a disk model: {why}"))
                    })?;
                    if self.models.iter().any(|(m, _)| *m == model) {
                        return Err(error(format!("expected {model} only once in a question")));
                    }
                    self.models.push((model, allowed));
                }
            }
        }
        let what = "expected disk models, all, rest or none, found the end of the line";
        if any { Ok(()) } else { Err(LitmusError::new(number, column, what)) }
    }

    fn close(mut self, program: &Program) -> Result<Ask, LitmusError> {
        let lacks = |what: String| Err(LitmusError::new(self.line, 1, what));
        if self.condition.is_empty() {
            return lacks("expected a condition below ask:, found none".into());
        }
        let of = |model: &Model| {
            let named = self.models.iter().find(|(m, _)| m == model).map(|(_, allowed)| *allowed);
            named.or(self.rest)
        };
        let unsaid: Vec<String> =
            Model::ALL.iter().filter(|m| of(m).is_none()).map(ToString::to_string).collect();
        if !unsaid.is_empty() {
            let unsaid = unsaid.join(" ");
            return lacks(format!(
                "expected every disk model to be allowed or forbidden; {unsaid}: neither"
            ));
        }
        let allowed = Model::ALL.into_iter().filter(|m| of(m) == Some(true)).collect();
        let place = self.condition.place();
        let condition = either(&mut self.condition, 0)?;
        if !self.condition.done() {
            return Err(self.condition.expected("and, or, or the end of the condition"));
        }
        let calls = program.init.iter().chain(&program.calls);
        let known: Vec<&str> = calls.flat_map(|(_, call)| call.paths()).collect();
        if let Some(unknown) = condition.paths().into_iter().find(|path| !known.contains(path)) {
            let what = format!("expected paths that some call names, found {}", quoted(unknown));
            return Err(LitmusError::new(place.0, place.1, what));
        }
        Ok(Ask { name: self.name, when: self.when, condition, allowed })
    }
}

fn call(tokens: &mut Tokens<'_>) -> Result<Call, LitmusError> {
    let start = tokens.clone();
    let call = match tokens.word(CALLS)? {
        "create" => Call::Create(tokens.path()?),
        "mkdir" => Call::Mkdir(tokens.path()?),
        "write" => Call::Write(tokens.path()?, tokens.number("an offset")?, tokens.bytes()?),
        "append" => Call::Append(tokens.path()?, tokens.bytes()?),
        "set_len" => Call::SetLen(tokens.path()?, tokens.number("a size")?),
        "rename" => Call::Rename(tokens.path()?, tokens.path()?),
        "remove" => Call::Remove(tokens.path()?),
        "sync" => Call::Sync(tokens.path()?),
        "sync_dir" => Call::SyncDir(tokens.path()?),
        _ => return Err(start.expected(CALLS)),
    };
    if tokens.done() { Ok(call) } else { Err(tokens.expected("the end of the call")) }
}

fn either(tokens: &mut Tokens<'_>, depth: usize) -> Result<Condition, LitmusError> {
    let mut all = vec![both(tokens, depth)?];
    while tokens.word_is("or") {
        all.push(both(tokens, depth)?);
    }
    Ok(if all.len() == 1 { all.remove(0) } else { Condition::Or(all) })
}

fn both(tokens: &mut Tokens<'_>, depth: usize) -> Result<Condition, LitmusError> {
    let mut all = vec![one(tokens, depth)?];
    while tokens.word_is("and") {
        all.push(one(tokens, depth)?);
    }
    Ok(if all.len() == 1 { all.remove(0) } else { Condition::And(all) })
}

fn one(tokens: &mut Tokens<'_>, depth: usize) -> Result<Condition, LitmusError> {
    if depth > DEPTH_MAX {
        return Err(tokens.error(format!("expected at most {DEPTH_MAX} nots and parentheses")));
    }
    if tokens.word_is("not") {
        return Ok(Condition::Not(Box::new(one(tokens, depth + 1)?)));
    } else if tokens.sign_is('(') {
        let inner = either(tokens, depth + 1)?;
        return tokens.sign(')').map(|()| inner);
    } else if tokens.word_is("exists") {
        return Ok(Condition::Exists(tokens.path()?));
    } else if tokens.word_is("size") {
        let path = tokens.path()?;
        let relation = match () {
            () if tokens.sign_is('=') => Relation::Equal,
            () if tokens.sign_is('<') => Relation::Less,
            () if tokens.sign_is('>') => Relation::Greater,
            () => return Err(tokens.expected("=, < or >")),
        };
        return Ok(Condition::Size(path, relation, tokens.number("a size")?));
    }
    let path = tokens.path()?;
    if tokens.sign_is('=') {
        Ok(Condition::Is(path, tokens.bytes()?))
    } else if tokens.word_is("at") {
        let offset = tokens.number("an offset")?;
        tokens.sign('=')?;
        Ok(Condition::At(path, offset, tokens.bytes()?))
    } else if tokens.word_is("starts") {
        tokens.phrase(&["with"])?;
        Ok(Condition::At(path, 0, tokens.bytes()?))
    } else if tokens.word_is("contains") {
        Ok(Condition::Contains(path, tokens.bytes()?))
    } else if tokens.word_is("is") {
        tokens.phrase(&["a", "prefix", "of"])?;
        Ok(Condition::PrefixOf(path, tokens.bytes()?))
    } else if tokens.word_is("has") {
        tokens.phrase(&["bytes", "other", "than"])?;
        Ok(Condition::Other(path, tokens.bytes()?))
    } else {
        Err(tokens
            .expected("=, at, starts with, contains, is a prefix of, or has bytes other than"))
    }
}
