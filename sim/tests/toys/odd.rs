//! Engines that are not merely wrong: that panic, refuse, differ from run to run or prove nothing.

use crate::judge::put;
use crate::kit::{self, Disk, Log, State};
use crate::stop::FailStop;
use crate::{ack, dir, tail};
use highwater_sim::{Act, Campaign, Easy, FailedSync, Kv, Report, Rule, Settings, Verdict, replay};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

fn run<K: Kv>(acts: &[Act], crashes: u32) -> Report<Easy<K>> {
    let settings = Settings { crashes, ..Settings::default() };
    let campaign = Campaign { settings, failures: Vec::new(), control: true };
    campaign.run(&Easy::<K>::new(acts.to_vec()), &mut |_| ())
}

/// Correct, but for what `QUIRK` does when it opens.
struct Quirky<const QUIRK: u8> {
    state: State,
    log: Log,
}

const PANICS: u8 = 1;
const REFUSES: u8 = 2;
const FORGETS: u8 = 3;
const LOOKS_ELSEWHERE: u8 = 4;
const REFUSES_AT_ONCE: u8 = 5;

static FORGETTING: AtomicU64 = AtomicU64::new(0);
static LOOKING: AtomicU64 = AtomicU64::new(0);

impl<const QUIRK: u8> Kv for Quirky<QUIRK> {
    fn open(disk: Disk) -> io::Result<Self> {
        let logs = kit::numbers(&disk, "log")?.len();
        match QUIRK {
            PANICS => assert!(logs < 2, "three lives are too many"),
            REFUSES if logs > 0 => return Err(io::Error::other("it was not shut down")),
            REFUSES_AT_ONCE => return Err(io::Error::other("not today")),
            LOOKS_ELSEWHERE if LOOKING.fetch_add(1, Ordering::Relaxed) % 2 == 1 => {
                kit::load_snapshot(&disk)?;
                disk.open("log.1".as_ref(), highwater_vfs::OpenMode::Read).map(|f| f.size()).ok();
            }
            _ => {}
        }
        let (mut state, log) = Log::open(&disk)?;
        if QUIRK == FORGETS && FORGETTING.fetch_add(1, Ordering::Relaxed) % 7 == 6 {
            state.clear();
        }
        Ok(Quirky { state, log })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.log.write(&[kit::put(key, value)])?;
        self.log.sync()?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}

#[test]
fn a_panic_in_recovery_breaks_p11_and_has_a_trail() {
    let report = run::<Quirky<PANICS>>(&[put(1, 20), put(2, 30)], 2);
    assert_eq!(report.verdict, Verdict::Violated);
    let finding = report.finding.expect("a violation has a finding");
    assert_eq!(finding.broken.rule, Rule::P11Bounds);
    assert!(finding.broken.what.contains("three lives are too many"), "{finding}");
    assert!(finding.reproduced);
    assert_eq!((finding.subject.acts().len(), finding.trail.lives.len()), (0, 3), "{finding}");
    let trail = finding.trail.to_string().parse().expect("a trail reads its own text");
    let again = replay(&finding.subject, &finding.settings, &trail);
    assert_eq!(again.broken, Some(finding.broken));
}

#[test]
fn an_engine_that_does_not_open_breaks_p5() {
    let report = run::<Quirky<REFUSES>>(&[put(1, 20)], 2);
    assert_eq!(report.verdict, Verdict::Violated);
    let finding = report.finding.expect("a violation has a finding");
    assert_eq!(finding.broken.rule, Rule::P5FalseAlarm, "{finding}");
    assert!(finding.broken.what.contains("it was not shut down"), "{finding}");
    assert_eq!((finding.subject.acts().len(), finding.trail.lives.len()), (0, 2), "{finding}");
}

#[test]
fn an_engine_that_never_opens_is_broken_not_violated() {
    let report = run::<Quirky<REFUSES_AT_ONCE>>(&[put(1, 20)], 2);
    assert_eq!(report.verdict, Verdict::Broken);
    let finding = report.finding.expect("it has a finding");
    assert_eq!(finding.trail.to_string(), "", "no crash, no choice");
}

/// Memory between the lives, here a static, makes an engine another one each time it is asked.
#[test]
fn an_engine_that_is_not_deterministic_diverges() {
    let forgets = run::<Quirky<FORGETS>>(&[put(1, 20), put(2, 30)], 2);
    assert_eq!(forgets.verdict, Verdict::Diverged);
    let looks = run::<Quirky<LOOKS_ELSEWHERE>>(&[put(1, 20), put(2, 30)], 2);
    assert_eq!(looks.verdict, Verdict::Diverged);
}

/// Deleting what is not there cannot be lost: with all syncs dropped nothing is missed.
#[test]
fn a_workload_that_changes_nothing_is_blind() {
    let report = run::<ack::Entrances<true>>(&[Act::Delete(1), Act::Delete(2)], 1);
    assert_eq!(report.verdict, Verdict::Blind);
    assert_eq!(report.control_caught, Some(false));
    assert!(report.exhaustive());
}

/// With a second crash the put between the two is there to be lost.
#[test]
fn work_between_two_crashes_is_never_blind() {
    let report = run::<ack::Entrances<true>>(&[Act::Delete(1), Act::Delete(2)], 2);
    assert_eq!(report.verdict, Verdict::Held);
}

/// Why `Log` copies: engines that go on in the file they find, and sync it once more to be sure,
/// hold as long as no sync fails, and are caught once the cache may lie.
#[test]
fn engines_that_only_sync_again_are_caught_by_keep_new() {
    fn caught<K: Kv>(name: &str) {
        let failures = vec![FailedSync::KeepDirty, FailedSync::KeepNew];
        let campaign = Campaign { settings: Settings::default(), failures, control: true };
        let report =
            campaign.run(&Easy::<FailStop<K>>::new(vec![put(1, 20), put(2, 30)]), &mut |_| ());
        assert_eq!(report.verdict, Verdict::Violated, "{name}");
        let finding = report.finding.expect("a violation has a finding");
        assert_eq!(finding.settings.failed_sync, Some(FailedSync::KeepNew), "{name}\n{finding}");
        assert!(finding.reproduced, "{name}\n{finding}");
    }
    caught::<dir::Named<true>>("DIR-1's twin");
    caught::<tail::Resumed<true>>("TAIL-3's twin");
    caught::<tail::Active<true>>("TAIL-9's twin");
    caught::<crate::del::Shadowed<true>>("DEL-3's twin");
}
