//! What the original keeps as JSON: log entries and the metadata of snapshots.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An entry of the Raft log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LogEntry {
    /// The term of the leader that made it.
    pub term: u64,
    /// Its place, from 1.
    pub index: u64,
    /// For the state machine.
    #[serde(with = "bytes_or_null", default)]
    pub data: Option<Vec<u8>>,
    /// 0 normal, 1 configuration, 2 no-op, 3 batch.
    #[serde(rename = "Type")]
    pub kind: i64,
}

/// What is known of a snapshot without its data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMeta {
    /// The last log entry that it covers.
    pub index: u64,
    /// That entry's term.
    pub term: u64,
    /// The members of the cluster, as the original's caller encodes them.
    #[serde(with = "bytes_or_null", default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Vec<u8>>,
    /// Bytes of data.
    pub size: u64,
    /// SHA-256 of the data, in lower case hexadecimal digits.
    pub checksum: String,
    /// CRC-32 of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum_crc32: Option<u32>,
    /// When, as RFC 3339 has it.
    pub created_at: String,
}

/// Bytes in base64, or null.
mod bytes_or_null {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        into: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).serialize(into)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| STANDARD.decode(text).map_err(serde::de::Error::custom)).transpose()
    }
}
