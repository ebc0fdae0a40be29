//! What a codec says about a folder.

use crate::hex::hex;

/// Where a file stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tail {
    /// At its end.
    #[default]
    Clean,
    /// In a record that a crash may have left unfinished: nothing valid comes after it.
    Torn,
    /// In bytes that no crash explains, or with valid records behind them.
    Corrupt,
}

impl Tail {
    /// As reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Tail::Clean => "clean",
            Tail::Torn => "torn",
            Tail::Corrupt => "corrupt",
        }
    }
}

/// What is said of a whole folder: its worst file's tail.
pub type Verdict = Tail;

/// What a folder has of a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Likeness {
    /// Nothing.
    None,
    /// A file of the exact name, too short to say more.
    Name,
    /// Bytes that only it writes.
    Content,
}

/// One file, as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileReport {
    /// From the folder.
    pub path: String,
    /// What it is: `log`, `snapshot`, `temporary`, `foreign`, …
    pub kind: &'static str,
    /// Intact records in it.
    pub records: u64,
    /// Where it stops.
    pub tail: Tail,
    /// In bytes: where it stops.
    pub offset: u64,
    /// Why, unless clean: expected and actual.
    pub reason: Option<String>,
}

impl FileReport {
    /// A file of which nothing more is said.
    pub fn unread(path: impl Into<String>, kind: &'static str) -> FileReport {
        FileReport { path: path.into(), kind, ..FileReport::default() }
    }
}

/// A line of an annotated dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file, from the folder.
    pub path: String,
    /// Where in it, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub size: u64,
    /// What they are.
    pub what: String,
}

/// A folder, read by one codec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined<S> {
    /// Every file, by path; foreign ones are named and not read.
    pub files: Vec<FileReport>,
    /// What a correct reader may show.
    pub state: S,
    /// Other parts of the state, by field name in JSON.
    pub more: Vec<(&'static str, serde_json::Value)>,
    /// What was lost or would mislead, a sentence each.
    pub lost: Vec<String>,
    /// The bytes, explained.
    pub dump: Vec<Line>,
}

impl<S> Examined<S> {
    /// The worst of the files.
    pub fn verdict(&self) -> Verdict {
        self.files.iter().map(|file| file.tail).max().unwrap_or_default()
    }

    /// The same with the state in another form.
    pub fn map<T>(self, form: impl FnOnce(S) -> T) -> Examined<T> {
        let Examined { files, state, more, lost, dump } = self;
        Examined { files, state: form(state), more, lost, dump }
    }
}

/// The first of some bytes, for a line of a dump: as text if they are text, else in hexadecimal.
pub(crate) fn preview(bytes: &[u8]) -> String {
    const SHOWN: usize = 40;
    let (text, size): (String, usize) = match std::str::from_utf8(bytes) {
        Ok(text) => {
            let shown = text.chars().take(SHOWN);
            (shown.flat_map(char::escape_debug).collect(), text.chars().count())
        }
        Err(_) => (hex(&bytes[..bytes.len().min(SHOWN / 2)]), 2 * bytes.len()),
    };
    if size > SHOWN { format!("{text}… ({} bytes)", bytes.len()) } else { text }
}
