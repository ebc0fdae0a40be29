//! What a journal knows of its segments.

use super::records::HASHED;
use super::{Journal, JournalReader, Options};
use crate::format::Lsn;
use crate::format::entry::Entry;
use crate::test_disk::TestDisk;
use crate::view::View;
use crate::{Durability, Error};
use highwater_vfs::OpenMode;

fn open(disk: &TestDisk) -> Journal {
    let (segment_size, durability) = (512, Durability::None);
    let options = Options { segment_size, durability, snapshots_kept: 1, ..Options::default() };
    Journal::open(disk.vfs(), options).unwrap()
}

/// Segments, and marks in them.
fn known(journal: &Journal) -> (usize, usize) {
    let state = journal.engine.state.read();
    (state.slots().iter().count(), state.marks.len())
}

#[test]
fn what_is_known_of_a_segment_goes_with_it() {
    let disk = TestDisk::default();
    let journal = open(&disk);
    for n in 1..=300u64 {
        let lsn = journal.append(&[7; 100]).unwrap().lsn;
        journal.set_cursor("reader", lsn).unwrap();
        if n % 10 == 0 {
            journal.clean_up().unwrap();
            let (segments, marks) = known(&journal);
            assert!(segments <= 3 && marks <= 3, "{n}: {segments} segments, {marks} marks");
            assert_eq!(journal.read(lsn).unwrap(), Some(vec![7; 100]), "{n}");
        }
    }
}

/// J3: what comes next is found wherever one begins to look, whether cursors are marked or not.
#[test]
fn j3_marks_say_where_every_entry_is() {
    let disk = TestDisk::default();
    let journal = open(&disk);
    let mut expected = Vec::new();
    for n in 0..90u64 {
        match n % 30 {
            // It has no room in a segment that cursors have begun.
            0 => expected.push(journal.append(&[n as u8; 600]).unwrap().lsn),
            1..15 => expected.push(journal.append(&[n as u8; 60]).unwrap().lsn),
            _ => drop(journal.set_cursor("reader", Lsn(1)).unwrap()),
        }
    }
    journal.flush().unwrap();
    let found = |mut reader: JournalReader| reader.next_record().unwrap().map(|(lsn, _)| lsn);
    let check = |journal: &Journal| {
        journal.check_invariants();
        for from in (0..=journal.positions().appended().0).map(Lsn) {
            let next = expected.iter().copied().find(|lsn| *lsn >= from);
            assert_eq!(found(journal.reader(from)), next, "J3: from {from}");
            assert_eq!(journal.read(from).unwrap().is_some(), next == Some(from), "{from}");
        }
    };
    check(&journal);
    let mut reader = journal.reader(Lsn(1));
    while reader.next_record().unwrap().is_some() {}
    let behind = journal.set_cursor("reader", Lsn(1)).unwrap().lsn;
    assert_eq!(reader.position(), behind, "past cursors too, so that their segments may go");
    // As versions have left it that marked no cursors.
    let mut state = journal.engine.state.write();
    let marked = state.marks.len();
    state.marks.retain(|mark| expected.contains(&mark.lsn));
    assert!(state.marks.len() + 3 <= marked, "segments of cursors alone");
    drop(state);
    check(&journal);
}

/// What is read of a journal whose snapshot covers it, when one of its segments is harmed, and what
/// is left out.
fn rest(harm: impl Fn(&mut Vec<u8>), at: usize) -> (Vec<u64>, Vec<(u64, u64)>) {
    let disk = TestDisk::default();
    let journal = open(&disk);
    (0..20).for_each(|n| journal.append(&[n; 100]).map(drop).unwrap());
    journal.clean_up().unwrap();
    drop(journal);
    let mut image = disk.image();
    harm(image.iter_mut().filter(|(name, _)| name.ends_with(".log")).nth(at).unwrap().1);
    let journal = open(&TestDisk::of(&image));
    let mut reader = journal.reader(Lsn(1));
    assert_eq!(reader.skip_damage().unwrap(), None, "nothing is damaged yet");
    let (mut read, mut lost) = (Vec::new(), Vec::new());
    loop {
        match reader.next_record() {
            Ok(None) => return (read, lost),
            Ok(Some((lsn, bytes))) => {
                assert_eq!(bytes, [lsn.0 as u8 - 1; 100]);
                read.push(lsn.0);
            }
            Err(Error::Corrupt(_)) => match reader.skip_damage().unwrap() {
                Some(range) => lost.push((range.start().0, range.end().0)),
                None => return (read, lost),
            },
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_reader_that_asks_goes_on_behind_damage() {
    let but = |lost: std::ops::RangeInclusive<u64>| -> Vec<u64> {
        (1..=20).filter(|lsn| !lost.contains(lsn)).collect()
    };
    // Three to a segment, of 152 bytes each: LSN 4 to 6 are in the second one.
    let payload = rest(|bytes| bytes[48 + 152 + 100] ^= 1, 1);
    assert_eq!(payload, (but(5..=5), vec![(5, 5)]));
    let header = rest(|bytes| bytes[48 + 152 + 4] ^= 1, 1);
    assert_eq!(header, (but(5..=6), vec![(5, 6)]), "where the next one begins nobody knows");
    let both = rest(|bytes| [48 + 100, 48 + 152 + 100].iter().for_each(|at| bytes[*at] ^= 1), 1);
    assert_eq!(both, (but(4..=5), vec![(4, 4), (5, 5)]));
    let cut = rest(|bytes| bytes.truncate(48 + 152), 1);
    assert_eq!(cut, (but(5..=6), vec![(5, 6)]));
    let last = rest(|bytes| bytes[48 + 4] ^= 1, 6);
    assert_eq!(last, (but(19..=20), vec![]), "nothing behind it");
}

/// Turns a bit of the record that begins there, in the newest segment.
fn hit(disk: &TestDisk, at: u64) {
    let name = disk.image().into_keys().rfind(|name| name.ends_with(".log")).unwrap();
    let file = disk.vfs().open(name.as_ref(), OpenMode::Write).unwrap();
    let mut byte = [0];
    file.read_at(&mut byte, at + 100).unwrap();
    file.write_at(&[byte[0] ^ 1], at + 100).unwrap();
}

/// The mark from which it is looked for stands before the damage.
#[test]
fn what_is_damaged_before_it_does_not_concern_a_record() {
    let disk = TestDisk::default();
    let journal = open(&disk);
    (0..3).for_each(|n| journal.append(&[n; 100]).map(drop).unwrap());
    journal.flush().unwrap();
    hit(&disk, 48 + 152);
    assert!(matches!(journal.read(Lsn(2)), Err(Error::Corrupt(_))));
    assert_eq!(journal.read(Lsn(3)).unwrap(), Some(vec![2; 100]));
    let mut reader = journal.reader(Lsn(3));
    assert_eq!(reader.next_record().unwrap(), Some((Lsn(3), vec![2; 100])));
    assert_eq!(reader.next_record().unwrap(), None);
}

#[test]
fn a_reader_that_follows_leaves_out_what_is_damaged_and_no_more() {
    let disk = TestDisk::default();
    let options = Options { durability: Durability::Fsync, reserve: 0, ..Options::default() };
    let journal = Journal::open(disk.vfs(), options).unwrap();
    (0..3).for_each(|n| journal.append(&[n; 100]).map(drop).unwrap());
    hit(&disk, 48 + 152);
    let (mut reader, mut read, mut lost) = (journal.reader(Lsn(1)), Vec::new(), Vec::new());
    for n in 3..8 {
        loop {
            match reader.next_record() {
                Ok(Some((lsn, _))) => read.push(lsn.0),
                Ok(None) => break,
                Err(_) => lost.extend(reader.skip_damage().unwrap()),
            }
        }
        journal.append(&[n; 100]).unwrap();
    }
    assert_eq!((read, lost), (vec![1, 3, 4, 5, 6, 7], vec![Lsn(2)..=Lsn(2)]));
}

/// Somebody has brought the file back.
#[test]
fn what_is_mended_is_read() {
    let disk = TestDisk::default();
    let journal = open(&disk);
    journal.append(&[7; 100]).unwrap();
    journal.flush().unwrap();
    let mut reader = journal.reader(Lsn(1));
    hit(&disk, 48);
    assert!(matches!(reader.next_record(), Err(Error::Corrupt(_))));
    assert!(matches!(reader.next_record(), Err(Error::Corrupt(_))));
    hit(&disk, 48);
    assert_eq!(reader.next_record().unwrap(), Some((Lsn(1), vec![7; 100])));
}

/// Its frame is as it was written: somebody has written other bytes with their checksum.
#[test]
fn a_record_with_another_hash_is_left_out_alone() {
    let disk = TestDisk::default();
    let journal = open(&disk);
    for n in 1..=3u8 {
        let hash = blake3::hash(&[if n == 2 { 0 } else { n }]);
        let bytes = [hash.as_bytes(), &[n][..]].concat();
        let entry = Entry { id: HASHED, bytes: Some(&bytes) };
        journal.engine.commit(&[entry], false).unwrap();
    }
    let mut reader = journal.reader(Lsn(1));
    assert_eq!(reader.next_record().unwrap(), Some((Lsn(1), vec![1])));
    for _ in 0..2 {
        assert!(matches!(reader.next_record(), Err(Error::Corrupt(_))), "until somebody asks");
        assert_eq!(reader.position(), Lsn(2));
    }
    assert_eq!(reader.skip_damage().unwrap(), Some(Lsn(2)..=Lsn(2)));
    assert_eq!(reader.skip_damage().unwrap(), None);
    assert_eq!(reader.next_record().unwrap(), Some((Lsn(3), vec![3])));
}
