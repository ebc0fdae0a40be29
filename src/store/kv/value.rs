//! Values, and how the log and the snapshots hold them.

use std::collections::BTreeMap;

/// What a key can be set to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number: what counters count.
    Int(i64),
    /// A number; two are equal as numbers are, and every bit is kept.
    Float(f64),
    /// A decimal number in its digits, such as `123.45`; nothing here calculates with it.
    Decimal(String),
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Map(BTreeMap<String, Value>),
    /// That there is a key, and nothing else.
    Null,
}

/// A list in a list in a list … no deeper than this is read: a hostile file must not use up the
/// stack.
pub(super) const DEPTH_MAX: u32 = 128;

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::String(text.into())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Bytes(bytes.into())
    }
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Bytes that are taken from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.u32()?;
        self.take(count as usize)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }
}

impl Value {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut tag = |tag: u8, bytes: &[u8]| {
            out.push(tag);
            out.extend_from_slice(bytes);
        };
        match self {
            Value::Null => tag(0, &[]),
            Value::Int(value) => tag(1, &value.to_le_bytes()),
            Value::Float(value) => tag(2, &value.to_bits().to_le_bytes()),
            Value::Decimal(text) => {
                tag(3, &[]);
                put_bytes(out, text.as_bytes());
            }
            Value::String(text) => {
                tag(4, &[]);
                put_bytes(out, text.as_bytes());
            }
            Value::Bytes(bytes) => {
                tag(5, &[]);
                put_bytes(out, bytes);
            }
            Value::List(values) => {
                tag(6, &(values.len() as u32).to_le_bytes());
                values.iter().for_each(|value| value.encode(out));
            }
            Value::Map(values) => {
                tag(7, &(values.len() as u32).to_le_bytes());
                for (name, value) in values {
                    put_bytes(out, name.as_bytes());
                    value.encode(out);
                }
            }
        }
    }

    pub(super) fn decode(from: &mut Cursor<'_>) -> Option<Value> {
        Value::decode_within(from, DEPTH_MAX)
    }

    fn decode_within(from: &mut Cursor<'_>, depth: u32) -> Option<Value> {
        let [tag] = from.array()?;
        Some(match tag {
            0 => Value::Null,
            1 => Value::Int(from.i64()?),
            2 => Value::Float(f64::from_bits(from.u64()?)),
            3 => Value::Decimal(from.text()?),
            4 => Value::String(from.text()?),
            5 => Value::Bytes(from.bytes()?.to_vec()),
            6 => {
                let (count, depth) = (from.u32()?, depth.checked_sub(1)?);
                let mut values = Vec::new(); // as long as there are bytes, not as the count says
                for _ in 0..count {
                    values.push(Value::decode_within(from, depth)?);
                }
                Value::List(values)
            }
            7 => {
                let (count, depth) = (from.u32()?, depth.checked_sub(1)?);
                let mut values = BTreeMap::new();
                for _ in 0..count {
                    let name = from.text()?;
                    values.insert(name, Value::decode_within(from, depth)?);
                }
                Value::Map(values)
            }
            _ => return None,
        })
    }

    /// How many values are within each other.
    pub(super) fn depth(&self) -> u32 {
        let inner = match self {
            Value::List(values) => values.iter().map(Value::depth).max(),
            Value::Map(values) => values.values().map(Value::depth).max(),
            _ => return 0,
        };
        1 + inner.unwrap_or(0)
    }

    /// Whether it would be read again.
    pub(super) fn is_deep(&self) -> bool {
        self.depth() > DEPTH_MAX
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use highwater_tests::{Arbitrary, Gen, inner, properties};

    impl Arbitrary for Value {
        fn arbitrary(g: &mut Gen) -> Value {
            let kind = u8::arbitrary(g) % if g.size() > 2 { 8 } else { 6 };
            let inner = &mut inner(g);
            match kind {
                0 => Value::Null,
                1 => Value::Int(i64::arbitrary(g)),
                2 => Value::Float(f64::from(i32::arbitrary(g)) / 8.0),
                3 => Value::Decimal(format!("{}.{}", i32::arbitrary(g), u16::arbitrary(g))),
                4 => Value::String(String::arbitrary(g)),
                5 => Value::Bytes(Vec::arbitrary(g)),
                6 => Value::List(Vec::arbitrary(inner)),
                _ => Value::Map(BTreeMap::arbitrary(inner)),
            }
        }
    }

    properties! {
        fn round_trip(value: Value) -> bool {
            let mut bytes = Vec::new();
            value.encode(&mut bytes);
            let mut from = Cursor(&bytes);
            Value::decode(&mut from) == Some(value) && from.0.is_empty()
        }

        fn a_cut_value_is_none(value: Value, cut: usize) -> bool {
            let mut bytes = Vec::new();
            value.encode(&mut bytes);
            Value::decode(&mut Cursor(&bytes[..cut % bytes.len()])).is_none()
        }

        fn any_bytes_end(bytes: Vec<u8>) -> bool {
            Value::decode(&mut Cursor(&bytes)).is_none_or(|value| !value.is_deep())
        }
    }

    #[test]
    fn a_count_is_not_believed_and_depth_has_an_end() {
        assert_eq!(Value::decode(&mut Cursor(&[6, 255, 255, 255, 255])), None);
        let deep = |levels: usize| {
            let mut bytes = [6, 1, 0, 0, 0].repeat(levels);
            bytes.push(0);
            bytes
        };
        let most = DEPTH_MAX as usize;
        let deepest = Value::decode(&mut Cursor(&deep(most))).unwrap();
        assert_eq!((deepest.depth(), deepest.is_deep()), (DEPTH_MAX, false));
        assert_eq!(Value::decode(&mut Cursor(&deep(most + 1))), None);
        assert!(Value::List(vec![deepest]).is_deep());
    }
}
