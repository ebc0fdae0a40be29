//! The barrier audit of an engine that is known by name.

use crate::engines::Exhibit;
use crate::stack::site_with_line_of;
use crate::{Case, Engine, PayloadSubject, Setup, Workload};
use highwater_sim::{Audited, Count, Settings, Stage, Subject, SyncKind, audit};

/// Workloads that come by every sync of the payload store, in segments of 512 bytes and with one
/// snapshot kept.
pub const BARRIERS: [&str; 8] = [
    "put 1 x16\nput 2 x16\ndelete 1\nbatch 3 x16, 4 x16\n",
    // Rotation with a deferred operation behind it.
    "deferred 1 x100\nput 2 x300\nput 3 x16\n",
    // The first segment is superfluous after the checkpoint, and so is the first snapshot.
    "put 1 x300\nput 1 x300\ncheckpoint\nput 1 x16\ncheckpoint\n",
    "deferred 1 x16\ncheckpoint\n",
    "put 1 x16\nreopen\nput 2 x16\n",
    // A close that has something to sync, in another sector than its mark.
    "put 1 x16\ndeferred 2 x430\nreopen\n",
    "deferred 1 x16\nflush\nput 2 x16\n",
    "put 1 x300\nput 2 x300\nreopen\ndelete 1\ncheckpoint\n",
];

/// Syncs of the payload store that no crash needs, and what they are there for.
pub const REASONS: [(&str, &str); 2] = [
    (
        "write_and_sync < force",
        "without it, rot in the last record of a store that was closed could not be told from a \
         write that a crash tore (P6)",
    ),
    (
        "take_back < recover",
        "after a copy that a full disk cut short: without it a power cut may leave the epoch to a \
         file that has the bytes of the old one (P12, then P4)",
    ),
];

/// The setup that belongs to [`BARRIERS`].
///
/// # Panics
/// Never: it is a constant.
pub fn barrier_setup() -> Setup {
    "fsync_512_1".parse().expect("a setup")
}

/// What the audit says of one sync call site.
#[derive(Clone, Debug)]
pub struct Barrier {
    /// The function that syncs, the one that called it, and the line.
    pub site: String,
    /// Of a file or a directory.
    pub sync: SyncKind,
    /// How often it was met in the first lives.
    pub calls: u64,
    /// The simplest disaster that needs it, what broke, and the missing edges; `None` if it is
    /// redundant.
    pub needed: Option<(String, String, Vec<String>)>,
    /// Why it is there although no crash needs it.
    pub reason: Option<&'static str>,
    /// Crash states explored without it.
    pub states: Count,
    /// Whether those are all.
    pub exhaustive: bool,
}

fn barrier<S>(audited: Audited<S>) -> Barrier {
    let Audited { site, sync, calls, needed, states, exhaustive } = audited;
    let needed = needed.map(|(disaster, finding)| {
        let broken = format!("{}: {}", finding.broken.rule, finding.broken.what);
        (disaster, broken, finding.missing())
    });
    let reason = REASONS.iter().find(|(name, _)| needed.is_none() && site.starts_with(name));
    let reason = reason.map(|(_, why)| *why);
    Barrier { site, sync, calls, needed, reason, states, exhaustive }
}

fn barriers<S: Subject + Clone>(
    subjects: &[S],
    settings: &Settings,
    stage: &mut dyn FnMut(Stage),
) -> Vec<Barrier> {
    let audited = audit(subjects, settings, site_with_line_of, stage);
    audited.into_iter().map(barrier).collect()
}

impl Engine {
    /// Leaves out each sync of the engine in turn. Without workloads, those that come by every sync
    /// of the store; a piece of the museum has its own.
    ///
    /// ```
    /// use highwater_sim::Settings;
    /// let twin = highwater_models::engine("museum/ack-1/twin").unwrap();
    /// let barriers = twin.audit(&[], &Settings::default(), &mut |_| ());
    /// assert!(barriers.iter().any(|barrier| barrier.needed.is_some()));
    /// ```
    pub fn audit(
        &self,
        workloads: &[Workload],
        settings: &Settings,
        stage: &mut dyn FnMut(Stage),
    ) -> Vec<Barrier> {
        match self.exhibit() {
            Exhibit::Piece(subject) => barriers(&[subject], settings, stage),
            Exhibit::Threads(subject) => barriers(&[subject], settings, stage),
            Exhibit::Store if workloads.is_empty() => {
                let workload = |text: &str| text.parse().expect("a workload of ours");
                self.audit(&BARRIERS.map(workload), settings, stage)
            }
            Exhibit::Store => {
                let case = |w: &Workload| Case { workload: w.clone(), setup: barrier_setup() };
                let subjects: Vec<PayloadSubject> =
                    workloads.iter().map(|w| PayloadSubject::new(case(w))).collect();
                barriers(&subjects, settings, stage)
            }
        }
    }
}
