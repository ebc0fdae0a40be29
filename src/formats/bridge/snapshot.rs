//! A snapshot file: a header of 72 bytes, then the shards.
//!
//! | header | bytes | |
//! |---|---|---|
//! | 0 | 8 | `KVSN0001` |
//! | 8 | 4 | version 1, big endian as all of the header |
//! | 12 | 8 | created, in nanoseconds since 1970 |
//! | 20 | 4 | how many shards |
//! | 24 | 8 | how many entries in all |
//! | 32 | 8 | the log's position then |
//! | 40 | 32 | SHA-256 of all that follows; nothing covers the header |
//!
//! A shard is its number in 4 bytes and its entries; an entry is key, value, when it was written,
//! when it expires if it does, and its version: little endian, as bincode 1 has it.

use super::bincode::{Reader, put_blob, put_list, put_option};
use super::value::Value;
use super::{Entry, State};
use crate::bytes::{be_i64, be_u32, be_u64};
use crate::hex::hex;
use crate::report::Tail;
use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher13;
use std::collections::BTreeMap;
use std::hash::Hasher;

/// What a snapshot begins with.
pub(super) const MAGIC: &[u8; 8] = b"KVSN0001";
/// Bytes of a snapshot's header.
pub(super) const HEADER: usize = 72;
const VERSION: u32 = 1;
/// Where the checksum is in the header.
const SHA: usize = 40;
/// How many shards the original makes by default.
pub const SHARDS: u32 = 256;

/// A snapshot that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) created: i64,
    pub(super) log_position: u64,
    pub(super) entries: BTreeMap<String, Entry>,
}

/// What is wrong with one, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) tail: Tail,
    pub(super) offset: usize,
    pub(super) reason: String,
}

/// The shard of a key: SipHash-1-3 under a zero key, of its bytes and then 0xff, as Rust hashes a
/// `str`.
pub fn shard_of(key: &str, shards: u32) -> u32 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(key.as_bytes());
    hasher.write_u8(0xff);
    (hasher.finish() % u64::from(shards.max(1))) as u32
}

/// Whether the bytes have the magic, or a checksum that no other file has at that place.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.len() > HEADER && sha(bytes) == bytes[SHA..HEADER]
}

fn sha(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(&bytes[HEADER..]).into()
}

/// Reads a snapshot. It is whole or nothing is used of it.
pub(super) fn decode(bytes: &[u8]) -> Result<Snapshot, Bad> {
    let bad = |tail, offset, reason| Err(Bad { tail, offset, reason });
    if bytes.len() < HEADER {
        let reason = format!("a header has {HEADER} bytes, the file {}", bytes.len());
        return bad(Tail::Torn, 0, reason);
    }
    let corrupt = |offset, reason| bad(Tail::Corrupt, offset, reason);
    if bytes[..8] != *MAGIC {
        let found = bytes[..8].escape_ascii();
        return corrupt(0, format!("expected the magic {}, found {found}", MAGIC.escape_ascii()));
    }
    if be_u32(bytes, 8) != VERSION {
        return corrupt(8, format!("expected version {VERSION}, found {}", be_u32(bytes, 8)));
    }
    if sha(bytes) != bytes[SHA..HEADER] {
        let (expected, actual) = (hex(&bytes[SHA..HEADER]), hex(&sha(bytes)));
        return corrupt(SHA, format!("SHA-256: expected {expected}, actual {actual}"));
    }
    let (created, shards, total) = (be_i64(bytes, 12), be_u32(bytes, 20), be_u64(bytes, 24));
    let mut from = Reader::new(&bytes[HEADER..]);
    let mut entries = BTreeMap::new();
    let mut count = 0;
    for _ in 0..shards {
        let shard = match shard(&mut from, created) {
            Ok(shard) => shard,
            Err(reason) => {
                let reason = format!("{shards} shards are stated: {reason}");
                return corrupt(bytes.len() - from.left(), reason);
            }
        };
        count += shard.len() as u64;
        entries.extend(shard);
    }
    if from.left() > 0 {
        let reason = format!("{} bytes are behind the last of {shards} shards", from.left());
        return corrupt(bytes.len() - from.left(), reason);
    }
    if count != total {
        return corrupt(24, format!("expected {total} entries in all, found {count}"));
    }
    Ok(Snapshot { created, log_position: be_u64(bytes, 32), entries })
}

fn shard(from: &mut Reader<'_>, created: i64) -> Result<Vec<(String, Entry)>, String> {
    let _number = from.u32()?;
    from.list(|from| {
        let (key, value) = (from.string()?, Value::decode(from)?);
        let (written, expires) = (from.i64()?, from.option(Reader::i64)?);
        let expires = expires.map(|stored| unmirrored(created, written, stored));
        let version = from.u64()?;
        Ok((key, Entry { value, expires, version, lock: false }))
    })
}

/// When an entry really expires. The original subtracts the time that remains from now instead of
/// adding it, so what it stores lies as far before the snapshot as the expiry lies behind it.
fn unmirrored(created: i64, written: i64, stored: i64) -> i64 {
    let real = 2 * i128::from(created) - i128::from(stored);
    // What had no time left is stored as the moment of its writing, which is not quite `created`.
    let real = if stored >= written { real.min(created.into()) } else { real };
    real.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

/// The entries of a state that `chosen` picks, as the original writes them: mirrored.
pub(super) fn encode(
    state: &State,
    created: i64,
    log_position: u64,
    chosen: impl Fn(&Entry) -> bool,
) -> Vec<u8> {
    let mut shards = vec![Vec::new(); SHARDS as usize];
    for (key, entry) in state.entries.iter().filter(|(_, entry)| chosen(entry)) {
        shards[shard_of(key, SHARDS) as usize].push((key, entry));
    }
    let total: usize = shards.iter().map(Vec::len).sum();
    let mut body = Vec::new();
    for (number, shard) in shards.iter().enumerate() {
        body.extend((number as u32).to_le_bytes());
        put_list(&mut body, shard.iter(), |into, (key, entry)| {
            put_blob(into, key.as_bytes());
            entry.value.encode(into);
            into.extend(created.to_le_bytes());
            put_option(into, entry.expires, |into, expires| {
                into.extend(unmirrored(created, i64::MAX, expires).to_le_bytes());
            });
            into.extend(entry.version.to_le_bytes());
        });
    }
    let mut file = MAGIC.to_vec();
    file.extend(VERSION.to_be_bytes());
    file.extend(created.to_be_bytes());
    file.extend(SHARDS.to_be_bytes());
    file.extend((total as u64).to_be_bytes());
    file.extend(log_position.to_be_bytes());
    file.extend(Sha256::digest(&body));
    file.extend(body);
    file
}
