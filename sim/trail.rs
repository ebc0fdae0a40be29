//! The trail of a finding: life by life, what was chosen and where the life was cut.

use crate::Choice;
use std::fmt;
use std::str::FromStr;

/// How a life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CrashKind {
    /// Power loss: pending changes survive in any combination the model allows.
    Power,
    /// The process dies: the cache survives.
    Kill,
}

/// A crash point: before which mutating call of the life (numbered from 0), and how far into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrashPoint {
    /// The number of mutating calls completed.
    pub call: u32,
    /// What happens there.
    pub kind: CrashKind,
    /// Sectors of the write under way that are done; 0 between calls.
    pub part: u32,
    /// Before which of the operations that began since the call before; 0: all have begun.
    pub early: u32,
}

/// One life of a trail.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LifeTrail {
    /// What was chosen during this life.
    pub choices: Vec<Choice>,
    /// Where it ended; `None` for the last life, which runs to its end.
    pub cut: Option<CrashPoint>,
}

/// All choices of a run.
///
/// Its text form has a life after the other, separated by `/`: the alternatives taken with their
/// bounds (`1:3` is the second of three), separated by `.`, then `p` or `k` (power, kill) with the
/// number of calls completed, `en` if the nth operation that began since the last one had not yet,
/// and `+n` for n sectors of the write under way.
///
/// ```
/// use highwater_sim::Trail;
/// let trail: Trail = "p7/0:4.1:2k3+1/".parse()?;
/// assert_eq!(trail.lives.len(), 3);
/// assert_eq!(trail.to_string(), "p7/0:4.1:2k3+1/");
/// assert!("p7/5:4".parse::<Trail>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trail {
    /// The lives, the workload's first.
    pub lives: Vec<LifeTrail>,
}

impl Trail {
    /// How many choices it holds that are not alternative 0, and how many in all: small is simple.
    pub fn size(&self) -> (usize, usize) {
        let choices = || self.lives.iter().flat_map(|l| &l.choices);
        (choices().filter(|c| c.taken > 0).count(), choices().count())
    }
}

impl fmt::Display for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, life) in self.lives.iter().enumerate() {
            if i > 0 {
                f.write_str("/")?;
            }
            for (j, choice) in life.choices.iter().enumerate() {
                let dot = if j > 0 { "." } else { "" };
                write!(f, "{dot}{}:{}", choice.taken, choice.of)?;
            }
            if let Some(cut) = life.cut {
                let kind = if cut.kind == CrashKind::Power { 'p' } else { 'k' };
                write!(f, "{kind}{}", cut.call)?;
                if cut.early > 0 {
                    write!(f, "e{}", cut.early)?;
                }
                if cut.part > 0 {
                    write!(f, "+{}", cut.part)?;
                }
            }
        }
        Ok(())
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{text:?} is no number in a trail"))
}

fn choice(text: &str) -> Result<Choice, String> {
    let (taken, of) =
        text.split_once(':').ok_or_else(|| format!("{text:?} is no choice: like 1:3"))?;
    let choice = Choice { taken: number(taken)?, of: number(of)? };
    if choice.taken >= choice.of || choice.of < 2 {
        return Err(format!("{text:?} is no choice: the first number is below the second"));
    }
    Ok(choice)
}

fn life(text: &str) -> Result<LifeTrail, String> {
    let at = text.find(['p', 'k']);
    let (choices, cut) = text.split_at(at.unwrap_or(text.len()));
    let choices =
        if choices.is_empty() { Ok(Vec::new()) } else { choices.split('.').map(choice).collect() };
    let cut = match cut.chars().next() {
        None => None,
        Some(kind) => {
            let (call, part) = cut[1..].split_once('+').unwrap_or((&cut[1..], "0"));
            let kind = if kind == 'p' { CrashKind::Power } else { CrashKind::Kill };
            let (call, early) = call.split_once('e').unwrap_or((call, "0"));
            let (call, part, early) = (number(call)?, number(part)?, number(early)?);
            if part > 0 && (early > 0 || kind == CrashKind::Power) {
                return Err(format!("{text:?}: only a kill in a call leaves a part of it"));
            }
            Some(CrashPoint { call, kind, part, early })
        }
    };
    Ok(LifeTrail { choices: choices?, cut })
}

impl FromStr for Trail {
    type Err = String;

    fn from_str(text: &str) -> Result<Trail, String> {
        let lives: Vec<LifeTrail> = text.split('/').map(life).collect::<Result<_, _>>()?;
        let (last, before) = lives.split_last().expect("split gives at least one part");
        if before.iter().any(|l| l.cut.is_none()) || last.cut.is_some() {
            return Err("every life of a trail but the last ends with a crash".to_string());
        }
        Ok(Trail { lives })
    }
}
