//! Writing to the terminal: never a panic, never wider than 80 columns, colour only as an extra.

use crate::exit::{ENVIRONMENT, Failure};
use std::io::{self, ErrorKind, IsTerminal, Write};

/// Columns of everything that people read, tokens aside.
pub(crate) const WIDTH: usize = 80;

/// Writes data to stdout. That nobody reads it any more is no failure.
pub(crate) fn data(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(ENVIRONMENT, format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}

/// Writes to people on stderr; if that fails there is nobody left to tell.
pub(crate) fn note(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// Why a command ended early. On a terminal in lines of [`WIDTH`]; elsewhere as it is, for what
/// reads it looks for its words.
pub(crate) fn complain(message: &str) {
    note(&complaint(message, io::stderr().is_terminal()));
}

fn complaint(message: &str, to_a_terminal: bool) -> String {
    const WHO: &str = "highwater: ";
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default();
    match to_a_terminal {
        true => wrapped(WHO, first) + &lines.map(|line| wrapped("", line)).collect::<String>(),
        false => format!("{WHO}{message}\n"),
    }
}

/// Whether people see colours.
fn colours() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    io::stderr().is_terminal() && !set("NO_COLOR")
}

/// A verdict in green or red, where there are colours; the word alone says it too.
pub(crate) fn coloured(word: &str, good: bool) -> String {
    match (colours(), good) {
        (false, _) => word.to_string(),
        (true, true) => format!("\x1b[1;32m{word}\x1b[0m"),
        (true, false) => format!("\x1b[1;31m{word}\x1b[0m"),
    }
}

/// `text` in lines of at most [`WIDTH`] columns: the first begins with `first`, the others with as
/// many spaces; what has no space where it would need one is broken anywhere.
pub(crate) fn wrapped(first: &str, text: &str) -> String {
    let indent = first.chars().count();
    let room = WIDTH.saturating_sub(indent).max(20);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut width = 0;
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        let space = usize::from(!line.is_empty());
        if width + space + word.len() > room && width > 0 {
            lines.push(std::mem::take(&mut line));
            width = 0;
        }
        while word.len() > room {
            lines.push(word.drain(..room).collect());
        }
        if !line.is_empty() {
            line.push(' ');
            width += 1;
        }
        width += word.len();
        line.extend(word);
    }
    lines.push(line);
    let separator = format!("\n{}", " ".repeat(indent));
    format!("{first}{}\n", lines.join(&separator))
}

/// A number with commas between the thousands.
pub(crate) fn thousands(number: impl std::fmt::Display) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A JSON document, laid out for reading.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("our reports are plain data");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_have_commas() {
        let all = [0u64, 12, 999, 1_000, 123_456, 1_234_567].map(thousands);
        assert_eq!(all, ["0", "12", "999", "1,000", "123,456", "1,234,567"]);
        assert_eq!(thousands(u128::MAX).matches(',').count(), 12);
    }

    #[test]
    fn complaints_are_wrapped_where_people_read_them() {
        let message = format!("{}\nsecond {}", "word ".repeat(30).trim(), "line ".repeat(30));
        let wrapped = complaint(&message, true);
        assert!(wrapped.lines().all(|line| line.chars().count() <= WIDTH), "{wrapped}");
        assert!(wrapped.starts_with("highwater: word") && wrapped.contains("\nsecond line"));
        assert_eq!(complaint(&message, false), format!("highwater: {message}\n"));
    }

    #[test]
    fn wrapped_text_keeps_its_words_and_its_width() {
        let text = "word ".repeat(40) + &"x".repeat(200) + " end";
        let wrapped = wrapped("  key  ", &text);
        assert!(wrapped.lines().all(|line| line.chars().count() <= WIDTH), "{wrapped}");
        assert!(wrapped.starts_with("  key  word word"));
        assert_eq!(wrapped.matches("word").count(), 40);
        assert_eq!(wrapped.matches('x').count(), 200);
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with("       ")), "{wrapped}");
        assert_eq!(super::wrapped("> ", "short"), "> short\n");
    }
}
