//! Bytes encoded by hand, and what becomes of them when they are damaged.

use super::*;
use crate::{Codec, Likeness, Tail};
use highwater_tests::{TestResult, properties};
use serde_json::{Value, json};

/// Id 7 holds `[1,2]`, in each way of writing it.
const STORE: &[u8] = b"\xc3\x07\0\0\0\0\0\0\0\x05\0\0\0[1,2]\x68\x1a\xd7\x3d";
const LEGACY: &[u8] = b"\x01\x07\0\0\0\0\0\0\0\x05\0\0\0[1,2]";
const PLAN: &[u8] = b"\x01\x07\0\0\0\0\0\0\0\x05\0\0\0\xbf\x50\x8b\x08[1,2]";
const DELETE: &[u8] = b"\xc4\x07\0\0\0\0\0\0\0\xf3\x4f\xe7\x09";
const LEGACY_DELETE: &[u8] = b"\x02\x07\0\0\0\0\0\0\0";
/// Of a log that is `STORE`: 22 bytes, one id, 7 at offset 9.
const INDEX: &[u8] = b"VSNP\x01\x16\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\
    \x07\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0\x94\x69\xfa\x47";

fn folder(log: &[u8], snapshot: Option<&[u8]>) -> Files {
    let snapshot = snapshot.map(|bytes| (SNAPSHOT, bytes));
    [(LOG, log)].into_iter().chain(snapshot).collect()
}

fn says(log: &[u8], snapshot: Option<&[u8]>, dialect: Dialect) -> (Tail, Value) {
    let examined = dialect.examine(&folder(log, snapshot), None);
    (examined.verdict(), examined.state)
}

fn current(log: &[u8]) -> (Tail, Value) {
    says(log, None, Dialect::Current)
}

fn likeness(files: &Files) -> (Likeness, Likeness) {
    (Dialect::Current.likeness(files), Dialect::Plan.likeness(files))
}

#[test]
fn each_record_is_read() {
    let seven = json!({"7": [1, 2]});
    assert_eq!(current(STORE), (Tail::Clean, seven.clone()));
    assert_eq!(current(LEGACY), (Tail::Clean, seven.clone()));
    assert_eq!(says(PLAN, None, Dialect::Plan), (Tail::Clean, seven.clone()));
    assert_eq!(current(&[STORE, DELETE].concat()), (Tail::Clean, json!({})));
    assert_eq!(current(&[LEGACY, LEGACY_DELETE, STORE].concat()), (Tail::Clean, seven.clone()));
    let deleted = [PLAN, LEGACY_DELETE].concat();
    assert_eq!(says(&deleted, None, Dialect::Plan), (Tail::Clean, json!({})));
    assert_eq!(says(STORE, Some(INDEX), Dialect::Current), (Tail::Clean, seven));
    assert_eq!(current(b""), (Tail::Clean, json!({})));
}

#[test]
fn the_example_of_the_page_is_these_bytes() {
    let files = crate::trials::examples(include_str!("../../../docs/formats/velesdb.md"));
    assert_eq!(files, folder(&[STORE, DELETE, LEGACY].concat(), Some(INDEX)));
    let seven = (Tail::Clean, json!({"7": [1, 2]}));
    assert_eq!(says(files.get(LOG).unwrap(), Some(INDEX), Dialect::Current), seven);
}

#[test]
fn what_is_written_is_the_vector() {
    let state = State { payloads: [(7, b"[1,2]".to_vec())].into() };
    let files = write(&state, Dialect::Current).unwrap();
    assert_eq!((files.get(LOG), files.get(SNAPSHOT)), (Some(STORE), Some(INDEX)));
    assert_eq!(write(&state, Dialect::Plan).unwrap().get(LOG), Some(PLAN));
    let state = State { payloads: [(7, b"[1,2".to_vec())].into() };
    assert!(matches!(write(&state, Dialect::Current), Err(Misfit::Json(7, _))));
}

#[test]
fn the_dialect_is_in_the_content() {
    use Likeness::{Content, Name, None};
    let of = |log: &[u8]| likeness(&folder(log, Option::None));
    assert_eq!(of(STORE), (Content, None));
    assert_eq!(of(LEGACY), (Content, None));
    assert_eq!(of(PLAN), (Name, Content));
    assert_eq!(of(b"not a log"), (None, None));
    assert_eq!(of(b""), (Name, None));
    assert_eq!(of(&STORE[..10]), (Name, None));
    // A first record that is damaged, and one behind it that is not.
    assert_eq!(of(&[&STORE[..10], STORE].concat()), (Content, None));
    assert_eq!(of(DELETE), (Content, None));
    // Nothing but deletes without checksums: the same in both.
    assert_eq!(of(LEGACY_DELETE), (Content, Content));
    // A number whose checksum is four digits: each dialect finds a number.
    let both = b"\x01\x07\0\0\0\0\0\0\0\x07\0\0\090711011499";
    assert_eq!(of(both), (Content, Content));
    // The index is no proof of either.
    assert_eq!(likeness(&folder(STORE, Some(INDEX))), (Content, None));
    assert_eq!(likeness(&folder(PLAN, Some(INDEX))).1, Content);
    assert_ne!(likeness(&folder(PLAN, Some(INDEX))).0, Content);
    let alone = |bytes: &[u8]| likeness(&[(SNAPSHOT, bytes)].into_iter().collect());
    assert_eq!(alone(INDEX), (Content, None));
    assert_eq!(alone(b""), (Name, None));
    assert_eq!(likeness(&[("other.log", STORE)].into_iter().collect()), (None, None));
}

/// Torn if nothing valid comes after the bad record, else corrupt.
#[test]
fn fm2_a_state_ends_before_the_first_bad_record() {
    let mut damaged = STORE.to_vec();
    damaged[14] ^= 1;
    assert_eq!(current(&[LEGACY, &damaged].concat()), (Tail::Torn, json!({"7": [1, 2]})));
    let (tail, state) = current(&[&damaged[..], DELETE, STORE].concat());
    assert_eq!((tail, state), (Tail::Corrupt, json!({})));
    for zeros in [1, 8, 9, 13, 4096] {
        let log = [STORE, &vec![0; zeros]].concat();
        assert_eq!(current(&log), (Tail::Torn, json!({"7": [1, 2]})), "{zeros} zeros");
    }
    assert_eq!(current(&[&damaged[..], DELETE].concat()).0, Tail::Corrupt);
    // A delete without checksum is no proof: any nine bytes that begin with a 2 are one.
    assert_eq!(current(&[STORE, b"?", LEGACY_DELETE].concat()).0, Tail::Torn);
    let report = &Dialect::Current.examine(&folder(&[STORE, b"?"].concat(), None), None).files[0];
    assert_eq!((report.records, report.offset), (1, 22));
    assert_eq!(report.reason.as_deref(), Some("marker 0x3f begins no record"));
}

#[test]
fn an_intact_payload_that_is_no_json_is_named() {
    let mut log = b"\xc3\x07\0\0\0\0\0\0\0\x01\0\0\0?".to_vec();
    log.extend(crc32fast::hash(&log).to_le_bytes());
    let examined = Dialect::Current.examine(&folder(&log, None), None);
    assert_eq!((examined.verdict(), &examined.state), (Tail::Clean, &json!({})));
    assert_eq!(examined.more[0].0, "entry_errors");
    assert!(examined.lost[0].starts_with("the payload of id 7 is no JSON"), "{:?}", examined.lost);
    // Without a checksum it is the only sign of damage.
    assert_eq!(current(b"\x01\x07\0\0\0\0\0\0\0\x01\0\0\0?"), (Tail::Torn, json!({})));
}

#[test]
fn a_snapshot_is_compared_with_the_log() {
    let seven = json!({"7": [1, 2]});
    let of = |log: &[u8], snapshot: &[u8]| {
        let examined = Dialect::Current.examine(&folder(log, Some(snapshot)), None);
        let tails = examined.files.iter().map(|file| file.tail).collect::<Vec<_>>();
        (tails, examined.state)
    };
    let (clean, torn, corrupt) = (Tail::Clean, Tail::Torn, Tail::Corrupt);
    // Older than the log is as good as any.
    assert_eq!(of(&[STORE, DELETE].concat(), INDEX), (vec![clean, clean], json!({})));
    for size in 0..snapshot::SIZE_MIN {
        assert_eq!(of(STORE, &INDEX[..size]), (vec![clean, torn], seven.clone()), "{size}");
    }
    for size in snapshot::SIZE_MIN..INDEX.len() {
        let (tails, state) = of(STORE, &INDEX[..size]);
        assert!(tails[0] == clean && tails[1] != clean && state == seven, "{size}: {tails:?}");
    }
    // With the right checksum, but of another version or another size.
    for (at, byte) in [(4, 0), (4, 2), (13, 0), (13, 2)] {
        let mut other = INDEX[..INDEX.len() - 4].to_vec();
        other[at] = byte;
        other.extend(crc32fast::hash(&other).to_le_bytes());
        assert_ne!(of(STORE, &other).0[1], clean, "{at} {byte}");
    }
    let mut longer = [&INDEX[..INDEX.len() - 4], b"?"].concat();
    longer.extend(crc32fast::hash(&longer).to_le_bytes());
    assert_eq!(of(STORE, &longer), (vec![clean, corrupt], seven.clone()));
    // Of another log, or of more than this log has.
    let other = Snapshot { position: 22, offsets: [(8, 9)].into() };
    assert_eq!(of(STORE, &snapshot::encode(&other)), (vec![clean, corrupt], seven.clone()));
    let without = Snapshot { position: 22, offsets: BTreeMap::new() };
    assert_eq!(of(STORE, &snapshot::encode(&without)), (vec![clean, corrupt], seven.clone()));
    let longer = Snapshot { position: 44, offsets: [(7, 31)].into() };
    assert_eq!(of(STORE, &snapshot::encode(&longer)), (vec![corrupt, clean], seven.clone()));
    assert_eq!(of(&STORE[..21], INDEX), (vec![corrupt, clean], json!({})));
    let files: Files = [(SNAPSHOT, INDEX)].into_iter().collect();
    assert_eq!(Dialect::Current.examine(&files, None).verdict(), corrupt);
    let files: Files = [(LOG, STORE), (TEMPORARY, b"VSN")].into_iter().collect();
    assert_eq!(Dialect::Current.examine(&files, None).verdict(), clean);
}

/// Some of everything, and where its records end.
fn mixed(dialect: Dialect) -> (Vec<u8>, Vec<usize>) {
    let records: &[&[u8]] = match dialect {
        Dialect::Current => &[LEGACY, LEGACY_DELETE, STORE, DELETE, STORE],
        Dialect::Plan => &[PLAN, LEGACY_DELETE, PLAN],
    };
    let mut ends = vec![0];
    ends.extend(records.iter().scan(0, |end, record| {
        *end += record.len();
        Some(*end)
    }));
    (records.concat(), ends)
}

#[test]
fn a_cut_is_torn_but_at_the_end_of_a_record() {
    for dialect in [Dialect::Current, Dialect::Plan] {
        let (log, ends) = mixed(dialect);
        for cut in 0..=log.len() {
            let (tail, _) = says(&log[..cut], None, dialect);
            let right = if ends.contains(&cut) { Tail::Clean } else { Tail::Torn };
            assert_eq!(tail, right, "{dialect:?} cut at {cut}");
        }
    }
}

/// What a flipped bit comes to, where there is a checksum: never another state, or one that is
/// shorter and said to be.
#[test]
fn a_flipped_bit_is_noticed_where_there_is_a_checksum() {
    let log = [STORE, DELETE, STORE, STORE].concat();
    for bit in 0..log.len() * 8 {
        let mut damaged = log.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (tail, _) = current(&damaged);
        let last = bit / 8 >= log.len() - STORE.len();
        assert_eq!(tail, if last { Tail::Torn } else { Tail::Corrupt }, "bit {bit}");
    }
    for bit in 0..INDEX.len() * 8 {
        let mut damaged = INDEX.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (tail, state) = says(STORE, Some(&damaged), Dialect::Current);
        assert!(tail != Tail::Clean && state == json!({"7": [1, 2]}), "bit {bit}: {tail:?}");
    }
    let (log, _) = mixed(Dialect::Plan);
    for bit in 0..log.len() * 8 {
        let mut damaged = log.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        says(&damaged, None, Dialect::Plan);
    }
}

properties! {
    fn what_is_written_is_read(numbers: Vec<(u64, i64)>, texts: Vec<(u64, String)>) -> bool {
        let numbers = numbers.into_iter().map(|(id, n)| (id, json!(n)));
        let texts = texts.into_iter().map(|(id, text)| (id, json!([text])));
        let payloads = numbers.chain(texts).map(|(id, value)| (id, value.to_string().into_bytes()));
        let state = State { payloads: payloads.collect() };
        [Dialect::Current, Dialect::Plan].into_iter().all(|dialect| {
            let files = write(&state, dialect).unwrap();
            let (examined, named) = (read(&files, dialect), dialect.likeness(&files));
            examined.verdict() == Tail::Clean
                && examined.state == state
                && (named == Likeness::Content || state.payloads.is_empty())
        })
    }

    /// FM1: whatever the bytes are, an answer comes, and nothing in it is larger than they are.
    fn fm1_any_bytes_are_classified(log: Vec<u8>, snapshot: Vec<u8>, marker: u8) -> bool {
        let marked: Vec<u8> = [[1, 2, 0xc3, 0xc4][usize::from(marker % 4)]]
            .into_iter()
            .chain(log.iter().map(|byte| byte % 4))
            .collect();
        for log in [&log, &marked] {
            for snapshot in [snapshot.clone(), [&b"VSNP\x01"[..], &snapshot].concat()] {
                let files = folder(log, Some(&snapshot));
                for dialect in [Dialect::Current, Dialect::Plan] {
                    let examined = read(&files, dialect);
                    dialect.likeness(&files);
                    let size: usize = examined.state.payloads.values().map(Vec::len).sum();
                    let past = examined.files.iter().any(|file| {
                        file.offset > files.get(&file.path).map_or(0, <[u8]>::len) as u64
                    });
                    if size > log.len() || past {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Cut and flipped at once, behind a record that stays whole.
    fn damage_spares_what_is_before_it(at: usize, bit: usize, cut: usize) -> TestResult {
        let (log, ends) = mixed(Dialect::Current);
        let at = at % log.len();
        let mut damaged = log.clone();
        damaged[at] ^= 1 << (bit % 8);
        damaged.truncate(log.len() - cut % log.len());
        let before = ends.iter().filter(|end| **end <= at.min(damaged.len())).max().unwrap();
        let records = |log: &[u8]| Scan::new(&Log::new(log, Dialect::Current)).records;
        let (found, right) = (records(&damaged), records(&log[..*before]));
        TestResult::from_bool(found.starts_with(&right))
    }
}
