//! How the records of a segment are framed: by our own header, or found out from the bytes.

use super::segment::{OVERHEAD, Segment};
use crate::bytes::{le_u16, le_u32, le_u64};
use crate::ranges::Crc;

const MAGIC: &[u8; 7] = b"HWSTEME";
const VERSION: u8 = 1;
/// Of our own header, in bytes.
pub(super) const HEADER: usize = 32;
/// No foreign header is looked for that is longer.
pub(super) const HEADER_MAX: usize = 512;

/// What the checksum of a record is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// The payload.
    Payload = 1,
    /// The length and the payload.
    LengthPayload = 2,
    /// The hash and the payload.
    HashPayload = 3,
    /// The length, the hash and the payload: what we write.
    LengthHashPayload = 4,
    /// The header of the record with zeros for the checksum.
    Header = 5,
    /// The same and the payload.
    HeaderPayload = 6,
}

impl Scope {
    pub(super) const ALL: [Scope; 6] = [
        Scope::Payload,
        Scope::LengthPayload,
        Scope::HashPayload,
        Scope::LengthHashPayload,
        Scope::Header,
        Scope::HeaderPayload,
    ];

    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Scope::Payload => "the payload",
            Scope::LengthPayload => "length and payload",
            Scope::HashPayload => "hash and payload",
            Scope::LengthHashPayload => "length, hash and payload",
            Scope::Header => "the record's header",
            Scope::HeaderPayload => "the record's header and payload",
        }
    }
}

/// How all segments of a journal are framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes before the first record.
    pub(super) header: usize,
    /// What the checksums are over.
    pub(super) scope: Scope,
    /// Whether the header is ours, and says so.
    pub(super) own: bool,
    /// Whether the offsets in the names count the headers. If only one segment is there nobody can
    /// tell; then they do not.
    pub(super) counted: bool,
}

/// What we write.
pub(super) const OWN: Layout =
    Layout { header: HEADER, scope: Scope::LengthHashPayload, own: true, counted: false };

/// The header of a segment of ours.
pub(super) fn header(base: u64) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.push(VERSION);
    bytes.extend(base.to_le_bytes());
    bytes.extend((HEADER as u16).to_le_bytes());
    bytes.push(OWN.scope as u8);
    bytes.resize(HEADER - 4, 0);
    bytes.extend(Crc::Crc32c.append(0, &bytes).to_le_bytes());
    bytes
}

/// Whether a segment is ours: it begins as ours do, or has the checksum of the right header, so
/// that damage to the one does not make it foreign.
fn is_own(segment: &Segment<'_>) -> bool {
    let checksum = HEADER - 4..HEADER;
    let right = header(segment.base);
    segment.bytes.starts_with(MAGIC)
        || segment.bytes.get(checksum.clone()) == Some(&right[checksum])
}

/// What is wrong with the header of a segment of ours.
pub(super) fn fault(segment: &Segment<'_>) -> Option<String> {
    let bytes = segment.bytes;
    if bytes.len() < HEADER {
        return Some(format!("a header has {HEADER} bytes, but {} are there", bytes.len()));
    }
    let (expected, actual) = (le_u32(bytes, HEADER - 4), Crc::Crc32c.append(0, &bytes[..28]));
    let (base, size, scope) = (le_u64(bytes, 8), le_u16(bytes, 16), bytes[18]);
    if expected != actual {
        Some(format!("the header's checksum is {expected:#010x}, but {actual:#010x} computed"))
    } else if bytes[7] != VERSION {
        Some(format!("version {}, but only {VERSION} is known", bytes[7]))
    } else if base != segment.base {
        Some(format!("the header says offset {base}, the name {}", segment.base))
    } else if usize::from(size) != HEADER || scope != OWN.scope as u8 {
        Some(format!("a header of {size} bytes and scope {scope} in version {VERSION}"))
    } else {
        None
    }
}

/// The layout of all segments, in the order of their offsets; or why it is not known. Nothing is
/// guessed: a record has to match its checksum and its hash.
pub(super) fn find(segments: &[Segment<'_>]) -> Result<Layout, String> {
    if segments.iter().any(is_own) {
        return Ok(OWN);
    }
    let found = segments.iter().filter_map(first).min_by_key(|(header, _)| *header);
    let Some((header, scope)) = found else {
        let why = format!("unknown header: in its first {HEADER_MAX} bytes no record begins");
        return Err(format!("{why} that matches a checksum and its hash"));
    };
    if let Some(at) = segments.iter().find_map(|segment| damaged_before(segment, header)) {
        let why = format!("unknown header: the first record that matches is at {header}");
        return Err(format!("{why}, but one at {at} may only be damaged"));
    }
    let mut pairs = segments.windows(2);
    let counted = header > 0
        && pairs
            .any(|pair| pair[0].base.checked_add(pair[0].bytes.len() as u64) == Some(pair[1].base));
    Ok(Layout { header, scope, own: false, counted })
}

/// The first record that certifies itself, and how.
fn first(segment: &Segment<'_>) -> Option<(usize, Scope)> {
    (0..=HEADER_MAX).find_map(|at| {
        let scope = Scope::ALL.into_iter().find(|scope| segment.record(at, *scope).is_ok())?;
        Some((at, scope))
    })
}

/// Where a row of records may begin that ends exactly at `header`, where the first sound one is: if
/// there is such a place, these may be damaged records and no header at all. Either their lengths
/// lead there, or the length alone is what is damaged, and the hash is right.
fn damaged_before(segment: &Segment<'_>, header: usize) -> Option<usize> {
    let before = segment.bytes.get(..header)?;
    let mut leads = vec![false; header + 1];
    leads[header] = true;
    for at in (0..(header + 1).saturating_sub(OVERHEAD)).rev() {
        let end = (at + OVERHEAD).checked_add(le_u32(before, at) as usize);
        let (hash, payload) = before[at + 8..].split_at(OVERHEAD - 8);
        leads[at] = end.is_some_and(|end| end <= header && leads[end])
            || blake3::hash(payload).as_bytes()[..] == *hash;
    }
    leads[..header].iter().position(|leads| *leads)
}
