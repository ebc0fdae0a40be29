//! Reading the text form of a workload.

use crate::error::quoted;
use crate::op::BYTES_MAX;
use crate::{Bytes, Op, WorkloadError};

/// What an error says where an operation should begin.
pub(crate) const EXPECTED_OP: &str =
    "expected an operation: put, delete, batch, deferred, flush, checkpoint or reopen";

/// Reads operations, one a line.
pub(crate) fn parse(text: &str) -> Result<Vec<Op>, WorkloadError> {
    let mut ops = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut cursor = Cursor { line, at: 0, number: index + 1 };
        cursor.space();
        if cursor.done() {
            continue;
        }
        ops.push(cursor.op()?);
        if !cursor.done() {
            return Err(cursor.expected("the end of the line"));
        }
    }
    Ok(ops)
}

/// A place in one line.
struct Cursor<'a> {
    line: &'a str,
    /// Bytes from the start of the line; always between two characters.
    at: usize,
    number: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.line[self.at..]
    }

    fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Nothing is left but a comment.
    fn done(&self) -> bool {
        matches!(self.rest().chars().next(), None | Some('#'))
    }

    /// The characters up to white space, a comma, a quote or a comment.
    fn word(&self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, ',' | '"' | '#'));
        &rest[..end.unwrap_or(rest.len())]
    }

    fn take(&mut self, word: &str) {
        self.at += word.len();
        self.space();
    }

    fn error(&self, what: impl Into<String>) -> WorkloadError {
        WorkloadError::at(self.number, self.line[..self.at].chars().count() + 1, what)
    }

    fn expected(&self, what: &str) -> WorkloadError {
        let found = match (self.word(), self.rest().chars().next()) {
            (_, None) => "the end of the line".to_string(),
            ("", Some(c)) => format!("{c:?}"),
            (word, _) => quoted(word),
        };
        self.error(format!("expected {what}, found {found}"))
    }

    fn op(&mut self) -> Result<Op, WorkloadError> {
        let word = self.word();
        let op = match word {
            "flush" => Op::Flush,
            "checkpoint" => Op::Checkpoint,
            "reopen" => Op::Reopen,
            "put" => {
                self.take(word);
                let (id, bytes) = self.item()?;
                return Ok(Op::Put { id, bytes });
            }
            "delete" => {
                self.take(word);
                return Ok(Op::Delete { id: self.id()? });
            }
            "batch" | "deferred" => {
                self.take(word);
                let items = self.items()?;
                return Ok(if word == "batch" { Op::Batch(items) } else { Op::Deferred(items) });
            }
            _ => return Err(self.error(format!("{EXPECTED_OP}; found {}", quoted(word)))),
        };
        self.take(word);
        Ok(op)
    }

    fn items(&mut self) -> Result<Vec<(u64, Bytes)>, WorkloadError> {
        let mut items = Vec::new();
        if self.done() {
            return Ok(items);
        }
        loop {
            items.push(self.item()?);
            if !self.rest().starts_with(',') {
                return Ok(items);
            }
            self.take(",");
        }
    }

    fn item(&mut self) -> Result<(u64, Bytes), WorkloadError> {
        Ok((self.id()?, self.bytes()?))
    }

    fn id(&mut self) -> Result<u64, WorkloadError> {
        let word = self.word();
        let digits = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        let id = word.parse().ok().filter(|_| digits);
        let id = id.ok_or_else(|| match digits {
            true => self.expected("an id of at most 18446744073709551615"),
            false => self.expected("an id"),
        })?;
        self.take(word);
        Ok(id)
    }

    fn bytes(&mut self) -> Result<Bytes, WorkloadError> {
        if self.rest().starts_with('"') {
            return self.string();
        }
        let word = self.word();
        let bytes = if let Some(hex) = word.strip_prefix("0x") {
            let bytes = crate::compact::unhex(hex).ok_or_else(|| {
                self.expected("pairs of hexadecimal digits behind 0x, such as 0xdeadbeef")
            })?;
            Bytes::Literal(bytes)
        } else if let Some(size) = word.strip_prefix('x').and_then(|digits| digits.parse().ok()) {
            Bytes::Generated(size)
        } else {
            return Err(self.expected("a payload (\"text\", x16 or 0xdeadbeef)"));
        };
        self.bounded(&bytes)?;
        self.take(word);
        Ok(bytes)
    }

    fn bounded(&self, bytes: &Bytes) -> Result<(), WorkloadError> {
        let size = bytes.size();
        if size <= BYTES_MAX {
            return Ok(());
        }
        Err(self.error(format!("expected a payload of at most {BYTES_MAX} bytes, found {size}")))
    }

    fn string(&mut self) -> Result<Bytes, WorkloadError> {
        let start = self.at;
        let mut text = String::new();
        let mut chars = self.line[start + 1..].char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    let bytes = Bytes::Literal(text.into_bytes());
                    self.bounded(&bytes)?;
                    self.at = start + 1 + i + 1;
                    self.space();
                    return Ok(bytes);
                }
                '\\' => match chars.next().map(|c| c.1) {
                    Some(c @ ('"' | '\\')) => text.push(c),
                    Some('n') => text.push('\n'),
                    Some('r') => text.push('\r'),
                    Some('t') => text.push('\t'),
                    found => {
                        self.at = start + 1 + i;
                        let found =
                            found.map_or("the end of the line".into(), |c| quoted(&c.to_string()));
                        let escapes = r#"one of \" \\ \n \r \t"#;
                        return Err(self.error(format!("expected {escapes}, found \\ and {found}")));
                    }
                },
                c => text.push(c),
            }
        }
        Err(self.error("expected a closing \" on the same line, found none"))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Place, Workload};

    fn error(text: &str) -> (usize, usize, String) {
        let error = text.parse::<Workload>().expect_err(text);
        let Place::Text { line, column } = error.place else { panic!("{error}") };
        (line, column, error.what)
    }

    #[test]
    fn errors_name_line_and_column_and_what_was_expected() {
        for (text, line, column, what) in [
            ("put 1 x16\nstore 2 x16", 2, 1, "expected an operation: put,"),
            ("  wrong", 1, 3, "found \"wrong\""),
            ("put", 1, 4, "expected an id, found the end of the line"),
            ("put -1 x1", 1, 5, "expected an id, found \"-1\""),
            ("put +1 x1", 1, 5, "expected an id, found \"+1\""),
            ("put 18446744073709551616 x1", 1, 5, "at most 18446744073709551615"),
            ("put 1", 1, 6, "expected a payload"),
            ("put 1 y16", 1, 7, "expected a payload (\"text\", x16 or 0xdeadbeef), found \"y16\""),
            ("put 1 x", 1, 7, "expected a payload"),
            ("put 1 x-3", 1, 7, "expected a payload"),
            ("put 1 x1048577", 1, 7, "at most 1048576 bytes"),
            ("put 1 x99999999999999999999", 1, 7, "expected a payload"),
            ("put 1 0xabc", 1, 7, "expected pairs of hexadecimal digits"),
            ("put 1 0x0g", 1, 7, "expected pairs of hexadecimal digits"),
            ("put 1 \"open", 1, 7, "expected a closing \""),
            ("put 1 \"été\" x", 1, 13, "expected the end of the line, found \"x\""),
            ("put 1 \"a\\q\"", 1, 9, "expected one of"),
            ("put 1 \"a\\", 1, 9, "found \\ and the end of the line"),
            ("batch 1 x1,", 1, 12, "expected an id, found the end of the line"),
            ("batch 1 x1 2 x1", 1, 12, "expected the end of the line, found \"2\""),
            ("batch , 1 x1", 1, 7, "expected an id, found ','"),
            ("flush 1", 1, 7, "expected the end of the line, found \"1\""),
            ("\n\n# c\n\tflush\n reopen!", 5, 2, "found \"reopen!\""),
        ] {
            let got = error(text);
            assert_eq!((got.0, got.1), (line, column), "{text}: {}", got.2);
            assert!(got.2.contains(what), "{text}: {}", got.2);
        }
    }

    #[test]
    fn what_was_found_is_cut_if_it_is_long() {
        let (_, _, what) = error(&"q".repeat(1 << 20));
        assert!(what.len() < 200, "{} bytes", what.len());
    }

    #[test]
    fn comments_blank_lines_and_hashes_in_strings() {
        let text = "\n# all of it\nput 1 \"#1\" # a comment\r\n\t\nflush#x\n";
        let workload: Workload = text.parse().unwrap();
        assert_eq!(workload.to_string(), "put 1 \"#1\"\nflush\n");
    }
}
