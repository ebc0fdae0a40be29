//! **VIS-2**: a reader sees a commit whose sync is still in flight.
//!
//! DuckDB (2026). One sync commits for several callers, and runs without the lock. Whoever begins
//! to read meanwhile sees what was appended, answers its own client with it, and the power goes
//! before the sync is done.
//!
//! The horizon in the wrong place: readers see up to the last record that is durable, not up to the
//! last one that was appended.

use super::kit::{self, Disk, Group, put};
use super::piece::Piece;
use crate::threads::{Program, Scheduled, SharedKv};
use highwater_sim::{Act, Rule};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "VIS-2",
    title: "a reader sees a commit whose group sync is still in flight",
    source: "https://github.com/duckdb/duckdb/pull/23631",
    rule: Rule::P10Visibility,
    ops: 2,
    threads: Some([
        || Scheduled::new::<Horizon<true>>(program()),
        || Scheduled::new::<Horizon<false>>(program()),
    ]),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn program() -> Program {
    let put = |key: u64| Act::Put(key, vec![b'a' + key as u8; 20]);
    Program { threads: vec![vec![put(1)], vec![Act::Get(1), put(2)]], ..Program::default() }
}

struct Horizon<const BUG: bool> {
    group: Group,
}

impl<const BUG: bool> SharedKv for Horizon<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        Ok(Horizon { group: Group::open(&disk)? })
    }

    fn put(&self, key: u64, value: &[u8]) -> io::Result<Option<u64>> {
        self.group.commit(&[put(key, value)])
    }

    fn get(&self, key: u64) -> io::Result<Option<Vec<u8>>> {
        let queue = self.group.lock();
        let mut state = queue.state.clone();
        if BUG {
            queue.pending.iter().for_each(|(_, records)| kit::apply(&mut state, records));
        }
        Ok(state.remove(&key))
    }
}
