//! What a key-value store keeps in memory: items by key, in shards, so that a snapshot can be
//! written shard by shard while others write.
//!
//! Invariants
//! - K1: a key is in the shard that its checksum says.
//! - K2: a snapshot holds every shard as it was at the cut: whoever changes a shard that is not
//!   written yet writes it first.
//! - K3: while a snapshot is written no more than a shard is held in memory for it, but for shards
//!   that change before the file is there.

use super::value::{Cursor, Value, put_bytes};
use crate::error::{Error, Result};
use crate::format::entry::Entry;
use crate::format::snapshot::SnapshotHeader;
use crate::format::{Lsn, ViewKind, crc, u32_at};
use crate::log::Slots;
use crate::snapshot::{Source, Stream};
use crate::sync::{Mutex, RwLock};
use crate::view::{Place, View};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

/// The id of an entry that sets a key.
pub(super) const SET: u64 = 0;
/// The id of an entry that deletes one.
pub(super) const DELETE: u64 = 1;

/// What a key is set to, and until when.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(super) value: Value,
    /// Nanoseconds since 1970; the key is gone then.
    pub(super) expires: Option<i64>,
    /// When it was set, by the store's clock.
    pub(super) set_at: i64,
    /// How often the key has been set since it was not there.
    pub(super) version: u64,
}

impl Item {
    pub(super) fn is_there(&self, now: i64) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

/// The key, and what it is set to; `None` deletes it.
pub(crate) type Change = (Box<[u8]>, Option<Item>, i64);

/// A seed of the process's own, as with the standard hash, in a quarter of its time.
type Shard = HashMap<Box<[u8]>, Item, foldhash::quality::RandomState>;

#[derive(Debug, Default)]
pub(crate) struct Shards {
    slots: Slots,
    shards: Vec<Shard>,
    /// The newest time in the log: the store's clock never goes back behind it.
    pub(super) latest: i64,
    saving: Weak<Mutex<Saving>>,
}

/// A snapshot that is being written.
#[derive(Debug)]
pub(crate) struct Saving {
    saved: Vec<bool>,
    stream: Option<Stream>,
    /// Shards that had to be held on to before there was a file.
    held: Vec<Vec<u8>>,
    /// What has failed where nobody could be told.
    error: Option<Error>,
    latest: i64,
    keys: u64,
}

impl Saving {
    fn save(&mut self, shard: usize, items: &Shard) {
        if !std::mem::replace(&mut self.saved[shard], true) && !items.is_empty() {
            self.put(encode_shard(items)); // K2
        }
    }

    fn put(&mut self, bytes: Vec<u8>) {
        match &mut self.stream {
            Some(stream) if self.error.is_none() => self.error = stream.put(&bytes).err(),
            Some(_) => {}
            None => self.held.push(bytes), // K3
        }
    }
}

pub(super) fn encode(key: &[u8], item: Option<&Item>, at: i64) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    put_bytes(&mut out, key);
    out.extend_from_slice(&at.to_le_bytes());
    if let Some(item) = item {
        out.extend_from_slice(&item.expires.unwrap_or(i64::MAX).to_le_bytes());
        out.extend_from_slice(&item.version.to_le_bytes());
        item.value.encode(&mut out);
    }
    out
}

fn decode(from: &mut Cursor<'_>, sets: bool) -> Option<Change> {
    let key = from.bytes()?.into();
    let set_at = from.i64()?;
    if !sets {
        return Some((key, None, set_at));
    }
    let expires = Some(from.i64()?).filter(|at| *at != i64::MAX);
    let version = from.u64()?;
    let value = Value::decode(from)?;
    Some((key, Some(Item { value, expires, set_at, version }), set_at))
}

/// Items that are looked at for expired ones, to the end of a shard, before others may write.
const LOOK: usize = 4096;
/// Bytes of a shard that are written as one piece: with them in memory twice, a snapshot is read.
const PIECE: usize = 64 << 20;

/// The items by key, in pieces of a count, the number of bytes, and so many items.
fn encode_shard(items: &Shard) -> Vec<u8> {
    let mut keys: Vec<&[u8]> = items.keys().map(|key| &**key).collect();
    keys.sort_unstable(); // N2
    let (mut out, mut start, mut count) = (vec![0; 8], 0, 0u32);
    let end = |out: &mut Vec<u8>, start: usize, count: u32| {
        let size = (out.len() - start - 8) as u32;
        out[start..start + 4].copy_from_slice(&count.to_le_bytes());
        out[start + 4..start + 8].copy_from_slice(&size.to_le_bytes());
    };
    for key in keys {
        if out.len() - start > PIECE {
            end(&mut out, start, count);
            (start, count) = (out.len(), 0);
            out.extend([0; 8]);
        }
        let item = &items[key];
        out.extend_from_slice(&encode(key, Some(item), item.set_at));
        count += 1;
    }
    end(&mut out, start, count);
    out
}

impl Shards {
    fn shard_of(&self, key: &[u8]) -> usize {
        crc(0, key) as usize % self.shards.len() // K1
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Item> {
        if self.shards.is_empty() { None } else { self.shards[self.shard_of(key)].get(key) }
    }

    pub(super) fn items(&self) -> impl Iterator<Item = (&[u8], &Item)> {
        self.shards.iter().flatten().map(|(key, item)| (&**key, item))
    }

    /// Adds the keys that have expired to `keys`, from a shard on until enough items were looked
    /// at; the shard to go on with.
    pub(super) fn expired(&self, from: usize, now: i64, keys: &mut Vec<Vec<u8>>) -> Option<usize> {
        let mut looked = 0;
        for (at, shard) in self.shards.iter().enumerate().skip(from) {
            if looked >= LOOK {
                return Some(at);
            }
            looked += shard.len();
            let gone = shard.iter().filter(|(_, item)| !item.is_there(now));
            keys.extend(gone.map(|(key, _)| key.to_vec()));
        }
        None
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(HashMap::len).sum()
    }

    /// Spreads the items over `count` shards.
    pub(super) fn spread(&mut self, count: usize) {
        let count = count.max(1);
        if self.shards.len() != count {
            let items = std::mem::take(&mut self.shards);
            self.shards.resize_with(count, Shard::default);
            for (key, item) in items.into_iter().flatten() {
                let shard = self.shard_of(&key);
                self.shards[shard].insert(key, item);
            }
        }
    }
}

impl View for Shards {
    const KIND: ViewKind = ViewKind::KeyValue;
    type Change = Change;
    type Cut = Arc<Mutex<Saving>>;

    fn slots(&self) -> &Slots {
        &self.slots
    }

    fn slots_mut(&mut self) -> &mut Slots {
        &mut self.slots
    }

    fn change(entry: &Entry<'_>, _: Place) -> Option<Change> {
        let mut from = Cursor(entry.bytes?);
        let sets = match entry.id {
            SET => true,
            DELETE => false,
            _ => return None,
        };
        decode(&mut from, sets).filter(|_| from.0.is_empty())
    }

    /// An operation reads what it changes: the changes become visible in their order.
    fn waits(_: &Entry<'_>, pending: &[Change]) -> bool {
        !pending.is_empty()
    }

    fn apply(&mut self, (key, item, at): Change) {
        if self.shards.is_empty() {
            self.spread(super::SHARDS);
        }
        let shard = self.shard_of(&key);
        if let Some(saving) = self.saving.upgrade() {
            saving.lock().save(shard, &self.shards[shard]); // K2
        }
        self.latest = self.latest.max(at);
        match item {
            Some(item) => drop(self.shards[shard].insert(key, item)),
            None => drop(self.shards[shard].remove(&key)),
        }
    }

    fn replay(&mut self, changes: &mut Vec<Change>, _: u64) {
        changes.drain(..).for_each(|change| self.apply(change));
    }

    fn moved(&mut self, _: &Entry<'_>, _: Place) {}

    fn cut(&mut self) -> Arc<Mutex<Saving>> {
        let (saved, keys) = (vec![false; self.shards.len()], self.len() as u64);
        let (stream, held, error, latest) = (None, Vec::new(), None, self.latest);
        let saving = Saving { saved, stream, held, error, latest, keys };
        let saving = Arc::new(Mutex::new(saving));
        self.saving = Arc::downgrade(&saving);
        saving
    }

    fn counts(cut: &Arc<Mutex<Saving>>) -> (u32, u64) {
        (0, cut.lock().keys)
    }

    /// The newest time, and the shards that are not empty, in any order.
    fn write(cut: Self::Cut, state: &RwLock<Shards>, mut stream: Stream) -> Result<u64> {
        let shards = {
            let mut saving = cut.lock();
            stream.put(&saving.latest.to_le_bytes())?;
            saving.stream = Some(stream);
            let held = std::mem::take(&mut saving.held);
            held.into_iter().for_each(|bytes| saving.put(bytes));
            saving.saved.len()
        };
        for shard in 0..shards {
            let state = state.read(); // nobody changes anything meanwhile
            let mut saving = cut.lock();
            saving.save(shard, &state.shards[shard]);
            if let Some(error) = saving.error.take() {
                return Err(error);
            }
        }
        let stream = cut.lock().stream.take();
        stream.expect("it was put there").finish()
    }

    fn load(header: &SnapshotHeader, source: &mut Source<'_>) -> Result<Option<Shards>> {
        let Some(latest) = source.take::<8>()? else { return Ok(None) };
        let latest = i64::from_le_bytes(latest);
        let mut shards = Shards { latest, ..Shards::default() };
        shards.spread(super::SHARDS);
        while (shards.len() as u64) < header.entries {
            let Some(head) = source.take::<8>()? else { return Ok(None) };
            let (count, size) = (u32_at(&head, 0), u32_at(&head, 4));
            let Some(bytes) = source.bytes(size as usize)? else { return Ok(None) };
            let mut from = Cursor(bytes);
            for _ in 0..count {
                let Some((key, Some(item), _)) = decode(&mut from, true) else { return Ok(None) };
                let shard = shards.shard_of(&key);
                shards.shards[shard].insert(key, item);
            }
            if !from.0.is_empty() || count == 0 {
                return Ok(None);
            }
        }
        Ok(Some(shards))
    }

    fn live(&self) -> u64 {
        self.len() as u64
    }

    /// K1.
    fn check_invariants(&self, _: Lsn) {
        let placed = |(at, shard): (usize, &Shard)| shard.keys().all(|k| self.shard_of(k) == at);
        assert!(self.shards.iter().enumerate().all(placed), "K1: a key in another's shard");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_for_expired_keys_ends_with_the_shard_that_makes_it_long() {
        let mut shards = Shards::default();
        shards.spread(4);
        for n in 0..8000u32 {
            let item = Item { value: Value::Null, expires: Some(5), set_at: 0, version: 1 };
            shards.apply((n.to_be_bytes().into(), Some(item), 0));
        }
        let mut keys = Vec::new();
        assert_eq!(shards.expired(0, 4, &mut keys), Some(3), "not expired, and looked at");
        assert_eq!((shards.expired(0, 5, &mut keys), keys.len()), (Some(3), 6000));
        assert_eq!((shards.expired(3, 5, &mut keys), keys.len()), (None, 8000));
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 8000);
    }
}
