//! What is asked of every toy: the bug is found, shrunk, replayed and explained; its twin holds.

use crate::stop::FailStop;
use highwater_sim::{
    Act, Campaign, Easy, FailedSync, Finding, Kv, Model, Report, Rule, Settings, Trail, Verdict,
    replay,
};

/// Every toy is judged behind the latch: it takes nothing more after its first error.
type Subject<K> = Easy<FailStop<K>>;

/// What a bug and its twin must answer. All are judged under three models with power loss and kill,
/// two crashes.
pub(crate) struct Card {
    /// The class and number in the catalogue.
    pub(crate) id: &'static str,
    pub(crate) acts: Vec<Act>,
    pub(crate) rule: Rule,
    /// The models under which the bug shows; under the others it is held like its twin.
    pub(crate) shows: &'static [Model],
    /// The failed syncs that the twin claims to survive.
    pub(crate) claims: &'static [FailedSync],
    /// The failed sync that it takes for the bug to show.
    pub(crate) needs: Option<FailedSync>,
    /// Operations and crashes of the minimal counterexample under `posix`.
    pub(crate) minimal: (usize, usize),
    /// A call that is lost in it, and the sync that would have kept it; empty if it takes no loss.
    pub(crate) lost: (&'static str, &'static str),
}

/// The models that the toys are judged under, weakest first.
pub(crate) const JUDGED: [Model; 3] = [Model::Posix, Model::Ext4Ordered, Model::Strict];
/// All of them.
pub(crate) const EVERYWHERE: &[Model] = &JUDGED;
/// Everywhere but where all changes persist in order.
pub(crate) const UNORDERED: &[Model] = &[Model::Posix, Model::Ext4Ordered];
/// Only where nothing but the syncs orders anything.
pub(crate) const POSIX: &[Model] = &[Model::Posix];

/// A line of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) cells: Vec<String>,
}

pub(crate) fn acts_of(list: &[(u64, usize)]) -> Vec<Act> {
    list.iter().map(|&(key, size)| put(key, size)).collect()
}

/// A put of `size` bytes that no other key's value has.
pub(crate) fn put(key: u64, size: usize) -> Act {
    Act::Put(key, vec![b'a' + key as u8; size])
}

impl Card {
    fn run<K: Kv>(
        &self,
        model: Model,
        every_point: bool,
        failures: &[FailedSync],
    ) -> Report<Subject<K>> {
        let settings = Settings { model, every_point, ..Settings::default() };
        let campaign = Campaign { settings, failures: failures.to_vec(), control: true };
        campaign.run(&Subject::<K>::new(self.acts.clone()), &mut |_| ())
    }

    /// Judges the bug `B` and its twin `T`, and asserts all that the card says.
    pub(crate) fn judge<B: Kv, T: Kv>(&self) -> Row {
        let mut finding = None;
        let fails: Vec<FailedSync> = self.needs.into_iter().collect();
        for model in JUDGED {
            let shows = self.shows.contains(&model);
            let expected = if shows { Verdict::Violated } else { Verdict::Held };
            let bug = self.run::<B>(model, false, &fails);
            let why = bug.finding.as_ref().map(ToString::to_string).unwrap_or_default();
            assert_eq!(bug.verdict, expected, "{}, bug, {model}\n{why}", self.id);
            if model == Model::Posix {
                let again = self.run::<B>(model, true, &fails);
                assert_eq!(again.verdict, expected, "{}, bug, every point", self.id);
                finding = bug.finding.clone().map(|finding| (finding, bug.recoveries()));
            }
            if !shows {
                self.held("bug", &bug, model);
            }
            self.held("twin", &self.run::<T>(model, false, self.claims), model);
        }
        self.held(
            "twin, every point",
            &self.run::<T>(Model::Posix, true, self.claims),
            Model::Posix,
        );
        let (finding, recoveries) = finding.expect("every bug shows under posix");
        self.counterexample::<B, T>(&finding);
        self.row(&finding, recoveries)
    }

    fn held<K>(&self, what: &str, report: &Report<Subject<K>>, model: Model) {
        let id = self.id;
        let why = report.finding.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(report.verdict, Verdict::Held, "{id}, {what}, {model}\n{why}");
        assert!(report.exhaustive(), "{id}, {what}, {model}: {:?}", report.tally);
        assert_eq!(report.control_caught, Some(true), "{id}, {what}, {model}: the control");
        let tally = &report.tally;
        assert!(tally.states_total.is_some(), "{id}, {what}, {model}: a count");
        assert_eq!(tally.states_covered, tally.states_total, "{id}, {what}, {model}: coverage");
    }

    /// The finding is minimal, walks again from its text, explains itself, and spares the twin.
    fn counterexample<B: Kv, T: Kv>(&self, finding: &Finding<Subject<B>>) {
        let id = self.id;
        assert_eq!(finding.broken.rule, self.rule, "{id}\n{finding}");
        assert!(finding.reproduced, "{id}\n{finding}");
        assert_eq!(finding.settings.failed_sync, self.needs, "{id}\n{finding}");
        let size = (finding.subject.acts().len(), finding.trail.lives.len() - 1);
        assert_eq!(size, self.minimal, "{id}: operations and crashes\n{finding}");
        let trail: Trail = finding.trail.to_string().parse().expect("a trail reads its own text");
        assert_eq!(trail, finding.trail, "{id}");
        let first = replay(&finding.subject, &finding.settings, &trail);
        let second = replay(&finding.subject, &finding.settings, &trail);
        assert_eq!(first.trace.to_string(), second.trace.to_string(), "{id}");
        assert_eq!(first, second, "{id}");
        assert_eq!(first, finding.replayed, "{id}");
        assert_eq!(first.broken.as_ref(), Some(&finding.broken), "{id}");
        let (call, sync) = self.lost;
        if self.needs.is_some() {
            // What a failed sync lost is no loss of the crash, and not named as one.
        } else if call.is_empty() {
            assert!(first.lost.is_empty(), "{id}: no sync was missing\n{finding}");
        } else {
            let named = first.lost.iter().any(|l| l.call.contains(call) && l.sync == sync);
            assert!(named, "{id}: {call}, {sync}\n{finding}");
        }
        let twin = Subject::<T>::new(finding.subject.acts().to_vec());
        let spared = replay(&twin, &finding.settings, &trail);
        assert_eq!(spared.broken, None, "{id}: the twin on the bug's trail\n{}", spared.trace);
    }

    fn row<K: Kv>(&self, finding: &Finding<Subject<K>>, recoveries: u64) -> Row {
        let class = self.id.split('-').next().unwrap_or_default();
        let models: Vec<String> = self.shows.iter().map(ToString::to_string).collect();
        let absent = |m: &Model| !self.shows.contains(m);
        let not: Vec<String> = JUDGED.into_iter().filter(absent).map(|m| m.to_string()).collect();
        let lost: Vec<String> =
            finding.replayed.lost.iter().map(|l| format!("{} ({})", l.call, l.sync)).collect();
        let cells = vec![
            self.id.to_string(),
            class.to_string(),
            finding.broken.rule.to_string(),
            models.join(" "),
            not.join(" "),
            self.needs.map(|f| f.to_string()).unwrap_or_default(),
            recoveries.to_string(),
            finding.subject.acts().len().to_string(),
            finding.trail.to_string(),
            lost.join("; "),
        ];
        Row { cells }
    }
}
