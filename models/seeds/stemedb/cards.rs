//! stemedb-wal's promises, one by one.

use super::{ALL, CLEARS, Journal, NAMES, REFUSES, SEES, SETTLES};
use crate::seeds::Trial;
use highwater_sim::{Act, Decay, Easy, Failure, Model, Rule};

const IMMEDIATE: &str = "a record appended with `Immediate` survives crashes and power failures";
const LIB: &str = "stemedb-wal `lib.rs` at 3320c24afa";

fn put(key: u64, byte: u8) -> Act {
    Act::Put(key, vec![byte; 20])
}

fn puts() -> Vec<Act> {
    vec![put(1, b'a'), put(2, b'b')]
}

/// The third goes into a second segment.
fn rotated() -> Vec<Act> {
    vec![put(1, b'a'), put(2, b'b'), put(3, b'c')]
}

/// The first record has two sectors, the last one goes into a second segment.
fn long() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 600]), put(2, b'b'), Act::Delete(1)]
}

fn batched() -> Vec<Act> {
    vec![Act::Submit(1, vec![b'a'; 20]), Act::Submit(2, vec![b'b'; 20]), Act::Commit]
}

fn read() -> Vec<Act> {
    vec![Act::Submit(1, vec![b'a'; 20]), Act::Get(1), Act::Commit]
}

fn subject<const MENDED: u32>(acts: Vec<Act>) -> Easy {
    Easy::new::<Journal<MENDED>>(acts)
}

pub(in crate::seeds) const TRIALS: &[Trial] = &[
    Trial {
        name: "stemedb",
        promise: IMMEDIATE,
        source: LIB,
        about: "nothing mended: whatever is met first",
        rule: Some(Rule::P1Loss),
        also: &[Rule::P4Invention],
        ops: 2,
        engine: || subject::<0>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "the same workload holds",
        ..Trial::PLAIN
    },
    Trial {
        name: "stemedb/name",
        promise: IMMEDIATE,
        source: LIB,
        about: "no sync of a directory is documented: the segment with the record is gone",
        rule: Some(Rule::P1Loss),
        shows: &[Model::Posix],
        ops: 1,
        engine: || subject::<{ ALL ^ SETTLES }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "a segment's name is durable before its first byte is written",
        ..Trial::PLAIN
    },
    Trial {
        name: "stemedb/rotation",
        promise: IMMEDIATE,
        source: LIB,
        about: "the second segment's name is lost, and the record in it",
        rule: Some(Rule::P1Loss),
        shows: &[Model::Posix],
        ops: 3,
        engine: || subject::<{ ALL ^ NAMES }>(rotated()),
        twin: Some(|| subject::<ALL>(rotated())),
        native: "each segment's name is synced, and the next one's gives its count",
        ..Trial::PLAIN
    },
    Trial {
        name: "stemedb/tail",
        promise: "corrupt or partial records at the tail are truncated",
        source: LIB,
        about: "bytes whose length was lost are no tail: the next record uncovers them",
        rule: Some(Rule::P4Invention),
        shows: &[Model::Posix, Model::Ext4Writeback, Model::Ext4Ordered],
        ops: 2,
        engine: || subject::<{ ALL ^ CLEARS }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "each life begins a segment of a new epoch, which seeds its checksums",
        ..Trial::PLAIN
    },
    Trial {
        name: "stemedb/middle",
        promise: "all records of all segments are verified on open",
        source: LIB,
        about: "damage in the middle is taken for the tail: intact records behind it are cut off",
        rule: Some(Rule::P6Silence),
        needs: Some(Failure::Decay(Decay::Flipped)),
        ops: 3,
        engine: || subject::<{ ALL ^ REFUSES }>(rotated()),
        twin: Some(|| subject::<ALL>(rotated())),
        native: "recovery looks behind a bad frame for proof that it was durable",
        ..Trial::PLAIN
    },
    Trial {
        name: "stemedb/reader",
        promise: "`Journal::read` finds what was appended (before a sync? not documented)",
        source: LIB,
        about: "with `Batched` and `Eventual` a reader sees what a power cut takes back",
        rule: Some(Rule::P10Visibility),
        ops: 3,
        engine: || subject::<{ ALL ^ SEES }>(read()),
        twin: Some(|| subject::<ALL>(read())),
        native: "in mode Fsync visible is durable; deferred operations say Buffered",
        ..Trial::PLAIN
    },
    Trial {
        name: "stemedb/process",
        promise: "a record appended with `Immediate` survives process crashes",
        source: LIB,
        about: "kept, with nothing mended",
        kill_only: true,
        engine: || subject::<0>(long()),
        native: "the same",
        ..Trial::PLAIN
    },
    Trial {
        name: "stemedb/batched",
        promise: "`Batched` and `Eventual`: durable with the next sync, in order",
        source: "stemedb-wal `durability.rs` at 3320c24afa",
        about: "kept, once names are synced and the tail is cleared",
        engine: || subject::<{ ALL ^ REFUSES }>(batched()),
        native: "the modes Interval and None, and `flush`",
        ..Trial::PLAIN
    },
];
