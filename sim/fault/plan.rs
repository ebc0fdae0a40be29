//! Faults as data: which call fails, and how; with a text form.

use crate::FailedSync;
use std::fmt;
use std::str::FromStr;

/// The calls of the seam, told apart as far as faults care.
/// ```
/// use highwater_sim::CallKind;
/// assert_eq!(CallKind::SyncDir.to_string(), "sync-dir");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallKind {
    /// `open` of a file that is there: `Read` or `Write`.
    Open,
    /// `open` with `CreateNew`.
    Create,
    /// `rename`.
    Rename,
    /// `remove`.
    Remove,
    /// `create_dir`.
    CreateDir,
    /// `list`.
    List,
    /// `sync_dir`.
    SyncDir,
    /// `read_at`.
    Read,
    /// `write_at`.
    Write,
    /// `set_len`.
    SetLen,
    /// `size`.
    Size,
    /// `sync` of a file.
    Sync,
}

impl CallKind {
    /// All kinds, with the names they have in the text form.
    pub const ALL: [(CallKind, &'static str); 12] = [
        (CallKind::Open, "open"),
        (CallKind::Create, "create"),
        (CallKind::Rename, "rename"),
        (CallKind::Remove, "remove"),
        (CallKind::CreateDir, "create-dir"),
        (CallKind::List, "list"),
        (CallKind::SyncDir, "sync-dir"),
        (CallKind::Read, "read"),
        (CallKind::Write, "write"),
        (CallKind::SetLen, "set-len"),
        (CallKind::Size, "size"),
        (CallKind::Sync, "sync"),
    ];

    fn moves_bytes(self) -> bool {
        matches!(self, CallKind::Read | CallKind::Write)
    }

    fn takes_space(self) -> bool {
        use CallKind::*;
        matches!(self, Create | Rename | CreateDir | Write | SetLen | Sync | SyncDir)
    }

    fn is_sync(self) -> bool {
        matches!(self, CallKind::Sync | CallKind::SyncDir)
    }
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = CallKind::ALL.iter().find(|(kind, _)| kind == self);
        f.write_str(named.expect("the table has every kind").1)
    }
}

/// What the failing call does and says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultEffect {
    /// `EIO`: an error before anything happened.
    Eio,
    /// `EIO+n`: a write puts its first n bytes there and then says that it failed.
    EioAfter(u64),
    /// `ENOSPC`: no space, this once. Nothing happened.
    Enospc,
    /// `short+n`: a read or a write moves at most n bytes; n is at least 1.
    Short(u64),
    /// `EINTR`: a signal came before anything happened.
    Eintr,
    /// `keep-dirty`, `keep-new`, `revert` or `late`: a sync fails. A [`SimFs`](crate::SimFs) does
    /// what the family says; on any other disk nothing happens.
    FailedSync(FailedSync),
}

impl FaultEffect {
    /// Whether a call of this kind can have this effect.
    ///
    /// ```
    /// use highwater_sim::{CallKind, FaultEffect};
    /// assert!(FaultEffect::Short(3).fits(CallKind::Read));
    /// assert!(!FaultEffect::Short(3).fits(CallKind::Rename));
    /// ```
    pub fn fits(self, call: CallKind) -> bool {
        match self {
            FaultEffect::Eio | FaultEffect::Eintr => true,
            FaultEffect::EioAfter(_) => call == CallKind::Write,
            FaultEffect::Enospc => call.takes_space(),
            FaultEffect::Short(bytes) => bytes > 0 && call.moves_bytes(),
            FaultEffect::FailedSync(_) => call.is_sync(),
        }
    }

    /// Its name without a number, for counters.
    pub fn name(self) -> &'static str {
        match self {
            FaultEffect::Eio => "EIO",
            FaultEffect::EioAfter(_) => "EIO after a part",
            FaultEffect::Enospc => "ENOSPC",
            FaultEffect::Short(_) => "short",
            FaultEffect::Eintr => "EINTR",
            FaultEffect::FailedSync(FailedSync::KeepDirty) => "keep-dirty",
            FaultEffect::FailedSync(FailedSync::KeepNew) => "keep-new",
            FaultEffect::FailedSync(FailedSync::Revert) => "revert",
            FaultEffect::FailedSync(FailedSync::Late) => "late",
        }
    }
}

impl fmt::Display for FaultEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultEffect::EioAfter(bytes) => write!(f, "EIO+{bytes}"),
            FaultEffect::Short(bytes) => write!(f, "short+{bytes}"),
            other => f.write_str(other.name()),
        }
    }
}

impl FromStr for FaultEffect {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultEffect, String> {
        let no = || format!("no fault {text:?}: EIO, EIO+n, ENOSPC, short+n, EINTR or a family");
        match text.split_once('+') {
            Some(("EIO", bytes)) => number(bytes).map(FaultEffect::EioAfter),
            Some(("short", bytes)) => number(bytes).map(FaultEffect::Short),
            Some(_) => Err(no()),
            None => match text {
                "EIO" => Ok(FaultEffect::Eio),
                "ENOSPC" => Ok(FaultEffect::Enospc),
                "EINTR" => Ok(FaultEffect::Eintr),
                family => family.parse().map(FaultEffect::FailedSync).map_err(|_| no()),
            },
        }
    }
}

/// One call that fails.
///
/// ```
/// use highwater_sim::{CallKind, Fault, FaultEffect};
/// let fault: Fault = "write#3:EIO+100".parse()?;
/// let what = FaultEffect::EioAfter(100);
/// assert_eq!(fault, Fault { call: CallKind::Write, nth: 3, what });
/// assert_eq!(fault.to_string(), "write#3:EIO+100");
/// assert!("rename#0:short+1".parse::<Fault>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The kind of the call.
    pub call: CallKind,
    /// Which call of that kind, from 0.
    pub nth: u64,
    /// What it does. One that does not [fit](FaultEffect::fits) the call never happens.
    pub what: FaultEffect,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}:{}", self.call, self.nth, self.what)
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        let parts =
            text.split_once(':').and_then(|(call, what)| Some((call.split_once('#')?, what)));
        let Some(((call, nth), what)) = parts else {
            return Err(format!("{text:?} is no fault: like write#3:EIO+100"));
        };
        let named = CallKind::ALL.iter().find(|(_, name)| *name == call);
        let &(call, _) = named.ok_or_else(|| format!("no call {call:?}"))?;
        let fault = Fault { call, nth: number(nth)?, what: what.parse()? };
        if !fault.what.fits(call) {
            return Err(format!("{text:?}: a {call} cannot fail like that"));
        }
        Ok(fault)
    }
}

/// Faults that happen together.
///
/// Its text form joins them with commas; `space:n` is the room there is, in bytes; `none` is a plan
/// without faults.
///
/// ```
/// use highwater_sim::FaultPlan;
/// let plan: FaultPlan = "write#3:EIO+100,sync#0:keep-new,space:4096".parse()?;
/// assert_eq!((plan.faults.len(), plan.space), (2, Some(4096)));
/// assert_eq!(plan.to_string(), "write#3:EIO+100,sync#0:keep-new,space:4096");
/// assert_eq!("none".parse(), Ok(FaultPlan::default()));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FaultPlan {
    /// Calls that fail. Of two for one call the first happens.
    pub faults: Vec<Fault>,
    /// The bytes by which all files together may grow, if there is a limit. What is removed or cut
    /// is free again.
    pub space: Option<u64>,
}

impl From<Vec<Fault>> for FaultPlan {
    fn from(faults: Vec<Fault>) -> FaultPlan {
        FaultPlan { faults, space: None }
    }
}

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = self.space.map(|bytes| format!("space:{bytes}"));
        let parts: Vec<String> = self.faults.iter().map(Fault::to_string).chain(space).collect();
        f.write_str(if parts.is_empty() { "none" } else { "" })?;
        f.write_str(&parts.join(","))
    }
}

impl FromStr for FaultPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<FaultPlan, String> {
        let mut plan = FaultPlan::default();
        for part in text.split(',').filter(|_| text != "none") {
            match part.strip_prefix("space:") {
                Some(bytes) if plan.space.is_none() => plan.space = Some(number(bytes)?),
                Some(_) => return Err("space is given twice".to_string()),
                None => plan.faults.push(part.parse()?),
            }
        }
        Ok(plan)
    }
}

fn number(text: &str) -> Result<u64, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| format!("{text:?} is no number"))
}
