//! KeyVal's promises, one by one.

use super::persistence::Persistence;
use super::snapshots::{self, Snapshots};
use super::{AGREES, ALL, BOUNDS, FLUSHES, KEEPS, LAX, MARKS, NAMES, ROTATES, STOPS, Wal};
use crate::museum::UNORDERED;
use crate::seeds::Trial;
use highwater_sim::{Act, Decay, Easy, Failure, Model, Rule};

const README: &str = "`pkg/storage/README.md` at 0b96737";
const DURABILITY: &str = "write-ahead logging with fsync: no data loss";

/// A record of it has 64 bytes.
fn value(byte: u8) -> Vec<u8> {
    vec![byte; 18]
}

fn put(key: u64, byte: u8) -> Act {
    Act::Put(key, value(byte))
}

fn puts() -> Vec<Act> {
    vec![put(1, b'a'), put(2, b'b')]
}

fn batch() -> Vec<Act> {
    vec![Act::Batch(vec![(1, value(b'a')), (2, vec![b'b'; 500])])]
}

/// A record of two sectors.
fn long() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 500])]
}

/// `AppendBatch`, step by step; the second goes into a second segment.
fn rotated() -> Vec<Act> {
    let append = |key: u64| Act::Submit(key, vec![b'a' + key as u8; 400]);
    vec![append(1), append(2), Act::Commit]
}

fn truncated() -> Vec<Act> {
    vec![put(1, b'a'), put(2, b'b'), Act::Special("truncate before 2", vec![(2, None)])]
}

fn unsynced() -> Vec<Act> {
    vec![Act::Submit(1, value(b'a')), Act::Special("truncate before 9", Vec::new())]
}

fn four() -> Vec<Act> {
    (1..=4).map(|key| put(key, b'a' + key as u8)).collect()
}

fn again() -> Vec<Act> {
    vec![put(1, b'a'), put(1, b'b')]
}

fn log<const MENDED: u32>(acts: Vec<Act>) -> Easy {
    Easy::new::<Wal<MENDED>>(acts)
}

fn snapshots<const MENDED: u32>(acts: Vec<Act>) -> Easy {
    Easy::new::<Snapshots<MENDED>>(acts)
}

pub(in crate::seeds) const TRIALS: &[Trial] = &[
    Trial {
        name: "keyval",
        promise: DURABILITY,
        source: README,
        about: "nothing mended: whatever is met first",
        rule: Some(Rule::P11Bounds),
        also: &[Rule::P1Loss],
        ops: 2,
        engine: || log::<0>(puts()),
        twin: Some(|| log::<ALL>(puts())),
        native: "the same workload holds",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/name",
        promise: DURABILITY,
        source: README,
        about: "no directory is ever synced: the segment with the entries is gone",
        rule: Some(Rule::P1Loss),
        shows: &[Model::Posix],
        ops: 1,
        engine: || log::<{ ALL ^ NAMES }>(puts()),
        twin: Some(|| log::<ALL>(puts())),
        native: "a segment's name is durable before its first byte is written",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/torn-tail",
        promise: "automatic state recovery on restart",
        source: README,
        about: "one torn record, and no entry of any segment can be read",
        rule: Some(Rule::P5FalseAlarm),
        ops: 1,
        engine: || log::<{ ALL ^ STOPS }>(long()),
        twin: Some(|| log::<ALL>(long())),
        native: "a torn tail is no error; the report says where the log ends",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/zero-tail",
        promise: "automatic state recovery on restart",
        source: README,
        about: "a size whose bytes were lost is 0, and that is a panic at every start",
        rule: Some(Rule::P11Bounds),
        shows: &[Model::Posix, Model::Ext4Writeback, Model::Ext4Ordered],
        ops: 2,
        engine: || log::<{ ALL ^ BOUNDS ^ STOPS }>(puts()),
        twin: Some(|| log::<ALL>(puts())),
        native: "bounds before arithmetic, and zeros are no frame",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/rotation",
        promise: "`AppendBatch` returns when all of it is synced",
        source: "`wal.go` at 0b96737",
        about: "rotation closes a segment without a sync; only the last one is synced",
        rule: Some(Rule::P5FalseAlarm),
        also: &[Rule::P1Loss, Rule::P2Prefix],
        shows: UNORDERED,
        ops: 3,
        engine: || log::<{ LAX ^ ROTATES }>(rotated()),
        twin: Some(|| log::<LAX>(rotated())),
        native: "rotation syncs in every mode",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/batch",
        promise: "`AppendBatch` is atomic",
        source: "`wal.go` at 0b96737",
        about: "no commit mark: a prefix of the batch survives",
        rule: Some(Rule::P3Atomicity),
        ops: 1,
        engine: || log::<{ LAX ^ MARKS }>(batch()),
        twin: Some(|| log::<LAX>(batch())),
        native: "a batch is one frame",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/truncate",
        promise: DURABILITY,
        source: README,
        about: "`Truncate` removes all segments, then writes what is kept",
        rule: Some(Rule::P1Loss),
        ops: 2,
        engine: || log::<{ ALL ^ KEEPS }>(truncated()),
        twin: Some(|| log::<ALL>(truncated())),
        native: "nothing is truncated; a later epoch overrides what follows its first LSN",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/truncate-unsynced",
        promise: "`Truncate` keeps the entries up to the index",
        source: "`wal.go` at 0b96737",
        about: "it reads the files, and the newest entries are still in the buffer",
        rule: Some(Rule::P1Loss),
        broken: true,
        ops: 2,
        engine: || log::<{ ALL ^ FLUSHES }>(unsynced()),
        twin: Some(|| log::<ALL>(unsynced())),
        native: "one writer has the buffer and the positions",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/sizes",
        promise: "checksums detect corruption",
        source: README,
        about: "a size has no checksum: one flipped bit of it swallows whole records",
        rule: Some(Rule::P6Silence),
        needs: Some(Failure::Decay(Decay::Flipped)),
        ops: 4,
        engine: || log::<{ ALL ^ AGREES }>(four()),
        twin: Some(|| log::<ALL>(four())),
        native: "the header's checksum covers the size, and is asked before it is believed",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/snapshot",
        promise: "snapshots are created atomically",
        source: README,
        about: "no sync of any file: the names are there and the bytes are not",
        rule: Some(Rule::P5FalseAlarm),
        also: &[Rule::P1Loss],
        ops: 1,
        engine: || snapshots::<{ snapshots::ALL ^ snapshots::SYNCS }>(again()),
        twin: Some(|| snapshots::<{ snapshots::ALL }>(again())),
        native: "temporary file, sync, rename, sync of the directory",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/snapshot-again",
        promise: "snapshots are created atomically",
        source: README,
        about: "two renames over the last snapshot: between them neither is whole",
        rule: Some(Rule::P5FalseAlarm),
        ops: 2,
        engine: || snapshots::<{ snapshots::ALL ^ snapshots::RENAMES }>(again()),
        twin: Some(|| snapshots::<{ snapshots::ALL }>(again())),
        native: "a snapshot is one file, and its name holds its LSN",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/snapshot-description",
        promise: "SHA-256 checksums detect corruption",
        source: README,
        about: "a description that cannot be read is skipped, and the snapshot with it",
        rule: Some(Rule::P6Silence),
        needs: Some(Failure::Decay(Decay::Flipped)),
        ops: 2,
        engine: || snapshots::<{ snapshots::ALL ^ snapshots::PARSES }>(again()),
        twin: Some(|| snapshots::<{ snapshots::ALL }>(again())),
        native: "an invalid file under a snapshot's final name is damage, and is said",
        ..Trial::PLAIN
    },
    Trial {
        name: "keyval/persist",
        promise: "automatic state recovery on restart",
        source: README,
        about: "kept, by BoltDB alone: the log behind it is never replayed",
        engine: || Easy::new::<Persistence>(puts()),
        native: "one log, and it is what recovery reads",
        ..Trial::PLAIN
    },
];
