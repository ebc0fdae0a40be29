//! The Bolt file: pages that are encoded here by hand, and what does not fit in them.

use super::tests::folder;
use super::*;
use crate::Tail;
use highwater_tests::properties;

const PAGE_SIZE: usize = 512;

/// A page with elements of key, value and flags.
fn leaf(number: u64, elements: &[(&[u8], &[u8], u32)]) -> Vec<u8> {
    let mut page = number.to_le_bytes().to_vec();
    page.extend([2, 0]);
    page.extend((elements.len() as u16).to_le_bytes());
    page.extend([0; 4]);
    let mut contents = Vec::new();
    for (index, (key, value, flags)) in elements.iter().enumerate() {
        let offset = (elements.len() - index) * 16 + contents.len();
        for field in [*flags, offset as u32, key.len() as u32, value.len() as u32] {
            page.extend(field.to_le_bytes());
        }
        contents.extend([*key, *value].concat());
    }
    page.extend(contents);
    page
}

fn meta_page(number: u64, root: u64, transaction: u64) -> Vec<u8> {
    meta_page_of(number, root, transaction, 6)
}

fn meta_page_of(number: u64, root: u64, transaction: u64, pages: u64) -> Vec<u8> {
    let mut page = number.to_le_bytes().to_vec();
    page.extend([4, 0, 0, 0, 0, 0, 0, 0]);
    let mut meta = Vec::new();
    for field in [0xED0C_DAED, 2, PAGE_SIZE as u32, 0] {
        meta.extend(field.to_le_bytes());
    }
    for field in [root, 0, 0, pages, transaction] {
        meta.extend(field.to_le_bytes());
    }
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(1_099_511_628_211);
    let sum = meta.iter().fold(14_695_981_039_346_656_037, step);
    [page, meta, sum.to_le_bytes().to_vec()].concat()
}

/// Six pages: two metas, the old root, a root, and a branch and a leaf of the log.
pub(super) fn bolt_file() -> Vec<u8> {
    let json = br#"{"Term":3,"Index":7,"Data":"c2V2ZW4=","Type":0}"#;
    let metadata = leaf(0, &[(b"currentTerm", &3_u64.to_be_bytes(), 0), (b"votedFor", b"n1", 0)]);
    let inline = |page: &[u8]| [&[0; 16], page].concat();
    let in_page = |page: u64| [page.to_le_bytes(), [0; 8]].concat();
    let mut branch = leaf(4, &[(&7_u64.to_be_bytes(), b"", 0)]);
    branch[8] = 1;
    branch[16..20].copy_from_slice(&16_u32.to_le_bytes());
    branch[20..24].copy_from_slice(&8_u32.to_le_bytes());
    branch[24..32].copy_from_slice(&5_u64.to_le_bytes());
    let root = leaf(3, &[(b"log", &in_page(4), 1), (b"metadata", &inline(&metadata), 1)]);
    let log = leaf(5, &[(&7_u64.to_be_bytes(), json, 0)]);
    let pages = [meta_page(0, 2, 8), meta_page(1, 3, 9), leaf(2, &[]), root, branch, log];
    let mut file = Vec::new();
    for (number, page) in pages.iter().enumerate() {
        file.extend(page);
        file.resize((number + 1) * PAGE_SIZE, 0);
    }
    file
}

#[test]
fn the_bolt_file_is_read() {
    let found = read(&folder(&[("raft.db", &bolt_file())]));
    let entry = LogEntry { term: 3, index: 7, data: Some(b"seven".into()), kind: 0 };
    let bolt =
        Bolt { term: Some(3), voted_for: Some(b"n1".into()), log: vec![entry], snapshot: None };
    assert_eq!((found.verdict(), found.state.bolt), (Tail::Clean, Some(bolt)), "{:?}", found.files);
    // The newer meta page is bad: the older one counts, and that is said.
    let mut file = bolt_file();
    file[PAGE_SIZE + 20] ^= 1;
    let found = read(&folder(&[("raft.db", &file)]));
    assert_eq!((found.verdict(), found.state.bolt), (Tail::Torn, Some(Bolt::default())));
    file[20] ^= 1;
    assert_eq!(read(&folder(&[("raft.db", &file)])).state.bolt, None);
}

/// What is said of the file with some bytes in place of its own.
fn bolt_with(page: usize, offset: usize, bytes: &[u8]) -> Tail {
    let mut file = bolt_file();
    file[page * PAGE_SIZE + offset..][..bytes.len()].copy_from_slice(bytes);
    read(&folder(&[("raft.db", &file)])).verdict()
}

#[test]
fn pages_are_taken_for_what_they_say_only_if_it_fits() {
    assert_eq!(bolt_with(0, 0, &[]), Tail::Clean);
    // The branch: on itself; at another page than its own; of more pages than there are.
    assert_eq!(bolt_with(4, 24, &[4]), Tail::Corrupt);
    assert_eq!(bolt_with(4, 0, &[5]), Tail::Corrupt);
    assert_eq!(bolt_with(4, 12, &[2]), Tail::Corrupt);
    // The leaf: neither leaf nor branch; more elements than fit; one outside; a key of 7 bytes.
    assert_eq!(bolt_with(5, 8, &[4]), Tail::Corrupt);
    assert_eq!(bolt_with(5, 10, &[32]), Tail::Corrupt);
    assert_eq!(bolt_with(5, 20, &[0, 2]), Tail::Corrupt);
    assert_eq!(bolt_with(5, 24, &[7]), Tail::Corrupt);
    // The first bucket's name is above the second's.
    assert_eq!(bolt_with(3, 48, b"z"), Tail::Corrupt);
    // Another index than the entry says, and a state that is cut off the file.
    assert_eq!(bolt_with(5, 39, &[8]), Tail::Corrupt);
    let file = &bolt_file()[..5 * PAGE_SIZE];
    assert_eq!(read(&folder(&[("raft.db", file)])).verdict(), Tail::Torn);
}

#[test]
fn what_elements_hold_does_not_overlap() {
    // The second key stands in the first value.
    let mut metadata = leaf(3, &[(b"a", b"b....", 0), (b"", b"", 0)]);
    metadata[36..44].copy_from_slice(&[17, 0, 0, 0, 1, 0, 0, 0]);
    let mut file = bolt_file();
    file[3 * PAGE_SIZE..][..metadata.len()].copy_from_slice(&metadata);
    assert_eq!(metadata[32 + 17], b'b');
    assert_eq!(read(&folder(&[("raft.db", &file)])).verdict(), Tail::Corrupt);
}

#[test]
fn fm1_elements_are_looked_for_only_in_their_page() {
    // A bucket at the very end of the file, whose page says that it has an element.
    let mut root = leaf(5, &[(b"log", &[0; 32], 1)]);
    let bucket = root.split_off(32);
    root[20..24].copy_from_slice(&((PAGE_SIZE - 35 - 16) as u32).to_le_bytes());
    root.resize(PAGE_SIZE - 35, 0);
    root.extend(bucket);
    for (count, tail) in [(0, Tail::Clean), (1, Tail::Corrupt)] {
        root[PAGE_SIZE - 8] = 2;
        root[PAGE_SIZE - 6] = count;
        let mut file = meta_page(0, 5, 9);
        file.resize(5 * PAGE_SIZE, 0);
        let second = meta_page(1, 5, 8);
        file[PAGE_SIZE..][..second.len()].copy_from_slice(&second);
        file.extend(&root);
        assert_eq!(read(&folder(&[("raft.db", &file)])).verdict(), tail, "{count}");
    }
}

#[test]
fn pages_that_share_pages_do_not_multiply() {
    // Each branch leads twice to the next: 2⁴⁰ ways to the last.
    let mut file = vec![0; 2 * PAGE_SIZE];
    for page in 2..42_u64 {
        let mut branch = leaf(page, &[(b"a", b"", 0), (b"b", b"", 0)]);
        branch[8] = 1;
        for element in [16, 32] {
            branch[element..element + 4].copy_from_slice(&32_u32.to_le_bytes());
            branch[element + 4..element + 8].copy_from_slice(&1_u32.to_le_bytes());
            branch[element + 8..element + 16].copy_from_slice(&(page + 1).to_le_bytes());
        }
        file.extend(branch);
        file.resize((page as usize + 1) * PAGE_SIZE, 0);
    }
    // As many pages as there are, under a new sum.
    let meta = meta_page_of(0, 2, 8, 42);
    file[..meta.len()].copy_from_slice(&meta);
    assert_eq!(read(&folder(&[("raft.db", &file)])).verdict(), Tail::Corrupt);
}

#[test]
fn a_bolt_file_of_many_pages() {
    let entry = |index| LogEntry { term: 1, index, data: Some(vec![index as u8; 40]), kind: 0 };
    for count in [0, 1, 30, 31, 10_000] {
        let bolt = Bolt { log: (1..=count).map(entry).collect(), ..Bolt::default() };
        let file = bolt::encode(&bolt);
        let found = read(&folder(&[("raft.db", &file)]));
        assert_eq!((found.verdict(), found.state.bolt), (Tail::Clean, Some(bolt)), "{count}");
    }
}

properties! {
    fn any_damage_to_the_bolt_file_has_an_answer(damage: Vec<(u16, u8)>) -> bool {
        let mut file = bolt_file();
        for (place, byte) in damage {
            let place = usize::from(place) % file.len();
            file[place] = byte;
        }
        read(&folder(&[("raft.db", &file)])).files.len() == 1
    }
}
