//! What an inspection found, and how it reads.

use crate::error::{Corruption, DAMAGED};
use crate::format::Lsn;
use std::fmt;

/// What a file is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A segment of the log.
    Segment,
    /// A snapshot of the index.
    Snapshot,
    /// A snapshot that was being written.
    Temporary,
    /// Not the store's: never touched.
    Foreign,
}

/// Where and why the reading of a file stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileTail {
    /// Every byte is what was written.
    Clean,
    /// It ends in bytes that nothing proves durable: a write that a crash tore.
    Torn,
    /// Bytes that were durable are damaged.
    Corrupt,
    /// From there on, later segments count and not this one.
    Overridden,
    /// A crash cut its creation: it counts as absent.
    Unfounded,
    /// Not the store's, not read.
    Unread,
}

/// One file of the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// Its name in the store's directory.
    pub name: String,
    /// What its name says.
    pub kind: FileKind,
    /// Bytes.
    pub size: u64,
    /// Records of a segment that were read, or ids in a snapshot.
    pub records: u64,
    /// How its reading ended.
    pub tail: FileTail,
    /// Bytes from its start to where that was.
    pub offset: u64,
    /// Why, if not at its end.
    pub reason: Option<String>,
}

/// The worst that can be said of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Nothing is damaged, nothing is left behind.
    Clean,
    /// The log ends in a write that a crash tore.
    Torn,
    /// Something that was durable is damaged or missing, whether or not the store still opens.
    Corrupt,
}

/// What opening the store would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanReport {
    /// The row of the recovery table.
    pub row: &'static str,
    /// The last LSN that would be shown.
    pub last: Lsn,
    /// The first LSN that would be copied into a new segment, because nothing proves it durable.
    pub copy_from: Option<Lsn>,
    /// The LSN of the snapshot that it would begin with; 0 for none.
    pub snapshot: Lsn,
    /// Why it would be refused.
    pub refused: Option<Corruption>,
}

/// What [`inspect`](crate::inspect::inspect) found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What kind of store it is, such as `a payload store`.
    pub view: &'static str,
    /// The worst of what follows.
    pub verdict: Verdict,
    /// What opening the store would do.
    pub plan: PlanReport,
    /// Ids that would have a payload, or keys, or records.
    pub live: u64,
    /// Every file, in the order of the names.
    pub files: Vec<FileReport>,
}

impl FileKind {
    /// As [`Inspection`] shows it.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Segment => "segment",
            FileKind::Snapshot => "snapshot",
            FileKind::Temporary => "temporary",
            FileKind::Foreign => "foreign",
        }
    }
}

impl FileTail {
    /// As [`Inspection`] shows it.
    pub fn name(self) -> &'static str {
        match self {
            FileTail::Clean => "clean",
            FileTail::Torn => "torn",
            FileTail::Corrupt => "corrupt",
            FileTail::Overridden => "overridden",
            FileTail::Unfounded => "unfounded",
            FileTail::Unread => "unread",
        }
    }
}

impl Verdict {
    /// As [`Inspection`] shows it.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Clean => "clean",
            Verdict::Torn => "torn",
            Verdict::Corrupt => "corrupt",
        }
    }
}

/// Writes `first` and `text` in lines of at most 80 columns, the later ones indented by four.
fn wrapped(f: &mut fmt::Formatter<'_>, first: &str, text: &str) -> fmt::Result {
    f.write_str(first)?;
    let mut column = first.len();
    for word in text.split(' ') {
        let width = word.chars().count();
        if column + 1 + width > 80 {
            write!(f, "\n    {word}")?;
            column = 4 + width;
        } else {
            write!(f, " {word}")?;
            column += 1 + width;
        }
    }
    writeln!(f)
}

impl fmt::Display for PlanReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (row, last) = (self.row, self.last);
        match (&self.refused, self.copy_from) {
            (Some(why), _) => {
                wrapped(f, "plan:", &format!("{row}: refused: {why}. {DAMAGED}"))?;
            }
            (None, None) => writeln!(f, "plan: {row}: shows LSN {last}")?,
            (None, Some(from)) => {
                writeln!(f, "plan: {row}: shows LSN {last}, copies from LSN {from}")?;
            }
        }
        match self.snapshot {
            Lsn(0) => writeln!(f, "snapshot: none"),
            lsn => writeln!(f, "snapshot: LSN {lsn}"),
        }
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileReport { name, kind, size, records, tail, offset, reason } = self;
        let (kind, tail) = (kind.name(), tail.name());
        // A foreign name may be long, and hold what would disturb a terminal.
        let mut short: String = name.chars().flat_map(char::escape_debug).take(35).collect();
        if short.chars().count() > 34 {
            short = short.chars().take(33).chain(['~']).collect();
        }
        writeln!(f, "{short:<34} {kind:<9} {size:>12} {records:>9}  {tail}")?;
        let Some(reason) = reason else { return Ok(()) };
        wrapped(f, " ", &format!("at offset {offset}: {reason}"))
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "verdict: {}", self.verdict.name())?;
        write!(f, "{}", self.plan)?;
        writeln!(f, "ids: {}", self.live)?;
        if !self.files.is_empty() {
            let (file, kind, size, records) = ("file", "kind", "bytes", "records");
            writeln!(f, "\n{file:<34} {kind:<9} {size:>12} {records:>9}  tail")?;
        }
        self.files.iter().try_for_each(|file| file.fmt(f))
    }
}
