//! What happened, as text: the calls of every life. Kept only on a replay, and compared between
//! two replays of one finding.

use std::collections::BTreeMap;
use std::fmt;

/// The calls of a run, life by life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    lives: Vec<Vec<(u32, String)>>,
    /// Which line of the engine made which call of which life, if anybody can say.
    places: BTreeMap<(usize, u32), String>,
}

impl Trace {
    /// Begins the calls of the next life.
    pub(crate) fn begin(&mut self) {
        self.lives.push(Vec::new());
    }

    pub(crate) fn call(&mut self, number: u32, text: String) {
        if self.lives.is_empty() {
            self.begin();
        }
        self.lives.last_mut().expect("a life has begun").push((number, text));
    }

    pub(crate) fn made_at(&mut self, number: u32, place: Option<String>) {
        let life = self.lives.len().saturating_sub(1);
        self.places.extend(place.map(|place| ((life, number), place)));
    }

    /// The line of the engine that made a call.
    pub(crate) fn place(&self, life: usize, call: u32) -> Option<&str> {
        self.places.get(&(life, call)).map(String::as_str)
    }

    /// A remark between calls: an operation that begins, an acknowledgement, a crash.
    pub(crate) fn remark(&mut self, text: String) {
        self.call(u32::MAX, text);
    }

    /// Forgets what the current life did from call `number` on: it was cut there, if `early`
    /// before the operation began that makes the call.
    pub(crate) fn cut(&mut self, number: u32, early: bool) {
        if let Some(life) = self.lives.last_mut() {
            let at = life.iter().position(|&(n, _)| n != u32::MAX && n >= number);
            life.truncate(at.unwrap_or(life.len()));
            let last_is_remark = life.last().is_some_and(|(n, _)| *n == u32::MAX);
            life.truncate(life.len() - usize::from(early && last_is_remark));
        }
    }

    /// The text of a call.
    pub(crate) fn text(&self, life: usize, call: u32) -> Option<&str> {
        let found = self.lives.get(life)?.iter().find(|c| c.0 == call)?;
        Some(&found.1)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (life, calls) in self.lives.iter().enumerate() {
            writeln!(f, "life {}", life + 1)?;
            for (number, text) in calls {
                match *number {
                    u32::MAX => writeln!(f, "      - {text}")?,
                    n => writeln!(f, "  {n:>4}  {text}")?,
                }
            }
        }
        Ok(())
    }
}
