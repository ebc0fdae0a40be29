//! Bytes as programs write them: `"text"`, `"x"*600`, `zeros*512`, `0xa55a`, joined by `+`.

/// So many equal bytes are written with `*`.
const RUN: usize = 8;
/// Of bytes that are neither text nor a run, at most so many are shown.
const RAW_SHOWN: usize = 8;
/// Of many parts, at most so many.
const PARTS_SHOWN: usize = 6;

enum Part {
    Text(String),
    Run(u8, usize),
    Raw(Vec<u8>),
}

fn printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// `bytes` as a program would write them; of what is neither text nor a run, only the beginning.
pub(super) fn shown(bytes: &[u8]) -> String {
    let mut parts: Vec<Part> = Vec::new();
    for run in bytes.chunk_by(|a, b| a == b) {
        let byte = run[0];
        match parts.last_mut() {
            _ if run.len() >= RUN || byte == 0 => parts.push(Part::Run(byte, run.len())),
            Some(Part::Text(text)) if printable(byte) => {
                text.extend(run.iter().map(|b| char::from(*b)));
            }
            Some(Part::Raw(raw)) if !printable(byte) => raw.extend(run),
            _ if printable(byte) => {
                parts.push(Part::Text(run.iter().map(|b| char::from(*b)).collect()));
            }
            _ => parts.push(Part::Raw(run.to_vec())),
        }
    }
    if parts.is_empty() {
        return "\"\"".into();
    }
    let texts: Vec<String> = parts.iter().take(PARTS_SHOWN).map(Part::to_text).collect();
    let more = format!(" … ({} bytes)", bytes.len());
    texts.join(" + ") + if parts.len() > PARTS_SHOWN { &more } else { "" }
}

impl Part {
    fn to_text(&self) -> String {
        match self {
            Part::Text(text) => format!("\"{text}\""),
            Part::Run(0, count) => format!("zeros*{count}"),
            Part::Run(byte, count) if printable(*byte) => {
                format!("\"{}\"*{count}", char::from(*byte))
            }
            Part::Run(byte, count) => format!("0x{byte:02x}*{count}"),
            Part::Raw(raw) => {
                let digits: String =
                    raw.iter().take(RAW_SHOWN).map(|b| format!("{b:02x}")).collect();
                match raw.len() {
                    0..=RAW_SHOWN => format!("0x{digits}"),
                    count => format!("0x{digits}… ({count} bytes)"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn bytes_are_shown_as_programs_write_them() {
        for (bytes, text) in [
            (&b""[..], "\"\""),
            (b"old", "\"old\""),
            (b"aabbb", "\"aabbb\""),
            (b"aaaaaaaa", "\"a\"*8"),
            (b"x\0", "\"x\" + zeros*1"),
            (b"\0\0\0xaaaaaaaaay", "zeros*3 + \"x\" + \"a\"*9 + \"y\""),
            (b"\xa5\x5a\xa5", "0xa5 + \"Z\" + 0xa5"),
            (b"\xa5\xa6", "0xa5a6"),
            (b"\0b\0d\0f\0h", "zeros*1 + \"b\" + zeros*1 + \"d\" + zeros*1 + \"f\" … (8 bytes)"),
            (b"a\xff\xff\xff\xff\xff\xff\xff\xff\xff", "\"a\" + 0xff*9"),
            (b"\"", "0x22"),
            (b"\x81\x82\x83\x84\x85\x86\x87\x88\x89", "0x8182838485868788… (9 bytes)"),
        ] {
            assert_eq!(shown(bytes), text);
        }
    }
}
