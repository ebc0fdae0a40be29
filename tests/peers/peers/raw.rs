//! Nothing but the calls: no framing, no checksum. The denominator of the ratios.

use super::ideal::{CHUNK, READ, zeroed};
use crate::load::{Load, RECORD};
use crate::peer::{Done, Kind, Log, Peer, Place, Replayed, Use};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The loop.
pub(crate) fn peer() -> Peer {
    Peer {
        name: "raw",
        version: "",
        kind: Kind::Limit,
        note: "pwrite and fdatasync; 16 KiB at a time in W1, a zero-filled file in W2 and W4",
        log: Some(open),
        replay: Some(replay),
        pairs: None,
        bulk_only: false,
    }
}

struct Raw {
    file: File,
    end: AtomicU64,
}

fn open(dir: &Path, used: Use) -> Done<Box<dyn Log>> {
    let file = match used {
        Use::Append => File::create_new(dir.join("log"))?,
        Use::Commit { room } => zeroed(&dir.join("log"), room)?,
    };
    Ok(Box::new(Raw { file, end: AtomicU64::new(0) }))
}

impl Raw {
    fn write(&self, bytes: &[u8]) -> Done {
        let at = self.end.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(self.file.write_all_at(bytes, at)?)
    }
}

impl Log for Raw {
    fn append(&self, count: u64, load: &Load) -> Done {
        let mut buffer = Vec::with_capacity(CHUNK + 4096);
        for nth in 0..count {
            buffer.extend_from_slice(load.record(nth));
            if buffer.len() >= CHUNK {
                self.write(&buffer)?;
                buffer.clear();
            }
        }
        self.write(&buffer)?;
        Ok(self.file.sync_data()?)
    }

    fn commit(&self, _: Place, record: &[u8]) -> Done {
        self.write(record)?;
        Ok(self.file.sync_data()?)
    }

    fn commit_batch(&self, _: Place, records: &[&[u8]]) -> Done {
        self.write(&records.concat())?;
        Ok(self.file.sync_data()?)
    }
}

fn replay(dir: &Path) -> Done<Replayed> {
    let file = File::open(dir.join("log"))?;
    let opened = Instant::now();
    let (mut buffer, mut at) = (vec![0; READ], 0);
    loop {
        match file.read_at(&mut buffer, at)? {
            0 => {
                let records = at / RECORD as u64;
                return Ok(Replayed { opened, records, kept: Box::new(file) });
            }
            count => at += count as u64,
        }
    }
}
