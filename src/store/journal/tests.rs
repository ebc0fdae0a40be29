//! What a journal knows of its segments.

use super::{Journal, JournalReader, Options};
use crate::Durability;
use crate::format::Lsn;
use crate::test_disk::TestDisk;
use crate::view::View;

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
