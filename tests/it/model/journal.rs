//! Long histories of the journal.

use super::lives::Lives;
use super::long::{End, Fate, Lived, histories};
use super::records::{Log, Op, Reference, record};
use super::run::Checked;
use highwater::{Ack, Error, Journal, JournalReader, Level, Lsn};
use highwater_sim::Reach;
use std::collections::BTreeMap;

struct Store {
    lives: Lives<Log>,
    /// J2: nothing from here on may be gone: no clean-up has met cursors that had all passed it.
    kept: u64,
    /// `None` between two lives.
    open: Option<(Journal, JournalReader)>,
}

fn refused(error: Error) -> String {
    format!("{error}, and nothing had failed")
}

/// What it knows without the disk: where the records end, and begin not behind what is kept, and
/// the cursors.
fn ends(journal: &Journal, log: &Log, kept: u64) -> Checked<()> {
    let first = journal.first().0;
    let cursors: BTreeMap<String, u64> =
        journal.cursors().into_iter().map(|(name, at)| (name, at.0)).collect();
    let gone = log.records.range(kept.min(first)..first).next();
    if (journal.last().0, &cursors) == (log.last(), &log.cursors) && gone.is_none() {
        return Ok(());
    }
    let last = journal.last();
    Err(format!("LSN {first} to {last}, kept from {kept}: {cursors:?}, not {log:?}"))
}

/// What is there is a piece of the log without a hole, up to its end, with all that is kept.
fn compare(journal: &Journal, log: &Log, kept: u64) -> Checked<()> {
    ends(journal, log, kept)?;
    let mut reader = journal.reader(Lsn(0));
    for (lsn, bytes) in log.records.range(journal.first().0..) {
        let read = reader.next_record().map_err(refused)?;
        if read.as_ref().is_none_or(|(at, read)| (at.0, read) != (*lsn, bytes)) {
            return Err(format!("P2 hole or P4 invention: {read:?}, not LSN {lsn}"));
        }
    }
    match reader.next_record().map_err(refused)? {
        None => Ok(()),
        Some(more) => Err(format!("P4 invention: {more:?}")),
    }
}

/// J1: each is found where it is, in whatever segment it stands now.
fn alone(journal: &Journal, log: &Log) -> Checked<()> {
    for lsn in 0..=log.lsn + 1 {
        let there = log.records.get(&lsn).filter(|_| lsn >= journal.first().0);
        if journal.read(Lsn(lsn)).map_err(refused)?.as_ref() != there {
            return Err(format!("LSN {lsn} reads in another way alone"));
        }
    }
    Ok(())
}

impl Store {
    fn open(&mut self) -> Checked<()> {
        let journal = self.lives.open(Journal::open, Journal::report)?;
        let log = self.lives.newest();
        compare(&journal, log, self.kept)?;
        alone(&journal, log)?;
        let reader = journal.reader(Lsn(1));
        self.open = Some((journal, reader));
        Ok(())
    }

    fn end(&mut self, end: End, fate: Fate) -> Checked<()> {
        let open = self.open.take().filter(|_| matches!(end, End::Close));
        self.lives.end(end, open.map(|(journal, _)| journal.close()), fate)?;
        self.open()
    }

    fn look(&mut self) -> Checked<()> {
        let looked = Journal::open_read_only(self.lives.aside());
        let looked = looked.map_err(|error| format!("read-only: {error}"))?;
        let log = self.lives.seen(looked.report().last.0)?;
        compare(&looked, log, self.kept)?;
        let behind = log.lsn < self.lives.newest().lsn;
        self.lives.reached("a look at less than is visible", u64::from(behind));
        Ok(())
    }

    /// A reader goes on where it was, over segments that are begun and removed: one that it was in
    /// when it was removed it may read to the end.
    fn read(&mut self, count: usize) -> Checked<()> {
        let (journal, reader) = self.open.as_mut().expect("a life is on");
        let (log, mut read) = (self.lives.newest(), 0);
        for _ in 0..count {
            let (at, first) = (reader.position(), journal.first());
            let is = reader.next_record().map_err(refused)?;
            let is = is.as_ref().map(|(lsn, bytes)| (&lsn.0, bytes));
            if ![at, at.max(first)].iter().any(|from| is == log.records.range(from.0..).next()) {
                return Err(format!("a reader at {at} of {first} on meets {is:?}"));
            }
            read += u64::from(is.is_some());
        }
        self.lives.reached("records read by one reader", read);
        Ok(())
    }

    fn operate(&mut self, op: &Op) -> Checked<()> {
        let cleans_up = matches!(op, Op::CleanUp);
        if cleans_up {
            self.kept = self.kept.max(self.lives.newest().slowest());
        }
        let after = self.lives.newest().after(op);
        after.into_iter().for_each(|after| self.lives.attempt(after));
        let segments = self.lives.segments();
        let (journal, _) = self.open.as_ref().expect("a life is on");
        let called = call(journal, op);
        if self.lives.is_over() {
            return Ok(()); // nobody was left to be told
        }
        let ack = called.map_err(refused)?;
        if cleans_up && journal.positions().appended().0 < self.lives.newest().lsn {
            self.lives.withdraw(); // there was nothing to let go
        }
        let (lsn, level) = match op {
            Op::Append { deferred: true, .. } => (self.lives.newest().lsn, Level::Buffered),
            Op::Tick(now) if !self.lives.is_due(*now) => (0, Level::Buffered),
            Op::Flush | Op::CleanUp | Op::Tick(_) => (self.lives.newest().lsn, Level::Durable),
            _ => (self.lives.newest().lsn, self.lives.owed()),
        };
        let none = matches!(op, Op::Tick(_)) && level == Level::Buffered;
        if ack.map(|ack| (ack.lsn.0, ack.level)) != (!none).then_some((lsn, level)) {
            return Err(format!("{ack:?}, not {level:?} at LSN {lsn}"));
        }
        if !none {
            self.lives.acknowledge(level);
        }
        let fewer = self.lives.segments() < segments;
        self.lives.reached("clean-ups that removed a segment", u64::from(fewer));
        Ok(())
    }

    fn done(&mut self, op: &Op) -> Checked<()> {
        match op {
            Op::Read(count) => self.read(*count)?,
            Op::Seek(at) => {
                let (journal, reader) = self.open.as_mut().expect("a life is on");
                *reader = journal.reader(Lsn(*at));
                self.read(1)?;
            }
            Op::Look => self.look()?,
            Op::End(end, fate) => self.end(*end, *fate)?,
            op => self.operate(op)?,
        }
        let (journal, _) = self.open.as_ref().expect("a life is on");
        journal.check_invariants();
        if !self.lives.is_over() {
            self.lives.published(&journal.positions())?;
        }
        // All is not read each time: that would write what is in memory yet.
        let look = if matches!(op, Op::CleanUp | Op::Read(_)) { compare } else { ends };
        look(journal, self.lives.newest(), self.kept)
    }

    fn note(&mut self, op: &Op) {
        let log = self.lives.newest();
        let what = match op {
            Op::SetCursor(name, at) if log.cursors.get(*name).is_some_and(|was| was > at) => {
                "a cursor that went back"
            }
            Op::SetCursor(_, at) if *at > log.lsn => "a cursor where nothing is yet",
            Op::CleanUp if log.cursors.is_empty() => "a clean-up without a cursor",
            _ => return,
        };
        self.lives.reached(what, 1);
    }
}

fn call(journal: &Journal, op: &Op) -> Result<Option<Ack>, Error> {
    match op {
        Op::Append { size, hashed, deferred } => {
            let bytes = record(journal.positions().appended().0 + 1, *size);
            let journal = if *hashed { journal.clone().hashing() } else { journal.clone() };
            if *deferred { journal.append_deferred(&bytes) } else { journal.append(&bytes) }
        }
        Op::SetCursor(name, at) => journal.set_cursor(name, Lsn(*at)),
        Op::RemoveCursor(name) => journal.remove_cursor(name),
        Op::CleanUp => journal.clean_up().map(|lsn| Ack { lsn, level: Level::Durable }),
        Op::Flush => journal.flush(),
        Op::Tick(now) => return journal.tick(*now),
        _ => unreachable!("nothing that changes"),
    }
    .map(Some)
}

impl Lived for Store {
    type Machine = Reference;

    fn begin(state: &Reference) -> Checked<Store> {
        let lives = Lives::new(state.setup.clone(), Log::default());
        let mut begun = Store { lives, kept: 0, open: None };
        begun.open()?;
        Ok(begun)
    }

    fn step(&mut self, op: &Op) -> Checked<()> {
        self.note(op);
        // Reading writes what is in memory yet: so the power may be cut by that, too.
        let done = self.done(op);
        if self.lives.is_over() { self.end(End::Drop, Fate::NONE) } else { done }
    }

    fn reach(&self) -> &Reach {
        &self.lives.reach
    }
}

const CASES: u32 = 2000;

/// What must have happened in them, and how often at least.
const REACHED: [(&str, u64); 17] = [
    ("operations", 50_000),
    ("lives", 6_000),
    ("power cuts", 3_000),
    ("kills", 1_000),
    ("cut within", 1_500),
    ("cut within a recovery", 300),
    ("torn tails", 1_500),
    ("recoveries that copied", 2_000),
    ("recoveries that lost what was not durable", 2_000),
    ("snapshots used", 4_000),
    ("obsolete files removed", 2_000),
    ("clean-ups that removed a segment", 1_000),
    ("a look at less than is visible", 400),
    ("records read by one reader", 10_000),
    ("a cursor that went back", 500),
    ("a cursor where nothing is yet", 1_000),
    ("a clean-up without a cursor", 1_000),
];

#[test]
fn long_histories_of_the_journal() {
    histories::<Store>(CASES, &REACHED);
}
