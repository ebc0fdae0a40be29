//! data-bridge-kv (ouroboros, `11-wal-persistence-implementation.md` at 15fafaf): an engine in
//! memory, a channel to a thread that writes a log, snapshots of the engine.
//!
//! The thread is a call here: `background` does what it would do within its 100 ms. The clock is
//! the test's: a file, for it outlives the process and the power.

mod cards;
mod entry;
mod snapshot;

pub(super) use cards::TRIALS;

use super::kit::{Appender, cut, settle};
use crate::museum::kit::{Disk, damaged, open_or_create, replace};
use entry::{DELETE, Entry, INCR, Items, LOCK, MSET, Op, SECOND, SET, header};
use highwater_sim::Kv;
use highwater_vfs::{File, OpenMode, read_full_at};
use snapshot::Snapshot;
use std::io::{self, ErrorKind};
use std::path::Path;

/// An operation is in the log, and synced, before it is acknowledged.
const LOGS: u32 = 1;
/// Names are durable before what is under them is acknowledged; what is found is, before it shows.
const NAMES: u32 = 1 << 1;
/// A log without a whole header is begun anew.
const HEADERS: u32 = 1 << 2;
/// What a crash left behind the last entry is cut off, and the room behind it cleared.
const CUTS: u32 = 1 << 3;
/// A length that no entry has is not believed.
const BOUNDS: u32 = 1 << 4;
/// A bad entry with an intact one behind it is damage: no skipping.
const REFUSES: u32 = 1 << 5;
/// Of the log those entries are replayed that are younger than the snapshot.
const STAMPS: u32 = 1 << 6;
/// No two logs get the same name.
const SECONDS: u32 = 1 << 7;
/// What a replayed entry does depends on its own time, not on that of the recovery.
const TIMES: u32 = 1 << 8;
/// A snapshot says when a key expires (and not that time mirrored at its own).
const EXPIRES: u32 = 1 << 9;
/// A bad header with an intact entry behind it is damage: the file is not skipped.
const ADMITS: u32 = 1 << 10;
/// A snapshot's checksum covers its header.
const SEALS: u32 = 1 << 11;
/// A shutdown waits for what is in the channel.
const SHUTS: u32 = 1 << 12;
/// Everything above.
const ALL: u32 = (1 << 13) - 1;
/// For workloads that write more than one entry between two syncs: an intact entry says nothing of
/// those before it.
const LAX: u32 = ALL ^ REFUSES ^ ADMITS;

const CURRENT: &str = "wal-current.log";
const NEXT: &str = "wal-current-new.log";
const CLOCK: &str = "clock";

struct Engine<const MENDED: u32> {
    disk: Disk,
    log: Appender,
    /// To the thread.
    channel: Vec<Op>,
    items: Items,
    /// What callers do not see yet.
    unseen: Vec<Op>,
    now: u64,
    /// The timestamp of the last entry.
    last: u64,
}

fn clock(disk: &Disk) -> io::Result<u64> {
    let mut bytes = [0; 8];
    match disk.open(CLOCK.as_ref(), OpenMode::Read) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        opened => drop(read_full_at(&*opened?, &mut bytes, 0)?),
    }
    Ok(u64::from_le_bytes(bytes))
}

/// The names of the logs, in the order of the strings: the current one is the last.
fn logs(disk: &Disk) -> io::Result<Vec<String>> {
    let names = disk.list(Path::new(""))?;
    Ok(names.into_iter().filter(|n| n.starts_with("wal-") && n.ends_with(".log")).collect())
}

impl<const MENDED: u32> Engine<MENDED> {
    const fn mends(hole: u32) -> bool {
        MENDED & hole != 0
    }

    /// All entries of a file from `position` on, and where they end. A file without a whole header
    /// is skipped, with a warning.
    fn entries(file: &dyn File, position: u64) -> io::Result<(Vec<Entry>, u64)> {
        let mut entries = Vec::new();
        let Ok(mut reader) = entry::entries(file) else {
            return match Self::mends(ADMITS) && Entry::is_behind(file, 0)? {
                true => Err(damaged("a bad header with an intact entry behind it")),
                false => Ok((entries, 0)),
            };
        };
        reader.at = reader.at.max(position);
        let mut end = reader.at.min(reader.end);
        while !reader.is_at_end() {
            let read = Entry::read(&mut reader, Self::mends(BOUNDS));
            let is_good = matches!(read, Ok(Some(_)));
            if Self::mends(REFUSES) && !is_good && Entry::is_behind(file, end + 1)? {
                return Err(damaged("a bad entry with an intact one behind it"));
            }
            match read {
                Ok(Some(entry)) => {
                    entries.push(entry);
                    end = reader.at;
                }
                Ok(None) => {} // counted, and skipped
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(error),
            }
        }
        Ok((entries, end))
    }

    /// Appends and does not sync.
    fn write(&mut self, op: Op) {
        let entry = Entry { timestamp: Entry::stamp(self.now, self.last), op };
        self.last = entry.timestamp;
        self.log.write(&entry.bytes());
    }

    /// The thread empties the channel, and callers see what was in it.
    fn drain(&mut self) -> io::Result<()> {
        for op in std::mem::take(&mut self.channel) {
            self.write(op);
        }
        self.show();
        self.log.flush()
    }

    fn show(&mut self) {
        self.unseen.drain(..).for_each(|op| op.apply(&mut self.items, self.now));
    }

    /// What the thread does every 100 ms.
    fn background(&mut self) -> io::Result<()> {
        self.drain()?;
        self.log.sync()
    }

    /// `log_wal`, and then the memory.
    fn change(&mut self, op: Op) -> io::Result<()> {
        op.apply(&mut self.items, self.now);
        self.channel.push(op);
        if Self::mends(LOGS) { self.background() } else { Ok(()) }
    }

    /// `rotate`.
    fn rotate(&mut self) -> io::Result<()> {
        self.log.sync()?;
        let file = self.disk.open(NEXT.as_ref(), OpenMode::CreateNew)?;
        let mut log = Appender::new(file);
        log.write(&header(self.now));
        log.flush()?;
        if Self::mends(HEADERS) {
            log.sync()?;
        }
        let taken = logs(&self.disk)?;
        let name = |second: u64| format!("wal-{second:010}.log");
        let free = (self.now..).find(|n| !Self::mends(SECONDS) || !taken.contains(&name(*n)));
        self.disk.rename(CURRENT.as_ref(), name(free.unwrap_or(self.now)).as_ref())?;
        self.disk.rename(NEXT.as_ref(), CURRENT.as_ref())?;
        if Self::mends(NAMES) {
            self.disk.sync_dir(Path::new(""))?;
        }
        self.log = log;
        Ok(())
    }

    /// `set KEY for N s`, `lock KEY by OWNER for N s`, `N s pass`.
    fn timed(&mut self, words: &[&str]) -> io::Result<()> {
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
        match (words[0], number(0), number(1), number(3), number(5)) {
            ("set", _, Some(key), Some(ttl), _) => self.change(Op::one(SET, key, b"set", ttl)),
            ("lock", _, Some(key), Some(owner), Some(ttl)) => {
                // Whoever comes second waits until the lock has expired.
                let held = self.items.get(&key).and_then(|item| item.expires);
                self.now = held.map_or(self.now, |expires| expires.max(self.now));
                self.change(Op::one(LOCK, key, &owner.to_le_bytes(), ttl))
            }
            (_, Some(seconds), ..) => {
                self.now += seconds;
                replace(&self.disk, CLOCK, &self.now.to_le_bytes())
            }
            _ => Err(ErrorKind::Unsupported.into()),
        }
    }

    /// The log that is written to: there with a header, or begun.
    fn current(disk: &Disk, now: u64) -> io::Result<Appender> {
        let file = open_or_create(disk, CURRENT)?;
        let whole = entry::entries(&*file).is_ok();
        if file.size()? == 0 || Self::mends(HEADERS) && !whole {
            file.set_len(0)?;
            let mut log = Appender::new(file);
            log.write(&header(now));
            log.flush()?;
            return Ok(log);
        }
        Ok(Appender::new(file))
    }
}

impl<const MENDED: u32> Kv for Engine<MENDED> {
    /// `recover`, and `WalWriter::new`.
    fn open(disk: Disk) -> io::Result<Self> {
        let Snapshot { created, position, mut items } = Snapshot::load(&disk, Self::mends(SEALS))?;
        let (mut all, mut end) = (Vec::new(), 0);
        for name in logs(&disk)? {
            let file = disk.open(name.as_ref(), OpenMode::Read)?;
            let from = if Self::mends(STAMPS) { 0 } else { position };
            let (entries, whole) = Self::entries(&*file, from)?;
            all.extend(entries);
            if name == CURRENT {
                end = whole;
            }
        }
        let last = all.iter().map(|entry| entry.timestamp).max().unwrap_or(0).max(created);
        let now = clock(&disk)?.max(last / SECOND);
        for entry in all.iter().filter(|e| !Self::mends(STAMPS) || e.timestamp > created) {
            let at = if Self::mends(TIMES) { entry.timestamp / SECOND } else { now };
            entry.op.apply(&mut items, at);
        }
        let is_new = !logs(&disk)?.iter().any(|name| name == CURRENT);
        let log = Self::current(&disk, now)?;
        if Self::mends(CUTS) && !is_new {
            cut(&*log.file, end.max(entry::HEADER))?;
        }
        if Self::mends(NAMES) {
            settle(&disk, &*log.file)?;
        }
        Ok(Engine { disk, log, channel: Vec::new(), items, unseen: Vec::new(), now, last })
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.change(Op::one(SET, key, value, 0))
    }

    fn delete(&mut self, key: u64) -> io::Result<()> {
        self.change(Op::one(DELETE, key, &[], 0))
    }

    fn add(&mut self, key: u64, by: u64) -> io::Result<()> {
        self.change(Op::one(INCR, key, &[], by))
    }

    /// `mset`: one entry.
    fn batch(&mut self, items: &[(u64, &[u8])]) -> io::Result<()> {
        let items = items.iter().map(|(key, value)| (*key, value.to_vec())).collect();
        self.change(Op { kind: MSET, items, number: 0 })
    }

    /// A set that the thread has not taken yet, and that callers do not see before.
    fn submit(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let op = Op::one(SET, key, value, 0);
        self.unseen.push(op.clone());
        self.channel.push(op);
        Ok(())
    }

    fn commit(&mut self) -> io::Result<()> {
        self.background()
    }

    /// `create_snapshot`: of the engine, with the position of the log.
    fn checkpoint(&mut self) -> io::Result<()> {
        self.drain()?;
        let mut items = self.items.clone();
        for at in items.values_mut().filter_map(|item| item.expires.as_mut()) {
            if !Self::mends(EXPIRES) {
                *at = (2 * self.now).saturating_sub(*at); // now - remaining
            }
        }
        let position = self.log.size()?;
        Snapshot { created: self.last, position, items }.save(
            &self.disk,
            self.now,
            Self::mends(SEALS),
        )?;
        if Self::mends(NAMES) { self.disk.sync_dir(Path::new("")) } else { Ok(()) }
    }

    fn special(&mut self, what: &str) -> io::Result<()> {
        let words: Vec<&str> = what.split(' ').collect();
        match what {
            "rotate" => self.rotate(),
            // The engine and the thread hold each other, and the final flush never runs.
            "shutdown" if !Self::mends(SHUTS) => {
                self.show();
                Ok(())
            }
            "shutdown" => self.background(),
            _ => self.timed(&words),
        }
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let item = self.items.get(&key).filter(|item| item.is_there(self.now));
        Ok(item.map(|item| item.value.clone()))
    }
}
