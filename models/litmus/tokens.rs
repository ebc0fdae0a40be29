//! The words of a call or a condition, each with its place.

use super::LitmusError;
use crate::error::quoted;

/// Bytes that one program may write out with `*`.
const BYTES_MAX: usize = 1 << 20;

/// One word, string or sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    Word(&'a str),
    Text(Vec<u8>),
    Sign(char),
}

/// Tokens of a line or of several, with their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens<'a> {
    all: Vec<(usize, usize, Token<'a>)>,
    at: usize,
    /// Behind the last token.
    end: (usize, usize),
}

const SIGNS: &str = "()=<>+*";

impl<'a> Tokens<'a> {
    /// Adds the tokens of a line, up to a comment.
    pub(super) fn add(&mut self, number: usize, line: &'a str) -> Result<(), LitmusError> {
        let mut rest = line;
        let column = |rest: &str| line[..line.len() - rest.len()].chars().count() + 1;
        loop {
            rest = rest.trim_start();
            let place = (number, column(rest));
            let Some(first) = rest.chars().next().filter(|c| *c != '#') else {
                if self.all.last().is_some_and(|last| last.0 < number) {
                    return Ok(()); // an empty line is not where a condition ends
                }
                self.end = (number, line[..line.len() - rest.len()].trim_end().chars().count() + 1);
                return Ok(());
            };
            let token;
            if first == '"' {
                let Some(length) = rest[1..].find('"') else {
                    let what = "expected a closing \" on the same line, found none";
                    return Err(LitmusError::new(place.0, place.1, what));
                };
                token = Token::Text(rest.as_bytes()[1..=length].to_vec());
                rest = &rest[length + 2..];
            } else if SIGNS.contains(first) {
                token = Token::Sign(first);
                rest = &rest[1..];
            } else {
                let end = |c: char| c.is_whitespace() || c == '"' || c == '#' || SIGNS.contains(c);
                let length = rest.find(end).unwrap_or(rest.len());
                token = Token::Word(&rest[..length]);
                rest = &rest[length..];
            }
            self.all.push((place.0, place.1, token));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn done(&self) -> bool {
        self.at == self.all.len()
    }

    /// Where the next token stands.
    pub(super) fn place(&self) -> (usize, usize) {
        self.all.get(self.at).map_or(self.end, |(line, column, _)| (*line, *column))
    }

    fn peek(&self) -> Option<&Token<'a>> {
        self.all.get(self.at).map(|(_, _, token)| token)
    }

    pub(super) fn error(&self, what: impl Into<String>) -> LitmusError {
        let (line, column) = self.place();
        LitmusError::new(line, column, what)
    }

    pub(super) fn expected(&self, what: &str) -> LitmusError {
        let found = match self.peek() {
            None => "the end".to_string(),
            Some(Token::Word(word)) => quoted(word),
            Some(Token::Text(text)) => quoted(&String::from_utf8_lossy(text)),
            Some(Token::Sign(sign)) => format!("{sign:?}"),
        };
        self.error(format!("expected {what}, found {found}"))
    }

    /// Takes the next token if it is this word.
    pub(super) fn word_is(&mut self, word: &str) -> bool {
        let is = self.peek() == Some(&Token::Word(word));
        self.at += usize::from(is);
        is
    }

    /// Takes the next token if it is this sign.
    pub(super) fn sign_is(&mut self, sign: char) -> bool {
        let is = self.peek() == Some(&Token::Sign(sign));
        self.at += usize::from(is);
        is
    }

    pub(super) fn sign(&mut self, sign: char) -> Result<(), LitmusError> {
        if self.sign_is(sign) { Ok(()) } else { Err(self.expected(&format!("{sign:?}"))) }
    }

    /// All these words.
    pub(super) fn phrase(&mut self, words: &[&str]) -> Result<(), LitmusError> {
        for word in words {
            if !self.word_is(word) {
                return Err(self.expected(&format!("{word:?} (of {:?})", words.join(" "))));
            }
        }
        Ok(())
    }

    /// Any word.
    pub(super) fn word(&mut self, what: &str) -> Result<&'a str, LitmusError> {
        match self.peek() {
            Some(Token::Word(word)) => {
                let word = *word;
                self.at += 1;
                Ok(word)
            }
            _ => Err(self.expected(what)),
        }
    }

    /// Before the token taken last, for an error that names it.
    fn back(&mut self) -> &Self {
        self.at -= 1;
        self
    }

    /// A path of the seam; the root is `/` and comes out empty.
    pub(super) fn path(&mut self) -> Result<String, LitmusError> {
        const WHAT: &str = "a path (such as a or d/a; / is the root)";
        let word = self.word(WHAT)?;
        let path = if word == "/" { "" } else { word };
        let reserved = ["not", "and", "or", "exists", "size", "zeros"].contains(&word);
        if reserved || highwater_vfs::check_path(path.as_ref()).is_err() {
            return Err(self.back().expected(WHAT));
        }
        Ok(path.to_string())
    }

    pub(super) fn number(&mut self, what: &str) -> Result<u64, LitmusError> {
        let word = self.word(what)?;
        let number = word.parse().ok().filter(|_| word.bytes().all(|b| b.is_ascii_digit()));
        let number = number.filter(|n| *n <= BYTES_MAX as u64);
        number.ok_or_else(|| self.back().expected(&format!("{what} of at most {BYTES_MAX}")))
    }

    /// Parts joined by `+`.
    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, LitmusError> {
        const WHAT: &str = "bytes (\"text\", \"x\"*600, zeros*512 or 0xa55a, joined by +)";
        let mut all = Vec::new();
        loop {
            let (line, column) = self.place();
            let part = match self.peek() {
                Some(Token::Text(text)) => text.clone(),
                Some(Token::Word("zeros")) => vec![0],
                Some(Token::Word(word)) => {
                    let hex = word.strip_prefix("0x").and_then(crate::compact::unhex);
                    hex.ok_or_else(|| self.expected(WHAT))?
                }
                _ => return Err(self.expected(WHAT)),
            };
            let zeros = self.word_is("zeros");
            self.at += usize::from(!zeros);
            if zeros && self.peek() != Some(&Token::Sign('*')) {
                return Err(self.expected("\"*\" and how many zeros"));
            }
            let times = if self.sign_is('*') { self.number("a count")? } else { 1 };
            if part.len() as u64 * times + all.len() as u64 > BYTES_MAX as u64 {
                let what = format!("expected at most {BYTES_MAX} bytes, found more");
                return Err(LitmusError::new(line, column, what));
            }
            all.extend(part.repeat(times as usize));
            if !self.sign_is('+') {
                return Ok(all);
            }
        }
    }
}
