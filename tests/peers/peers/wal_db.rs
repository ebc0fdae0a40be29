//! wal-db: records at offsets that are reserved without a lock.

use crate::load::Load;
use crate::peer::{Done, Kind, Log, Peer, Place, Replayed};
use std::path::Path;
use std::time::Instant;
use wal_db::Wal;

/// The log.
pub(crate) fn peer() -> Peer {
    Peer {
        name: "wal-db",
        version: "1.1.0",
        kind: Kind::Peer,
        note: "one file; no batches: W4 appends 100 and syncs",
        log: Some(|dir, _| Ok(Box::new(Wal::open(dir.join("log"))?))),
        replay: Some(replay),
        pairs: None,
        bulk_only: false,
    }
}

impl Log for Wal {
    fn append(&self, count: u64, load: &Load) -> Done {
        for nth in 0..count {
            let _lsn = Wal::append(self, load.record(nth))?;
        }
        Ok(self.sync()?)
    }

    fn commit(&self, _: Place, record: &[u8]) -> Done {
        let _lsn = self.append_and_sync(record)?;
        Ok(())
    }

    fn commit_batch(&self, _: Place, records: &[&[u8]]) -> Done {
        for record in records {
            let _lsn = Wal::append(self, record)?;
        }
        Ok(self.sync()?)
    }
}

fn replay(dir: &Path) -> Done<Replayed> {
    let wal = Wal::open(dir.join("log"))?;
    let opened = Instant::now();
    let mut records = 0;
    for record in wal.iter()? {
        records += u64::from(!record?.is_empty());
    }
    Ok(Replayed { opened, records, kept: Box::new(wal) })
}
