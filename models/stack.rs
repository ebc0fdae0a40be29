//! Which line of an engine is calling: from a backtrace, so that no engine needs a hook.

use backtrace::{Symbol, resolve_frame, trace};
use highwater_sim::SyncCall;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A place in an engine's source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Relative to the engine's folder.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// The function, without its path.
    pub function: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.function, self.file, self.line)
    }
}

/// The folders of the engines that are known here: the innermost frames in one of them are the
/// engine's. What the pieces of the museum share is not: the lesson is in the piece.
const FOLDERS: [&str; 2] = ["src/store/", "models/museum/"];
const SHARED: &str = "kit";

/// Frames of the store that say nothing: whoever commits may do the work for others, so what counts
/// is who asked; and a sync is asked for by the caller of `sync`.
const BETWEEN: [(&str, &str); 4] = [
    ("engine/mod.rs", "change"),
    ("engine/log.rs", "carry_out"),
    ("log/writer.rs", "carry_out"),
    ("log/writer.rs", "sync"),
];

/// Places by instruction pointer: resolving one is slow, and there are few.
static PLACES: Mutex<BTreeMap<usize, Arc<[Place]>>> = Mutex::new(BTreeMap::new());

/// The innermost frames of an engine, at most `most`, a closure counted as the function around it.
fn frames(most: usize) -> Vec<Place> {
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found: Vec<Place> = Vec::with_capacity(most);
    trace(|frame| {
        let known = places.entry(frame.ip() as usize).or_insert_with(|| {
            let mut here = Vec::new();
            resolve_frame(frame, |symbol| here.extend(place(symbol)));
            here.into()
        });
        for place in known.iter() {
            let again = |last: &Place| last.function == place.function && last.file == place.file;
            if found.len() < most && !found.last().is_some_and(again) {
                found.push(place.clone());
            }
        }
        found.len() < most
    });
    found
}

fn place(symbol: &Symbol) -> Option<Place> {
    let path = symbol.filename()?.to_str()?;
    let within = |folder: &&str| path.split_once(*folder).map(|(_, file)| file);
    let file = FOLDERS.iter().find_map(within)?;
    if file.starts_with(SHARED) {
        return None;
    }
    let name = without_types(&symbol.name()?.to_string());
    let plain = |part: &&str| !part.is_empty() && !part.starts_with('{') && !is_hash(part);
    let function = name.split("::").filter(plain).last()?.to_string();
    if file == "group_commit.rs" || BETWEEN.contains(&(file, function.as_str())) {
        return None;
    }
    Some(Place { file: file.to_string(), line: symbol.lineno()?, function })
}

/// A function's path without what stands in angle brackets: `recover::<Index>` is `recover`, which
/// is what it is called where names are mangled in the old way.
fn without_types(name: &str) -> String {
    let (mut depth, mut before) = (0, ' ');
    let mut plain = |c: char| {
        let closes = c == '>' && before != '-';
        depth += i32::from(c == '<');
        let kept = depth == 0;
        depth -= i32::from(closes);
        before = c;
        kept
    };
    name.chars().filter(|c| plain(*c)).collect()
}

fn is_hash(part: &str) -> bool {
    part.len() == 17 && part.starts_with('h') && part[1..].bytes().all(|b| b.is_ascii_hexdigit())
}

/// The line of an engine that has made the call that is under way; `None` if none has.
pub fn locate() -> Option<String> {
    frames(1).first().map(Place::to_string)
}

/// A call site by its functions, which stay when lines move: where the seam is called, and where
/// that function is called from.
///
/// For [`audit`](highwater_sim::audit()). A call that no engine known here has made is named after
/// what it syncs.
pub fn site_of(call: &SyncCall) -> String {
    match &frames(2)[..] {
        [] => call.to_string(),
        [call] => call.function.clone(),
        [call, from, ..] => format!("{} < {}", call.function, from.function),
    }
}

/// The same with the line of the call.
pub fn site_with_line_of(call: &SyncCall) -> String {
    match frames(1).first() {
        Some(place) => format!("{} at {}:{}", site_of(call), place.file, place.line),
        None => site_of(call),
    }
}

#[cfg(test)]
mod tests {
    use super::without_types;

    #[test]
    fn functions_are_called_the_same_in_every_build() {
        for (name, plain) in [
            ("highwater::recovery::recover", "highwater::recovery::recover"),
            (
                "highwater::recovery::recover::<highwater::index::Index>",
                "highwater::recovery::recover::",
            ),
            (
                "highwater::engine::Engine<V>::commit::{closure#0}",
                "highwater::engine::Engine::commit::{closure#0}",
            ),
            ("<a::Log<b::C> as d::Log>::finish", "::finish"),
            ("a::b::<fn(u8) -> c::D<E>>::f", "a::b::::f"),
        ] {
            assert_eq!(without_types(name), plain);
        }
    }
}
