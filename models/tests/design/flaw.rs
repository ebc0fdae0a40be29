//! Designs that are wrong, each in one place.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flaw {
    /// A record is acknowledged when its sync begins.
    AcknowledgedEarly,
    /// A frame states what stands before it, though they are synced together.
    StatedEarly,
    /// A segment is written before its name is durable, and the name never is.
    NameNotSynced,
    /// The next segment begins while the one before it is not durable.
    RotatedEarly,
    /// A snapshot gets its final name before its bytes are durable.
    SnapshotNotSynced,
    /// What a snapshot covers is removed before its name is durable.
    PrunedEarly,
    /// Segments that the snapshot covers are removed with the live payloads in them.
    PrunedLive,
    /// What is live is asked of the index as readers see it, which is ahead of the disk.
    PrunedByVisible,
    /// Recovery shows what it read, without a copy.
    NotCopied,
    /// The name of the copies' segment is not synced.
    CopyNameNotSynced,
    /// What the copies override is removed before they are durable.
    RemovedEarly,
    /// A segment with some of its copies overrides what it should have copied.
    HalfCopiedCounts,
    /// The header of the copies' segment states them, before they are synced.
    CopiesStated,
    /// The header of the copies' segment promises one copy too many.
    CopiesMiscounted,
    /// A scan goes on behind what is no frame.
    ScanSkips,
    /// Of two segments with the same records the earlier counts.
    EarlierCounts,
}
