//! The verdicts, one by one: engines that are correct, and engines that panic, refuse, differ from
//! run to run or prove nothing.

use highwater_sim::{
    Act, Campaign, Easy, FailedSync, Failure, Kv, Model, Report, Rule, Settings, Verdict, replay,
};
use highwater_vfs::{File, OpenMode, Vfs, read_full_at, write_all_at};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

type Disk = Arc<dyn Vfs>;
type State = BTreeMap<u64, Vec<u8>>;

/// A log that every life begins anew, in a file of its own, with a copy of what it found; the
/// newest file whose copy is whole counts. Correct, but for its `QUIRK`.
pub(crate) struct Log<const QUIRK: u8> {
    state: State,
    file: Arc<dyn File>,
    number: u64,
    end: u64,
}

/// Nothing: every promise is kept.
pub(crate) const CORRECT: u8 = 0;
/// The third time that it opens, it panics.
const PANICS: u8 = 1;
/// It opens only once.
const REFUSES: u8 = 2;
/// It does not open at all.
const REFUSES_AT_ONCE: u8 = 3;
/// Every seventh time that it opens, it has forgotten everything.
const FORGETS: u8 = 4;
/// Every second time that it opens, it looks at more of the disk.
const LOOKS_ELSEWHERE: u8 = 5;
/// It takes the second answer of a sync for the first.
const RETRIES: u8 = 6;
/// It never syncs the directory.
pub(crate) const NO_SYNC_DIR: u8 = 7;

static FORGETTING: AtomicU64 = AtomicU64::new(0);
static LOOKING: AtomicU64 = AtomicU64::new(0);

/// In place of a key: the copy ends here.
const END: u64 = u64::MAX - 1;
/// In place of a size: the key is deleted.
const GONE: u64 = u64::MAX;
/// Checksum, key, size of the value: 8 bytes each.
const HEADER: usize = 24;

/// FNV-1a; the number of the file is part of it, so that frames of two files never mix.
fn sum(number: u64, bytes: &[u8]) -> u64 {
    let add = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().chain(&number.to_le_bytes()).fold(0xcbf2_9ce4_8422_2325, add)
}

fn frame(number: u64, key: u64, value: Option<&[u8]>) -> Vec<u8> {
    let size = value.map_or(GONE, |value| value.len() as u64);
    let body = [&key.to_le_bytes(), &size.to_le_bytes(), value.unwrap_or_default()].concat();
    [&sum(number, &body).to_le_bytes(), &body[..]].concat()
}

/// What file `number` holds; `None` if its copy is not whole.
fn read(file: &dyn File, number: u64) -> io::Result<Option<State>> {
    let (mut state, mut whole, mut at) = (State::new(), false, 0);
    loop {
        let mut bytes = vec![0; HEADER];
        if read_full_at(file, &mut bytes, at)? < HEADER {
            break;
        }
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let (expected, key, size) = (word(0), word(8), word(16));
        let taken = if size == GONE { 0 } else { size };
        if taken > file.size()? {
            break;
        }
        bytes.resize(HEADER + taken as usize, 0);
        read_full_at(file, &mut bytes[HEADER..], at + HEADER as u64)?;
        if sum(number, &bytes[8..]) != expected {
            break;
        }
        match (key, size) {
            (END, _) => whole = true,
            (key, GONE) => drop(state.remove(&key)),
            (key, _) => drop(state.insert(key, bytes.split_off(HEADER))),
        }
        at += HEADER as u64 + taken;
    }
    Ok(whole.then_some(state))
}

fn numbers(disk: &Disk) -> io::Result<Vec<u64>> {
    let names = disk.list(Path::new(""))?;
    let mut numbers: Vec<u64> =
        names.iter().filter_map(|name| name.strip_prefix("log.")?.parse().ok()).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

impl<const QUIRK: u8> Log<QUIRK> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_all_at(&*self.file, bytes, self.end)?;
        self.end += bytes.len() as u64;
        match self.file.sync() {
            Err(_) if QUIRK == RETRIES => self.file.sync(),
            synced => synced,
        }
    }

    /// What happens before anything is read.
    fn quirk(disk: &Disk, logs: &[u64]) -> io::Result<()> {
        match QUIRK {
            PANICS => assert!(logs.len() < 2, "three times are too many"),
            REFUSES if !logs.is_empty() => return Err(io::Error::other("it was not shut down")),
            REFUSES_AT_ONCE => return Err(io::Error::other("not today")),
            LOOKS_ELSEWHERE if LOOKING.fetch_add(1, Ordering::Relaxed) % 2 == 1 => {
                for number in logs {
                    disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?.size()?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl<const QUIRK: u8> Kv for Log<QUIRK> {
    fn open(disk: Disk) -> io::Result<Self> {
        let logs = numbers(&disk)?;
        Self::quirk(&disk, &logs)?;
        let mut state = State::new();
        for &number in logs.iter().rev() {
            let file = disk.open(format!("log.{number}").as_ref(), OpenMode::Read)?;
            if let Some(found) = read(&*file, number)? {
                state = found;
                break;
            }
        }
        if QUIRK == FORGETS && FORGETTING.fetch_add(1, Ordering::Relaxed) % 7 == 6 {
            state.clear();
        }
        let number = logs.last().unwrap_or(&0) + 1;
        let file = disk.open(format!("log.{number}").as_ref(), OpenMode::CreateNew)?;
        let mut copy: Vec<u8> =
            state.iter().flat_map(|(key, value)| frame(number, *key, Some(value))).collect();
        copy.extend(frame(number, END, Some(&[])));
        let mut log = Log { state, file, number, end: 0 };
        log.append(&copy)?;
        if QUIRK != NO_SYNC_DIR {
            disk.sync_dir(Path::new(""))?;
        }
        Ok(log)
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.append(&frame(self.number, key, Some(value)))?;
        self.state.insert(key, value.to_vec());
        Ok(())
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.append(&frame(self.number, key, None))?;
        self.state.remove(&key);
        Ok(())
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.state.get(&key).cloned())
    }
}

/// A put of `size` bytes that no other key's value has.
pub(crate) fn put(key: u64, size: usize) -> Act {
    Act::Put(key, vec![b'a' + key as u8; size])
}

fn run<const QUIRK: u8>(acts: &[Act], settings: Settings, failures: &[Failure]) -> Report<Easy> {
    let campaign = Campaign { settings, failures: failures.to_vec(), control: true };
    campaign.run(&Easy::new::<Log<QUIRK>>(acts.to_vec()).stops(), &mut |_| ())
}

fn crashes(crashes: u32) -> Settings {
    Settings { crashes, ..Settings::default() }
}

#[test]
fn a_correct_engine_holds_and_its_control_is_caught() {
    for model in Model::ALL {
        let settings = Settings { model, ..Settings::default() };
        let told = FailedSync::TOLD.map(Failure::Sync);
        let report = run::<CORRECT>(&[put(1, 20), put(2, 30)], settings, &told);
        let why = report.finding.as_ref().map(ToString::to_string).unwrap_or_default();
        assert_eq!(report.verdict, Verdict::Held, "{model}\n{why}");
        assert_eq!(report.control_caught, Some(true), "{model}: the control drops all syncs");
        assert!(report.exhaustive(), "{model}: {:?}", report.tally);
        assert_eq!(report.failures.len(), told.len(), "{model}");
    }
}

#[test]
fn a_panic_in_recovery_breaks_p11_and_has_a_trail() {
    let report = run::<PANICS>(&[put(1, 20), put(2, 30)], crashes(2), &[]);
    assert_eq!(report.verdict, Verdict::Violated);
    let finding = report.finding.expect("a violation has a finding");
    assert_eq!(finding.broken.rule, Rule::P11Bounds);
    assert!(finding.broken.what.contains("three times are too many"), "{finding}");
    assert!(finding.reproduced);
    // No second crash is needed: after it the last life opens once more.
    assert_eq!((finding.subject.acts().len(), finding.trail.lives.len()), (0, 2), "{finding}");
    let trail = finding.trail.to_string().parse().expect("a trail reads its own text");
    let again = replay(&finding.subject, &finding.settings, &trail);
    assert_eq!(again.broken, Some(finding.broken));
}

#[test]
fn an_engine_that_does_not_open_again_breaks_p5() {
    let report = run::<REFUSES>(&[put(1, 20)], crashes(2), &[]);
    assert_eq!(report.verdict, Verdict::Violated);
    let finding = report.finding.expect("a violation has a finding");
    assert_eq!(finding.broken.rule, Rule::P5FalseAlarm, "{finding}");
    assert!(finding.broken.what.contains("it was not shut down"), "{finding}");
    assert_eq!((finding.subject.acts().len(), finding.trail.lives.len()), (0, 2), "{finding}");
}

#[test]
fn an_engine_that_never_opens_is_broken_not_violated() {
    let report = run::<REFUSES_AT_ONCE>(&[put(1, 20)], crashes(2), &[]);
    assert_eq!(report.verdict, Verdict::Broken);
    let finding = report.finding.expect("it has a finding");
    assert_eq!(finding.trail.to_string(), "", "no crash, no choice");
}

/// Of two families only the second shows it, and the finding is walked under that one.
#[test]
fn a_failure_that_breaks_it_is_named() {
    let families = [FailedSync::KeepDirty, FailedSync::KeepNew].map(Failure::Sync);
    let report = run::<RETRIES>(&[put(1, 20), put(2, 30)], crashes(2), &families);
    assert_eq!(report.verdict, Verdict::Violated);
    let finding = report.finding.expect("a violation has a finding");
    assert_eq!(finding.settings.failure, Some(families[1]), "{finding}");
    assert!(finding.reproduced, "{finding}");
}

/// Memory between the lives, here a static, makes an engine another one each time it is asked:
/// what it answers, or what it looks at.
#[test]
fn an_engine_that_is_not_deterministic_diverges() {
    let forgets = run::<FORGETS>(&[put(1, 20), put(2, 30)], crashes(2), &[]);
    assert_eq!(forgets.verdict, Verdict::Diverged);
    assert!(forgets.finding.is_some_and(|finding| !finding.reproduced));
    let looks = run::<LOOKS_ELSEWHERE>(&[put(1, 20), put(2, 30)], crashes(2), &[]);
    assert_eq!(looks.verdict, Verdict::Diverged);
    assert!(looks.tally.diverged, "the choices are not those of the last time");
}

/// Deleting what is not there cannot be lost: with all syncs dropped nothing is missed.
#[test]
fn a_workload_that_changes_nothing_is_blind() {
    let report = run::<CORRECT>(&[Act::Delete(1), Act::Delete(2)], crashes(1), &[]);
    assert_eq!(report.verdict, Verdict::Blind);
    assert_eq!(report.control_caught, Some(false));
    assert!(report.exhaustive());
}

/// With a second crash the put between the two is there to be lost.
#[test]
fn work_between_two_crashes_is_never_blind() {
    let report = run::<CORRECT>(&[Act::Delete(1), Act::Delete(2)], crashes(2), &[]);
    assert_eq!(report.verdict, Verdict::Held);
    assert_eq!(report.control_caught, Some(true));
}

/// A budget that ends before the plan is no proof.
#[test]
fn a_budget_that_ends_is_inconclusive() {
    let settings = Settings { unit_limit: 1, ..crashes(2) };
    let report = run::<CORRECT>(&[put(1, 20), put(2, 30)], settings, &[]);
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert!(!report.exhaustive());
    assert_eq!(report.tally.states_total, None, "what nobody came to was not counted");
    let whole = run::<CORRECT>(&[put(1, 20), put(2, 30)], crashes(2), &[]);
    assert!(whole.tally.states_total.is_some_and(|states| states > 0));
}
