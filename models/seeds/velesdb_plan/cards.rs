//! The plan's promises, one by one.

use super::{ALL, COVERS, DELETES, Plan, STOPS, SYNCS};
use crate::seeds::Trial;
use highwater_sim::{Act, Decay, Easy, Failure, Rule};

fn put(key: u64, byte: u8) -> Act {
    Act::Put(key, vec![byte; 20])
}

fn puts() -> Vec<Act> {
    vec![put(1, b'a'), put(2, b'b'), put(3, b'c')]
}

/// A record of two sectors.
fn long() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 600])]
}

fn deleted() -> Vec<Act> {
    vec![put(1, b'a'), Act::Delete(1)]
}

fn batch() -> Vec<Act> {
    vec![Act::Batch(vec![(1, vec![b'a'; 20]), (2, vec![b'b'; 600])])]
}

fn subject<const MENDED: u32>(acts: Vec<Act>) -> Easy {
    Easy::new::<Plan<MENDED>>(acts)
}

const TASK_1: &str = "plan 04-02, task 1";

pub(in crate::seeds) const TRIALS: &[Trial] = &[
    Trial {
        name: "velesdb-plan",
        promise: "a damaged or partial entry is a clear error, and no silent loss",
        source: TASK_1,
        about: "id, marker and deletes have no checksum: a flipped bit moves a payload",
        rule: Some(Rule::P6Silence),
        needs: Some(Failure::Decay(Decay::Flipped)),
        ops: 2,
        engine: || subject::<{ ALL ^ COVERS }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "the checksums cover all of a frame, header and entries",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb-plan/torn-tail",
        promise: "a damaged or partial entry is a clear error, and no silent loss",
        source: TASK_1,
        about: "the error is that of open: one torn record, and the store does not start",
        rule: Some(Rule::P5FalseAlarm),
        ops: 1,
        engine: || subject::<{ ALL ^ STOPS }>(long()),
        twin: Some(|| subject::<ALL>(long())),
        native: "torn is told from corrupt by durable statements",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb-plan/power",
        promise: "entries are flushed (of the power the plan says nothing)",
        source: "plan 04-02, task 2",
        about: "a flush is no sync",
        rule: Some(Rule::P1Loss),
        ops: 1,
        engine: || subject::<{ ALL ^ SYNCS }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "Durable is the default, and Flushed is another word",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb-plan/batch",
        promise: "several entries with a single flush (atomic? the plan does not say)",
        source: "plan 04-02, task 2",
        about: "no commit mark: the process dies in the flush, and a part is there",
        rule: Some(Rule::P3Atomicity),
        kill_only: true,
        ops: 1,
        engine: || subject::<ALL>(batch()),
        native: "a batch is one frame",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb-plan/delete",
        promise: "entries are flushed",
        source: "plan 04-02, task 2, as implemented: `delete` has no flush",
        about: "a delete that returned is still in the buffer when the process dies",
        rule: Some(Rule::P1Loss),
        kill_only: true,
        ops: 2,
        engine: || subject::<{ ALL ^ DELETES }>(deleted()),
        twin: Some(|| subject::<ALL>(deleted())),
        native: "a delete is an entry like any other",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb-plan/flush",
        promise: "what `store` flushed survives the process",
        source: "plan 04-02, task 2",
        about: "kept",
        kill_only: true,
        engine: || subject::<0>(puts()),
        native: "the mode FlushOnly",
        ..Trial::PLAIN
    },
];
