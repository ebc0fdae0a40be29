//! Which line of the store is calling: from a backtrace, so that the store needs no hook.

use backtrace::{Symbol, resolve_frame, trace};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

/// A place in the store's source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Relative to `src/store`.
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) function: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}:{})", self.function, self.file, self.line)
    }
}

/// A call site: where the seam is called, and where that function is called from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Site {
    pub(crate) call: Place,
    pub(crate) from: Place,
}

impl Site {
    /// The functions alone: they stay when lines move.
    pub(crate) fn functions(&self) -> String {
        format!("{} < {}", self.call.function, self.from.function)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} < {}", self.call, self.from)
    }
}

/// Places by instruction pointer: resolving one is slow, and there are few.
static PLACES: Mutex<BTreeMap<usize, Arc<[Place]>>> = Mutex::new(BTreeMap::new());

/// Who in the store has made the call that is under way.
///
/// # Panics
/// If nobody in the store has.
pub(crate) fn site() -> Site {
    let mut places = PLACES.lock().unwrap();
    let mut found: Vec<Place> = Vec::with_capacity(2);
    trace(|frame| {
        let known = places.entry(frame.ip() as usize).or_insert_with(|| {
            let mut here = Vec::new();
            resolve_frame(frame, |symbol| here.extend(place(symbol)));
            here.into()
        });
        // A closure counts as the function around it.
        for place in known.iter() {
            if found.last().is_none_or(|last| last.function != place.function) {
                found.push(place.clone());
            }
        }
        found.len() < 2
    });
    let mut found = found.into_iter();
    let call = found.next().expect("a sync comes from the store");
    let from = found.next().expect("and that function was called from another");
    Site { call, from }
}

fn place(symbol: &Symbol) -> Option<Place> {
    let path = symbol.filename()?.to_str()?;
    let (_, file) = path.split_once("src/store/")?;
    let name = symbol.name()?.to_string();
    let plain = |part: &&str| !part.starts_with('{') && !is_hash(part);
    let function = name.split("::").filter(plain).last()?.trim_end_matches('>').to_string();
    Some(Place { file: file.to_string(), line: symbol.lineno()?, function })
}

fn is_hash(part: &str) -> bool {
    part.len() == 17 && part.starts_with('h') && part[1..].bytes().all(|b| b.is_ascii_hexdigit())
}
