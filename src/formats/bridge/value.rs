//! The values of a key.

use super::bincode::{Reader, put_blob, put_list};
use crate::hex::hex;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// Lists and maps within each other: deeper ones are refused, so that reading needs little stack.
pub(super) const DEPTH_MAX: usize = 128;

/// What a key can hold.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number.
    Int(i64),
    /// A floating point number, told apart by its bits.
    Float(f64),
    /// A decimal number, as its digits. The original writes these and cannot read them.
    Decimal(String),
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Map(BTreeMap<String, Value>),
    /// Nothing.
    Null,
}

impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Int(a), Value::Int(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a.to_bits() == b.to_bits(),
            (Value::Decimal(a), Value::Decimal(b)) | (Value::String(a), Value::String(b)) => a == b,
            (Value::Bytes(a), Value::Bytes(b)) => a == b,
            (Value::List(a), Value::List(b)) => a == b,
            (Value::Map(a), Value::Map(b)) => a == b,
            (Value::Null, Value::Null) => true,
            _ => false,
        }
    }
}

impl Eq for Value {}

impl Value {
    /// With its kind named, as `{"Int":1}`, `{"FloatBits":"3ff0000000000000"}`, `"Null"`.
    pub fn to_json(&self) -> Json {
        match self {
            Value::Int(n) => json!({ "Int": n }),
            Value::Float(f) => json!({ "FloatBits": format!("{:016x}", f.to_bits()) }),
            Value::Decimal(digits) => json!({ "Decimal": digits }),
            Value::String(text) => json!({ "String": text }),
            Value::Bytes(bytes) => json!({ "BytesHex": hex(bytes) }),
            Value::List(items) => {
                json!({ "List": items.iter().map(Value::to_json).collect::<Vec<_>>() })
            }
            Value::Map(items) => {
                let items = items.iter().map(|(name, item)| (name.clone(), item.to_json()));
                json!({ "Map": items.collect::<serde_json::Map<_, _>>() })
            }
            Value::Null => json!("Null"),
        }
    }

    /// Whether it is a decimal or holds one.
    pub fn has_decimal(&self) -> bool {
        match self {
            Value::Decimal(_) => true,
            Value::List(items) => items.iter().any(Value::has_decimal),
            Value::Map(items) => items.values().any(Value::has_decimal),
            _ => false,
        }
    }

    pub(super) fn decode(from: &mut Reader<'_>) -> Result<Value, String> {
        decode(from, DEPTH_MAX)
    }

    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        let tag: u32 = match self {
            Value::Int(_) => 0,
            Value::Float(_) => 1,
            Value::Decimal(_) => 2,
            Value::String(_) => 3,
            Value::Bytes(_) => 4,
            Value::List(_) => 5,
            Value::Map(_) => 6,
            Value::Null => 7,
        };
        into.extend(tag.to_le_bytes());
        match self {
            Value::Int(n) => into.extend(n.to_le_bytes()),
            Value::Float(f) => into.extend(f.to_bits().to_le_bytes()),
            Value::Decimal(text) | Value::String(text) => put_blob(into, text.as_bytes()),
            Value::Bytes(bytes) => put_blob(into, bytes),
            Value::List(items) => put_list(into, items.iter(), |into, item| item.encode(into)),
            Value::Map(items) => put_list(into, items.iter(), |into, (name, item)| {
                put_blob(into, name.as_bytes());
                item.encode(into);
            }),
            Value::Null => {}
        }
    }
}

fn decode(from: &mut Reader<'_>, depth: usize) -> Result<Value, String> {
    let deeper = || {
        depth.checked_sub(1).ok_or_else(|| format!("a value nested deeper than {DEPTH_MAX} times"))
    };
    Ok(match from.u32()? {
        0 => Value::Int(from.i64()?),
        1 => Value::Float(f64::from_bits(from.u64()?)),
        2 => Value::Decimal(from.string()?),
        3 => Value::String(from.string()?),
        4 => Value::Bytes(from.blob()?.to_vec()),
        5 => {
            let depth = deeper()?;
            Value::List(from.list(|from| decode(from, depth))?)
        }
        6 => {
            let depth = deeper()?;
            let items = from.list(|from| Ok((from.string()?, decode(from, depth)?)))?;
            Value::Map(items.into_iter().collect())
        }
        7 => Value::Null,
        other => return Err(format!("a value's kind is 0 to 7, not {other}")),
    })
}
