//! The ten operations of the log.

use super::bincode::{Reader, put_blob, put_list, put_option};
use super::value::Value;

/// What a caller asked for; whether it took effect, a replay finds out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sets a key.
    Set(String, Value, Option<Ttl>),
    /// Removes a key.
    Delete(String),
    /// Adds to a number; sets the key where there is none.
    Incr(String, i64),
    /// Subtracts from a number; sets the key where there is none.
    Decr(String, i64),
    /// Sets several keys.
    MSet(Vec<(String, Value)>, Option<Ttl>),
    /// Removes several keys.
    MDel(Vec<String>),
    /// Sets a key if there is none.
    SetNx(String, Value, Option<Ttl>),
    /// Takes a lock: sets the key to its owner if there is none.
    Lock(String, String, Ttl),
    /// Gives a lock back, if the owner holds it.
    Unlock(String, String),
    /// Lets a lock expire later, if the owner holds it.
    ExtendLock(String, String, Ttl),
}

/// How long a key lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// Whole seconds.
    pub secs: u64,
    /// Nanoseconds in addition, fewer than a second's.
    pub nanos: u32,
}

const SECOND: i128 = 1_000_000_000;

impl Ttl {
    /// When a key expires that is given this long at `now`: in nanoseconds since 1970, at the
    /// latest the last of them.
    pub fn after(self, now: i64) -> i64 {
        let then = i128::from(now) + i128::from(self.secs) * SECOND + i128::from(self.nanos);
        then.min(i128::from(i64::MAX)) as i64
    }

    /// From one time to another; none if that is not later.
    pub fn between(now: i64, then: i64) -> Ttl {
        let nanos = (i128::from(then) - i128::from(now)).max(0);
        Ttl { secs: (nanos / SECOND) as u64, nanos: (nanos % SECOND) as u32 }
    }

    fn decode(from: &mut Reader<'_>) -> Result<Ttl, String> {
        let (secs, nanos) = (from.u64()?, from.u32()?);
        if i128::from(nanos) >= SECOND {
            return Err(format!("{nanos} nanoseconds make a second or more"));
        }
        Ok(Ttl { secs, nanos })
    }

    fn encode(self, into: &mut Vec<u8>) {
        into.extend(self.secs.to_le_bytes());
        into.extend(self.nanos.to_le_bytes());
    }
}

impl Op {
    /// The byte in front of its payload: 1 to 10. The payload begins with one less.
    pub fn code(&self) -> u8 {
        match self {
            Op::Set(..) => 1,
            Op::Delete(_) => 2,
            Op::Incr(..) => 3,
            Op::Decr(..) => 4,
            Op::MSet(..) => 5,
            Op::MDel(_) => 6,
            Op::SetNx(..) => 7,
            Op::Lock(..) => 8,
            Op::Unlock(..) => 9,
            Op::ExtendLock(..) => 10,
        }
    }

    /// Its name and keys.
    pub(super) fn summary(&self) -> String {
        match self {
            Op::Set(key, ..) => format!("Set {key:?}"),
            Op::Delete(key) => format!("Delete {key:?}"),
            Op::Incr(key, delta) => format!("Incr {key:?} by {delta}"),
            Op::Decr(key, delta) => format!("Decr {key:?} by {delta}"),
            Op::MSet(pairs, _) => format!("MSet of {} keys", pairs.len()),
            Op::MDel(keys) => format!("MDel of {} keys", keys.len()),
            Op::SetNx(key, ..) => format!("SetNx {key:?}"),
            Op::Lock(key, owner, _) => format!("Lock {key:?} for {owner:?}"),
            Op::Unlock(key, owner) => format!("Unlock {key:?} of {owner:?}"),
            Op::ExtendLock(key, owner, _) => format!("ExtendLock {key:?} of {owner:?}"),
        }
    }

    /// Bytes behind it are let be, as the original does.
    pub(super) fn decode(bytes: &[u8]) -> Result<Op, String> {
        let mut from = Reader::new(bytes);
        let from = &mut from;
        let variant = from.u32()?;
        Ok(match variant {
            0 => Op::Set(from.string()?, Value::decode(from)?, from.option(Ttl::decode)?),
            1 => Op::Delete(from.string()?),
            2 => Op::Incr(from.string()?, from.i64()?),
            3 => Op::Decr(from.string()?, from.i64()?),
            4 => Op::MSet(
                from.list(|from| Ok((from.string()?, Value::decode(from)?)))?,
                from.option(Ttl::decode)?,
            ),
            5 => Op::MDel(from.list(Reader::string)?),
            6 => Op::SetNx(from.string()?, Value::decode(from)?, from.option(Ttl::decode)?),
            7 => Op::Lock(from.string()?, from.string()?, Ttl::decode(from)?),
            8 => Op::Unlock(from.string()?, from.string()?),
            9 => Op::ExtendLock(from.string()?, from.string()?, Ttl::decode(from)?),
            other => return Err(format!("an operation's variant is 0 to 9, not {other}")),
        })
    }

    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        fn pair(into: &mut Vec<u8>, key: &str, value: &Value) {
            put_blob(into, key.as_bytes());
            value.encode(into);
        }
        let ttl = |into: &mut Vec<u8>, ttl: &Option<Ttl>| {
            put_option(into, *ttl, |into, ttl: Ttl| ttl.encode(into));
        };
        into.extend((u32::from(self.code()) - 1).to_le_bytes());
        match self {
            Op::Set(key, value, lives) | Op::SetNx(key, value, lives) => {
                pair(into, key, value);
                ttl(into, lives);
            }
            Op::Delete(key) => put_blob(into, key.as_bytes()),
            Op::Incr(key, delta) | Op::Decr(key, delta) => {
                put_blob(into, key.as_bytes());
                into.extend(delta.to_le_bytes());
            }
            Op::MSet(pairs, lives) => {
                put_list(into, pairs.iter(), |into, (key, value)| pair(into, key, value));
                ttl(into, lives);
            }
            Op::MDel(keys) => {
                put_list(into, keys.iter(), |into, key| put_blob(into, key.as_bytes()));
            }
            Op::Lock(key, owner, lives) | Op::ExtendLock(key, owner, lives) => {
                put_blob(into, key.as_bytes());
                put_blob(into, owner.as_bytes());
                lives.encode(into);
            }
            Op::Unlock(key, owner) => {
                put_blob(into, key.as_bytes());
                put_blob(into, owner.as_bytes());
            }
        }
    }
}
