//! How a store is set up for an exploration, and the case that is explored.

use crate::Workload;
use highwater::{Damage, Durability, Options};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The options of the store that matter to an exploration.
///
/// Its text form joins them with `_`: durability, segment size, snapshots kept; if the store
/// checkpoints on its own, after how many bytes; and if it reserves room, `r` and how many bytes.
///
/// ```
/// use highwater_models::Setup;
/// let setup = Setup::default();
/// assert_eq!(setup.to_string(), "fsync_2048_2_r512");
/// assert_eq!("fsync_2048_2_r512".parse(), Ok(setup));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// What `Ok` means.
    pub durability: Durability,
    /// Bytes after which a segment ends.
    pub segment_size: u64,
    /// Snapshots that are kept.
    pub snapshots_kept: usize,
    /// Log growth in bytes after which the store checkpoints on its own; `None` for never.
    pub checkpoint_bytes: Option<u64>,
    /// Bytes that are reserved ahead of what is written.
    pub reserve: u64,
}

impl Default for Setup {
    /// `Fsync`, small segments so that a short workload has several, and checkpoints only where
    /// the workload says so.
    fn default() -> Setup {
        Setup {
            durability: Durability::Fsync,
            segment_size: 2048,
            snapshots_kept: 2,
            checkpoint_bytes: None,
            reserve: 512,
        }
    }
}

impl Setup {
    /// The same as the store's own options.
    pub fn options(&self) -> Options {
        Options {
            durability: self.durability,
            segment_size: self.segment_size,
            reserve: self.reserve,
            snapshots_kept: self.snapshots_kept,
            checkpoint_bytes: self.checkpoint_bytes.unwrap_or(u64::MAX),
            auto_checkpoint: self.checkpoint_bytes.is_some(),
            patience: None,
            sync_after: None,
            damage: Damage::Refuse,
        }
    }
}

const DURABILITIES: [(Durability, &str); 4] = [
    (Durability::Fsync, "fsync"),
    (Durability::FlushOnly, "flush-only"),
    (Durability::None, "none"),
    (Durability::Interval(Duration::from_millis(100)), "interval"),
];

/// Reads a durability mode.
///
/// # Errors
/// A sentence with the names there are.
///
/// ```
/// use highwater::Durability;
/// use highwater_models::setup::durability;
/// assert_eq!(durability("flush-only"), Ok(Durability::FlushOnly));
/// assert!(durability("sometimes").is_err());
/// ```
pub fn durability(text: &str) -> Result<Durability, String> {
    let found = DURABILITIES.into_iter().find(|(_, name)| *name == text);
    let (mode, _) = found
        .ok_or_else(|| format!("no durability {text:?}: fsync, flush-only, none or interval"))?;
    Ok(mode)
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = DURABILITIES.iter().find(|(mode, _)| *mode == self.durability);
        let name = name.expect("the table has every mode").1;
        write!(f, "{name}_{}_{}", self.segment_size, self.snapshots_kept)?;
        self.checkpoint_bytes.map_or(Ok(()), |bytes| write!(f, "_{bytes}"))?;
        if self.reserve > 0 { write!(f, "_r{}", self.reserve) } else { Ok(()) }
    }
}

impl FromStr for Setup {
    type Err = String;

    fn from_str(text: &str) -> Result<Setup, String> {
        let number = |text: &str| {
            let number = text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
            number.ok_or_else(|| format!("{text:?} is no number"))
        };
        let (rest, reserve) = match text.rsplit_once("_r") {
            Some((rest, bytes)) => (rest, number(bytes)?),
            None => (text, 0),
        };
        let parts: Vec<&str> = rest.split('_').collect();
        let (mode, segment_size, kept, bytes) = match parts[..] {
            [mode, size, kept] => (mode, size, kept, None),
            [mode, size, kept, bytes] => (mode, size, kept, Some(number(bytes)?)),
            _ => return Err(format!("{text:?} is no setup: like fsync_2048_2")),
        };
        let kept = number(kept)?;
        let snapshots_kept = usize::try_from(kept).map_err(|_| format!("{kept} snapshots?"))?;
        Ok(Setup {
            durability: durability(mode)?,
            segment_size: number(segment_size)?,
            snapshots_kept,
            checkpoint_bytes: bytes,
            reserve,
        })
    }
}

/// What is explored: a workload on a store that is set up in one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// What callers do.
    pub workload: Workload,
    /// How the store is set up.
    pub setup: Setup,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setups_round_trip() {
        for (durability, name) in DURABILITIES {
            let all = [(None, 0), (Some(0), 512), (Some(u64::MAX), 0), (None, u64::MAX)];
            for (checkpoint_bytes, reserve) in all {
                let setup = Setup { durability, checkpoint_bytes, reserve, ..Setup::default() };
                assert!(setup.to_string().starts_with(name));
                assert_eq!(setup.to_string().parse(), Ok(setup));
            }
        }
        for text in [
            "",
            "fsync",
            "fsync_1",
            "x_1_1",
            "fsync_+1_1",
            "fsync_1_1_1_1",
            "none_1_x",
            "fsync_1_1_r",
            "fsync_1_1_rx",
        ] {
            assert!(text.parse::<Setup>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_options_are_those_of_the_setup() {
        let setup = Setup { checkpoint_bytes: Some(77), ..Setup::default() };
        let options = setup.options();
        assert_eq!((options.segment_size, options.snapshots_kept), (2048, 2));
        assert_eq!((options.checkpoint_bytes, options.auto_checkpoint), (77, true));
        assert!(!Setup::default().options().auto_checkpoint);
    }
}
