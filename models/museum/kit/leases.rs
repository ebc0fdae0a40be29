//! Keys that expire, in a log that also says what time it was: correct, for the pieces about time.

use super::{Disk, Latch, Log, Record, State, apply, put};
use std::io;

/// The key of the time.
const NOW: u64 = u64::MAX - 1;

/// What a key is set to: seconds, and 0 for ever.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) until: u64,
    pub(crate) seconds: u64,
    pub(crate) text: Vec<u8>,
}

pub(crate) struct Leases {
    log: Log,
    latch: Latch,
    pub(crate) state: State,
}

impl Leases {
    pub(crate) fn open(disk: &Disk) -> io::Result<Leases> {
        let (state, log) = Log::open(disk)?;
        Ok(Leases { log, latch: Latch::default(), state })
    }

    /// The newest time in the log.
    pub(crate) fn now(&self) -> u64 {
        let bytes = self.state.get(&NOW).and_then(|bytes| bytes[..].try_into().ok());
        bytes.map_or(0, u64::from_le_bytes)
    }

    /// Sets a key, and says that it is `now`; durable when it returns.
    pub(crate) fn set(&mut self, now: u64, key: u64, lease: &Lease) -> io::Result<()> {
        let Lease { until, seconds, text } = lease;
        let bytes = [&until.to_le_bytes()[..], &seconds.to_le_bytes(), text].concat();
        let time = Record { last: false, ..put(NOW, &now.to_le_bytes()) };
        self.add(&[time, put(key, &bytes)])
    }

    /// Sets a key for ever, at the time that it is.
    pub(crate) fn keep(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        let lease = Lease { until: 0, seconds: 0, text: value.to_vec() };
        self.set(self.now(), key, &lease)
    }

    /// Says that it is `now`, durably, and no more.
    pub(crate) fn pass(&mut self, now: u64) -> io::Result<()> {
        self.add(&[put(NOW, &now.to_le_bytes())])
    }

    fn add(&mut self, records: &[Record]) -> io::Result<()> {
        self.latch.check()?;
        self.latch.keep(self.log.write(records))?;
        self.latch.keep(self.log.sync())?;
        apply(&mut self.state, records);
        Ok(())
    }

    /// What a key was set to last, whether or not its time is over.
    pub(crate) fn lease(&self, key: u64) -> Option<Lease> {
        let (until, rest) = self.state.get(&key)?.split_first_chunk()?;
        let (seconds, text) = rest.split_first_chunk()?;
        let number = u64::from_le_bytes;
        Some(Lease { until: number(*until), seconds: number(*seconds), text: text.to_vec() })
    }

    /// The same if it is not over.
    pub(crate) fn live(&self, key: u64) -> Option<Lease> {
        let now = self.now();
        self.lease(key).filter(|lease| lease.until == 0 || lease.until > now)
    }
}
