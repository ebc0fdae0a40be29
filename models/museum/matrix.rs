//! The kill matrix: which abilities of the disk each bug takes to be found.
//!
//! An ability is switched off and the bug is hunted again. Where it is not found any more, it needs
//! the ability. An ability that no bug needs would be one that we could do without.

use super::Piece;
use crate::Job;
use crate::threads::{Plan, finds};
use highwater_sim::{Campaign, Device, Explorer, Failure, Layers, Model, Settings, Tally, Tear};

/// An ability of the disk, or of the explorer, that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// A power cut may lose what was written to a sector.
    Drop,
    /// A later change may survive an earlier one.
    Reorder,
    /// A power cut may lose creations, renames and removals.
    Names,
    /// A power cut may lose a file's length.
    Length,
    /// A power cut may tear a write between two sectors: without it, sectors have 4096 bytes.
    Tear,
    /// The process may be killed.
    Kill,
    /// A sync may fail.
    FailedSync,
    /// Another call may fail or fall short.
    FailedCall,
    /// The medium may decay.
    Decay,
    /// The recovery may be cut too, and so may the work after it.
    SecondCrash,
    /// Threads may be interleaved: without it, each goes on for as long as it can.
    Schedule,
}

impl Ability {
    /// All, in the order of the columns.
    pub const ALL: [Ability; 11] = [
        Ability::Drop,
        Ability::Reorder,
        Ability::Names,
        Ability::Length,
        Ability::Tear,
        Ability::Kill,
        Ability::FailedSync,
        Ability::FailedCall,
        Ability::Decay,
        Ability::SecondCrash,
        Ability::Schedule,
    ];

    /// What heads its column.
    pub fn name(self) -> &'static str {
        match self {
            Ability::Drop => "drop",
            Ability::Reorder => "reorder",
            Ability::Names => "names",
            Ability::Length => "length",
            Ability::Tear => "tear",
            Ability::Kill => "kill",
            Ability::FailedSync => "failed sync",
            Ability::FailedCall => "failed call",
            Ability::Decay => "decay",
            Ability::SecondCrash => "second crash",
            Ability::Schedule => "schedule",
        }
    }

    /// The job without it; `None` if the job makes no use of it anyway.
    pub fn switched_off(self, job: &Job) -> Option<Job> {
        if self == Ability::Schedule {
            return Some(Job { plan: Plan::ALONE, ..job.clone() });
        }
        let campaign = self.on_another_disk(&job.campaign)?;
        Some(Job { campaign, ..job.clone() })
    }

    fn on_another_disk(self, campaign: &Campaign) -> Option<Campaign> {
        let usual = &campaign.settings;
        let device = usual.device;
        let layers = |layers: Layers| Settings { layers, ..usual.clone() };
        let whole = Device { sector: 4096, tear: Tear::None, ..device };
        let settings = match self {
            Ability::Drop => layers(Layers { data: false, ..usual.layers }),
            Ability::Reorder => layers(Layers { reorder: false, ..usual.layers }),
            Ability::Names => layers(Layers { names: false, ..usual.layers }),
            Ability::Length => layers(Layers { lengths: false, ..usual.layers }),
            Ability::Tear => Settings { device: whole, ..usual.clone() },
            Ability::Kill => Settings { kill: false, ..usual.clone() },
            Ability::SecondCrash => Settings { crashes: 1, ..usual.clone() },
            Ability::FailedSync | Ability::FailedCall | Ability::Decay => {
                return self.without_failures(campaign);
            }
            Ability::Schedule => return None,
        };
        Some(Campaign { settings, ..campaign.clone() })
    }

    fn without_failures(self, campaign: &Campaign) -> Option<Campaign> {
        let is_of_it = |failure: &Failure| match self {
            Ability::FailedSync => matches!(failure, Failure::Sync(_) | Failure::Lying),
            Ability::FailedCall => matches!(failure, Failure::Call(_)),
            _ => matches!(failure, Failure::Decay(_)),
        };
        let mut fewer = campaign.clone();
        fewer.failures.retain(|failure| !is_of_it(failure));
        (fewer.failures.len() < campaign.failures.len()).then_some(fewer)
    }
}

/// The model under which a piece is hunted: the first under which it shows.
pub fn model_of(piece: &Piece) -> Model {
    piece.shows.first().copied().unwrap_or(Model::Posix)
}

/// The abilities without which a bug is not found, with all the others there.
pub fn needs(piece: &Piece) -> Vec<Ability> {
    let mut campaign = Campaign { control: false, ..piece.campaign(false) };
    campaign.settings.model = model_of(piece);
    let job = Job { campaign, plan: piece.plan(), ..Job::default() };
    let needed =
        |ability: &Ability| ability.switched_off(&job).is_some_and(|less| !is_found(piece, &less));
    let threads = piece.threads.is_some();
    Ability::ALL.into_iter().filter(|a| threads || *a != Ability::Schedule).filter(needed).collect()
}

/// Whether a job finds anything. What it finds is not shrunk, so it is cheaper than a verdict.
fn is_found(piece: &Piece, job: &Job) -> bool {
    if let Some([bug, _]) = piece.threads {
        return finds(&job.campaign, job.plan, &bug());
    }
    let campaign = &job.campaign;
    let subject = (piece.engine)();
    let failing = campaign.failures.iter().copied().map(Some);
    let found = |failure: Option<Failure>| {
        let settings = Settings { failure, ..campaign.settings.clone() };
        let tally: Tally = Explorer::new(settings).run(&subject);
        tally.found.is_some()
    };
    // Where something has to fail, that is where it is found: first, so that the rest is spared.
    failing.chain([None]).any(found)
}
