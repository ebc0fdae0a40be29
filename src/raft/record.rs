//! What stands in the journal: a byte of kind, then numbers, then an entry's payload.

use crate::LogId;
use crate::bytes::{Reader, Writer};
use crate::error::Result;
use highwater::PAYLOAD_SIZE_MAX;

const ENTRY: u8 = 1;
const CUT: u8 = 2;
const PURGE: u8 = 3;
const RESTART: u8 = 4;

/// One record of the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// An entry of the log.
    Entry(LogId, &'a [u8]),
    /// From this index on nothing that stands before this record counts.
    Cut(u64),
    /// Up to there nothing is needed any more.
    Purge(LogId),
    /// Nothing that stands before this record counts, and the next entry follows there.
    Restart(LogId),
}

/// Bytes before an entry's payload.
const ENTRY_HEADER: u64 = 1 + 8 + 8;

impl<'a> Record<'a> {
    /// Whether an entry with that payload fits the journal.
    pub(crate) fn fits(payload: &[u8]) -> Result<()> {
        let (size, limit) = (payload.len() as u64, PAYLOAD_SIZE_MAX - ENTRY_HEADER);
        match size <= limit {
            true => Ok(()),
            false => Err(highwater::Error::TooLarge { what: "the entry", size, limit }.into()),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let kind = |kind: u8| Writer::default().rest(&[kind]);
        let id = |writer: Writer, id: &LogId| writer.number(id.index).number(id.term);
        match self {
            Record::Entry(at, payload) => id(kind(ENTRY), at).rest(payload),
            Record::Cut(from) => kind(CUT).number(*from),
            Record::Purge(to) => id(kind(PURGE), to),
            Record::Restart(to) => id(kind(RESTART), to),
        }
        .done()
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Record<'a>> {
        let (kind, rest) = bytes.split_first()?;
        let mut reader = Reader(rest);
        let index = reader.number()?;
        if *kind == CUT {
            reader.ended()?;
            return Some(Record::Cut(index));
        }
        let id = LogId { index, term: reader.number()? };
        match *kind {
            ENTRY => Some(Record::Entry(id, reader.0)),
            PURGE => reader.ended().map(|()| Record::Purge(id)),
            RESTART => reader.ended().map(|()| Record::Restart(id)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Record;
    use crate::LogId;

    #[test]
    fn records_are_what_the_format_says() {
        let at = LogId { index: 0x0102, term: 3 };
        let (index, term) = ([2, 1, 0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0, 0, 0]);
        for (record, kind, parts) in [
            (Record::Entry(at, b"xy"), 1, [&index[..], &term, b"xy"].concat()),
            (Record::Entry(at, b""), 1, [index, term].concat()),
            (Record::Cut(0x0102), 2, index.to_vec()),
            (Record::Purge(at), 3, [index, term].concat()),
            (Record::Restart(at), 4, [index, term].concat()),
        ] {
            let bytes = [&[kind][..], &parts].concat();
            assert_eq!(record.encode(), bytes);
            assert_eq!(Record::decode(&bytes), Some(record));
            let fixed = if kind == 2 { 9 } else { 17 };
            assert!((0..fixed).all(|size| Record::decode(&bytes[..size]).is_none()));
        }
        assert_eq!(Record::decode(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "a byte too many");
        assert_eq!(Record::decode(&[9; 17]), None, "no such kind");
    }
}
