//! Workloads: written down, generated, made smaller.

use crate::{Bytes, Op, Place, WorkloadError, json, text};
use std::fmt;
use std::str::FromStr;

/// The most bytes all payloads of a workload that is read may have together.
const TOTAL_MAX: usize = 64 << 20;

/// What callers do, in order.
///
/// Its text form has an operation a line; see [`Op`].
///
/// ```
/// use highwater_models::Workload;
/// let text = "put 1 \"one\"\nreopen\ndelete 1\n";
/// let workload: Workload = text.parse()?;
/// assert_eq!(workload.ops().len(), 3);
/// assert_eq!(workload.to_string(), text);
/// # Ok::<(), highwater_models::WorkloadError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Workload(Vec<Op>);

impl Workload {
    /// These operations.
    pub fn new(ops: Vec<Op>) -> Workload {
        Workload(ops)
    }

    /// Operations that were read from somewhere: not more bytes than anybody can mean.
    pub(crate) fn bounded(ops: Vec<Op>) -> Result<Workload, WorkloadError> {
        let sizes = ops.iter().flat_map(Op::items).map(|(_, bytes)| bytes.size());
        let total: usize = sizes.sum();
        if total > TOTAL_MAX {
            let what = format!("expected payloads of at most {TOTAL_MAX} bytes, found {total}");
            return Err(WorkloadError { place: Place::Whole, what });
        }
        Ok(Workload(ops))
    }

    /// The operations.
    pub fn ops(&self) -> &[Op] {
        &self.0
    }

    /// The operations, taken out.
    pub fn into_ops(self) -> Vec<Op> {
        self.0
    }

    /// Reads a file's text: the text form, or the operations as JSON (see [`json`]) if its first
    /// character is a bracket or a brace.
    ///
    /// # Errors
    /// [`WorkloadError`] with the position.
    ///
    /// ```
    /// use highwater_models::Workload;
    /// let text = Workload::from_file_text("put 1 \"7\"\n")?;
    /// let json = Workload::from_file_text(r#"[{"ops": [["store", 1, 7]]}]"#)?;
    /// assert_eq!(text, json);
    /// # Ok::<(), highwater_models::WorkloadError>(())
    /// ```
    pub fn from_file_text(text: &str) -> Result<Workload, WorkloadError> {
        match text.trim_start().chars().next() {
            Some('[' | '{') => json::parse(text),
            _ => text.parse(),
        }
    }

    /// Every workload that is a little smaller, each once: payloads of one byte, one operation
    /// fewer, one item of a batch fewer or a put instead of the last one, one payload half as long.
    pub fn smaller(&self) -> Vec<Workload> {
        let mut all = Vec::new();
        let tiny = self.with_bytes(|_, bytes| Bytes::Generated(bytes.size().min(1)));
        if tiny != *self && self.0.iter().flat_map(Op::items).any(|(_, b)| b.size() > 1) {
            all.push(tiny);
        }
        for at in (0..self.0.len()).rev() {
            let mut ops = self.0.clone();
            ops.remove(at);
            all.push(Workload(ops));
        }
        for (at, op) in self.0.iter().enumerate() {
            let (Op::Batch(items) | Op::Deferred(items)) = op else { continue };
            if let [(id, bytes)] = &items[..] {
                let mut single = self.clone();
                single.0[at] = Op::Put { id: *id, bytes: bytes.clone() };
                all.push(single);
            }
            for item in (0..items.len()).filter(|_| items.len() > 1) {
                let mut fewer = self.clone();
                if let Op::Batch(items) | Op::Deferred(items) = &mut fewer.0[at] {
                    items.remove(item);
                }
                all.push(fewer);
            }
        }
        for (at, op) in self.0.iter().enumerate() {
            if op.items().iter().any(|(_, bytes)| bytes.size() > 1) {
                all.push(self.with_bytes(|nth, bytes| match nth == at {
                    true => Bytes::Generated(bytes.size().div_ceil(2)),
                    false => bytes.clone(),
                }));
            }
        }
        all
    }

    fn with_bytes(&self, change: impl Fn(usize, &Bytes) -> Bytes) -> Workload {
        let mut changed = self.clone();
        for (nth, op) in changed.0.iter_mut().enumerate() {
            match op {
                Op::Put { bytes, .. } => *bytes = change(nth, bytes),
                Op::Batch(items) | Op::Deferred(items) => {
                    items.iter_mut().for_each(|(_, bytes)| *bytes = change(nth, bytes));
                }
                Op::Delete { .. } | Op::Flush | Op::Checkpoint | Op::Reopen => {}
            }
        }
        changed
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|op| writeln!(f, "{op}"))
    }
}

impl FromStr for Workload {
    type Err = WorkloadError;

    fn from_str(s: &str) -> Result<Workload, WorkloadError> {
        Workload::bounded(text::parse(s)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::BYTES_MAX;
    use highwater_sim::Rng;

    #[test]
    fn both_forms_round_trip() {
        for seed in 0..2_000 {
            let workload = Workload::random(seed, 1 + seed as usize % 13);
            let text = workload.to_string();
            assert_eq!(text.parse().as_ref(), Ok(&workload), "{text}");
            let compact = workload.compact();
            let safe = |c: char| c.is_ascii_alphanumeric() || "-_~".contains(c);
            assert!(compact.chars().all(safe), "{compact}");
            assert_eq!(Workload::from_compact(&compact).as_ref(), Ok(&workload), "{compact}");
        }
    }

    #[test]
    fn changed_texts_are_read_or_refused_and_never_panic() {
        let mut rng = Rng::new(3);
        let (mut read, mut refused) = (0, 0);
        for seed in 0..3_000 {
            let workload = Workload::random(seed, 4);
            for text in [workload.to_string(), workload.compact()] {
                let mut chars: Vec<char> = text.chars().collect();
                for _ in 0..1 + rng.below(3) {
                    let with = ['"', '\\', '-', '_', '~', ' ', '9', 'x', 'h', 'é', '\n', ','];
                    let with = with[rng.below(with.len() as u64) as usize];
                    let at = rng.below(chars.len() as u64 + 1) as usize;
                    if rng.below(2) == 0 && at < chars.len() {
                        chars[at] = with;
                    } else {
                        chars.insert(at, with);
                    }
                }
                let text: String = chars.into_iter().collect();
                for got in [Workload::from_file_text(&text), Workload::from_compact(&text)] {
                    *(if got.is_ok() { &mut read } else { &mut refused }) += 1;
                }
            }
        }
        assert!(read > 100 && refused > 1_000, "{read} read, {refused} refused: no test at all");
    }

    #[test]
    fn smaller_workloads_are_smaller_and_different() {
        let size = |w: &Workload| {
            let items: Vec<_> = w.ops().iter().flat_map(Op::items).collect();
            let several = |op: &&Op| matches!(op, Op::Batch(_) | Op::Deferred(_));
            let batches = w.ops().iter().filter(several).count();
            let bytes = items.iter().map(|(_, b)| b.size()).sum::<usize>();
            (w.ops().len() + items.len() + batches, bytes)
        };
        for seed in 0..200 {
            let workload = Workload::random(seed, 5);
            let all = workload.smaller();
            assert!(all.len() >= 5);
            for smaller in &all {
                let (a, b) = (size(smaller), size(&workload));
                assert!(a.0 < b.0 || (a.0 == b.0 && a.1 < b.1), "{workload}\n{smaller}");
            }
        }
        assert!(Workload::default().smaller().is_empty());
        let least: Workload = "put 1 x1".parse().unwrap();
        assert_eq!(least.smaller(), [Workload::default()]);
    }

    #[test]
    fn a_workload_that_is_read_is_bounded() {
        let line = format!("put 1 x{BYTES_MAX}\n");
        assert!(line.repeat(64).parse::<Workload>().is_ok());
        let error = line.repeat(65).parse::<Workload>().unwrap_err();
        assert!(error.to_string().starts_with("expected payloads of at most"), "{error}");
    }
}
