//! Just enough of Rust's lexical structure to tell code, comments and strings apart.

/// What a byte of a source file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Code,
    Comment,
    Doc,
    /// The contents of a string or character, without its quotes.
    Text,
}

/// The class of every byte of `source`.
pub(super) fn classes(source: &str) -> Vec<Class> {
    let bytes = source.as_bytes();
    let mut classes = vec![Class::Code; bytes.len()];
    let mut at = 0;
    while at < bytes.len() {
        let rest = &source[at..];
        let (skip, size, class) = if rest.starts_with("//") {
            (0, rest.find('\n').unwrap_or(rest.len()), comment(rest))
        } else if rest.starts_with("/*") {
            (0, block(rest), comment(rest))
        } else if let Some(open) = raw_string(source, at) {
            let hashes = rest[..open].bytes().filter(|b| *b == b'#').count();
            let close = format!("\"{}", "#".repeat(hashes));
            let inner = &rest[open..];
            (open, inner.find(&close).unwrap_or(inner.len()), Class::Text)
        } else if let Some(inner) = rest.strip_prefix('"') {
            (1, until_quote(inner, b'"'), Class::Text)
        } else if let Some(inner) = rest.strip_prefix('\'').filter(|inner| is_character(inner)) {
            (1, until_quote(inner, b'\''), Class::Text)
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        classes[at + skip..at + skip + size].fill(class);
        at += skip + size + usize::from(class == Class::Text); // the closing quote
    }
    classes
}

/// The source with comments and the contents of strings blanked; lines and offsets stay.
pub(super) fn code(source: &str) -> String {
    let classes = classes(source);
    let keep = |(at, c): (usize, char)| match classes[at] {
        Class::Code => c.to_string(),
        _ if c == '\n' => String::from("\n"),
        _ => " ".repeat(c.len_utf8()),
    };
    source.char_indices().map(keep).collect()
}

fn comment(rest: &str) -> Class {
    let doc = ["///", "//!", "/**", "/*!"].iter().any(|start| rest.starts_with(start));
    let plain = rest.starts_with("////") || rest.starts_with("/**/") || rest.starts_with("/***");
    if doc && !plain { Class::Doc } else { Class::Comment }
}

/// The size of a block comment, nested ones included.
fn block(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        match rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// If a raw string begins at `at`: the size of its opening, quote included.
fn raw_string(source: &str, at: usize) -> Option<usize> {
    let inside_name = source[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let rest = &source[at..];
    let prefix = if rest.starts_with("br") { 2 } else { 1 };
    if inside_name || !(rest.starts_with('r') || rest.starts_with("br")) {
        return None;
    }
    let hashes = rest[prefix..].bytes().take_while(|b| *b == b'#').count();
    rest[prefix + hashes..].starts_with('"').then_some(prefix + hashes + 1)
}

fn until_quote(rest: &str, quote: u8) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b if b == quote => return at,
            _ => {}
        }
    }
    rest.len()
}

/// Whether a character literal, not a lifetime, follows the quote.
fn is_character(rest: &str) -> bool {
    let mut chars = rest.chars();
    matches!((chars.next(), chars.next()), (Some('\\'), _) | (Some(_), Some('\'')))
}

#[test]
fn tells_code_from_comments_and_strings() {
    for (source, want) in [
        ("a // b\nc", "a     \nc"),
        ("a /* b /* c */ d */ e", "a                   e"),
        (r#"f("x\"y", z)"#, r#"f("    ", z)"#),
        (r##"f(r#"x"y"#, z)"##, r##"f(r#"   "#, z)"##),
        (r##"f(br#"x"#, z)"##, r##"f(br#" "#, z)"##),
        (r#"f(b"x", br"y", r"z")"#, r#"f(b" ", br" ", r" ")"#),
        (r"f('{', '\'', 'a, '\\')", r"f(' ', '  ', 'a, '  ')"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("for r in \"r\" {}", "for r in \" \" {}"),
        ("\"水\" x", "\"   \" x"),
    ] {
        assert_eq!(code(source), want, "{source}");
    }
    let kinds = ["/// a", "//! a", "// a", "//// a", "/** a */", "/* a */"];
    let docs: Vec<bool> = kinds.iter().map(|s| classes(s)[0] == Class::Doc).collect();
    assert_eq!(docs, [true, true, false, false, true, false]);
}
