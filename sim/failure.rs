//! What fails besides the power and the process: one thing in a run, wherever it may.

use crate::fault::{CallKind, FaultEffect};
use crate::model::FailedSync;
use std::fmt;
use std::str::FromStr;

/// What a medium does by itself to one sector, while the power is off. It stays so until the sector
/// is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Decay {
    /// One bit is another.
    Flipped,
    /// All its bytes are zeros.
    Zeroed,
    /// It shows what it held before it was last written.
    Stale,
    /// What was last written to it went to another sector.
    Misdirected,
    /// It was never written, and holds what a sector holds that nobody wrote.
    Lost,
    /// It cannot be read.
    Unreadable,
}

impl Decay {
    /// All kinds.
    pub const ALL: [Decay; 6] = [
        Decay::Flipped,
        Decay::Zeroed,
        Decay::Stale,
        Decay::Misdirected,
        Decay::Lost,
        Decay::Unreadable,
    ];
}

impl Decay {
    /// Whether a whole sector of records may be gone at once.
    pub(crate) fn takes_many(self) -> bool {
        self != Decay::Flipped
    }
}

impl fmt::Display for Decay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Decay::Flipped => "flipped",
            Decay::Zeroed => "zeroed",
            Decay::Stale => "stale",
            Decay::Misdirected => "misdirected",
            Decay::Lost => "lost",
            Decay::Unreadable => "unreadable",
        })
    }
}

/// A kind of call, one of which fails or does less than it was asked for.
///
/// ```
/// use highwater_sim::CallFault;
/// let fault: CallFault = "write:EIO+100".parse()?;
/// assert_eq!(fault.to_string(), "write:EIO+100");
/// assert!("rename:short+1".parse::<CallFault>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallFault {
    /// Which calls.
    pub call: CallKind,
    /// What one of them does. It must [fit](FaultEffect::fits).
    pub what: FaultEffect,
}

impl fmt::Display for CallFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.call, self.what)
    }
}

impl FromStr for CallFault {
    type Err = String;

    fn from_str(text: &str) -> Result<CallFault, String> {
        let parts = text.split_once(':');
        let (call, what) = parts.ok_or_else(|| format!("{text:?} is no fault: like write:EIO"))?;
        let named = CallKind::ALL.iter().find(|(_, name)| *name == call);
        let &(call, _) = named.ok_or_else(|| format!("no call {call:?}"))?;
        let fault = CallFault { call, what: what.parse()? };
        let fits = fault.what.fits(call) && !matches!(fault.what, FaultEffect::FailedSync(_));
        if fits { Ok(fault) } else { Err(format!("{text:?}: a {call} cannot fail like that")) }
    }
}

/// What fails besides the power and the process: one thing in a run, wherever it may.
///
/// ```
/// use highwater_sim::{Decay, FailedSync, Failure};
/// assert_eq!("keep-new".parse(), Ok(Failure::Sync(FailedSync::KeepNew)));
/// assert_eq!("flipped".parse(), Ok(Failure::Decay(Decay::Flipped)));
/// assert_eq!("write:EIO".parse::<Failure>()?.to_string(), "write:EIO");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// One sync fails, in any life but the last.
    Sync(FailedSync),
    /// One call fails or falls short, in any life but the last.
    Call(CallFault),
    /// One sector decays between the end of the workload and the recovery.
    Decay(Decay),
    /// Every sync says `Ok` and does nothing: a cache that lies.
    Lying,
}

/// What can be asked of an engine on which something fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All promises.
    Everything,
    /// A prefix, or an error: the disk lied about what is durable.
    PrefixOrError,
    /// The promised state, or an error: the medium has changed by itself.
    TruthOrError,
}

impl Failure {
    /// Whether promises are asked of an engine that are outside what this failure leaves possible;
    /// what an engine answers there is reported as outside the promise.
    pub fn outside_the_promise(self) -> bool {
        self.asked() == Asked::PrefixOrError
    }

    pub(crate) fn asked(self) -> Asked {
        match self {
            Failure::Sync(FailedSync::Late) | Failure::Lying => Asked::PrefixOrError,
            Failure::Decay(_) => Asked::TruthOrError,
            Failure::Sync(_) | Failure::Call(_) => Asked::Everything,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Sync(family) => family.fmt(f),
            Failure::Call(fault) => fault.fmt(f),
            Failure::Decay(decay) => decay.fmt(f),
            Failure::Lying => f.write_str("lying"),
        }
    }
}

impl FromStr for Failure {
    type Err = String;

    fn from_str(text: &str) -> Result<Failure, String> {
        if text.contains(':') {
            return text.parse().map(Failure::Call);
        }
        if text == "lying" {
            return Ok(Failure::Lying);
        }
        if let Some(decay) = Decay::ALL.into_iter().find(|decay| decay.to_string() == text) {
            return Ok(Failure::Decay(decay));
        }
        let decays = Decay::ALL.map(|decay| decay.to_string()).join(", ");
        let family = text.parse().map(Failure::Sync);
        family.map_err(|why: String| format!("{why}; or {decays}, lying, or like write:EIO"))
    }
}
