//! What recovery found and did, for the caller.

use crate::error::Corruption;
use crate::format::Lsn;
use std::fmt;

/// How the log ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// At the end of its last frame.
    #[default]
    Clean,
    /// At bytes that are no frame and that nothing proves durable: a write that a crash tore.
    Torn {
        /// The segment.
        file: String,
        /// Bytes from its start.
        offset: u64,
        /// Bytes left behind.
        discarded: u64,
    },
}

/// What damage has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The first damage.
    pub damage: Corruption,
    /// The first LSN that is not shown.
    pub from: Lsn,
    /// The last one that is known to have been durable.
    pub through: Lsn,
    /// The files in which the bytes are that could not be shown; where the name ends in
    /// `.quarantined`, they have been moved there.
    pub files: Vec<String>,
}

/// What recovery found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The rows of the recovery table that applied.
    pub rows: Vec<&'static str>,
    /// The LSN of the snapshot it began with; 0 for none.
    pub snapshot: Lsn,
    /// The last LSN of the recovered state.
    pub last: Lsn,
    /// Records replayed from the log.
    pub replayed: u64,
    /// Records copied into a segment of this life, because nothing proved them durable.
    pub copied: u64,
    /// Records at the end that nothing proves durable, of a store that was opened read-only: shown,
    /// but not a promise. Else they have been copied, and this is 0.
    pub unproven: u64,
    /// How the log ended.
    pub tail: Tail,
    /// Damaged snapshots that were passed over.
    pub damaged_snapshots: Vec<String>,
    /// What is not shown, if the store was damaged and
    /// [`Damage`](crate::Damage) says that it may be opened nevertheless.
    pub lost: Option<Loss>,
    /// Files removed: temporary, overridden or never finished.
    pub removed: Vec<String>,
    /// Files in the directory that are not the store's; never touched.
    pub foreign: Vec<String>,
}

impl fmt::Display for RecoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "recovered to LSN {} ({})", self.last, self.rows.join(", "))?;
        match self.snapshot {
            Lsn(0) => write!(f, "no snapshot, ")?,
            lsn => write!(f, "snapshot at LSN {lsn}, ")?,
        }
        writeln!(f, "{} records replayed, {} copied", self.replayed, self.copied)?;
        if self.unproven > 0 {
            writeln!(f, "{} records at the end are not proven durable", self.unproven)?;
        }
        match &self.tail {
            Tail::Clean => writeln!(f, "the log ends cleanly")?,
            Tail::Torn { file, offset, discarded } => {
                writeln!(f, "torn at {file} offset {offset}, {discarded} bytes left behind")?;
            }
        }
        if let Some(Loss { damage, from, through, files }) = &self.lost {
            writeln!(f, "lost: LSN {from} to {through}, in {}: {damage}", files.join(", "))?;
        }
        let lists = [
            ("damaged snapshots passed over", &self.damaged_snapshots),
            ("removed", &self.removed),
            ("not the store's", &self.foreign),
        ];
        for (what, files) in lists.into_iter().filter(|(_, files)| !files.is_empty()) {
            writeln!(f, "{what}: {}", files.join(", "))?;
        }
        Ok(())
    }
}
