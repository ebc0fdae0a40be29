//! Workloads that nobody wrote.

use crate::{Bytes, Op, Workload};
use highwater_sim::Rng;

impl Workload {
    /// The workload that speed and counts are pinned with: of the eight operations of
    /// `standard(8)`, four put 16 bytes each, one overwrites, one deletes, one is a batch of three
    /// and one is a checkpoint. Fewer are its beginning; more go on in the same vein, with
    /// deferred operations and reopening.
    ///
    /// ```
    /// use highwater_models::Workload;
    /// let lines = "put 1 x16\nput 2 x16\nput 3 x16\nput 4 x16\nput 2 x16\ndelete 3\n\
    ///              batch 5 x16, 6 x16, 7 x16\ncheckpoint\n";
    /// assert_eq!(Workload::standard(8).to_string(), lines);
    /// ```
    pub fn standard(count: usize) -> Workload {
        let put = |id| Op::Put { id, bytes: Bytes::Generated(16) };
        let some = |ids: &[u64]| ids.iter().map(|id| (*id, Bytes::Generated(16))).collect();
        let first = vec![
            put(1),
            put(2),
            put(3),
            put(4),
            put(2),
            Op::Delete { id: 3 },
            Op::Batch(some(&[5, 6, 7])),
            Op::Checkpoint,
        ];
        let more = |round: u64| {
            let id = 8 * (round + 1);
            vec![
                put(id),
                Op::Deferred(some(&[id + 1, 1])),
                Op::Flush,
                Op::Reopen,
                Op::Delete { id: id + 1 },
                Op::Batch(some(&[id + 2, id, 2])),
                Op::Checkpoint,
                put(id + 3),
            ]
        };
        Workload::new(first.into_iter().chain((0..).flat_map(more)).take(count).collect())
    }

    /// `count` random operations on few ids; the same for the same seed, for ever.
    ///
    /// ```
    /// use highwater_models::Workload;
    /// assert_eq!(Workload::random(1, 20), Workload::random(1, 20));
    /// assert_ne!(Workload::random(1, 20), Workload::random(2, 20));
    /// ```
    pub fn random(seed: u64, count: usize) -> Workload {
        let mut rng = Rng::new(seed);
        Workload::new((0..count).map(|_| random_op(&mut rng)).collect())
    }
}

fn random_op(rng: &mut Rng) -> Op {
    const IDS: u64 = 6;
    let bytes = |rng: &mut Rng| match rng.below(8) {
        0 => Bytes::Literal((0..rng.below(9)).map(|_| rng.word() as u8).collect()),
        1 => Bytes::Literal(format!("{} \"é\"\n", rng.below(100)).into_bytes()),
        2 => Bytes::Generated(rng.below(1_200) as usize),
        _ => Bytes::Generated(rng.below(40) as usize),
    };
    let some = |rng: &mut Rng| {
        let count = rng.below(4);
        (0..count).map(|_| (rng.below(IDS), bytes(rng))).collect()
    };
    match rng.below(16) {
        0..8 => Op::Put { id: rng.below(IDS), bytes: bytes(rng) },
        8..10 => Op::Delete { id: rng.below(IDS) },
        10 => Op::Batch(some(rng)),
        11 => Op::Deferred(some(rng)),
        12 => Op::Flush,
        13 | 14 => Op::Checkpoint,
        _ => Op::Reopen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_workloads_have_every_operation() {
        let text = Workload::random(1, 400).to_string();
        for word in ["put", "delete", "batch", "deferred", "flush", "checkpoint", "reopen"] {
            assert!(text.lines().any(|line| line.starts_with(word)), "no {word}");
        }
    }

    #[test]
    fn the_standard_workload_grows_and_shrinks() {
        let long = Workload::standard(40);
        assert_eq!(long.ops().len(), 40);
        for count in 0..40 {
            assert_eq!(Workload::standard(count).ops(), &long.ops()[..count]);
        }
    }
}
