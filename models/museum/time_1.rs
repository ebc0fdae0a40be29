//! **TIME-1**: a lease's time to live starts anew at every restart.
//!
//! etcd (2018, and again since). The log holds how long a lease lives and not when it ends;
//! recovery counts from the moment at which it runs. Who restarts more often than the lease is long
//! keeps it for ever: a lock survives its dead owner.
//!
//! The line too much: recovery makes a new end of what is left. What is logged has to be the time
//! at which the lease ends.

use super::kit::leases::{Lease, Leases};
use super::kit::{self, Disk};
use super::piece::Piece;
use highwater_sim::{Act, Easy, Kv, Rule};
use std::io;

pub(crate) const PIECE: Piece = Piece {
    bug: "TIME-1",
    title: "a lease's time to live starts anew at every restart",
    source: "https://github.com/etcd-io/etcd/issues/9395",
    rule: Rule::P1Loss,
    broken: true,
    ops: 4,
    engine: || Easy::new::<Etcd<true>>(acts()),
    twin: || Easy::new::<Etcd<false>>(acts()),
    claims: kit::FAILED_SYNCS,
    ..Piece::PLAIN
};

fn acts() -> Vec<Act> {
    let set = |key: u64, text: &str| (key, Some(text.as_bytes().to_vec()));
    vec![
        Act::Special("0 s: lease 1 for 10 s", vec![set(1, "held")]),
        Act::Special("8 s: put 2", vec![set(2, "two")]),
        Act::Reopen,
        Act::Special("12 s", vec![(1, None)]),
    ]
}

struct Etcd<const BUG: bool>(Leases);

impl<const BUG: bool> Kv for Etcd<BUG> {
    fn open(disk: Disk) -> io::Result<Self> {
        let mut leases = Leases::open(&disk)?;
        let now = leases.now();
        if BUG && let Some(lease) = leases.lease(1) {
            leases.set(now, 1, &Lease { until: now + lease.seconds, ..lease })?;
        }
        Ok(Etcd(leases))
    }

    fn put(&mut self, key: u64, value: &[u8]) -> io::Result<()> {
        self.0.keep(key, value)
    }

    fn get(&mut self, key: u64) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.live(key).map(|lease| lease.text))
    }

    fn special(&mut self, what: &str) -> io::Result<()> {
        let (now, key, seconds, text) = match what {
            "0 s: lease 1 for 10 s" => (0, 1, 10, "held"),
            "8 s: put 2" => (8, 2, 0, "two"),
            _ => return self.0.pass(12),
        };
        let until = if seconds > 0 { now + seconds } else { 0 };
        self.0.set(now, key, &Lease { until, seconds, text: text.into() })
    }
}
