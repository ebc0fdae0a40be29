//! A piece of the museum: a bug that was found in the field, small enough to read, and its twin.

use crate::threads::{Plan, Scheduled};
use highwater_sim::{Campaign, Device, Easy, Failure, Model, Rule, Settings};

/// A bug of the catalogue, as a small engine with a workload, and the same engine without the bug.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    /// Its class and number in the catalogue: `ACK-1`.
    pub bug: &'static str,
    /// What went wrong, in a line.
    pub title: &'static str,
    /// Where it was reported.
    pub source: &'static str,
    /// The promise that it breaks.
    pub rule: Rule,
    /// The disk models under which it shows; under the others it is held like its twin.
    pub shows: &'static [Model],
    /// What must fail for it to show, besides the power and the process.
    pub needs: Option<Failure>,
    /// The device on which it shows.
    pub device: Device,
    /// It fails without any crash.
    pub broken: bool,
    /// What may fail besides without harm to the twin.
    pub claims: &'static [Failure],
    /// Operations of the catalogue's sequence: a counterexample has no more.
    pub ops: usize,
    /// The engine with the bug.
    pub engine: fn() -> Easy,
    /// The engine without.
    pub twin: fn() -> Easy,
    /// Of a bug among threads: the engine with the bug on its program, and the one without.
    pub threads: Option<[fn() -> Scheduled; 2]>,
}

fn nothing() -> Easy {
    unreachable!("every piece has an engine")
}

impl Piece {
    /// What most pieces have in common.
    pub(crate) const PLAIN: Piece = Piece {
        bug: "",
        title: "",
        source: "",
        rule: Rule::P1Loss,
        shows: EVERYWHERE,
        needs: None,
        device: Device::PLAIN,
        broken: false,
        claims: &[],
        ops: 0,
        engine: nothing,
        twin: nothing,
        threads: None,
    };

    /// Its name: `ack-1`.
    pub fn id(&self) -> String {
        self.bug.to_lowercase()
    }

    /// What it is judged by: the bug where it shows, its twin there and where it claims to hold.
    pub fn campaign(&self, twin: bool) -> Campaign {
        let settings = Settings { device: self.device, ..Settings::default() };
        let mut failures: Vec<Failure> = self.needs.into_iter().collect();
        if twin {
            failures.extend(self.claims.iter().filter(|claim| Some(**claim) != self.needs));
        }
        Campaign { settings, failures, control: true }
    }

    /// Under which schedules, if it is a bug among threads. (Each of them shows with one
    /// preemption.)
    pub fn plan(&self) -> Plan {
        Plan { bound: Some(1), random: 20, pct: 20, ..Plan::default() }
    }
}

/// Every model, weakest first.
pub(crate) const EVERYWHERE: &[Model] = &Model::ALL;

/// Everywhere but where all changes persist in the order in which they were made.
pub(crate) const UNORDERED: &[Model] =
    &[Model::Posix, Model::Ext4Writeback, Model::Ext4Ordered, Model::Xfs, Model::Btrfs];
