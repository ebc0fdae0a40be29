//! **SYNC-2**: a group's failed sync is known to its leader only.
//!
//! rostam (2026). One caller syncs for all that wait. When the sync fails it returns the error to
//! its own caller and refuses whoever comes later; but those who were waiting try again, the first
//! of them as the leader: its sync has nothing left to write, says `Ok`, and acknowledges a range
//! with lost records in it.
//!
//! The missing line: the leader latches the error under the lock, before it wakes anybody.

use super::kit::{self, Disk, Group, Queue, put};
use super::piece::Piece;
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::{Act, FailedSync, Failure};
use shuttle::sync::atomic::{AtomicBool, Ordering};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "SYNC-2",
    title: "a failed leader sync surfaces only to the leader; the next one says Ok",
    source: "https://github.com/rostamlabs/rostam/pull/87",
    needs: Some(Failure::Sync(FailedSync::KeepNew)),
    ops: 2,
    threads: Some([
        || Scheduled::new::<Grouped<true>>(program()),
        || Scheduled::new::<Grouped<false>>(program()),
    ]),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn program() -> Program {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    Program { threads: vec![vec![put(1)], vec![put(2)]], ..Program::default() }
}

struct Grouped<const BUG: bool> {
    group: Group,
    refuses: AtomicBool,
}

/// The leader's own record is taken back, and that is all.
fn take_back(queue: &mut Queue, number: u64) {
    queue.pending.retain(|(pending, _)| *pending != number);
}

impl<const BUG: bool> SharedKv for Grouped<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        Ok(Grouped { group: Group::open(&disk)?, refuses: AtomicBool::new(false) })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(kit::poisoned());
        }
        let number = self.group.append(&[put(key, value)])?;
        let synced = self.group.wait(number, if BUG { take_back } else { Queue::fail });
        if synced.is_err() {
            self.refuses.store(true, Ordering::SeqCst);
        }
        synced.map(|()| Some(number))
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.group.lock().state.get(&key).cloned())
    }
}
