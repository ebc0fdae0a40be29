//! VelesDB's promises, one by one.

use super::{
    ADMITS, ALL, BOUND, CLEARS, CUTS, FLUSH_ONLY, LATCHES, LAX, NAMES, READS, REFUSES, SETTLES,
    STOPS, VelesDb,
};
use crate::seeds::Trial;
use highwater_sim::{
    Act, CallFault, CallKind, Decay, Easy, FailedSync, Failure, FaultEffect, Model, Rule,
};

const FSYNC: &str = "velesdb-core 1.13.0, `DurabilityMode::Fsync`";

fn put(key: u64, byte: u8) -> Act {
    Act::Put(key, vec![byte; 20])
}

fn puts() -> Vec<Act> {
    vec![put(1, b'a'), put(2, b'b')]
}

/// A record that no other one uncovers.
fn thirty() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 30])]
}

/// A record of two sectors.
fn long() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 600])]
}

fn overwrites() -> Vec<Act> {
    vec![put(1, b'a'), put(1, b'b'), put(2, b'c')]
}

fn covered() -> Vec<Act> {
    vec![put(1, b'a'), Act::Checkpoint, put(2, b'b')]
}

fn subject<const MENDED: u32>(acts: Vec<Act>) -> Easy {
    Easy::new::<VelesDb<MENDED>>(acts)
}

fn without_a_name<const MENDED: u32>() -> Easy {
    let acts = vec![Act::Submit(1, vec![b'a'; 20]), Act::Checkpoint];
    subject::<MENDED>(acts).between(vec![Act::Checkpoint])
}

fn snapshots() -> Vec<Act> {
    vec![put(1, b'a'), Act::Checkpoint, Act::Delete(1), put(2, b'b'), Act::Checkpoint]
}

pub(in crate::seeds) const TRIALS: &[Trial] = &[
    Trial {
        name: "velesdb",
        promise: "each store that returned is safe against power loss",
        source: FSYNC,
        about: "nothing mended: whatever is met first",
        rule: Some(Rule::P5FalseAlarm),
        also: &[Rule::P1Loss],
        ops: 2,
        engine: || subject::<0>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "the same workload holds",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/name",
        promise: "each store that returned is safe against power loss",
        source: FSYNC,
        about: "`payloads.log` is created and its directory never synced: the file is gone",
        rule: Some(Rule::P1Loss),
        shows: &[Model::Posix],
        ops: 1,
        engine: || subject::<{ ALL ^ NAMES }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "a segment's name is durable before its first byte is written",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/torn-tail",
        promise: "after a crash the log is replayed",
        source: "velesdb-core 1.13.0, `replay_wal_from`",
        about: "a record that was cut short makes the store unopenable",
        rule: Some(Rule::P5FalseAlarm),
        ops: 2,
        engine: || subject::<{ ALL ^ STOPS }>(long()),
        twin: Some(|| subject::<ALL>(long())),
        native: "a torn tail is no error; the report says where the log ends",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/append",
        promise: "each store that returned is safe against power loss",
        source: "velesdb-core 8.0.0, which tolerates a torn tail and does not cut it off",
        about: "new records go behind the torn one, and the next replay stops before them",
        rule: Some(Rule::P1Loss),
        ops: 1,
        engine: || subject::<{ LAX ^ CUTS }>(long()),
        twin: Some(|| subject::<ALL>(long())),
        native: "no life appends to a file of a former one",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/old-bytes",
        promise: "what was never stored is never there",
        source: "velesdb-core 1.13.0, module documentation: an append-only log",
        about: "a record whose length was lost lies behind the end, and the next one uncovers it",
        rule: Some(Rule::P4Invention),
        shows: &[Model::Posix, Model::Ext4Writeback, Model::Ext4Ordered],
        ops: 2,
        engine: || subject::<{ ALL ^ CLEARS }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "each life begins a segment of a new epoch, which seeds its checksums",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/reopen",
        promise: "what was retrieved after a restart is safe against power loss",
        source: FSYNC,
        about: "open shows what it finds in the cache, and syncs nothing",
        rule: Some(Rule::P1Loss),
        ops: 1,
        engine: || subject::<{ LAX ^ SETTLES ^ CLEARS }>(thirty()),
        twin: Some(|| subject::<{ LAX ^ CLEARS }>(thirty())),
        native: "what nothing proves durable is copied and synced before it is shown",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/batch",
        promise: "several payloads in a single batch operation (atomic? the documents do not say)",
        source: "velesdb-core 1.13.0, `store_batch`",
        about: "no commit mark: a part of the batch is there",
        rule: Some(Rule::P3Atomicity),
        ops: 1,
        engine: || subject::<LAX>(vec![batch()]),
        native: "a batch is one frame",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/skip",
        promise: "a record whose checksum is wrong is skipped, with a warning",
        source: "velesdb-core 1.13.0, module documentation",
        about: "a damaged record is skipped: an older value, or none, is served as the newest",
        rule: Some(Rule::P6Silence),
        needs: Some(Failure::Decay(Decay::Flipped)),
        ops: 3,
        engine: || subject::<{ ALL ^ ADMITS }>(overwrites()),
        twin: Some(|| subject::<ALL>(overwrites())),
        native: "damage to what was durable is refused, with file and offset",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/framing",
        promise: "a record whose checksum is wrong is skipped, with a warning",
        source: "velesdb-core 8.0.0, which takes what is no record for the torn end",
        about: "a damaged marker or length ends the log: all that was stored after it is gone",
        rule: Some(Rule::P6Silence),
        needs: Some(Failure::Decay(Decay::Flipped)),
        ops: 2,
        engine: || subject::<{ ALL ^ REFUSES }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "recovery looks behind a bad frame for proof that it was durable",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/read",
        promise: "the checksum covers all bytes of a record",
        source: "velesdb-core 1.13.0, module documentation",
        about: "what a snapshot covers is not replayed, and `retrieve` asks no checksum",
        rule: Some(Rule::P6Silence),
        needs: Some(Failure::Decay(Decay::Flipped)),
        ops: 3,
        engine: || subject::<{ ALL ^ READS }>(covered()),
        twin: Some(|| subject::<ALL>(covered())),
        native: "every payload has a checksum of its own, asked whenever it is read",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/snapshot",
        promise: "recovery from a snapshot is the same as from the log",
        source: "velesdb-core 1.13.0, `load_or_replay_index`",
        about: "a snapshot is believed that is newer than the log: its offsets lead nowhere",
        rule: Some(Rule::P5FalseAlarm),
        shows: &[Model::Posix],
        ops: 2,
        engine: without_a_name::<{ LAX ^ NAMES ^ BOUND }>,
        twin: Some(without_a_name::<{ LAX ^ NAMES }>),
        native: "the log up to a snapshot's LSN is durable first; a gap is corruption",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/errors",
        promise: "the offset is put right after an error, so that later writes are not displaced",
        source: "velesdb-core 1.13.0, `sync_wal_or_resync`",
        about: "the failed record stays in the buffer and goes first: the next id reads its bytes",
        rule: Some(Rule::P4Invention),
        needs: Some(Failure::Call(CallFault { call: CallKind::Write, what: FaultEffect::Eio })),
        ops: 2,
        engine: || subject::<{ ALL ^ LATCHES ^ READS }>(puts()),
        twin: Some(|| subject::<{ ALL ^ READS }>(puts())),
        native: "after an error nothing more is acknowledged until the store is opened again",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/failed-sync",
        promise: "each store that returned is safe against power loss",
        source: FSYNC,
        about: "a failed sync, and the next one says Ok without the bytes of the first",
        rule: Some(Rule::P1Loss),
        needs: Some(Failure::Sync(FailedSync::KeepNew)),
        ops: 2,
        engine: || subject::<{ ALL ^ LATCHES }>(puts()),
        native: "after an error nothing more is acknowledged; what nothing proves is copied",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/flush-only",
        promise: "what was flushed survives the process",
        source: "velesdb-core 1.13.0, `DurabilityMode::FlushOnly`",
        about: "kept",
        kill_only: true,
        engine: || subject::<FLUSH_ONLY>(vec![put(1, b'a'), Act::Delete(1), put(2, b'b')]),
        native: "the mode FlushOnly",
        ..Trial::PLAIN
    },
    Trial {
        name: "velesdb/snapshot-file",
        promise: "a snapshot is whole or not there, and losing it costs nothing",
        source: "velesdb-core 1.13.0, `create_snapshot`, `load_or_replay_index`",
        about: "kept: temporary file, sync, rename, and else the whole log",
        shows: Model::ALL.as_slice(),
        engine: || subject::<{ ALL ^ BOUND ^ READS }>(snapshots()),
        native: "the same, and the directory is synced",
        ..Trial::PLAIN
    },
];

fn batch() -> Act {
    Act::Batch(vec![(1, vec![b'a'; 20]), (2, vec![b'b'; 600])])
}
