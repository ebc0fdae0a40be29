//! **TIME-7**: touching an expired key that was not swept yet revives it.
//!
//! Redis (2013). A key whose time was over and that nobody had removed yet was not there for a
//! reader. But who set it a new end was told that it had one, and the old value was back; and as
//! that was logged, it was back after a restart too.
//!
//! The line that is missing: whoever changes a key asks first whether its time is over.

use super::kit::leases::{Lease, Leases};
use super::kit::{self, Disk};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "TIME-7",
    title: "touching an expired key that was not swept yet revives it",
    source: "https://github.com/redis/redis/issues/1026",
    rule: Rule::P1Loss,
    broken: true,
    ops: 3,
    engine: || Easy::new::<Redis<true>>(acts()),
    twin: || Easy::new::<Redis<false>>(acts()),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    vec![
        Act::Special("0 s: put 1 for 1 s", vec![(1, Some(b"one".to_vec()))]),
        Act::Special("2 s", vec![(1, None)]),
        Act::Special("2 s: let 1 live 10 s more", vec![]),
    ]
}

struct Redis<const BUG: bool>(Leases);

impl<const BUG: bool> Kv for Redis<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        Ok(Redis(Leases::open(&disk)?))
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.0.keep(key, value)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.live(key).map(|lease| lease.text))
    }

    fn special(&mut self, what: &str) -> io::Result<()> {
        let one = Lease { until: 1, seconds: 1, text: b"one".to_vec() };
        match what {
            "0 s: put 1 for 1 s" => self.0.set(0, 1, &one),
            "2 s" => self.0.pass(2),
            _ => {
                let found = if BUG { self.0.lease(1) } else { self.0.live(1) };
                match found {
                    Some(lease) => self.0.set(2, 1, &Lease { until: 12, ..lease }),
                    None => self.0.pass(2),
                }
            }
        }
    }
}
