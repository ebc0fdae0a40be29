//! A log of numbers behind the real commit queue, on a disk that has what was written before the
//! last sync began. Record n is the number n.

use crate::broken::weak;
use crate::engine::Lsn;
use crate::engine::group_commit::{Gathered, GroupCommit, Log, Unanswered};
use crate::engine::positions::Positions;
use crate::engine::sync::{Arc, AtomicU64, Ordering, a_sync_has_failed};
use loom::sync::RwLock;
use std::sync::atomic::AtomicU64 as Plain;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Error {
    Io,
    Failed,
    Impatient,
    Refused,
    Closed,
}

/// How much of the log it holds; what readers need of it stands in the [`Segment`]s.
#[derive(Debug)]
pub(crate) struct Disk {
    written: AtomicU64,
    durable: AtomicU64,
    /// Syncs begun. The one with this number, from 1, fails, and what it should have covered is
    /// never covered by another.
    syncs: Plain,
    fails: u64,
    /// What stands before a mark of clean shutdown, which nothing may be written behind.
    marked: AtomicU64,
}

impl Disk {
    pub(crate) fn new(fails: u64) -> Arc<Disk> {
        let zero = || AtomicU64::new(0);
        let (written, durable, marked) = (zero(), zero(), zero());
        Arc::new(Disk { written, durable, syncs: Plain::new(0), fails, marked })
    }

    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    pub(crate) fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    fn write(&self, to: u64) {
        assert_eq!(self.marked.load(Ordering::Acquire), 0, "a write behind the mark");
        self.written.store(to, Ordering::Release);
    }

    fn sync(&self) -> Result<(), Error> {
        let number = self.syncs.fetch_add(1, Ordering::Relaxed) + 1;
        if self.fails == number {
            a_sync_has_failed();
            return Err(Error::Io);
        }
        let to = self.written.load(Ordering::Acquire);
        loom::thread::yield_now();
        if self.fails == 0 || self.fails > number {
            self.durable.store(to, Ordering::Release);
        }
        Ok(())
    }
}

/// Where readers find records: Relaxed, so that only positions put them in order.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) first: u64,
    bytes: Vec<AtomicU64>,
}

impl Segment {
    fn new(first: u64, room: u64) -> Arc<Segment> {
        Arc::new(Segment { first, bytes: (0..room).map(|_| AtomicU64::new(0)).collect() })
    }

    /// The number in the place of this record, if it belongs here.
    pub(crate) fn read(&self, record: u64) -> Option<u64> {
        let at = record.checked_sub(self.first)?;
        Some(self.bytes.get(at as usize)?.load(Ordering::Relaxed))
    }
}

pub(crate) type Segments = Arc<RwLock<Vec<Arc<Segment>>>>;

#[derive(Debug)]
pub(crate) struct Toy {
    pub(crate) disk: Arc<Disk>,
    pub(crate) positions: Positions,
    pub(crate) segments: Segments,
    active: Arc<Segment>,
    pub(crate) appended: u64,
    pub(crate) durable: u64,
    taken: u64,
    /// What readers of the index see: all up to here.
    pub(crate) visible: u64,
    pub(crate) growth: u64,
    /// What is in memory: gathered, and on its way.
    memory: Vec<u64>,
    failed: bool,
    closed: bool,
    room: u64,
}

#[derive(Debug)]
pub(crate) struct Batch {
    disk: Arc<Disk>,
    positions: Positions,
    segment: Arc<Segment>,
    from: u64,
    to: u64,
}

pub(crate) type Queue = Arc<GroupCommit<Toy>>;

impl Toy {
    /// `fails`: the number of the sync that does; `room`: records in a segment.
    pub(crate) fn new(fails: u64, room: u64) -> Toy {
        let active = Segment::new(1, room);
        Toy {
            disk: Disk::new(fails),
            positions: Positions::default(),
            segments: Arc::new(RwLock::new(vec![Arc::clone(&active)])),
            active,
            appended: 0,
            durable: 0,
            taken: 0,
            visible: 0,
            growth: 0,
            memory: Vec::new(),
            failed: false,
            closed: false,
            room,
        }
    }

    pub(crate) fn queue(self) -> Queue {
        Arc::new(GroupCommit::new(self))
    }

    /// Appends the next number.
    pub(crate) fn append(&mut self) -> Result<Gathered<u64>, Error> {
        if self.closed || self.failed {
            return Err(if self.closed { Error::Closed } else { Error::Refused });
        }
        if self.appended + 1 - self.active.first == self.room {
            if !weak("rotates where it stands") {
                return Ok(Gathered::Full);
            }
            self.rotate();
        }
        self.appended += 1;
        self.growth += 1;
        self.memory.push(self.appended);
        self.positions.publish_appended(Lsn(self.appended), self.growth);
        Ok(Gathered::Wait(self.appended))
    }

    fn rotate(&mut self) {
        assert_eq!(self.appended, self.durable, "L4: durable to its end");
        self.active = Segment::new(self.appended + 1, self.room);
        if !weak("a segment is listed when it is written") {
            self.segments.write().unwrap().push(Arc::clone(&self.active));
        }
    }

    /// While nobody else is at work.
    pub(crate) fn close(&mut self) {
        self.disk.marked.store(1, Ordering::Release);
        self.closed = true;
    }

    /// What stands in memory in the place of this record.
    pub(crate) fn in_memory(&self, record: u64) -> bool {
        self.memory.contains(&record)
    }
}

impl Log for Toy {
    type Batch = Batch;
    type Error = Error;

    fn take(&mut self) -> Batch {
        let (disk, segment) = (Arc::clone(&self.disk), Arc::clone(&self.active));
        let (from, to) = (std::mem::replace(&mut self.taken, self.appended), self.appended);
        if weak("written before the bytes") {
            self.positions.publish_written(Lsn(to));
        }
        if weak("memory is let go of when it is taken") {
            self.memory.clear();
        }
        Batch { disk, positions: self.positions.clone(), segment, from, to }
    }

    fn carry_out(batch: &mut Batch) -> Result<(), Error> {
        let Batch { disk, segment, from, to, .. } = batch;
        if from == to {
            return Ok(());
        }
        for record in *from + 1..=*to {
            let at = (record - segment.first) as usize;
            segment.bytes[at].store(record, Ordering::Relaxed);
        }
        disk.write(*to);
        if weak("durable before the sync returns") {
            batch.positions.publish_written(Lsn(*to));
            batch.positions.publish_durable(Lsn(*to));
        }
        match disk.sync() {
            Err(_) if weak("a failed sync is tried again") => disk.sync(),
            done => done,
        }
    }

    fn finish(&mut self, batch: Batch, done: Result<(), Error>) -> Result<(), Error> {
        if let Err(error) = done {
            self.failed = true;
            return Err(error);
        }
        let late = weak("the sync's end is taken after it");
        let to = if late { self.appended } else { batch.to };
        if weak("durable before written") {
            self.positions.publish_durable(Lsn(to));
        }
        self.positions.publish_written(Lsn(to));
        self.memory.retain(|record| *record > to);
        self.positions.publish_durable(Lsn(to));
        (self.durable, self.visible) = (to, to);
        if weak("a segment is listed when it is written") {
            let mut segments = self.segments.write().unwrap();
            if segments.last().unwrap().first != batch.segment.first {
                segments.push(batch.segment);
            }
        }
        Ok(())
    }

    fn make_room(&mut self) -> Result<(), Error> {
        self.rotate();
        Ok(())
    }

    fn unanswered(&self, why: Unanswered) -> Error {
        match why {
            Unanswered::Failed => Error::Failed,
            Unanswered::Impatient => Error::Impatient,
            Unanswered::Refused if self.closed => Error::Closed,
            Unanswered::Refused => Error::Refused,
        }
    }
}
