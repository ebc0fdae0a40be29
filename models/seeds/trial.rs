//! The card of a trial: a promise of a system, a small subject that follows its documented
//! protocol, and what must come out.

use crate::museum::{EVERYWHERE, Piece};
use highwater_sim::{Campaign, Easy, Failure, Model, Rule, Settings};

/// A promise of one of the five systems, on trial.
#[derive(Clone, Copy, Debug)]
pub struct Trial {
    /// System and promise: `keyval/batch`. The system alone is the protocol as it is documented,
    /// with nothing mended.
    pub name: &'static str,
    /// What is promised, in our words.
    pub promise: &'static str,
    /// Where.
    pub source: &'static str,
    /// What becomes of it, in a line.
    pub about: &'static str,
    /// Our promise that is broken; `None` if it is kept.
    pub rule: Option<Rule>,
    /// What is broken instead, where the first of `shows` is not the model.
    pub also: &'static [Rule],
    /// The disk models under which it shows.
    pub shows: &'static [Model],
    /// What must fail for it to show, besides the power and the process.
    pub needs: Option<Failure>,
    /// Only the process is killed: the promise says nothing of the power.
    pub kill_only: bool,
    /// It fails without any crash.
    pub broken: bool,
    /// Operations of the smallest workload that shows it.
    pub ops: usize,
    /// The subject on its workload.
    pub engine: fn() -> Easy,
    /// The same with the hole mended.
    pub twin: Option<fn() -> Easy>,
    /// What the store of this project does instead.
    pub native: &'static str,
}

fn nothing() -> Easy {
    unreachable!("every trial has an engine")
}

impl Trial {
    /// What most trials have in common.
    pub(super) const PLAIN: Trial = Trial {
        name: "",
        promise: "",
        source: "",
        about: "",
        rule: None,
        also: &[],
        shows: EVERYWHERE,
        needs: None,
        kill_only: false,
        broken: false,
        ops: 0,
        engine: nothing,
        twin: None,
        native: "",
    };

    /// The system: `keyval`.
    pub fn system(&self) -> &'static str {
        self.name.split('/').next().unwrap_or_default()
    }

    /// What it is judged by, and so is its twin. Where no power is lost, a sync that is left out
    /// shows nothing, so nothing is to be learned from leaving out all.
    pub fn campaign(&self) -> Campaign {
        let settings = Settings { power: !self.kill_only, ..Piece::PLAIN.campaign(false).settings };
        let failures = self.needs.into_iter().collect();
        Campaign { settings, failures, control: !self.kill_only }
    }
}
