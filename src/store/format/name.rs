//! File names: what a file is stands in its name, because the name is durable before the first
//! byte.

use super::Lsn;

/// What the name of a file in the store's directory says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) kind: Kind,
    /// A segment's first LSN; a snapshot's.
    pub(crate) lsn: Lsn,
    pub(crate) epoch: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Segment,
    Snapshot,
    Temporary,
}

impl Kind {
    fn suffix(self) -> &'static str {
        match self {
            Kind::Segment => ".log",
            Kind::Snapshot => ".snap",
            Kind::Temporary => ".snap.tmp",
        }
    }
}

fn hex(text: &[u8]) -> Option<u64> {
    let mut value = 0;
    for &byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        value = value << 4 | u64::from(digit);
    }
    Some(value)
}

fn put_hex(text: &mut String, value: u64, digits: u32) {
    let nibbles = (0..digits).rev().map(|digit| (value >> (4 * digit) & 15) as usize);
    text.extend(nibbles.map(|nibble| b"0123456789abcdef"[nibble] as char));
}

impl Name {
    pub(crate) fn segment(first: Lsn, epoch: u32) -> Name {
        Name { kind: Kind::Segment, lsn: first, epoch }
    }

    /// The text form: `{lsn:016x}-{epoch:08x}` and a suffix.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(34);
        put_hex(&mut text, self.lsn.0, 16);
        text.push('-');
        put_hex(&mut text, u64::from(self.epoch), 8);
        text.push_str(self.kind.suffix());
        text
    }

    /// Exactly the names that [`text`](Name::text) makes, of a segment that can have a record.
    pub(crate) fn parse(text: &str) -> Option<Name> {
        let bytes = text.as_bytes();
        if bytes.len() < 29 || bytes[16] != b'-' {
            return None;
        }
        let kind = match &bytes[25..] {
            b".log" => Kind::Segment,
            b".snap" => Kind::Snapshot,
            b".snap.tmp" => Kind::Temporary,
            _ => return None,
        };
        let lsn = Lsn(hex(&bytes[..16])?);
        let epoch = hex(&bytes[17..25])? as u32;
        let valid = epoch > 0 && lsn.0 > 0 && lsn.0 < u64::MAX / 2;
        valid.then_some(Name { kind, lsn, epoch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater_tests::properties;

    properties! {
        fn round_trip(kind: u8, lsn: u64, epoch: u32) -> bool {
            let kind = [Kind::Segment, Kind::Snapshot, Kind::Temporary][usize::from(kind % 3)];
            let name = Name { kind, lsn: Lsn(lsn % (u64::MAX / 2 - 1) + 1), epoch: epoch.max(1) };
            Name::parse(&name.text()) == Some(name)
        }

        fn only_its_own_names(text: String) -> bool {
            Name::parse(&text).is_none_or(|name| name.text() == text)
        }
    }

    #[test]
    fn near_misses_are_foreign() {
        let good = "0000000000000001-00000001.log";
        assert_eq!(Name::parse(good), Some(Name::segment(Lsn(1), 1)));
        for bad in [
            "0000000000000000-00000001.log",
            "0000000000000001-00000000.log",
            "000000000000000A-00000001.log",
            "0000000000000001-00000001.log.bak",
            "0000000000000001_00000001.log",
            "0000000000000001-00000001.snap.tm",
            "é000000000000001-00000001.log",
        ] {
            assert_eq!(Name::parse(bad), None, "{bad}");
        }
    }
}
