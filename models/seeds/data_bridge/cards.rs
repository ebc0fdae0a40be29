//! data-bridge-kv's promises, one by one.

use super::{
    ADMITS, ALL, BOUNDS, CUTS, EXPIRES, Engine, HEADERS, LAX, LOGS, NAMES, REFUSES, SEALS, SECONDS,
    SHUTS, STAMPS, TIMES,
};
use crate::museum::UNORDERED;
use crate::seeds::Trial;
use highwater_sim::{Act, Decay, Easy, Failure, Model, Rule};

const PAGE: &str = "`11-wal-persistence-implementation.md` at 15fafaf";
const BEFORE_RETURN: &str = "all writes are durable: logged to the WAL before return";
const WINDOW: &str = "after a crash about 100 ms are lost, and no more";
const DELTA: &str = "recovery: the latest snapshot, and the log since it";

fn put(key: u64, byte: u8) -> Act {
    Act::Put(key, vec![byte; 20])
}

fn puts() -> Vec<Act> {
    vec![put(1, b'a'), put(2, b'b')]
}

/// An entry of two sectors.
fn long() -> Vec<Act> {
    vec![Act::Put(1, vec![b'a'; 600])]
}

fn overwrites() -> Vec<Act> {
    vec![put(1, b'a'), put(1, b'b'), put(2, b'c')]
}

fn rotate() -> Act {
    Act::Special("rotate", Vec::new())
}

fn snapshot_then_rotate() -> Vec<Act> {
    vec![put(1, b'a'), Act::Checkpoint, rotate(), put(2, b'b')]
}

fn rotate_then_snapshot() -> Vec<Act> {
    vec![Act::Add(1, 3), rotate(), Act::Checkpoint]
}

fn ahead() -> Vec<Act> {
    vec![Act::Submit(1, vec![b'a'; 20]), Act::Checkpoint]
}

fn twice() -> Vec<Act> {
    vec![put(1, b'a'), rotate(), rotate()]
}

fn set() -> Act {
    Act::Special("set 1 for 10 s", vec![(1, Some(b"set".to_vec()))])
}

fn expired() -> Vec<Act> {
    vec![set(), Act::Special("10 s pass", vec![(1, None)]), put(2, b'b')]
}

fn leases() -> Vec<Act> {
    let owner = |n: u64| vec![(1, Some(n.to_le_bytes().to_vec()))];
    vec![
        Act::Special("lock 1 by 7 for 10 s", owner(7)),
        Act::Special("lock 1 by 8 for 10 s", owner(8)),
    ]
}

fn batched() -> Vec<Act> {
    vec![Act::Submit(1, vec![b'a'; 20]), Act::Submit(2, vec![b'b'; 20]), Act::Commit]
}

fn covered() -> Vec<Act> {
    vec![put(1, b'a'), Act::Checkpoint, put(2, b'b'), put(3, b'c')]
}

fn shut_down() -> Vec<Act> {
    vec![Act::Submit(1, vec![b'a'; 20]), Act::Special("shutdown", Vec::new())]
}

fn mset() -> Vec<Act> {
    vec![put(1, b'a'), Act::Batch(vec![(1, vec![b'b'; 20]), (2, vec![b'c'; 600])])]
}

fn subject<const MENDED: u32>(acts: Vec<Act>) -> Easy {
    Easy::new::<Engine<MENDED>>(acts)
}

pub(in crate::seeds) const TRIALS: &[Trial] = &[
    Trial {
        name: "data-bridge-kv",
        promise: BEFORE_RETURN,
        source: PAGE,
        about: "nothing mended: the operation is in a channel when it is acknowledged",
        rule: Some(Rule::P1Loss),
        ops: 1,
        engine: || subject::<0>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "the same workload holds",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/log-first",
        promise: BEFORE_RETURN,
        source: PAGE,
        about: "the process dies within the 100 ms: no power cut is needed",
        rule: Some(Rule::P1Loss),
        kill_only: true,
        ops: 1,
        engine: || subject::<{ ALL ^ LOGS }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "Ok says Durable, Flushed or Buffered, and means it",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/name",
        promise: WINDOW,
        source: PAGE,
        about: "no directory is ever synced: the log itself is gone",
        rule: Some(Rule::P1Loss),
        shows: &[Model::Posix],
        ops: 1,
        engine: || subject::<{ ALL ^ NAMES }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "a segment's name is durable before its first byte is written",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/header",
        promise: "a log's header is validated when it is opened",
        source: PAGE,
        about: "a torn header takes appends for ever, and recovery skips the whole file",
        rule: Some(Rule::P1Loss),
        shows: &[Model::Posix, Model::Ext4Writeback],
        ops: 1,
        engine: || subject::<{ LAX ^ HEADERS }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "each life begins a segment; one without a whole header proves nothing",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/append",
        promise: WINDOW,
        source: PAGE,
        about: "new entries go behind the torn one, and are read as its rest",
        rule: Some(Rule::P1Loss),
        ops: 1,
        engine: || subject::<{ LAX ^ CUTS }>(long()),
        twin: Some(|| subject::<LAX>(long())),
        native: "no life appends to a file of a former one",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/zero-tail",
        promise: "graceful degradation: recovery goes on from good entries",
        source: PAGE,
        about: "a length whose bytes were lost is 0, and 0 is a panic at every start",
        rule: Some(Rule::P11Bounds),
        shows: &[Model::Posix, Model::Ext4Writeback, Model::Ext4Ordered],
        ops: 2,
        engine: || subject::<{ LAX ^ BOUNDS ^ CUTS }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "bounds before arithmetic, and zeros are no frame",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/skip",
        promise: "corrupted entries are skipped and counted",
        source: PAGE,
        about: "a damaged entry is skipped: an older value, or none, is served as the newest",
        rule: Some(Rule::P6Silence),
        needs: Some(Failure::Decay(Decay::Flipped)),
        ops: 3,
        engine: || subject::<{ ALL ^ REFUSES }>(overwrites()),
        twin: Some(|| subject::<ALL>(overwrites())),
        native: "damage to what was durable is refused, with file and offset",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/damaged-header",
        promise: "recovery skips corrupted entries and reports how many",
        source: PAGE,
        about: "one flipped bit in the header: the whole file is skipped, and none is counted",
        rule: Some(Rule::P6Silence),
        needs: Some(Failure::Decay(Decay::Flipped)),
        ops: 2,
        engine: || subject::<{ ALL ^ ADMITS }>(puts()),
        twin: Some(|| subject::<ALL>(puts())),
        native: "a damaged header with durable frames behind it is refused",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/position",
        promise: DELTA,
        source: PAGE,
        about: "the snapshot's position skips as many bytes of the log that came after it",
        rule: Some(Rule::P1Loss),
        ops: 4,
        engine: || subject::<{ LAX ^ STAMPS }>(snapshot_then_rotate()),
        twin: Some(|| subject::<LAX>(snapshot_then_rotate())),
        native: "a snapshot stands for an LSN, and an LSN is in one place",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/incr",
        promise: DELTA,
        source: PAGE,
        about: "a rotated log that the snapshot covers is replayed again: counted twice",
        rule: Some(Rule::P4Invention),
        ops: 3,
        engine: || subject::<{ LAX ^ STAMPS }>(rotate_then_snapshot()),
        twin: Some(|| subject::<LAX>(rotate_then_snapshot())),
        native: "a snapshot stands for an LSN; and the log holds the sum, not what was added",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/ahead",
        promise: DELTA,
        source: PAGE,
        about: "the snapshot is synced and the log is not: later entries lie below its position",
        rule: Some(Rule::P1Loss),
        shows: UNORDERED,
        ops: 2,
        engine: || subject::<{ LAX ^ STAMPS }>(ahead()),
        twin: Some(|| subject::<LAX>(ahead())),
        native: "the log up to a snapshot's LSN is synced before the snapshot is written",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/same-second",
        promise: "a rotated log is kept as `wal-{timestamp}.log`",
        source: PAGE,
        about: "two rotations in one second: the second is renamed over the first",
        rule: Some(Rule::P1Loss),
        ops: 3,
        engine: || subject::<{ LAX ^ SECONDS }>(twice()),
        twin: Some(|| subject::<LAX>(twice())),
        native: "names hold an LSN and an epoch, and no clock",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/expired",
        promise: "a key lives as long as was said",
        source: PAGE,
        about: "its time begins anew at recovery: what had expired is back",
        rule: Some(Rule::P1Loss),
        also: &[Rule::P4Invention],
        ops: 3,
        engine: || subject::<{ ALL ^ TIMES }>(expired()),
        twin: Some(|| subject::<ALL>(expired())),
        native: "the log holds the time at which a key expires; replaying asks no clock",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/lease",
        promise: "a lock is its owner's until it expires",
        source: PAGE,
        about: "the first lease has not expired in the replay: the lock goes to the old owner",
        rule: Some(Rule::P1Loss),
        ops: 2,
        engine: || subject::<{ ALL ^ TIMES }>(leases()),
        twin: Some(|| subject::<ALL>(leases())),
        native: "the log holds who got the lock, and until when: what callers were told",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/snapshot-ttl",
        promise: "a key lives as long as was said",
        source: PAGE,
        about: "a snapshot keeps its expiry mirrored at now: every key with one is gone",
        rule: Some(Rule::P1Loss),
        ops: 2,
        engine: || subject::<{ ALL ^ EXPIRES }>(vec![set(), Act::Checkpoint]),
        twin: Some(|| subject::<ALL>(vec![set(), Act::Checkpoint])),
        native: "the same time in the log and in the snapshot; an import mirrors it back",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/snapshot-header",
        promise: "SHA-256 checksums of snapshots are verified",
        source: PAGE,
        about: "not of the header: with its time or its position wrong, entries are skipped",
        rule: Some(Rule::P6Silence),
        needs: Some(Failure::Decay(Decay::Flipped)),
        ops: 4,
        engine: || subject::<{ ALL ^ SEALS }>(covered()),
        twin: Some(|| subject::<ALL>(covered())),
        native: "a snapshot's checksum covers all of it",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/shutdown",
        promise: "graceful shutdown with a final flush",
        source: PAGE,
        about: "the engine and its thread hold each other: the flush never runs",
        rule: Some(Rule::P1Loss),
        kill_only: true,
        ops: 2,
        engine: || subject::<{ LAX ^ SHUTS }>(shut_down()),
        twin: Some(|| subject::<LAX>(shut_down())),
        native: "closing syncs, and says if that failed",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/window",
        promise: WINDOW,
        source: PAGE,
        about: "kept, in order, once names are synced, headers whole and tails cut",
        engine: || subject::<LAX>(batched()),
        native: "the mode Interval",
        ..Trial::PLAIN
    },
    Trial {
        name: "data-bridge-kv/mset",
        promise: "`mset` is a single operation",
        source: PAGE,
        about: "kept: it is one entry with one checksum",
        engine: || subject::<LAX>(mset()),
        native: "a batch is one frame",
        ..Trial::PLAIN
    },
];
