//! okaywal: a log with entries of chunks, in files that are filled with zeros ahead and recycled.

use crate::load::Load;
use crate::peer::{Done, Kind, Log, Peer, Place, Replayed, Use};
use okaywal::{
    Configuration, Entry, EntryId, LogManager, ReadChunkResult, SegmentReader, WriteAheadLog,
};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The log.
pub(crate) fn peer() -> Peer {
    Peer {
        name: "okaywal",
        version: "0.3.1",
        kind: Kind::Peer,
        note: "every commit syncs, so W1 is one entry of a million chunks; files of 64 MiB",
        log: Some(open),
        replay: Some(replay),
        pairs: None,
        bulk_only: false,
    }
}

/// Counts what is recovered and is content with every checkpoint.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<AtomicU64>);

impl LogManager for Counting {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        while let ReadChunkResult::Chunk(mut chunk) = entry.read_chunk()? {
            chunk.read_all()?;
            if !chunk.check_crc()? {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _: EntryId,
        _: &mut SegmentReader,
        _: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}

/// In W1 the file grows, as everybody's does.
fn configuration(dir: &Path, used: Use) -> Configuration {
    let configuration = Configuration::default_for(dir);
    match used {
        Use::Append => configuration.checkpoint_after_bytes(u64::MAX),
        Use::Commit { .. } => {
            configuration.preallocate_bytes(64 << 20).checkpoint_after_bytes(60 << 20)
        }
    }
}

struct Okay(WriteAheadLog);

fn open(dir: &Path, used: Use) -> Done<Box<dyn Log>> {
    Ok(Box::new(Okay(configuration(dir, used).open(Counting::default())?)))
}

impl Log for Okay {
    fn append(&self, count: u64, load: &Load) -> Done {
        let mut entry = self.0.begin_entry()?;
        for nth in 0..count {
            entry.write_chunk(load.record(nth))?;
        }
        entry.commit()?;
        Ok(())
    }

    fn commit(&self, _: Place, record: &[u8]) -> Done {
        let mut entry = self.0.begin_entry()?;
        entry.write_chunk(record)?;
        entry.commit()?;
        Ok(())
    }

    fn commit_batch(&self, _: Place, records: &[&[u8]]) -> Done {
        let mut entry = self.0.begin_entry()?;
        for record in records {
            entry.write_chunk(record)?;
        }
        entry.commit()?;
        Ok(())
    }
}

fn replay(dir: &Path) -> Done<Replayed> {
    let counting = Counting::default();
    let log = configuration(dir, Use::Append).open(counting.clone())?;
    let (opened, records) = (Instant::now(), counting.0.load(Ordering::Relaxed));
    Ok(Replayed { opened, records, kept: Box::new(log) })
}
