//! The form of a workload that fits into a token: one word of letters, digits, `-`, `_` and `~`,
//! so that neither a shell nor a URL has anything to say about it.
//!
//! Operations are separated by `_`, the items of a batch by `~`, an id from its bytes by `-`.
//! `p` puts, `d` deletes, `b` is a batch, `q` a deferred one, `f` flushes, `c` checkpoints, `r`
//! reopens; bytes are `x16` (generated) or `h` and hexadecimal digits.

use crate::error::quoted;
use crate::op::BYTES_MAX;
use crate::{Bytes, Op, Workload, WorkloadError};
use std::fmt::Write;

/// The bytes that pairs of hexadecimal digits stand for.
pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let nibble = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| Some(nibble(pair[0])? << 4 | nibble(*pair.get(1)?)?)).collect()
}

fn push_items(out: &mut String, items: &[(u64, Bytes)]) {
    for (n, (id, bytes)) in items.iter().enumerate() {
        let tilde = if n > 0 { "~" } else { "" };
        write!(out, "{tilde}{id}-").expect("a string takes it all");
        match bytes {
            Bytes::Generated(size) => write!(out, "x{size}").expect("a string takes it all"),
            Bytes::Literal(bytes) => {
                out.push('h');
                for byte in bytes {
                    write!(out, "{byte:02x}").expect("a string takes it all");
                }
            }
        }
    }
}

fn error(column: usize, what: impl Into<String>) -> WorkloadError {
    WorkloadError::at(1, column, what)
}

impl Workload {
    /// The workload as one word that is safe in a shell and in a URL, and short where its bytes
    /// are generated.
    ///
    /// ```
    /// use highwater_models::Workload;
    /// let workload: Workload = "put 1 x16\nbatch 2 \"a\", 3 x16\ncheckpoint".parse()?;
    /// assert_eq!(workload.compact(), "p1-x16_b2-h61~3-x16_c");
    /// assert_eq!(Workload::from_compact("p1-x16_b2-h61~3-x16_c")?, workload);
    /// # Ok::<(), highwater_models::WorkloadError>(())
    /// ```
    pub fn compact(&self) -> String {
        let mut out = String::new();
        for (n, op) in self.ops().iter().enumerate() {
            if n > 0 {
                out.push('_');
            }
            match op {
                Op::Put { id, bytes } => {
                    out.push('p');
                    push_items(&mut out, &[(*id, bytes.clone())]);
                }
                Op::Delete { id } => write!(out, "d{id}").expect("a string takes it all"),
                Op::Batch(items) => {
                    out.push('b');
                    push_items(&mut out, items);
                }
                Op::Deferred(items) => {
                    out.push('q');
                    push_items(&mut out, items);
                }
                Op::Flush => out.push('f'),
                Op::Checkpoint => out.push('c'),
                Op::Reopen => out.push('r'),
            }
        }
        out
    }

    /// Reads what [`compact`](Workload::compact) wrote.
    ///
    /// # Errors
    /// [`WorkloadError`] with the column of the part that is wrong.
    pub fn from_compact(text: &str) -> Result<Workload, WorkloadError> {
        let mut ops = Vec::new();
        let mut column = 1;
        for word in text.split('_').filter(|_| !text.is_empty()) {
            ops.push(op(word, column)?);
            column += word.chars().count() + 1;
        }
        Workload::bounded(ops)
    }
}

fn op(word: &str, column: usize) -> Result<Op, WorkloadError> {
    let rest = word.get(1..).unwrap_or("");
    match (word.chars().next(), rest) {
        (Some('f'), "") => Ok(Op::Flush),
        (Some('c'), "") => Ok(Op::Checkpoint),
        (Some('r'), "") => Ok(Op::Reopen),
        (Some('d'), _) => Ok(Op::Delete { id: id(rest, column + 1)? }),
        (Some('p'), _) => {
            let (id, bytes) = item(rest, column + 1)?;
            Ok(Op::Put { id, bytes })
        }
        (Some('b'), _) => Ok(Op::Batch(items(rest, column + 1)?)),
        (Some('q'), _) => Ok(Op::Deferred(items(rest, column + 1)?)),
        _ => {
            Err(error(column, format!("expected an operation like p1-x16, found {}", quoted(word))))
        }
    }
}

fn items(text: &str, mut column: usize) -> Result<Vec<(u64, Bytes)>, WorkloadError> {
    let mut items = Vec::new();
    for part in text.split('~').filter(|_| !text.is_empty()) {
        items.push(item(part, column)?);
        column += part.chars().count() + 1;
    }
    Ok(items)
}

fn item(text: &str, column: usize) -> Result<(u64, Bytes), WorkloadError> {
    let wrong = || error(column, format!("expected an item like 1-x16, found {}", quoted(text)));
    let (key, bytes) = text.split_once('-').ok_or_else(wrong)?;
    let key = id(key, column)?;
    let bytes = match bytes.chars().next() {
        Some('x') => bytes[1..].parse().ok().map(Bytes::Generated),
        Some('h') => unhex(&bytes[1..]).map(Bytes::Literal),
        _ => None,
    };
    let bytes = bytes.filter(|bytes| bytes.size() <= BYTES_MAX).ok_or_else(wrong)?;
    Ok((key, bytes))
}

fn id(text: &str, column: usize) -> Result<u64, WorkloadError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let id = text.parse().ok().filter(|_| digits);
    id.ok_or_else(|| error(column, format!("expected an id, found {}", quoted(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compact_form_is_pinned() {
        let text = "put 1 x16\ndelete 2\nbatch\nbatch 7 0x00ff, 8 x2\ndeferred 1 \"\"\nflush\n\
                    checkpoint\nreopen\n";
        let workload: Workload = text.parse().unwrap();
        let compact = "p1-x16_d2_b_b7-h00ff~8-x2_q1-h_f_c_r";
        assert_eq!(workload.compact(), compact, "tokens in old reports must stay readable");
        assert_eq!(Workload::from_compact(compact), Ok(workload));
        assert_eq!(Workload::from_compact(""), Ok(Workload::new(vec![])));
    }

    #[test]
    fn errors_name_the_column() {
        for (text, column) in [
            ("p", 2),
            ("p1", 2),
            ("p1-y3", 2),
            ("p1-x9999999", 2),
            ("p1-h0", 2),
            ("f_fx", 3),
            ("f__f", 3),
            ("é", 1),
            ("d_", 2),
            ("b1-x1~~2-x1", 7),
            ("b1-x1~+2-x1", 7),
            ("f_dé", 4),
        ] {
            let error = Workload::from_compact(text).expect_err(text);
            let place = crate::Place::Text { line: 1, column };
            assert_eq!(error.place, place, "{text}: {error}");
        }
    }
}
